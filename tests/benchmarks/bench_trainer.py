"""Speed of the step engine against a bare PyTorch loop, in one run, interleaved.

Both compute the same lanes with the same model, compute type, threads, clipping and AdamW; the bare
loop accumulates in `grad` and uses `torch.optim.AdamW(fused=True)`. A ratio of 1.0 means that
order-free sums, counters, votes and digests of blocks cost nothing. Rounds alternate and each
round's ratio is its own, so load on the machine that lasts longer than a round hits both sides. On
a busy machine only the CPU times of single processes mean something; for a pair, only wall time
does. With `--pair`, two engines over gloo share the lanes against one bare process that computes
them all with the same number of threads in total.

    python tests/benchmarks/bench_trainer.py --rounds 9
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import timedelta

os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")
os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

import numpy as np
import torch
from torch import nn

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import learning_rate
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.initial import initialise
from qmpi.model.shape import parameter_count
from qmpi.model.transformer import Transformer
from qmpi.training.comm.line import Comm
from qmpi.training.comm.store import connect_store, open_store
from qmpi.training.engine import Engine

SIZES = {
    "laptop": ModelSettings(vocab_size=4096, width=256, layers=4, heads=4, kv_heads=2),
    "larger": ModelSettings(vocab_size=8192, width=384, layers=6, heads=6, kv_heads=2),
}
SEQUENCES, TOKENS = 8, 256


def job(size, reduction, lanes, threads):
    train = TrainSettings(
        steps=1000, lanes=lanes, sequences=SEQUENCES, sequence_tokens=TOKENS,
        reduction=reduction, threads=threads, device="cpu",
    )  # fmt: skip
    # The other loop updates by AdamW, too.
    return Settings(model=SIZES[size], train=train, optimizer=OptimizerSettings(kind="adamw"))


def make_blocks(settings, step):
    shape = (SEQUENCES, TOKENS + 1)
    generator = np.random.default_rng(step)
    vocab = settings.model.vocab_size
    return [
        generator.integers(0, vocab, shape).astype("<u2").tobytes()
        for _ in range(settings.train.lanes)
    ]


def digest(block):
    return hashlib.blake2b(block, digest_size=16).hexdigest()


class Bare:
    """The loop that one would write without qmpi."""

    def __init__(self, settings, precision):
        self.settings, self.precision, self.step = settings, precision, 0
        self.model = Transformer(settings.model)
        initialise(self.model, settings.model, 0)
        parameters = list(self.model.parameters())
        decay = settings.optimizer.weight_decay
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=True)

    def run(self, blocks):
        settings = self.settings
        mixed = self.precision != torch.float32
        for block in blocks:
            ids = torch.from_numpy(np.frombuffer(block, "<u2").astype(np.int64))
            ids = ids.view(SEQUENCES, TOKENS + 1)
            with torch.autocast("cpu", self.precision, enabled=mixed):
                loss = self.model.loss(ids[:, :-1], ids[:, 1:]) / settings.train.lanes
            loss.backward()
            loss.item()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.optimizer.clip_norm)
        rate = learning_rate(settings.optimizer, self.step, settings.train.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1


class Ours:
    """The engine, alone or as one of two."""

    def __init__(self, settings, store=None, index=0, size=1):
        self.engine = Engine(settings, time.perf_counter, lambda: None)
        self.engine.warm_up()
        self.engine.initialise()
        self.mine = range(index, settings.train.lanes, size)
        self.engine.join(
            Comm(
                store=store, name="g1", index=index, size=size, timeout_seconds=120,
                aborted=lambda: None,
            )
        )  # fmt: skip

    def run(self, blocks):
        # Blocks arrive with their digests: the engine's own work starts here.
        chosen = [blocks[lane] for lane in self.mine]
        self.engine.run_step(
            self.engine.state_step, self.mine, chosen, [self.digests[n] for n in self.mine],
            digest_due=False,
        )  # fmt: skip


def timed(side, blocks):
    if isinstance(side, Ours):
        side.digests = list(map(digest, blocks))
    wall, cpu = time.perf_counter(), time.process_time()
    side.run(blocks)
    return time.perf_counter() - wall, time.process_time() - cpu


def alternate(sides, settings, rounds):
    """Run the sides in turn; return (wall, CPU) seconds by side."""
    seconds = {name: [] for name in sides}
    for number in range(rounds + 2):  # two rounds to warm up; the engine settles its scales in them
        blocks = make_blocks(settings, number)
        names = list(sides)
        for name in names if number % 2 else reversed(names):
            took = timed(sides[name], blocks)
            if number >= 2:
                seconds[name].append(took)
    return seconds


def summary(seconds, settings):
    tokens = settings.train.lanes * SEQUENCES * TOKENS
    rows = {}
    for name, pairs in seconds.items():
        rows[name] = {
            "tokens_per_wall_second": round(tokens / statistics.median(p[0] for p in pairs))
        }
        for kind, column in (("wall", 0), ("cpu", 1)):
            values, bare = ([p[column] for p in s] for s in (pairs, seconds["bare"]))
            ratios = [b / v for b, v in zip(bare, values, strict=True)]
            rows[name][kind] = {
                "median_seconds": round(statistics.median(values), 4),
                "least_seconds": round(min(values), 4),
                "speed_ratio_to_bare": round(statistics.median(ratios), 4),
                "ratio_quartiles": [round(q, 4) for q in statistics.quantiles(ratios, n=4)[::2]],
            }
    return rows


def single(size, lanes, rounds):
    exact, fast = job(size, "exact", lanes, 1), job(size, "fast", lanes, 1)
    sides = {"exact": Ours(exact), "fast": Ours(fast)}
    precision = torch.bfloat16 if "bfloat16" in sides["exact"].engine.identity() else torch.float32
    sides["bare"] = Bare(exact, precision)
    rows = summary(alternate(sides, exact, rounds), exact)
    return {"precision": str(precision), "parameters": parameter_count(exact.model), "sides": rows}


def pair_worker(size, lanes, rounds, address):
    """The second engine of a pair: follows the first's steps."""
    settings = job(size, "exact", lanes, 1)
    store = connect_store(address, 60)
    side = Ours(settings, store, 1, 2)
    for number in range(rounds + 2):
        blocks = make_blocks(settings, number)
        # Else it would compute while the bare loop is timed, and the pair would look fast.
        store.wait([f"go{number}"], timedelta(seconds=120))
        timed(side, blocks)
    os._exit(0)


