"""What the memory savers of a trainer spare and cost: peak memory, CPU seconds, and the same bits.

One configuration a process: the peak is VmHWM, set back before the engine is made, so it stands
above what Python and torch take. Blocks above a megabyte come from the machine and go back to it
(MALLOC_MMAP_THRESHOLD_), else what the heap keeps would be measured. CPU seconds of one thread, of
the steps after the first, whose exponents are a guess. `--heap` keeps freed memory as a rank does.

    python tests/benchmarks/bench_memory.py
    python tests/benchmarks/bench_memory.py --model 1B --precision bfloat16 --arms full --steps 1
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]


class Arm(NamedTuple):
    """Checkpointing, of how many layers one, sequences of a microbatch, masters and optimizer."""

    checkpointing: str = "none"
    every: int = 1
    sequences: int = 8
    masters: str = "float32"
    optimizer: str = ""


FULL = Arm("full")
ARMS = {
    "none": Arm(),
    "every second": Arm("full", 2),
    "selective": Arm("selective"),
    "full": FULL,
    "masters": Arm(masters="bfloat16"),
    "adamw8": Arm(optimizer="adamw8"),
    "none, 8 microbatches": Arm(sequences=1),
    "full, 8 microbatches": Arm("full", sequences=1),
    "full, masters": FULL._replace(masters="bfloat16"),
    "full, masters, adamw8": FULL._replace(masters="bfloat16", optimizer="adamw8"),
    "all but adamw8": Arm("full", 1, 1, "bfloat16"),
    "all": Arm("full", 1, 1, "bfloat16", "adamw8"),
}
"""A lane has 8 sequences; "all": each saver at once."""

MODELS = {
    # vocabulary, width, layers, heads, kv heads
    "17M": (8192, 384, 8, 6, 2),
    "0.4B": (16_384, 1536, 16, 12, 4),
    "1B": (32_768, 2048, 22, 16, 4),
    "1.6B": (32_768, 2048, 36, 16, 4),
}
SEQUENCES = 8


def status(name):
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


def settings_of(options):
    from qmpi.config.model import ModelSettings
    from qmpi.config.optimizer import OptimizerSettings
    from qmpi.config.settings import Settings
    from qmpi.config.train import TrainSettings

    arm = ARMS[options.arm]
    sequences = arm.sequences
    vocabulary, width, layers, heads, kv_heads = MODELS[options.model]
    model = ModelSettings(
        vocab_size=vocabulary, width=width, layers=layers, heads=heads, kv_heads=kv_heads
    )
    train = TrainSettings(
        steps=options.steps + 1, lanes=options.lanes, microbatches=options.sequences // sequences
        if sequences == 1 else 1, sequences=min(sequences, options.sequences),
        sequence_tokens=options.tokens, precision=options.precision, compile="off", device="cpu",
        masters=arm.masters, checkpointing=arm.checkpointing, checkpoint_every=arm.every,
    )  # fmt: skip
    kind = arm.optimizer or options.optimizer
    return Settings(model=model, train=train, optimizer=OptimizerSettings(kind=kind))


def measured(options):
    """Train some steps here; return what came of it."""
    if options.heap:
        from qmpi.runtime.heap import keep_memory

        keep_memory()
    import numpy as np
    import torch

    from qmpi.model.shape import parameter_count
    from qmpi.training.comm.line import Comm
    from qmpi.training.engine import Engine

    settings = settings_of(options)
    train = settings.train
    torch.ones(8, 8) @ torch.ones(8, 8)
    start = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    engine = Engine(settings, time.monotonic, lambda: None)
    engine.initialise()
    alone = {"store": None, "name": "g1", "index": 0, "size": 1, "timeout_seconds": 5.0}
    engine.join(Comm(**alone, aborted=lambda: None))
    if not options.no_warm_up:
        engine.warm_up()
    draw = np.random.default_rng(1)
    shape = (train.lanes, train.microbatches * train.sequences, train.sequence_tokens + 1)
    blocks = [b.tobytes() for b in draw.integers(0, settings.model.vocab_size, shape).astype("<u2")]
    lanes, digests, seconds, losses = range(train.lanes), ["0" * 32] * train.lanes, [], []
    for step in range(options.steps + (not options.no_warm_up)):
        begun = time.process_time()
        outcome = engine.run_step(step, lanes, blocks, digests, digest_due=True)
        seconds.append(time.process_time() - begun)
        losses.append(outcome.lane_losses[0])
    return {
        "arm": options.arm,
        "model": options.model,
        "parameters": parameter_count(settings.model),
        "precision": options.precision,
        "heap": options.heap,
        "peak_bytes": status("VmHWM") - start,
        "program_bytes": start,
        "seconds": min(seconds[-options.steps :]),
        "losses": losses,
        "digest": outcome.weight_digest,
    }


def apart(options, arm, precision):
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, "--precision", precision]
    for name in ("model", "optimizer", "steps", "lanes", "sequences", "tokens"):
        command += [f"--{name}", str(getattr(options, name))]
    command += ["--heap"] * options.heap + ["--no-warm-up"] * options.no_warm_up
    known = {**os.environ, "PYTHONPATH": str(options.root), "OMP_NUM_THREADS": "1"}
    if not options.heap:
        known["MALLOC_MMAP_THRESHOLD_"] = "1000000"
    done = subprocess.run(command, capture_output=True, text=True, env=known, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def table(rows):
    """Return results as Markdown, each against the first of its precision."""
    lines = ["| precision | saver | peak, MiB | of none | CPU s a step | of none | weights |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in rows:
        first = next(r for r in rows if r["precision"] == row["precision"])
        bits = "same" if row["digest"] == first["digest"] else row["digest"][:8]
        lines.append(
            f"| {row['precision']} | {row['arm']} | {row['peak_bytes'] / 2**20:,.0f} "
            f"| {row['peak_bytes'] / first['peak_bytes']:.2f} | {row['seconds']:.2f} "
            f"| {row['seconds'] / first['seconds']:.2f} | {bits} |"
        )
    return "\n".join(lines)


def main():
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="17M")
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--arm", choices=ARMS, help="measure this one here")
    parser.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=SEQUENCES)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--heap", action="store_true")
    parser.add_argument("--no-warm-up", action="store_true", help="a single step counts")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="whose qmpi is measured")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.arm:
        options.precision = options.precision[0]
        sys.stdout.write(json.dumps(measured(options)))
        return
    rows = []
    for precision in options.precision:
        for arm in options.arms:
            rows.append(apart(options, arm, precision))
            sys.stderr.write(json.dumps(rows[-1]) + "\n")
    sys.stdout.write((json.dumps(rows) if options.json else table(rows)) + "\n")


if __name__ == "__main__":
    main()
