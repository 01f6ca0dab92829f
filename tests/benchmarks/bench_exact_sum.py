"""The exact sum on real text: precision, passes redone, cost, learning.

    python tests/benchmarks/bench_exact_sum.py precision --lanes 8,64,512,4096
    python tests/benchmarks/bench_exact_sum.py precision --lanes 4096 --seed 2
    python tests/benchmarks/bench_exact_sum.py steps --steps 200
    python tests/benchmarks/bench_exact_sum.py cost
    python tests/benchmarks/bench_exact_sum.py learning --steps 150 --seeds 1,2,3

Each prints one JSON object. Text is the built-in corpus. `precision` trains a small model, lets the
exponents follow one batch, and sums the next: signal to noise against float64, of the whole
gradient and row by row. "tensor" is the sum as it was, with one exponent for each parameter. `cost`
gives CPU seconds, so it can be run on a busy machine.
"""

import argparse
import json
import os
import sys
import time
from statistics import median

import numpy as np
import torch
from corpus_lanes import CorpusLanes, digest

from qmpi.config.exact_sum import SUM_BITS
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.model.shape import parameter_count
from qmpi.storage.cache import default_cache
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.lanes import LaneWork
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.exponents import needs_of
from qmpi.training.reduction.fast import FastSum
from qmpi.training.reduction.outliers import levels_of
from qmpi.training.sample import load_model

RAREST = 1024
FOLLOWED = 20
"""Steps in which the exponents get used to small lanes."""

TENSOR_SPARE = 5
"""Spare bits of the sum with one exponent for each parameter."""


def settings_of(chosen, reduction="exact", seed=1):
    model = ModelSettings(
        vocab_size=4096, width=chosen.width, layers=chosen.layers, heads=4, kv_heads=2,
        tied_head=not chosen.untied,
    )  # fmt: skip
    train = TrainSettings(
        steps=chosen.steps, lanes=8, sequences=chosen.sequences, sequence_tokens=chosen.tokens,
        reduction=reduction, precision=chosen.precision, device="cpu",
    )  # fmt: skip
    warmup = max(1, chosen.steps // 10)
    return Settings(
        job=JobSettings(seed=seed), model=model, train=train,
        optimizer=OptimizerSettings(warmup_steps=warmup),
    )  # fmt: skip


def alone():
    return Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=lambda: None)


def engine_of(settings):
    engine = Engine(settings, time.process_time, lambda: None)
    engine.initialise()
    engine.join(alone())
    return engine


def lanes_of(chosen, seed=0, *, held_out=False):
    cache = default_cache(os.environ)
    return CorpusLanes(cache, chosen.sequences, chosen.tokens, seed, held_out=held_out)


def step(engine, lanes, count):
    blocks = lanes.blocks(count)
    return engine.run_step(
        engine.state_step, range(count), blocks, [digest(b) for b in blocks], digest_due=False
    )


class TensorSum:
    """One exponent for each parameter, at most `SUM_BITS` less those that lanes take."""

    def __init__(self, layout, lanes):
        self._layout, self._lanes = layout, lanes
        self._bits = SUM_BITS - (lanes - 1).bit_length()
        self._largest = torch.zeros(len(layout.slots))
        self.total = torch.zeros(layout.total, dtype=torch.int64)

    def look(self, number, gradient):
        self._largest[number] = max(float(self._largest[number]), float(gradient.abs().max()))

    def settle(self):
        self.exponents = (needs_of(self._largest) + TENSOR_SPARE).tolist()

    def add(self, number, slot, gradient):
        scaled = gradient.view(-1) * 2.0 ** (self._bits - self.exponents[number])
        self.total[slot.start : slot.start + slot.size] += scaled.round().to(torch.int64)

    def mean(self):
        mean = torch.zeros(self._layout.total, dtype=torch.float64)
        for slot, exponent in zip(self._layout.slots, self.exponents, strict=True):
            span = slice(slot.start, slot.start + slot.size)
            unit = 2.0 ** (exponent - self._bits) / self._lanes
            mean[span] = self.total[span].double() * unit
        return mean