def pair(size, lanes, rounds):
    settings = job(size, "exact", lanes, 1)
    store, address = open_store("127.0.0.1")
    command = [sys.executable, __file__, "--worker", address, "--size", size]
    worker = subprocess.Popen([*command, "--lanes", str(lanes), "--rounds", str(rounds)])
    try:
        side = Ours(settings, store, 0, 2)
        precision = torch.bfloat16 if "bfloat16" in side.engine.identity() else torch.float32
        bare = Bare(settings, precision)
        seconds = {"pair": [], "bare": []}
        for number in range(rounds + 2):
            blocks = make_blocks(settings, number)
            torch.set_num_threads(2)
            took = timed(bare, blocks)
            torch.set_num_threads(1)
            store.set(f"go{number}", "1")
            ours = timed(side, blocks)
            if number >= 2:
                seconds["bare"].append(took)
                seconds["pair"].append(ours)
        return summary(seconds, settings)
    finally:
        worker.kill()
        worker.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--size", choices=sorted(SIZES), default="laptop")
    parser.add_argument("--pair", action="store_true")
    parser.add_argument("--worker", default="")
    chosen = parser.parse_args()
    if chosen.worker:
        pair_worker(chosen.size, chosen.lanes, chosen.rounds, chosen.worker)
    run = pair if chosen.pair else single
    result = run(chosen.size, chosen.lanes, chosen.rounds)
    sys.stdout.write(json.dumps({"size": chosen.size, "result": result}, indent=1) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
