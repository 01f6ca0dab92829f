"""What it is worth that lanes send less than they have: bytes and time of a step, and the loss.

Two members, a lane and a thread each, train the same steps in each way in turn, over a loopback of
a network namespace of its own, which can be slowed (Linux, as root; rates in Mbit/s, of both
directions together; 0: as it is). A step's time is that of the slower member, the median over the
rounds; bytes are those that the kernel has counted on the loopback, headers included, for both
members together.

    python tests/benchmarks/bench_compression.py --rates 0,1000,100
    python tests/benchmarks/bench_compression.py --learn "int32" "int16" "topk 1 %" --steps 300

The second trains the demo's model alone on the sources of Python's standard library and prints the
mean loss of the last 20 steps, and that of rows that were held out.
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

WAYS = {
    "int32": {},
    "int16": {"reduction_bits": 16},
    "topk 1 %": {"compression": "topk", "compression_share": 0.01},
    "topk 4.5 %": {"compression": "topk", "compression_share": 0.045},
    "powersgd 4": {"compression": "powersgd"},
}
LANES, SEQUENCES = 2, 4


def settings_of(chosen, way):
    from qmpi.config.model import ModelSettings
    from qmpi.config.optimizer import OptimizerSettings
    from qmpi.config.settings import Settings
    from qmpi.config.train import TrainSettings

    return Settings(
        model=ModelSettings(
            vocab_size=4096, width=chosen.width, layers=chosen.layers, heads=4, kv_heads=2
        ),
        train=TrainSettings(
            lanes=LANES, sequences=SEQUENCES, sequence_tokens=chosen.tokens, threads=1,
            precision="float32", compile="off", device="cpu", **WAYS[way],
        ),
        # Trainers on CPUs share Muon's work, which travels too.
        optimizer=OptimizerSettings(kind="adamw"),
    )  # fmt: skip


def block_of(chosen, step):
    import numpy as np

    shape = SEQUENCES, chosen.tokens + 1
    ids = np.random.default_rng([step, chosen.rank]).integers(0, 4096, shape)
    return ids.astype("<u2").tobytes()


def store_of(chosen):
    from qmpi.training.comm.store import connect_store, open_store

    address = Path(chosen.meeting) / "address"
    if chosen.rank == 0:
        store, there = open_store("127.0.0.1")
        (address.parent / "new").write_text(there)
        (address.parent / "new").rename(address)
        return store
    while not address.exists():
        time.sleep(0.01)
    return connect_store(address.read_text(), 60)


def sent_bytes():
    """Return what has gone over the loopback of this namespace."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    raise SystemExit("there is no loopback")


def trained(chosen, way, store):
    """Return wall seconds, seconds of communication and bytes of each step, and the digest."""
    from qmpi.training.comm.line import Comm
    from qmpi.training.engine import Engine

    settings = settings_of(chosen, way)
    engine = Engine(settings, time.monotonic, lambda: None)
    engine.initialise()
    comm = Comm(
        store=store, name=way, index=chosen.rank, size=2, timeout_seconds=300,
        aborted=lambda: None,
    )  # fmt: skip
    engine.join(comm)
    told = []
    for step in range(chosen.rounds + 1):
        block = block_of(chosen, step)
        digest = hashlib.blake2b(block, digest_size=16).hexdigest()
        comm.vote()
        before = sent_bytes()
        outcome = engine.run_step(step, [chosen.rank], [block], [digest], digest_due=False)
        comm.vote()
        told.append([outcome.seconds, outcome.times.communication, sent_bytes() - before])
    facts = {"steps": told[1:], "parameters": engine.at.state.layout.total}
    return facts | {"digest": engine.at.state.digest()}


def member(chosen):
    import torch

    torch.set_num_threads(1)
    store = store_of(chosen)
    told = {way: trained(chosen, way, store) for way in chosen.ways.split(",")}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)


def over(rate, arguments):
    """Run both members in a namespace of their own."""
    slow = f"tc qdisc add dev lo root tbf rate {rate}mbit burst 256kb latency 1s"
    setting = f"ip link set lo up; {slow if rate else 'true'}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_GLOO_LAZY_INIT": "1"}
    with tempfile.TemporaryDirectory() as meeting:
        command = [sys.executable, __file__, *(f"'{each}'" for each in arguments)]
        own = [*command, "--meeting", meeting, "--rank"]
        both = " & ".join(f"{' '.join([*own, str(n)])} > {meeting}/told{n}" for n in (0, 1))
        shell = f"{setting}; {both} & wait"
        subprocess.run(["unshare", "-n", "sh", "-e", "-c", shell], env=environment, check=True)
        return [json.loads((Path(meeting) / f"told{rank}").read_text()) for rank in (0, 1)]


def table(chosen):
    arguments = [
        "--rounds", str(chosen.rounds), "--width", str(chosen.width), "--layers",
        str(chosen.layers), "--tokens", str(chosen.tokens), "--ways", chosen.ways,
    ]  # fmt: skip
    sys.stdout.write("| Mbit/s | way | MB a step | step, s | waited and talked, s |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for rate in map(int, chosen.rates.split(",")):
        first, second = over(rate, arguments)
        for way, one in first.items():
            other = second[way]
            if one["digest"] != other["digest"]:
                raise SystemExit(f"{way}: the members have other weights")
            both = zip(one["steps"], other["steps"], strict=True)
            rounds = [[max(a, b) for a, b in zip(*pair, strict=True)] for pair in both]
            step, talked, sent = (statistics.median(each) for each in zip(*rounds, strict=True))
            sys.stdout.write(
                f"| {rate or 'as it is'} | {way} | {sent / 1e6:.2f} | {step:.3f} | {talked:.3f} |\n"
            )
        sys.stdout.write(f"({first[way]['parameters']} parameters)\n")
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", default="0,1000,100")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--learn", nargs="+", default=[], help="ways, as squeezed_learning.ARMS")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="muon", help="of optimizer, with --learn")
    parser.add_argument("--meeting", default="", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=-1, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.rank >= 0:
        member(chosen)
    elif chosen.learn:
        from squeezed_learning import learn

        for name in chosen.learn:
            told = learn(name, chosen.steps, chosen.seed, chosen.kind)
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
    else:
        table(chosen)


if __name__ == "__main__":
    main()