class Measured:
    """One number of lanes: both sums, and the truth."""

    def __init__(self, layout, lanes, state):
        self.lanes, self._layout = lanes, layout
        self._exact = ExactSum(layout, lanes, torch.device("cpu"))
        self._state = state
        self._tensor = TensorSum(layout, lanes)
        self._true = torch.zeros(layout.total, dtype=torch.float64)
        self._seen, self.measuring = 0, False
        self._begin()

    def _begin(self):
        self._exact.begin_step(self._state)
        self._exact.begin_pass()

    def add(self, number, slot, gradient):
        self._exact.add(number, slot, gradient)
        if self.measuring:
            self._tensor.add(number, slot, gradient)
            self._true[slot.start : slot.start + slot.size] += gradient.view(-1).double()
        else:
            self._tensor.look(number, gradient)

    def end_lane(self):
        self._exact.end_lane(0, 0.0, "00" * 16)
        self._seen += 1

    @property
    def done(self):
        return self._seen == self.lanes

    def follow(self):
        """Set both sums' exponents from the batch seen, as after a step."""
        self._exact.reduce(alone())
        self._exact.settle(self._state)
        self._tensor.settle()
        self._seen, self.measuring = 0, True
        self._begin()

    def result(self, counts):
        self._exact.reduce(alone())
        redone = self._exact.overflowed()
        table = next(iter(self._exact._tables.values()))
        levels = levels_of(self._exact._needs[table.chunks] - table._exponents)
        mean = torch.zeros(self._layout.total)
        said = {
            "redone": redone,
            "outlier_rows": int((levels > 0).sum()),
        }
        if not redone:
            self._exact.unpack(mean)
            said["chunk"] = self._noise(mean.double(), counts)
        said["tensor"] = self._noise(self._tensor.mean(), counts)
        return said

    def _noise(self, mean, counts):
        true = self._true / self.lanes
        slot = next(slot for slot in self._layout.slots if slot.is_table)
        rows, true_rows = (
            flat[slot.start : slot.start + slot.size].view(slot.shape) for flat in (mean, true)
        )
        noise = (rows - true_rows).square().sum(1)
        signal = true_rows.square().sum(1)
        seen = signal > 0
        by_row = decibels(signal[seen], noise[seen])
        rare = torch.from_numpy(np.argsort(counts, kind="stable")[:RAREST].copy())
        wrong = (rows.sign() != true_rows.sign())[rare].double().mean()
        return {
            "whole": one_decibel(true, mean - true),
            "table": one_decibel(true_rows, rows - true_rows),
            "rarest": one_decibel(true_rows[rare], (rows - true_rows)[rare]),
            "rarest_zero_or_wrong_sign": round(float(wrong), 4),
            "row_least": round(float(by_row.min()), 1),
            "row_first_percentile": round(float(by_row.quantile(0.01)), 1),
            "row_median": round(float(by_row.median()), 1),
        }


def decibels(signal, noise):
    return 10 * torch.log10(signal / noise.clamp(min=1e-300))


def one_decibel(signal, noise):
    return round(float(decibels(signal.square().sum(), noise.square().sum())), 1)


class Fan:
    """What the runner calls, for all sides that want more lanes."""

    def __init__(self, sides):
        self._sides = sides

    def add(self, number, slot, gradient):
        for side in self.wanting():
            side.add(number, slot, gradient)

    def wanting(self):
        return [side for side in self._sides if not side.done]


def feed(engine, lanes, sides):
    fan, layers = Fan(sides), engine._microbatches.ready().layers
    engine._weights.refresh()
    while fan.wanting():
        engine._runner.run(layers, LaneWork(0, lanes.block(), ""), fan, lambda: None)
        for side in fan.wanting():
            side.end_lane()


def precision(chosen):
    # The first seed has the text of `lanes_of` as it is without one: it repeats older reports.
    seed, text = chosen.seed, chosen.seed - 1
    engine, lanes = engine_of(settings_of(chosen, seed=seed)), lanes_of(chosen, text)
    for _ in range(chosen.steps):
        step(engine, lanes, 8)
    # Many lanes are wanted, so they are small.
    small = argparse.Namespace(**vars(chosen) | {"sequences": 1, "tokens": chosen.lane_tokens})
    measured, lanes = engine_of(settings_of(small, seed=seed)), lanes_of(small, text)
    measured.load_snapshot(chosen.steps, b"".join(engine.snapshot()[1]))
    for _ in range(FOLLOWED):
        step(measured, lanes, 8)
    state, sides = measured._state, []
    for count in map(int, chosen.lanes.split(",")):
        copy = type(state)(state.layout, torch.device("cpu"))
        copy.load(b"".join(state.to_parts()))
        sides.append(Measured(state.layout, count, copy))
    feed(measured, lanes, sides)
    for side in sides:
        side.follow()
    feed(measured, lanes, sides)
    counts = lanes.counts(settings_of(chosen).model.vocab_size)
    return {"decibels": {side.lanes: side.result(counts) for side in sides}}


def steps(chosen):
    settings = settings_of(chosen)
    engine, lanes = engine_of(settings), lanes_of(chosen)
    total, facts, needs = engine._sum, [], []
    for number in range(chosen.steps):
        before = engine._state.exponents.clone()
        outcome = step(engine, lanes, 8)
        rows = torch.cat([(total._needs - before)[t.chunks] for t in total._tables.values()])
        levels = levels_of(rows)
        facts.append([outcome.redone, int((levels > 0).sum()), int(levels.sum())])
        needs.append(total._needs.clone())
        if number % 20 == 0:
            sys.stderr.write(f"{number}: {np.mean(outcome.lane_losses):.3f} {facts[-1]}\n")
    if chosen.needs:
        np.save(chosen.needs, torch.stack(needs).numpy())
    redone, outliers, places = (np.array(column) for column in zip(*facts, strict=True))
    return {
        "steps": chosen.steps,
        "redone_passes": int(redone.sum()),
        "redone_at": np.nonzero(redone)[0].tolist(),
        "steps_with_outliers": int((outliers > 0).sum()),
        "outlier_rows_median_most": [int(np.median(outliers)), int(outliers.max())],
        "places_median_most": [int(np.median(places)), int(places.max())],
        "rows": sum(t.slot.chunks for t in total._tables.values()),
        "loss": round(float(np.mean(outcome.lane_losses)), 4),
    }


