"""What Muon costs: the update's share of a step, beside AdamW's, for steps of several lengths.

CPU seconds of one thread, interleaved, medians. A step is so many microbatches forward and backward
and one update; the exact sum and the digests are left out, so shares in a job are lower. With more
than one trainer each computes a part of the tokens and all of the update: a trainer's own tokens
count.

    python tests/benchmarks/bench_muon.py --size 4M 13M
"""

import argparse
import statistics
import sys
import time
from functools import partial

import torch
from bench_learning import Learner
from learning_arms import CONTEXT, SIZES

from qmpi.training import muon, orthogonal

SEQUENCES = 8
STEPS = (4096, 16_384, 65_536)
ARMS = {
    "AdamW": ("ours adamw", orthogonal.POLAR, 1 << 17),
    "Muon": ("ours muon", orthogonal.POLAR, 1 << 17),
    "Muon, one batch a shape": ("ours muon", orthogonal.POLAR, 1 << 24),
    "Muon, Jordan's five steps": ("ours muon", orthogonal.JORDAN, 1 << 17),
}


def seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measured(size, rounds, precision):
    """Return medians: of forward and backward of a microbatch, and of each arm's update."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(0, SIZES[size].vocab_size, (SEQUENCES, CONTEXT + 1), generator=draw)
    sides = {}
    for name, (arm, steps, elements) in ARMS.items():
        muon.BATCH_ELEMENTS = {"cpu": elements}
        sides[name] = (Learner(arm, size, 1, 1000, precision), steps)
    model = sides["AdamW"][0]
    took = {name: [] for name in ("pass", *ARMS)}
    for number in range(rounds + 1):
        once = {"pass": seconds(lambda: model.loss(ids).backward())}
        for name, (side, steps) in sides.items():
            muon.orthogonalise = partial(orthogonal.orthogonalise, steps=steps)
            side.gradient.copy_(model.gradient)
            once[name] = seconds(partial(update, side))
        for name, value in once.items():
            took[name] += [value] * (number > 0)
    return {name: statistics.median(values) for name, values in took.items()}


def update(side):
    side.optimizer.prepare(side.state, side.gradient, side.settings)
    side.optimizer.apply(side.state, side.gradient, side.settings, 1e-3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", choices=SIZES, default=["4M", "13M"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    heads = " | ".join(f"{tokens:,} tokens a step" for tokens in STEPS)
    sys.stdout.write(f"| size | update | CPU ms | {heads} |\n|---|---|---|{'---|' * len(STEPS)}\n")
    for size in wanted.size:
        found = measured(size, wanted.rounds, getattr(torch, wanted.precision))
        for name in ARMS:
            work = [found["pass"] * tokens / (SEQUENCES * CONTEXT) for tokens in STEPS]
            shares = " | ".join(f"{found[name] / (found[name] + one):.1%}" for one in work)
            sys.stdout.write(f"| {size} | {name} | {1e3 * found[name]:.0f} | {shares} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
