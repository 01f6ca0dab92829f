"""A process that runs three steps of the small job.

python compiling_member.py auto|on|off DEVICE EXPERTS

Prints digests after each step, dealt in two ways, and what was compiled when.
"""

import json
import logging
import sys

from msgspec.structs import replace
from unit.training.small_job import LANES, alone, job, run

from qmpi.config import compiling
from qmpi.config.model import ModelSettings

STEPS = 3


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


def steps(settings, lanes):
    engine = alone(settings)
    return [run(engine, settings, step, lanes) for step in range(STEPS)]


def main(compile_, device, experts):
    kept = Kept()
    logging.getLogger("qmpi").addHandler(kept)
    # So that "auto" wants what this small job would not be worth.
    compiling.WORTH = dict.fromkeys(compiling.WORTH, 0)
    settings = job(device=device)
    model = ModelSettings(
        vocab_size=256, layers=3, width=32, heads=2, kv_heads=1, experts=int(experts)
    )
    settings = replace(settings, model=model, train=replace(settings.train, compile=compile_))
    engine = alone(settings)
    engine.warm_up()
    warm = graphs()
    outcomes = [run(engine, settings, step) for step in range(STEPS)]
    engine.initialise()
    again = run(engine, settings, 0).weight_digest
    other = steps(settings, list(reversed(range(LANES)))) if compile_ == "on" else outcomes
    told = {
        "identity": engine.identity(),
        "digests": [outcome.weight_digest for outcome in outcomes],
        "losses": [loss for outcome in outcomes for loss in outcome.lane_losses],
        "again": again,
        "other_deal": [outcome.weight_digest for outcome in other],
        "graphs_warm": warm,
        "graphs": graphs(),
        "dynamo": "torch._dynamo" in sys.modules,
        "log": kept.lines,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