def cost(chosen):
    settings = settings_of(chosen)
    engine, lanes = engine_of(settings), lanes_of(chosen)
    layout = engine._state.layout
    kinds = (torch.float32, torch.bfloat16)
    parts = {
        kind: [(torch.randn(slot.size) * 1e-4).to(kind) for slot in layout.slots] for kind in kinds
    }
    sums = {"exact": ExactSum, "fast": FastSum}
    sums = {name: kind(layout, 8, torch.device("cpu")) for name, kind in sums.items()}
    for total in sums.values():
        total.begin_step(engine._state)
        total.begin_pass()
    seconds = {}
    blocks = lanes.blocks(chosen.rounds + 2)
    for number, block in enumerate(blocks):
        for kind, gradients in parts.items():
            for name, total in sums.items():
                begun = time.process_time()
                for place, (slot, gradient) in enumerate(zip(layout.slots, gradients, strict=True)):
                    total.add(place, slot, gradient)
                total.end_lane(0, 0.0, "00" * 16)
                took = time.process_time() - begun
                seconds.setdefault(f"{name} {str(kind).split('.')[1]}", []).append(took)
        for name, total in sums.items():
            begun = time.process_time()
            layers = engine._microbatches.ready().layers
            engine._runner.run(layers, LaneWork(0, block, ""), total, lambda: None)
            seconds.setdefault(f"lane {name}", []).append(time.process_time() - begun)
        if number < 2:
            seconds.clear()
    lane = median(seconds["lane fast"])
    more = {
        kind: median(
            e - f for e, f in zip(seconds[f"exact {kind}"], seconds[f"fast {kind}"], strict=True)
        )
        for kind in ("float32", "bfloat16")
    }
    return {
        "parameters": parameter_count(settings.model),
        "milliseconds": {name: round(1e3 * median(took), 2) for name, took in seconds.items()},
        "more_than_float_add_share_of_lane": {k: round(v / lane, 4) for k, v in more.items()},
        "identity": engine.identity(),
    }


MANY = 4096
NUDGE = 1e-7


def learner(arm, chosen, seed):
    """Return an engine of an arm: "exact", "exact as of 4096 lanes", "fast", "fast nudged N"."""
    engine = engine_of(settings_of(chosen, arm.split()[0], seed))
    if "lanes" in arm:
        engine._sum = ExactSum(engine._state.layout, MANY, torch.device("cpu"))
        engine._sum._lanes = 8  # the mean is that of the lanes there are
        engine._passes._sum = engine._sum
    if "nudged" in arm:
        draw = torch.Generator().manual_seed(int(arm.split()[-1]))
        params = engine._state.params
        params.mul_(1 + NUDGE * torch.randn(params.shape, generator=draw))
    return engine


def learning(chosen):
    """Nats at the end, by arm and seed; nudged runs tell what chance alone does."""
    held_out = lanes_of(chosen, held_out=True).blocks(16)
    arms = ("exact", f"exact as of {MANY} lanes", "fast", "fast nudged 1", "fast nudged 2")
    found = {}
    for seed in map(int, chosen.seeds.split(",")):
        for arm in arms:
            engine, lanes = learner(arm, chosen, seed), lanes_of(chosen, seed)
            for _ in range(chosen.steps):
                step(engine, lanes, 8)
            model = load_model(engine._settings, [memoryview(b"".join(engine.snapshot()[1]))])
            ids = [read(block, chosen) for block in held_out]
            losses = [float(model.loss(rows[:, :-1], rows[:, 1:])) for rows in ids]
            found[f"{arm}, seed {seed}"] = round(float(np.mean(losses)), 4)
            sys.stderr.write(f"{arm}, seed {seed}: {found[f'{arm}, seed {seed}']}\n")
    return {"nats": found}


def read(block, chosen):
    ids = np.frombuffer(block, "<u2").astype(np.int64)
    return torch.from_numpy(ids).view(chosen.sequences, chosen.tokens + 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("precision", "steps", "cost", "learning"))
    parser.add_argument("--lanes", default="8,64,512,4096")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--seed", type=int, default=1, help=">= 1; of precision: weights and text")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--lane-tokens", type=int, default=64, help="of a lane, for precision")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--untied", action="store_true")
    parser.add_argument("--needs", default="", help="file for the needs of each step")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    run = {"precision": precision, "steps": steps, "cost": cost, "learning": learning}
    sys.stdout.write(json.dumps({chosen.what: run[chosen.what](chosen)}, indent=1) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
