"""What a sequence's length costs: time and memory of a layer, and what windows do to learning.

`--cost`: one layer of the engine, forward and backward, over one sequence of each length, with a
window, with all before it, and with documents; each in a process of its own. Time is that of the
process, memory its peak (VmHWM) less what it held after a sequence of 64 tokens (VmRSS).
Growth is the exponent of a power of the length, by least squares of the logarithms.

`--learn`: the engine's own step over rows of 1,024 tokens of real text, documents longer than that
first, an arm "NAME KEY=VALUE ..." of fields of [model] each ("document_mask=1" too). Each arm of a
seed sees the same rows; what is judged is the loss on held-out documents.

    python tests/benchmarks/bench_length.py --cost
    python tests/benchmarks/bench_length.py --learn --arm "full" "window window=256 sinks=4"
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from learning_arms import VOCABULARY, documents

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.config.widths import ffn_width
from qmpi.model.documents import Documents
from qmpi.model.layer import LayerWeights, choose_kernels, make_layers
from qmpi.model.plain import Positions
from qmpi.model.shape import head_dim
from qmpi.protocol.token_kinds import TokenKinds
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

CPU = torch.device("cpu")
LENGTHS = (1024, 4096, 16_384, 65_536)
WINDOW, SINKS = 256, 4
END = 0
"""Of the built-in tokenizer: the token that ends a document."""
DOCUMENT = 500
"""Tokens between two of them where documents are measured."""


def shape_of(kind):
    windowed = {"window": WINDOW, "sinks": SINKS} if "window" in kind else {}
    return ModelSettings(
        vocab_size=VOCABULARY, width=256, layers=1, heads=4, kv_heads=2, **windowed
    )


def layer_weights(shape):
    width, head, hidden = shape.width, head_dim(shape), ffn_width(shape)
    queries, merged = shape.heads * head, (shape.heads + 2 * shape.kv_heads) * head

    def matrix(*sizes):
        return (0.02 * torch.randn(sizes)).requires_grad_()

    def vector(size):
        return torch.ones(size, requires_grad=True)

    return LayerWeights(
        vector(width), matrix(merged, width), vector(head), vector(head), matrix(width, queries),
        vector(width), matrix(2 * hidden, width), matrix(width, hidden),
    )  # fmt: skip


def held_bytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def computed(kind, tokens, rounds):
    """Compute a layer some times; return the seconds of each."""
    torch.manual_seed(0)
    shape = shape_of(kind)
    kernels = choose_kernels(CPU, tokens, compiled=False)
    layer, weights = make_layers(shape, 1, kernels)[0], layer_weights(shape)
    at, trained = Positions.of(shape, tokens, CPU), [each for each in weights if each is not None]
    x = torch.randn(tokens, shape.width, requires_grad=True)
    gradient, times = torch.ones_like(x), []
    ids = torch.ones(1, tokens, dtype=torch.int64)
    ids[:, ::DOCUMENT] = END
    for _ in range(rounds):
        begun = time.process_time()
        here = Documents(shape, at, END).positions(ids) if "documents" in kind else at
        torch.autograd.grad(layer(x, here, weights), [x, *trained], gradient)
        times.append(time.process_time() - begun)
    return times


def one(kind, tokens, rounds):
    """Print seconds and peak of one length."""
    torch.set_num_threads(1)
    computed(kind, 64, 1)
    Path("/proc/self/clear_refs").write_text("5")
    before = held_bytes("VmRSS")
    times = computed(kind, tokens, rounds)
    sys.stdout.write(json.dumps({"seconds": min(times), "peak": held_bytes("VmHWM") - before}))


def measured(kind, tokens, rounds=2):
    command = [sys.executable, __file__, "--one", kind, str(tokens), str(rounds)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def growth(lengths, values):
    logs = np.log(lengths), np.log(values)
    return float(np.polyfit(*logs, 1)[0])


def cost(kinds, lengths):
    for kind in kinds:
        found = {n: measured(kind, n) for n in lengths if kind != "full" or n <= 16_384}
        seconds = [found[n]["seconds"] for n in found]
        memory = [found[n]["peak"] for n in found]
        for n, s, m in zip(found, seconds, memory, strict=True):
            sys.stdout.write(f"| {kind} | {n} | {s:.3f} s | {m / 2**20:.0f} MiB |\n")
        sys.stdout.write(
            f"| {kind} | growth | {growth(list(found), seconds):.2f} | "
            f"{growth(list(found), memory):.2f} |\n"
        )
        sys.stdout.flush()


def arm_of(text):
    _, *rest = text.split()
    fields = dict(part.split("=") for part in rest)
    masked = bool(int(fields.pop("document_mask", "0")))
    kinds = {"window_pattern": str, "logit_softcap": float}
    return {key: kinds.get(key, int)(value) for key, value in fields.items()}, masked


def rows_of(texts, tokens, draw):
    ids = np.concatenate([texts[n] for n in draw.permutation(len(texts))])
    count = (ids.size - 1) // tokens
    starts = np.arange(count)[:, None] * tokens
    rows = ids[starts + np.arange(tokens + 1)[None, :]]
    return rows[draw.permutation(count)]


def learn(arm, seed, chosen):
    fields, masked = arm_of(arm)
    tokens, rows = 1024, chosen.rows
    kept, out = documents()
    long = [text for text in kept if len(text) >= chosen.shortest]
    held = [text for text in out if len(text) >= chosen.shortest]
    text = rows_of(long, tokens, np.random.default_rng(seed)).astype("<u2")
    steps = min(chosen.steps, len(text) // rows)
    settings = Settings(
        model=ModelSettings(
            vocab_size=VOCABULARY, width=chosen.width, layers=4, heads=4, kv_heads=2, **fields
        ),
        train=TrainSettings(
            steps=steps, lanes=1, sequences=rows, sequence_tokens=tokens, reduction="fast",
            compile="off", precision=chosen.precision,
        ),
        optimizer=OptimizerSettings(warmup_steps=max(1, steps // 10)),
    )  # fmt: skip
    begun = time.process_time()
    engine = Engine(
        settings, time.perf_counter, lambda: None, kinds=TokenKinds(END if masked else None)
    )
    engine.warm_up()
    engine.initialise()
    alone = {"store": None, "name": "g1", "index": 0, "size": 1}
    engine.join(Comm(**alone, timeout_seconds=9, aborted=lambda: None))
    for step in range(steps):
        block = text[step * rows : (step + 1) * rows].tobytes()
        digest = hashlib.blake2b(block, digest_size=16).hexdigest()
        engine.run_step(step, [0], [block], [digest], digest_due=False)
    judged = rows_of(held, tokens, np.random.default_rng(0))[: chosen.judged].astype("<u2")
    losses = engine.evaluator().row_losses(judged.tobytes(), len(judged), lambda _: None)
    nats = math.fsum(each.nats for each in losses)
    return {
        "arm": arm, "seed": seed, "tokens": steps * rows * tokens, "width": chosen.width,
        "precision": chosen.precision, "held_out": nats / (len(judged) * tokens),
        "cpu_seconds": round(time.process_time() - begun, 1),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, default=[], help=argparse.SUPPRESS)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--kinds", nargs="+", default=["window", "window documents", "full"])
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS)
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--arm", nargs="+", default=["full", f"window window={WINDOW} sinks=4"])
    parser.add_argument("--seed", nargs="+", type=int, default=[1])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--judged", type=int, default=64)
    parser.add_argument("--shortest", type=int, default=2048, help="tokens of a document, at least")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--results", type=Path, default=Path("length.jsonl"))
    chosen = parser.parse_args()
    if chosen.one:
        one(chosen.one[0], int(chosen.one[1]), int(chosen.one[2]))
    if chosen.cost:
        cost(chosen.kinds, chosen.lengths)
    if chosen.learn:
        torch.set_num_threads(1)
        for seed in chosen.seed:
            for arm in chosen.arm:
                row = json.dumps(learn(arm, seed, chosen))
                with chosen.results.open("a") as file:
                    file.write(row + "\n")
                sys.stdout.write(row + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
