"""What of the sum over members is hidden behind the gradients of the last lane.

Two members, one thread each, train the same steps over a loopback of a network namespace of its
own, which can be slowed (Linux, as root). Each step is done in one of several ways, in turns: the
whole sum at the end, or buckets of so many MiB. What counts is the median over the rounds, of the
member that waits longest: wall seconds of a step, seconds waited, and seconds hidden.

    python tests/benchmarks/bench_overlap.py --rates 0,1000,200 --buckets 0,1,4,16 --rounds 7

Rates are in Mbit/s, of both directions together; 0: the loopback as it is. A bucket of 0: the whole
sum at the end. It prints one JSON object a rate.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LANES, SEQUENCES = 2, 4


def settings_of(chosen):
    from qmpi.config.model import ModelSettings
    from qmpi.config.settings import Settings
    from qmpi.config.train import TrainSettings

    return Settings(
        model=ModelSettings(
            vocab_size=1024, width=chosen.width, layers=chosen.layers, heads=4, kv_heads=4
        ),
        train=TrainSettings(
            lanes=LANES, sequences=SEQUENCES, sequence_tokens=chosen.tokens, threads=1,
            precision="float32", compile="off", device="cpu",
        ),
    )  # fmt: skip


def blocks_of(chosen, step):
    import numpy as np

    shape = SEQUENCES, chosen.tokens + 1
    drawn = (np.random.default_rng([step, lane]).integers(0, 1024, shape) for lane in range(LANES))
    return [ids.astype("<u2").tobytes() for ids in drawn]


def engine_of(chosen):
    from qmpi.training.comm.line import Comm
    from qmpi.training.comm.store import connect_store, open_store
    from qmpi.training.engine import Engine

    engine = Engine(settings_of(chosen), time.monotonic, lambda: None)
    address = Path(chosen.meeting) / "address"
    if chosen.rank == 0:
        store, there = open_store("127.0.0.1")
        (address.parent / "new").write_text(there)
        (address.parent / "new").rename(address)
    else:
        while not address.exists():
            time.sleep(0.01)
        store = connect_store(address.read_text(), 60)
    engine.initialise()
    engine.join(
        Comm(
            store=store, name="g1", index=chosen.rank, size=2, timeout_seconds=120,
            aborted=lambda: None,
        )
    )  # fmt: skip
    return engine


def member(chosen):
    """Train; print of each bucket size what the steps took, and the digest at the end."""
    from qmpi.training.reduction.buckets import EarlySums

    engine = engine_of(chosen)
    layout, early = engine._state.layout, engine._sum.go_early
    ways = [int(float(each) * 2**20) for each in chosen.buckets.split(",")]
    told = {way: [] for way in ways}
    engine.warm_up()
    for number in range(chosen.rounds + 1):
        # Another one is the first of each round.
        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
            engine._sum._early = EarlySums(layout, max(1, way))
            engine._sum.go_early = early if way else lambda *_: None
            step = engine.state_step
            block = blocks_of(chosen, step)[chosen.rank]
            digest = hashlib.blake2b(block, digest_size=16).hexdigest()
            outcome = engine.run_step(step, [chosen.rank], [block], [digest], digest_due=False)
            times = outcome.times
            told[way].append([outcome.seconds, times.communication, times.hidden, times.backward])
    told = {way: rounds[1:] for way, rounds in told.items()}
    facts = {"parameters": layout.total, "told": told, "digest": engine.snapshot()[0]}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    os._exit(0)


def over(rate, arguments):
    """Run both members in a namespace of their own."""
    slow = f"tc qdisc add dev lo root tbf rate {rate}mbit burst 256kb latency 1s"
    setting = f"ip link set lo up; {slow if rate else 'true'}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_GLOO_LAZY_INIT": "1"}
    with tempfile.TemporaryDirectory() as meeting:
        command = [sys.executable, __file__, *arguments, "--meeting", meeting, "--rank"]
        both = " & ".join(
            f"{' '.join([*command, str(rank)])} > {meeting}/told{rank}" for rank in (0, 1)
        )
        shell = f"{setting}; {both} & wait"
        subprocess.run(["unshare", "-n", "sh", "-c", shell], env=environment, check=True)
        return [json.loads((Path(meeting) / f"told{rank}").read_text()) for rank in (0, 1)]


def summary(rate, members):
    first, second = members
    if first["digest"] != second["digest"]:
        raise SystemExit("the members have other weights")
    found = {}
    whole = [max(pair) for pair in zip(*waits(members, "0"), strict=True)]
    for way in first["told"]:
        columns = [
            [
                max(a[at], b[at])
                for a, b in zip(first["told"][way], second["told"][way], strict=True)
            ]
            for at in range(4)
        ]
        step, waited, hidden, backward = (round(statistics.median(each), 4) for each in columns)
        less = statistics.median(a - b for a, b in zip(whole, columns[1], strict=True))
        name = f"{int(way) / 2**20:g} MiB" if int(way) else "whole"
        found[name] = {
            "step": step, "waited": waited, "hidden": hidden, "backward": backward,
            "waited_less_than_whole": round(less, 4),
        }  # fmt: skip
    return {"mbit": rate, "parameters": first["parameters"], "seconds": found}


def waits(members, way):
    return [[one[1] for one in member["told"][way]] for member in members]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", default="0,1000,200")
    parser.add_argument("--buckets", default="0,1,4,16", help="MiB; the first is 0")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--meeting", default="", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=-1, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.rank >= 0:
        member(chosen)
    for rate in map(int, chosen.rates.split(",")):
        told = summary(rate, over(rate, sys.argv[1:]))
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
