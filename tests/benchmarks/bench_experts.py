"""What a mixture of experts learns beside a dense model of equal active size, and how evenly.

An arm is a line of fields: "experts=8 balance_rate=0.1", "dense", "experts=8 ends=kept", where
biases do not fade, "experts=8 ends=dropped", where the router is not given what they lose. The
engine itself trains, alone, with its exact sum, on the sources of Python's standard library; one
document in twenty is held out. Every arm of a seed sees the same rows in the same order. Each
result is a line of JSON in --results, and what stands there is not done again.

    python tests/benchmarks/bench_experts.py --tokens 500000 --arm dense --arm experts=8
    python tests/benchmarks/bench_experts.py --table
"""

import argparse
import hashlib
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from bench_learning import add, read
from learning_arms import CONTEXT, SIZES, VOCABULARY, documents, rows
from msgspec import convert
from msgspec.structs import asdict

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.model.shape import active_count, bias_shapes, flops_per_token, parameter_count
from qmpi.training import balance
from qmpi.training.comm import Comm
from qmpi.training.engine import Engine

JUDGED_ROWS = 160
LANES, SEQUENCES = 4, 2
LOOKS = 20
SIZES = {
    **SIZES,
    "0.4M": ModelSettings(vocab_size=VOCABULARY, width=64, layers=4, heads=2, kv_heads=1),
}


def job(arm, size, seed, tokens):
    words = dict(word.split("=") for word in arm.split() if "=" in word)
    rate, ends = float(words.pop("rate", 3e-3)), words.pop("ends", "given")
    model = convert({**asdict(SIZES[size]), **words}, ModelSettings, strict=False)
    train = TrainSettings(
        steps=tokens // (LANES * SEQUENCES * CONTEXT), lanes=LANES, sequences=SEQUENCES,
        sequence_tokens=CONTEXT, device="cpu",
    )  # fmt: skip
    settings = Settings(
        job=JobSettings(seed=seed), model=model, train=train,
        optimizer=OptimizerSettings(learning_rate=rate, warmup_steps=train.steps // 10),
    )  # fmt: skip
    return settings, ends


def alone(settings):
    engine = Engine(settings, time.process_time, lambda: None)
    engine.initialise()
    engine.join(
        Comm(store=None, name="g", index=0, size=1, timeout_seconds=60, aborted=lambda: None)
    )
    engine.warm_up()
    return engine


def block(ids):
    return ids.numpy().astype(np.uint16).tobytes()


def nats(engine, held):
    losses = engine.evaluator().row_losses(block(held), len(held), lambda _: None)
    return round(sum(losses) / held[:, 1:].numel(), 4)


def without_bias(engine, settings, held):
    """Return the loss with all biases at 0."""
    views = [
        engine._state.view(slot)
        for slot in engine._state.layout.slots
        if slot.name in bias_shapes(settings.model)
    ]
    kept = [view.clone() for view in views]
    for view in views:
        view.zero_()
    found = nats(engine, held)
    for view, old in zip(views, kept, strict=True):
        view.copy_(old)
    return found


def train(arm, size, seed, tokens):
    settings, ends = job(arm, size, seed, tokens)
    kept, out = documents()
    text, held = rows(kept, seed), rows(out, 0)[:JUDGED_ROWS]
    engine, steps, curve, loads = alone(settings), settings.train.steps, [], []
    if ends == "kept":
        engine._balance._fades = False
    if ends == "dropped":
        balance.LEAST = float("inf")
    at, redone, spent = 0, 0, {}
    begun = time.process_time()
    for step in range(steps):
        blocks = []
        for _ in range(LANES):
            blocks.append(block(text[at : at + SEQUENCES]))
            at += SEQUENCES
        digests = [hashlib.blake2b(b, digest_size=16).hexdigest() for b in blocks]
        told = engine.run_step(step, range(LANES), blocks, digests, digest_due=False)
        redone += told.redone
        for name, seconds in asdict(told.times).items():
            spent[name] = spent.get(name, 0.0) + seconds
        if told.experts is not None:
            loads.append([round(told.experts.largest, 3), round(told.experts.smallest, 3)])
        if (step + 1) * 4 // steps > step * 4 // steps:
            curve.append([step + 1, nats(engine, held[:32])])
    seconds = time.process_time() - begun
    return {
        "size": size, "arm": arm, "seed": seed, "tokens": tokens, "steps": steps,
        "parameters": parameter_count(settings.model), "active": active_count(settings.model),
        "flops_per_token": flops_per_token(settings.model, CONTEXT),
        "held_out": nats(engine, held), "without_bias": without_bias(engine, settings, held),
        "curve": curve, "loads": loads[:: max(1, len(loads) // LOOKS)], "last": loads[-1:],
        "all_loads": loads,
        "redone": redone, "cpu_seconds": round(seconds, 1),
        "parts": {name: round(value, 2) for name, value in spent.items() if value},
    }  # fmt: skip


def key(row):
    return (row["size"], row["arm"], row["seed"], row["tokens"])


def table(found):
    arms = {}
    for row in found:
        arms.setdefault((row["size"], row["tokens"], row["arm"]), []).append(row)
    lines = [
        "| size | tokens | arm | seeds | held-out loss | from | to | CPU s | passes again |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (size, tokens, arm), each in sorted(arms.items()):
        losses = [row["held_out"] for row in each]
        spent = statistics.mean(row["cpu_seconds"] for row in each)
        again = sum(row["redone"] for row in each)
        lines.append(
            f"| {size} | {tokens:,} | {arm} | {len(each)} | {statistics.mean(losses):.4f} "
            f"| {min(losses):.4f} | {max(losses):.4f} | {spent:.0f} | {again} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arm", action="append", default=[])
    parser.add_argument("--size", default="1.3M", choices=SIZES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--tokens", type=int, default=500_000)
    parser.add_argument("--results", type=Path, default=Path("experts.jsonl"))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.table:
        table(read(asked.results))
        return
    for seed in asked.seeds:
        for arm in asked.arm:
            if (asked.size, arm, seed, asked.tokens) in map(key, read(asked.results)):
                continue
            row = train(arm, asked.size, seed, asked.tokens)
            add(asked.results, row)
            shown = {k: v for k, v in row.items() if k not in {"all_loads", "loads"}}
            sys.stdout.write(json.dumps(shown) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
