"""Speed of the step engine against other loops, in one process, interleaved.

Every side computes the same number of tokens a step at the same shapes, and updates by AdamW;
`exact_muon` is the default recipe, which no other side has. Sides take turns, each
round in the opposite order, and a round's ratio is that of its own times, so load that lasts longer
than a round strikes all sides. With --cpu-time the process's own time counts: on a busy machine
nothing else means something, and for one thread it is the same on a quiet one.

Sides share one process, and so its allocator. With --apart each has a process of its own and the
settings that its users have: a rank of a job keeps freed memory (`qmpi.runtime.heap`), other loops
leave glibc as it is. Still only one computes at a time.

`utilisation` is the share of the matrix peak, measured in the same run, that goes into operations
of the model.

    python tests/benchmarks/bench_peers.py --size 4M --precision float32 --rounds 9 --json
    python tests/benchmarks/bench_peers.py --size 4M --precision bfloat16 --apart
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import peers
import torch

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.shape import flops_per_token, parameter_count
from qmpi.runtime.heap import keep_memory
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

SIZES = {
    "4M": (ModelSettings(vocab_size=4096, width=256, layers=4, heads=4, kv_heads=2), 8, 256),
    "13M": (ModelSettings(vocab_size=8192, width=384, layers=6, heads=6, kv_heads=2), 4, 512),
    "tiny": (ModelSettings(vocab_size=256, width=32, layers=2, heads=2, kv_heads=1), 2, 16),
}
"""Shape, sequences of a lane, tokens of a sequence."""

NAMES = (
    "exact", "exact_muon", "fast", "exact_eager", "fast_eager", "bare", "bare_compiled", "nanogpt",
    "nanogpt_compiled", "hf", "hf_trainer",
)  # fmt: skip
WARM_UP = 2
PEAK_SIZE = 1024


def job(chosen, reduction="exact", compile_="off", optimizer="adamw"):
    shape, sequences, tokens = SIZES[chosen.size]
    train = TrainSettings(
        steps=10_000, lanes=chosen.lanes, sequences=sequences, sequence_tokens=tokens,
        reduction=reduction, precision=chosen.precision, threads=chosen.threads, device="cpu",
        compile=compile_,
    )  # fmt: skip
    return Settings(model=shape, train=train, optimizer=OptimizerSettings(kind=optimizer))


class Ours:
    """The engine, alone in its group."""

    def __init__(self, settings):
        self.engine = Engine(settings, time.perf_counter, lambda: None)
        self.engine.warm_up()
        self.engine.initialise()
        self.engine.join(
            Comm(store=None, name="g1", index=0, size=1, timeout_seconds=9, aborted=lambda: None)
        )

    def prepare(self, lanes):
        """Blocks arrive as bytes, with their digests: that is not the engine's work."""
        self.blocks = [ids.numpy().astype("<u2").tobytes() for ids in lanes]
        self.digests = [hashlib.blake2b(b, digest_size=16).hexdigest() for b in self.blocks]

    def step(self, lanes):
        self.engine.run_step(
            self.engine.state_step, range(len(lanes)), self.blocks, self.digests, digest_due=False
        )


def make(name, chosen):
    """Build a side; None where what it needs is not installed."""
    kind = torch.float32 if chosen.precision == "float32" else torch.bfloat16
    settings = job(chosen)
    match name:
        case "exact_muon":
            return Ours(job(chosen, compile_="on", optimizer="muon"))
        case "exact" | "fast" | "exact_eager" | "fast_eager":
            reduction, _, eager = name.partition("_")
            return Ours(job(chosen, reduction, "off" if eager else "on"))
        case "bare" | "bare_compiled":
            return peers.bare(settings, kind, compiled=name != "bare")
        case "nanogpt" | "nanogpt_compiled":
            return peers.gpt(settings, kind, compiled=name != "nanogpt")
        case _:
            try:
                return (peers.hf if name == "hf" else peers.HfTrainer)(settings, kind)
            except ImportError:
                return None


class Apart:
    """A side in a process of its own; it measures its own step."""

    def __init__(self, name, chosen):
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=serve, args=(name, chosen, other), daemon=True)
        self._process.start()
        other.close()
        self.is_there = self._line.recv()

    def timed(self, number):
        """Compute the step of a number; return its seconds."""
        self._line.send(number)
        return self._line.recv()


def serve(name, chosen, line):
    """Be one side until the line is cut."""
    torch.set_num_threads(chosen.threads)
    if name.startswith(("exact", "fast")):
        keep_memory()
    side = make(name, chosen)
    line.send(side is not None)
    while True:
        try:
            number = line.recv()
        except EOFError:
            os._exit(0)
        line.send(timed(side, chosen, number))


