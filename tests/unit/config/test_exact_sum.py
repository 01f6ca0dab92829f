"""How many lanes an exact sum carries."""

from msgspec.structs import replace

from qmpi.config.checks import contradictions
from qmpi.config.exact_sum import KEPT_BITS, LEAST_SPARE, SUM_BITS, lane_bits, spare_bits
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings


def lanes_faults(lanes, reduction="exact"):
    settings = Settings(train=replace(TrainSettings(), lanes=lanes, reduction=reduction))
    return [fault for fault in contradictions(settings) if "train.lanes" in fault]


def test_more_lanes_than_the_bits_carry_are_refused_with_the_arithmetic():
    most = max(lanes for lanes in range(1, 2**15) if spare_bits(lanes) >= LEAST_SPARE)
    assert most == 4096
    assert lanes_faults(most) == []
    (fault,) = lanes_faults(most + 1)
    taken, spare = SUM_BITS - lane_bits(most + 1), LEAST_SPARE - 1
    for words in (
        f"train.lanes = {most + 1} leaves {spare} spare bits",
        f"of {SUM_BITS} bits",
        f"take {taken}",
        f"keeps {KEPT_BITS}",
        f"{LEAST_SPARE} must be spare",
    ):
        assert words in fault
    assert SUM_BITS - taken - KEPT_BITS == spare


def test_a_float_sum_carries_any_number_of_lanes():
    assert lanes_faults(2**20, "fast") == []
