"""How far a small model gets with products in float8, emulated on a CPU, and in bfloat16.

The engine's own steps on the sources of Python's standard library; each row is trained on once, all
arms see the same rows. The loss is that of held-out rows, in float32.

    python tests/benchmarks/bench_float8.py --size 0.3M --steps 150 --seeds 1 2
"""

import argparse
import hashlib
import sys
import time

import torch
from learning_arms import CONTEXT, SIZES, documents, rows
from msgspec.structs import replace

from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.model.transformer import Transformer
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

LANES, SEQUENCES, JUDGED_ROWS = 2, 4, 128


def never():
    return None


def trained(settings, texts, seed):
    """Return an engine behind its last step, and the seconds of a step."""
    engine = Engine(settings, time.monotonic, never)
    engine.initialise()
    engine.join(Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=never))
    blocks = rows(texts, seed).split(SEQUENCES)
    began = time.process_time()
    for step in range(settings.train.steps):
        taken = [blocks[step * LANES + lane].numpy().astype("<u2").tobytes() for lane in (0, 1)]
        digests = [hashlib.blake2b(block, digest_size=16).hexdigest() for block in taken]
        engine.run_step(step, range(LANES), taken, digests, digest_due=False)
    return engine, (time.process_time() - began) / settings.train.steps


@torch.no_grad()
def judged(engine, shape, held):
    """Return the mean loss of held-out rows, in nats a token."""
    model = Transformer(shape)
    views = engine._state.wide_views()
    for name, parameter in model.named_parameters():
        parameter.copy_(views[name])
    parts = held[:JUDGED_ROWS].split(16)
    return sum(float(model.loss(part[:, :-1], part[:, 1:])) for part in parts) / len(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="0.3M")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    given = parser.parse_args()
    kept, out = documents()
    held, shape = rows(out, 0), SIZES[given.size]
    for seed in given.seeds:
        for precision in ("bfloat16", "float8"):
            settings = Settings(
                job=JobSettings(seed=seed),
                model=shape,
                train=TrainSettings(
                    steps=given.steps, lanes=LANES, sequences=SEQUENCES, sequence_tokens=CONTEXT,
                    precision=precision, device="cpu", compile="off",
                ),
                optimizer=replace(OptimizerSettings(), warmup_steps=given.steps // 10),
            )  # fmt: skip
            engine, seconds = trained(settings, kept, seed)
            loss = judged(engine, shape, held)
            sys.stdout.write(f"{given.size} seed {seed} {precision}: {loss:.4f} nats, ")
            sys.stdout.write(f"{seconds:.2f} s of a core a step\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