class Here:
    """A side in this process."""

    def __init__(self, name, chosen):
        self._side, self._chosen = make(name, chosen), chosen
        self.is_there = self._side is not None

    def timed(self, number):
        """Compute the step of a number; return its seconds."""
        return timed(self._side, self._chosen, number)


def clock_of(chosen):
    return time.process_time if chosen.cpu_time else time.perf_counter


def timed(side, chosen, number):
    lanes, clock = lanes_of(chosen, number), clock_of(chosen)
    if isinstance(side, Ours):
        side.prepare(lanes)
    started = clock()
    side.step(lanes)
    return clock() - started


def peak(kind, clock):
    """The best of several products of square matrices, GFLOP/s."""
    left, right = (torch.randn(PEAK_SIZE, PEAK_SIZE).to(kind) for _ in range(2))
    took = []
    for _ in range(8):
        started = clock()
        torch.mm(left, right)
        took.append(clock() - started)
    return 2e-9 * PEAK_SIZE**3 / min(took)


def lanes_of(chosen, number):
    shape, sequences, tokens = SIZES[chosen.size]
    generator = np.random.default_rng(number)
    ids = generator.integers(0, shape.vocab_size, (chosen.lanes, sequences, tokens + 1))
    return list(torch.from_numpy(ids))


def measure(sides, chosen):
    """Return seconds of a step by side, and the matrix peak."""
    seconds, peaks = {name: [] for name in sides}, []
    kind = torch.float32 if chosen.precision == "float32" else torch.bfloat16
    for number in range(chosen.rounds + WARM_UP):
        order = list(sides)
        peaks.append(peak(kind, clock_of(chosen)))
        for name in order if number % 2 else reversed(order):
            took = sides[name].timed(number)
            if number >= WARM_UP:
                seconds[name].append(took)
    return seconds, max(peaks)


def summary(seconds, gflops, chosen):
    shape, sequences, tokens = SIZES[chosen.size]
    count = chosen.lanes * sequences * tokens
    work = 1e-9 * count * flops_per_token(shape, tokens)
    medians = {name: statistics.median(took) for name, took in seconds.items()}

    def ratio(name):
        pairs = zip(seconds["bare"], seconds[name], strict=True)
        return round(statistics.median(bare / took for bare, took in pairs), 3)

    chief = next(name for name in NAMES if name in seconds)
    return {
        "size": chosen.size,
        "precision": chosen.precision,
        "threads": chosen.threads,
        "rounds": chosen.rounds,
        "processes": "one a side" if chosen.apart else "one",
        "clock": "cpu" if chosen.cpu_time else "wall",
        "parameters": parameter_count(shape),
        "tokens_per_second": {name: round(count / took) for name, took in medians.items()},
        "seconds": {name: round(took, 4) for name, took in medians.items()},
        "ratio_to_bare": {name: ratio(name) if name in seconds else None for name in NAMES},
        "utilisation": round(work / medians[chief] / gflops, 3),
        "utilisation_by_name": {
            name: round(work / took / gflops, 3)
            for name, took in medians.items()
            if "nanogpt" not in name  # it does another number of operations
        },
        "peak_gflops": round(gflops, 1),
    }


def arguments():
    parser = argparse.ArgumentParser(description="Speed of the step engine against other loops.")
    parser.add_argument("--size", choices=sorted(SIZES), default="4M")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--only", default=",".join(NAMES), help="names, by commas; bare is added")
    parser.add_argument("--cpu-time", action="store_true", help="time of the process, not wall")
    parser.add_argument("--apart", action="store_true", help="a process for each side")
    parser.add_argument("--json", action="store_true", help="one line, for scripts")
    return parser.parse_args()


def main():
    chosen = arguments()
    # Code of other tools or settings must not be what is measured.
    cache = tempfile.TemporaryDirectory()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", cache.name)
    torch.set_num_threads(chosen.threads)
    wanted = {*chosen.only.split(","), "bare"}
    place = Apart if chosen.apart else Here
    sides = {name: place(name, chosen) for name in NAMES if name in wanted}
    sides = {name: side for name, side in sides.items() if side.is_there}
    found = summary(*measure(sides, chosen), chosen)
    sys.stdout.write(json.dumps(found, indent=None if chosen.json else 1) + "\n")
    sys.stdout.flush()
    cache.cleanup()
    os._exit(0)  # the trainer's thread waits for a step that never comes


if __name__ == "__main__":
    main()
