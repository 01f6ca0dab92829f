"""How many lanes an exact sum carries."""

from msgspec.structs import replace

from qmpi.config.checks import contradictions
from qmpi.config.exact_sum import LEAST_KEPT, MOST_SPARE, SUM_BITS, kept_bits, lane_bits
from qmpi.config.settings import Settings, TrainSettings


def lanes_faults(lanes, reduction="exact"):
    settings = Settings(train=replace(TrainSettings(), lanes=lanes, reduction=reduction))
    return [fault for fault in contradictions(settings) if "train.lanes" in fault]


def test_more_lanes_than_the_bits_carry_are_refused_with_the_arithmetic():
    most = max(lanes for lanes in range(1, 2**15) if kept_bits(lanes) >= LEAST_KEPT)
    assert most >= 4096
    assert lanes_faults(most) == []
    (fault,) = lanes_faults(most + 1)
    taken, kept = SUM_BITS - lane_bits(most + 1), LEAST_KEPT - 1
    for words in (
        f"train.lanes = {most + 1} leaves {kept} bits",
        f"of {SUM_BITS} bits",
        f"takes {taken}",
        f"{MOST_SPARE} spare",
        f"{LEAST_KEPT} are needed",
    ):
        assert words in fault
    assert SUM_BITS - taken - MOST_SPARE == kept


def test_a_float_sum_carries_any_number_of_lanes():
    assert lanes_faults(2**20, "fast") == []
