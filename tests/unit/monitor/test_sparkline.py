import math

from hypothesis import given
from hypothesis import strategies as st

from qmpi.monitor.sparkline import BLOCKS, sparkline


def test_falls_from_full_to_empty() -> None:
    assert sparkline([7, 6, 5, 4, 3, 2, 1, 0], 8) == BLOCKS[::-1]


def test_constant_is_drawn_at_half_height() -> None:
    assert sparkline([3.0, 3.0], 8) == BLOCKS[4] * 2


def test_nothing_for_nothing() -> None:
    assert sparkline([], 8) == ""
    assert sparkline([math.nan, math.inf], 8) == ""


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32)), st.integers(1, 60))
def test_any_series_fits_its_width(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    finite = sum(map(math.isfinite, values))
    assert len(line) == min(width, finite)
    assert set(line) <= set(BLOCKS)
