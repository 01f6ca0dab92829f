"""Whether predicting further ahead costs the loss of the next token, and what it costs in time.

An arm is a number of ahead modules. The engine itself trains, alone, with its exact sum, on the
built-in corpus; the last twentieth of its rows is held out. Arms of a seed see the same rows in the
same order. Each result is a line of JSON in --results, and what stands there is not done again.

    python tests/benchmarks/bench_ahead.py --steps 200 --seeds 1 --arm 0 --arm 1
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from bench_learning import add, read
from corpus_lanes import CorpusLanes, digest

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import JobSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.storage.cache import default_cache
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

LANES, SEQUENCES, TOKENS = 2, 8, 64
JUDGED_ROWS = 256
SHAPE = {"vocab_size": 4096, "layers": 2, "width": 64, "heads": 2, "kv_heads": 1}


def begun(ahead: int, seed: int, steps: int) -> Engine:
    settings = Settings(
        job=JobSettings(seed=seed),
        model=ModelSettings(**SHAPE, predict_ahead=ahead),
        train=TrainSettings(
            steps=steps, lanes=LANES, sequences=SEQUENCES, sequence_tokens=TOKENS,
            precision="float32", device="cpu", compile="off",
        ),
        optimizer=OptimizerSettings(warmup_steps=steps // 10),
    )  # fmt: skip
    engine = Engine(settings, time.process_time, lambda: None)
    engine.initialise()
    engine.join(Comm(store=None, name="", index=0, size=1, timeout_seconds=1, aborted=lambda: None))
    return engine


def trained(ahead: int, seed: int, steps: int) -> dict[str, object]:
    """Train an arm; return what it came to."""
    engine = begun(ahead, seed, steps)
    lanes = CorpusLanes(default_cache(os.environ), SEQUENCES, TOKENS, seed)
    started, seconds = time.process_time(), []
    for step in range(steps):
        blocks = lanes.blocks(LANES)
        outcome = engine.run_step(
            step, range(LANES), blocks, list(map(digest, blocks)), digest_due=False
        )
        seconds.append(outcome.seconds)
    held = CorpusLanes(default_cache(os.environ), JUDGED_ROWS, TOKENS, held_out=True).block()
    losses = engine.evaluator().row_losses(held, JUDGED_ROWS, lambda _: None)
    return {
        "ahead": ahead,
        "seed": seed,
        "steps": steps,
        "held_out": sum(each.nats for each in losses) / (JUDGED_ROWS * TOKENS),
        "last": sum(outcome.lane_losses) / LANES,
        "last_ahead": outcome.ahead_losses,
        "step_cpu_seconds": float(np.median(seconds)),
        "cpu_seconds": time.process_time() - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--arm", type=int, action="append", required=True)
    parser.add_argument("--results", type=Path, required=True)
    options = parser.parse_args()
    done = {(row["ahead"], row["seed"], row["steps"]) for row in read(options.results)}
    for seed in range(options.seeds):
        for ahead in options.arm:
            if (ahead, seed, options.steps) not in done:
                row = trained(ahead, seed, options.steps)
                add(options.results, row)
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
