"""What a mixture of experts learns beside a dense model of equal active size, and how evenly.

An arm is a line of fields: "dense", "experts=8 balance_rate=0.1", "... ends=kept", where biases do
not fade, "... ends=dropped", where the router is not given what they lose. The engine itself
trains, alone, with its exact sum, on the sources of Python's standard library: with --size bytes
on their bytes (one module in eight is held out), with another size of bench_learning on its
tokens. Every arm of a seed sees the same rows in the same order. Each result is a line of JSON in
--results, and what stands there is not done again.

    python tests/benchmarks/bench_experts.py --steps 300 --arm dense --arm "experts=8"
    python tests/benchmarks/bench_experts.py --size 1.3M --steps 2000 --arm dense --arm "experts=8"
"""

import argparse
import hashlib
import json
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bench_learning import add, read
from learning_arms import CONTEXT, SIZES, documents
from learning_arms import rows as token_rows
from msgspec import convert, to_builtins

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.model.shape import active_count, flops_per_token, parameter_count
from qmpi.training import balance
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

LANES = 2
HELD_OUT = 8
JUDGED_ROWS = 128
LEAST_BYTES = 20_000
PARTS = 10
BYTES = ModelSettings(vocab_size=256, layers=3, width=64, heads=2, kv_heads=1)


class Case(NamedTuple):
    """What is trained on: the shape of the dense model, sequences of a lane, tokens of one."""

    shape: ModelSettings
    sequences: int
    tokens: int

    @classmethod
    def of(cls, size):
        return cls(SIZES[size], 2, CONTEXT) if size in SIZES else cls(BYTES, 4, 64)

    def rows(self, count, seed):
        """Return so many rows to train on, and those that are judged."""
        if self.shape is BYTES:
            text, held = texts()
            return cut(text, count, self.tokens, seed), cut(held, JUDGED_ROWS, self.tokens, 0)
        kept, held = documents()
        sides = token_rows(kept, seed)[:count], token_rows(held, 0)[:JUDGED_ROWS]
        return [side.numpy().astype(np.uint16) for side in sides]


def texts():
    """Return the bytes that are trained on, and those held out."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    names = sorted(p for p in folder.glob("*.py") if p.stat().st_size > LEAST_BYTES)
    sides = (
        [path for number, path in enumerate(names) if bool(number % HELD_OUT) == kept]
        for kept in (True, False)
    )
    return [np.frombuffer(b"".join(p.read_bytes() for p in side), dtype=np.uint8) for side in sides]


def cut(text, count, tokens, seed):
    starts = np.random.default_rng(seed).permutation((len(text) - 1) // tokens)[:count] * tokens
    return text[starts[:, None] + np.arange(tokens + 1)].astype(np.uint16)


def begun(arm, case, seed, steps):
    words = dict(word.split("=") for word in arm.split() if "=" in word)
    ends, rate = words.pop("ends", "given"), float(words.pop("rate", 3e-3))
    model = convert({**to_builtins(case.shape), **words}, ModelSettings, strict=False)
    train = TrainSettings(
        steps=steps, lanes=LANES, sequences=case.sequences, sequence_tokens=case.tokens,
        device="cpu", precision="float32" if case.shape is BYTES else "auto", compile="off",
    )  # fmt: skip
    settings = Settings(
        job=JobSettings(seed=seed), model=model, train=train,
        optimizer=OptimizerSettings(warmup_steps=steps // 10, learning_rate=rate),
    )  # fmt: skip
    engine = Engine(settings, time.thread_time, lambda: None)
    engine.initialise()
    engine.join(
        Comm(store=None, name="g", index=0, size=1, timeout_seconds=60, aborted=lambda: None)
    )
    engine.warm_up()
    balance.LEAST = float("inf") if ends == "dropped" else 1e-6
    if ends == "kept":
        engine._balance._fades = False
    return engine, model


def evenness(loads):
    """Return the largest and the smallest load of any layer, of means over steps."""
    mean = torch.stack(loads).mean(0)
    mean /= mean.mean(1, keepdim=True)
    return [round(float(mean.max()), 3), round(float(mean.min()), 3)]


def train(arm, size, seed, steps):
    case = Case.of(size)
    engine, model = begun(arm, case, seed, steps)
    data, out = case.rows(steps * LANES * case.sequences, seed)
    loads, redone, spent = [], 0, {}
    started = time.process_time()
    for step, batch in enumerate(np.split(data, steps)):
        blocks = [part.tobytes() for part in np.split(batch, LANES)]
        digests = [hashlib.blake2b(b, digest_size=16).hexdigest() for b in blocks]
        told = engine.run_step(step, range(LANES), blocks, digests, digest_due=False)
        redone += told.redone
        for name in ("forward", "backward", "sweep", "optimizer"):
            spent[name] = spent.get(name, 0.0) + getattr(told.times, name)
        if told.experts is not None:
            loads.append(engine._balance._held[0][:, 0].double())
    seconds = time.process_time() - started
    losses = engine.evaluator().row_losses(out.tobytes(), len(out), lambda _: None)
    each = max(1, steps // PARTS)
    return {
        "arm": arm, "size": size, "seed": seed, "steps": steps,
        "held_out": round(sum(each.nats for each in losses) / out[:, 1:].size, 4),
        "parameters": parameter_count(model), "active": active_count(model),
        "flops_per_token": flops_per_token(model, case.tokens), "redone": redone,
        "cpu_seconds": round(seconds, 1),
        "parts": {name: round(value, 1) for name, value in spent.items()},
        "loads": [evenness(loads[n : n + each]) for n in range(0, len(loads), each)],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arm", action="append", default=[])
    parser.add_argument("--size", choices=("bytes", *SIZES), default="bytes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--results", type=Path, default=Path("experts.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for seed in asked.seeds:
        for arm in asked.arm:
            fields = ("arm", "size", "seed", "steps")
            done = {tuple(row[name] for name in fields) for row in read(asked.results)}
            if (arm, asked.size, seed, asked.steps) in done:
                continue
            row = train(arm, asked.size, seed, asked.steps)
            add(asked.results, row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
