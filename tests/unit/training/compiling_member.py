"""A process that runs three steps of the small job: compiling_member.py auto|on|off DEVICE SHAPE.

Prints digests after each step, dealt in two ways, and what was compiled when.
"""

import json
import logging
import sys

from msgspec.structs import replace
from unit.model.families import FAMILIES
from unit.training.small_job import LANES, alone, job, run

from qmpi.config import compiling
from qmpi.config.model import ModelSettings
from qmpi.model import plain
from qmpi.model.fused import banded
from qmpi.training import compiler

STEPS = 3

DIVIDER = 7
WINDOWED = {"window": 5, "sinks": 2, "window_pattern": "wwf"}
"""What the shapes "masked windows" and "long" have beside masked documents. All sequences are
short, but "long" ones are computed as long ones are."""


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def graphs():
    """Graphs compiled so far."""
    dynamo = sys.modules.get("torch._dynamo")
    return 0 if dynamo is None else dynamo.utils.counters["stats"]["unique_graphs"]


def steps(settings, lanes, divider):
    engine = alone(settings, divider=divider)
    return [run(engine, settings, step, lanes) for step in range(STEPS)]


def main(compile_, device, shape="dense"):
    kept = Kept()
    logging.getLogger("qmpi").addHandler(kept)
    # So that "auto" wants what this small job would not be worth.
    compiling.WORTH = dict.fromkeys(compiling.WORTH, 0)
    settings = job(device=device)
    is_long = shape in ("masked windows", "long")
    divider, more = (DIVIDER, WINDOWED) if is_long else (None, {})
    if is_long:
        # Several blocks of queries in so short a sequence.
        plain.BLOCK, banded.LENGTHS = 4, {"cpu": (4, 4), "cuda": (4, 4)}
    if shape == "long":
        plain.MOST_TOKENS = 8
    if shape == "experts":
        more = {"experts": 4}
    if shape == "ahead":
        more = {"predict_ahead": 2}
    model = ModelSettings(vocab_size=256, layers=3, width=32, heads=2, kv_heads=1, **more)
    if shape in FAMILIES:
        model, _, divider = FAMILIES[shape]
    settings = replace(settings, model=model, train=replace(settings.train, compile=compile_))
    engine = alone(settings, divider=divider)
    engine.warm_up()
    warm = graphs()
    outcomes = [run(engine, settings, step) for step in range(STEPS)]
    engine.initialise()
    again = run(engine, settings, 0).weight_digest
    on = compile_ == "on"
    other = steps(settings, list(reversed(range(LANES))), divider) if on else outcomes
    has_loops, made = engine._sum._sweeps is not None, graphs()
    # Layers as before, but the sum by torch's operations.
    compiler.agree = lambda _: False
    bare = steps(settings, range(LANES), divider) if has_loops else []
    told = {
        "has_loops": has_loops,
        "without_loops": [outcome.weight_digest for outcome in bare],
        "identity": engine.identity(),
        "digests": [outcome.weight_digest for outcome in outcomes],
        "losses": [loss for outcome in outcomes for loss in outcome.lane_losses],
        "again": again,
        "other_deal": [outcome.weight_digest for outcome in other],
        "graphs_warm": warm,
        "graphs": made,
        "dynamo": "torch._dynamo" in sys.modules,
        "log": kept.lines,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
