"""How far a model gets on real text with so many tokens: recipes side by side.

An arm is a line "MODEL KIND KEY=VALUE ...": "ours muon rate=3e-3 min=0", "nanogpt adamw rate=1e-3".
masters=bfloat16 keeps weights as train.masters does; masters=nearest rounds them to nearest.
The text is the sources of Python's standard library; one document in twenty is held out. Every arm
of a seed sees the same rows in the same order, and its schedule ends with its budget. Each result
is a line of JSON in --results, and what stands there is not done again; so a table grows as the
machine has time. Several processes may add to one file.

    python tests/benchmarks/bench_learning.py --tokens 500000 --arm "ours muon rate=3e-3"
    python tests/benchmarks/bench_learning.py --table
"""

import argparse
import fcntl
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch
from learning_arms import CONTEXT, SIZES, documents, make_model, read_arm, rows
from msgspec.structs import replace

from qmpi.config.schedule import learning_rate
from qmpi.training import muon, orthogonal
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.norm import global_norm
from qmpi.training.optimizer import Optimizer, clip
from qmpi.training.precision import computes_bfloat16

JUDGED_ROWS = 160
GLANCED_ROWS = 32
LOOKS = 4


class Learner:
    """A model, its flat state and its recipe."""

    def __init__(self, arm, size, seed, steps, precision):
        name, settings, self.rest = read_arm(arm)
        self.model, self.precision = make_model(name, SIZES[size], seed), precision
        shapes = {key: tuple(p.shape) for key, p in self.model.named_parameters()}
        masters = self.rest.get("masters", "float32")
        layout = lay_out(shapes, settings.kind, masters.replace("nearest", "bfloat16"))
        self.state = FlatState(layout, torch.device("cpu"))
        self.state.reset()
        self.take_over()
        self.steps, self.gradient = steps, torch.zeros(layout.total)
        self.parameters = dict(self.model.named_parameters())
        for slot in layout.slots:
            view = self.gradient[slot.start : slot.start + slot.size].view(slot.shape)
            self.parameters[slot.name].grad = view
        warmup = round(float(self.rest.get("warmup", 0.1)) * steps)
        self.settings = replace(settings, warmup_steps=warmup)
        self.optimizer = Optimizer(layout, torch.device("cpu"), precision, seed)
        if masters == "nearest":
            self.optimizer._rounder.put = lambda values, *rest: rest[-1].copy_(values)
        steps = getattr(orthogonal, self.rest.get("steps", "POLAR"))
        muon.orthogonalise = partial(orthogonal.orthogonalise, steps=steps)
        self.seconds = 0.0

    @torch.no_grad()
    def take_over(self):
        """Let the state have the model's weights, and the model those of the state."""
        if not self.state.layout.narrow:
            self.state.adopt(self.model)
            return
        for name, parameter in self.model.named_parameters():
            slot = next(slot for slot in self.state.layout.slots if slot.name == name)
            self.state.view(slot).copy_(parameter)
        self.show()

    @torch.no_grad()
    def show(self):
        """Give the model the weights of a state in bfloat16: it computes with float32's type."""
        parameters = dict(self.model.named_parameters())
        for slot in self.state.layout.slots:
            parameters[slot.name].copy_(self.state.view(slot))

    def loss(self, batch):
        mixed = self.precision != torch.float32
        with torch.autocast("cpu", self.precision, enabled=mixed):
            return self.model.loss(batch[:, :-1], batch[:, 1:])

    def step(self, number, batch):
        self.gradient.zero_()
        loss = self.loss(batch)
        loss.backward()
        begun = time.process_time()
        rate = learning_rate(self.settings, number, self.steps)
        clip(self.gradient, self.settings.clip_norm, global_norm(self.gradient))
        self.optimizer.prepare(self.state, self.gradient, self.settings)
        self.optimizer.apply(self.state, self.gradient, self.settings, rate)
        self.state.set_counters(number + 1, number + 1, 0)
        self.seconds += time.process_time() - begun
        if self.state.layout.narrow:
            self.show()
        return float(loss.detach())

    @torch.no_grad()
    def nats(self, held):
        parts = held.split(16)
        return sum(float(self.loss(p)) * len(p) for p in parts) / len(held)


