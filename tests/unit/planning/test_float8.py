"""Speed of products in float8 on GPUs whose machine file knows them, and what is said of others."""

import pytest
from msgspec.structs import replace

from qmpi.config.machine import Machine, load_machine
from qmpi.config.presets import preset
from qmpi.planning.limits import limits
from qmpi.planning.memory import trainer_memory
from qmpi.planning.team import heaviest
from qmpi.planning.workload import Counts, Workload, workload


def job(precision: str, machine: Machine) -> Workload:
    settings = preset("quintillion")
    train = replace(settings.train, precision=precision, device="auto")
    counts = Counts(ranks=4, trainers=2)
    return workload(replace(settings, train=train), counts, machine, None, None)


def test_products_of_layers_are_faster_and_the_head_is_not() -> None:
    fast, plain = (job(name, load_machine("h100")) for name in ("float8", "bfloat16"))
    assert fast.speeds is not None
    assert plain.speeds is not None
    assert 1.2 < fast.speeds.products / plain.speeds.products < 1979 / 989
    assert fast.speeds.peak == plain.speeds.peak
    assert trainer_memory(fast) == trainer_memory(plain)


@pytest.mark.parametrize(("name", "told"), [("a100", True), ("h100", False)])
def test_a_gpu_without_float8_is_told(name: str, told: bool) -> None:
    given = job("float8", load_machine(name))
    lines = limits(given, heaviest(given), None, None, None)
    assert any(line.startswith("float8: ") for line in lines) is told
    assert given.speeds is not None
    plain = job("bfloat16", load_machine(name)).speeds
    assert (given.speeds == plain) is told
