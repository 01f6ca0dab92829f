"""How a float becomes an integer in the exact sum, to the last bit."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.exact_sum import SUM_BITS, lane_bits
from qmpi.training.reduction.exact import ROUNDER_BITS
from qmpi.training.reduction.exponents import powers
from qmpi.training.reduction.table import ROUNDER


@settings(deadline=None)
@given(st.integers(1, 4096))
def test_lane_bits_leave_room_for_all_lanes(lanes):
    assert lanes * 2 ** lane_bits(lanes) <= 2**SUM_BITS


@settings(deadline=None)
@given(st.integers(-96, 140))
def test_powers_are_exact(exponent):
    (power,) = powers(torch.tensor([exponent], dtype=torch.int32)).tolist()
    assert power == (2.0**exponent if exponent < 128 else math.inf)


@settings(deadline=None)
@given(st.floats(-(2.0**22), 2.0**22, width=32))
def test_adding_the_rounder_rounds_half_to_even(value):
    bits = (torch.tensor([value]) + ROUNDER).view(torch.int32) - ROUNDER_BITS
    assert int(bits) == round(value)