def train(arm, size, seed, budget, batch):
    precision = torch.bfloat16 if computes_bfloat16(torch.device("cpu")) else torch.float32
    kept, out = documents()
    text, held = rows(kept, seed), rows(out, 0)
    steps = budget // (batch * CONTEXT)
    if steps * batch > len(text):
        sys.exit(f"{budget} tokens are more than the {len(text) * CONTEXT} of the text")
    begun, learner = time.process_time(), Learner(arm, size, seed, steps, precision)
    curve = []
    for number in range(steps):
        learner.step(number, text[number * batch : (number + 1) * batch])
        if (number + 1) * LOOKS // steps > number * LOOKS // steps and number + 1 < steps:
            seen = (number + 1) * batch * CONTEXT
            curve.append([seen, round(learner.nats(held[:GLANCED_ROWS]), 4)])
    return {
        "size": size, "arm": arm, "seed": seed, "tokens": steps * batch * CONTEXT, "batch": batch,
        "precision": str(precision).removeprefix("torch."),
        "held_out": round(learner.nats(held[:JUDGED_ROWS]), 4), "curve": curve,
        "cpu_seconds": round(time.process_time() - begun, 1),
        "optimizer_seconds": round(learner.seconds, 2),
    }  # fmt: skip


def key(row):
    return (row["size"], row["arm"], row["seed"], row["tokens"], row["batch"])


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add(path, row):
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(row) + "\n")


def table(results, target):
    """Print the mean over seeds, best first; and, with a target arm, the tokens that reach it."""
    groups = {}
    for row in results:
        groups.setdefault((row["size"], row["tokens"], row["batch"], row["arm"]), []).append(row)
    sys.stdout.write("| size | tokens | batch | arm | seeds | held-out nats | optimizer |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    means = {k: statistics.mean(r["held_out"] for r in rows) for k, rows in groups.items()}
    for size, tokens, batch, arm in sorted(groups, key=lambda k: (k[:3], means[k])):
        found = groups[size, tokens, batch, arm]
        share = statistics.median(r["optimizer_seconds"] / r["cpu_seconds"] for r in found)
        each = " ".join(f"{r['held_out']:.3f}" for r in found) if len(found) > 1 else ""
        mean = f"{means[size, tokens, batch, arm]:.3f}"
        sys.stdout.write(
            f"| {size} | {tokens / 1e6:.2f} M | {batch * CONTEXT} | {arm} | "
            f"{each or len(found)} | {mean} | {share:.1%} |\n"
        )
    if target:
        reached(means, target)


def reached(means, target):
    """Say the smallest budget whose run ends at or below what the target arm ends at."""
    for size, tokens, batch, arm in sorted(k for k in means if k[3] == target):
        goal, other = means[size, tokens, batch, arm], {}
        for place, mean in means.items():
            if place[0] == size and mean <= goal:
                other.setdefault(place[3], []).append(place[1])
        for name, budgets in sorted(other.items()):
            sys.stdout.write(
                f"{size}: {name} ends at or below {goal:.3f} with {min(budgets) / 1e6:.2f} M "
                f"tokens, {min(budgets) / tokens:.2f} of those of {target}\n"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="1.3M")
    parser.add_argument("--tokens", type=int, default=500_000, help="of each run")
    parser.add_argument("--batch", type=int, default=16, help="sequences of a step")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--arm", nargs="+", default=[])
    parser.add_argument("--results", type=Path, default=Path("learning.jsonl"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--target", default="", help="arm whose end others are to reach")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    for seed in wanted.seed:
        for arm in wanted.arm:
            steps = wanted.tokens // (wanted.batch * CONTEXT)
            tokens = steps * wanted.batch * CONTEXT
            place = (wanted.size, arm, seed, tokens, wanted.batch)
            if place in map(key, read(wanted.results)):
                continue
            row = train(arm, wanted.size, seed, wanted.tokens, wanted.batch)
            add(wanted.results, row)
            sys.stdout.write(f"{row['held_out']:.4f} {row['cpu_seconds']} s  {arm} seed {seed}\n")
            sys.stdout.flush()
    if wanted.table:
        table(read(wanted.results), wanted.target)


if __name__ == "__main__":
    main()
