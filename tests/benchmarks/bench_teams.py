"""Two ranks that share a model beside one process of two threads, and beside torch's own way.

Each contender trains steps of the same size in processes of its own, in turns; what counts is the
median of the rounds: wall seconds of a step, and CPU seconds of all its processes. All are eager,
in float32, with AdamW. Bytes are those that the loopback device has sent in a step, so nothing else
may talk over it meanwhile; beside them stands what the layout has to send.

    python tests/benchmarks/bench_teams.py --axis tensor pipeline --rounds 3 --json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS, WARM = 6, 2
SIZES = {"small": (256, 4, 1024), "large": (512, 4, 8192)}
"""Width, layers, vocabulary."""
SEQUENCES, TOKENS, MICROBATCHES = 8, 256, 4

CONTENDERS = {
    "tensor": ("ours", "ours alone", "dtensor", "plain"),
    "pipeline": ("ours", "ours split", "ours alone", "pipelining", "plain"),
    "context": ("ours", "ours alone", "plain"),
    "expert": ("ours", "ours alone"),
}
"""torch's own context parallel takes CUDA kernels alone, and it has no mixture of experts."""
RANKS = {"ours": 2, "ours split": 2, "dtensor": 2, "pipelining": 2, "ours alone": 1, "plain": 1}


EXPERTS, CHOSEN = 8, 2


def shape_of(size, axis):
    from qmpi.config.model import ModelSettings

    width, layers, vocabulary = SIZES[size]
    more = {"experts": EXPERTS, "experts_per_token": CHOSEN} if axis == "expert" else {}
    return ModelSettings(
        vocab_size=vocabulary, width=width, layers=layers, heads=4, kv_heads=4, tied_head=False,
        **more,
    )  # fmt: skip


def job_of(size, axis, contender):
    from qmpi.config.optimizer import OptimizerSettings
    from qmpi.config.parallel import ParallelSettings
    from qmpi.config.settings import Settings
    from qmpi.config.train import TrainSettings

    ranks, layout = RANKS[contender], {}
    if ranks > 1:
        layout = {axis: ranks}
    if contender == "ours split":
        layout["schedule"] = "zero_bubble"
    return Settings(
        model=shape_of(size, axis),
        parallel=ParallelSettings(**layout),
        train=TrainSettings(
            lanes=1, microbatches=MICROBATCHES, sequences=SEQUENCES // MICROBATCHES,
            sequence_tokens=TOKENS, threads=3 - ranks, precision="float32", compile="off",
        ),
        optimizer=OptimizerSettings(kind="adamw"),
    )  # fmt: skip


def ids_of(size):
    import torch

    torch.manual_seed(3)
    return torch.randint(0, SIZES[size][2], (SEQUENCES, TOKENS + 1))


def ours(args):
    """Return what does a step of the engine."""
    import hashlib

    from qmpi.ports.engine import JoinGroup
    from qmpi.protocol.teams import Layout
    from qmpi.runtime.engine_lines import connect
    from qmpi.training.comm.store import open_store
    from qmpi.training.engine import Engine

    settings = job_of(args.size, args.axis[0], args.contender)
    engine = Engine(settings, time.monotonic, lambda: None)
    meeting, store = Path(args.meeting), None
    if args.rank == 0:
        store, address = open_store("127.0.0.1")
        (meeting / "new").write_text(address)
        (meeting / "new").rename(meeting / "address")
    else:
        address = waited_for(meeting / "address")
    engine.seat(args.rank)
    engine.initialise()
    seat = JoinGroup(
        generation=1, team=0, teams=1, position=args.rank, is_lead=args.rank == 0,
        store_address=address, step=0, finish=False, root=0, transfer=False, receives=False,
        origin="initial", origin_digest="",
    )  # fmt: skip
    engine.join(*connect(Layout.of(settings.parallel), seat, store, lambda: None))
    block = ids_of(args.size).numpy().astype("<u2").tobytes()
    digest = hashlib.blake2b(block, digest_size=16).hexdigest()

    def step(number):
        engine.run_step(number, [0], [block], [digest], digest_due=False)

    return step


def waited_for(path):
    while not path.exists():
        time.sleep(0.01)
    return path.read_text()


def peer(args):
    """Return what does a step of torch's parts."""
    import teams_peers
    import torch

    from qmpi.config.widths import ffn_width

    ranks = RANKS[args.contender]
    torch.set_num_threads(3 - ranks)
    if ranks > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{args.meeting}/world", rank=args.rank, world_size=ranks
        )
    kinds = {"dtensor": "ByDTensor", "pipelining": "ByStages", "plain": "Plain"}
    shape = shape_of(args.size, args.axis[0])
    made = getattr(teams_peers, kinds[args.contender])(shape, ffn_width(shape), MICROBATCHES)
    ids = ids_of(args.size)
    return lambda _: made.step(ids)


def loopback_bytes():
    line = next(x for x in Path("/proc/net/dev").read_text().splitlines() if "lo:" in x)
    return int(line.split(":")[1].split()[8])


def member(args):
    """Train some steps; print wall and CPU seconds of each, and bytes that the loopback sent."""
    is_ours = args.contender.startswith("ours")
    step = ours(args) if is_ours else peer(args)
    for number in range(WARM):
        step(number)
    wall, cpu, sent = time.perf_counter(), time.process_time(), loopback_bytes()
    for number in range(WARM, WARM + STEPS):
        step(number)
    told = {
        "wall": (time.perf_counter() - wall) / STEPS,
        "cpu": (time.process_time() - cpu) / STEPS,
        "sent": (loopback_bytes() - sent) / STEPS,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    os._exit(0)


def round_of(axis, size, contender):
    with tempfile.TemporaryDirectory() as meeting:
        command = [sys.executable, __file__, "--axis", axis, "--size", size]
        command += ["--contender", contender, "--meeting", meeting, "--rank"]
        members = [
            subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True)
            for rank in range(RANKS[contender])
        ]
        told = [json.loads(one.communicate(timeout=300)[0]) for one in members]
    return {
        "wall": max(one["wall"] for one in told),
        "cpu": sum(one["cpu"] for one in told),
        "sent": statistics.mean(one["sent"] for one in told),
    }


def common_parameters(size, axis):
    from math import prod

    from qmpi.model.partition import EXPERTS as OF_EXPERTS
    from qmpi.model.shape import parameter_shapes

    shapes = parameter_shapes(shape_of(size, axis)).items()
    return sum(prod(shape) for name, shape in shapes if OF_EXPERTS not in name)


def due_bytes(axis, size):
    """Return the bytes that two ranks have to send each other in a step, without headers."""
    width, layers, _ = SIZES[size]
    stream = SEQUENCES * TOKENS * width * 4
    if axis in ("context", "expert"):
        # What all ranks hold is summed: a ring of two sends half of it twice from each.
        common = 2 * 4 * common_parameters(size, axis)
        # Both ways twice: half of keys and values each, or half of the rows to experts and back.
        return common + layers * (4 if axis == "context" else 2 * CHOSEN) * stream
    if axis == "pipeline":
        # Up and down once between the stages; the losses are nothing.
        return 2 * stream
    # Of each gather or scatter a rank has half the rows to send: 4 a layer forward, 4 backward;
    # embedding and head one of each.
    return 2 * (8 * layers + 4) * stream // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axis", nargs="+", default=["tensor", "pipeline"], choices=CONTENDERS)
    parser.add_argument("--size", default="small", choices=SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    for hidden in ("--contender", "--meeting"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=-1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank >= 0:
        member(args)
    for axis in args.axis:
        rounds = {name: [] for name in CONTENDERS[axis]}
        for _ in range(args.rounds):
            for name, found in rounds.items():
                found.append(round_of(axis, args.size, name))
        medians = {
            name: {key: statistics.median(one[key] for one in found) for key in found[0]}
            for name, found in rounds.items()
        }
        due = due_bytes(axis, args.size)
        if args.json:
            sys.stdout.write(
                json.dumps({"axis": axis, "size": args.size, "due": due, **medians}) + "\n"
            )
            continue
        sys.stdout.write(
            f"{axis}, {args.size}; a layout of two has to send {due / 2**20:.1f} MiB\n"
        )
        for name, one in medians.items():
            wall, cpu, sent = one["wall"], one["cpu"], one["sent"] / 2**20
            sys.stdout.write(f"  {name:12} {wall:7.3f} s  {cpu:7.3f} s of CPU  {sent:7.1f} MiB\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
