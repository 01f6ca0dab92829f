"""Counts and levels as people write them."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.cli.options import FiniteRange
from qmpi.cli.sizes import LARGEST, Count, LevelSpan, duration, short


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("50M", 50_000_000),
        ("1.5G", 1_500_000_000),
        ("2T", 2 * 10**12),
        ("65536", 65536),
        ("10k", 10_000),
        ("1_000_000", 1_000_000),
        ("0.1b", 100_000_000),
        ("1000P", 10**18),
    ],
)
def test_counts(text: str, count: int) -> None:
    assert Count().convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "M", "-5M", "5X", "1e9", "0", "1001P", "5 0M", "٣M"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Count().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "span"), [("10-40", (10, 40)), ("7", (7, 7)), ("1-100", (1, 100))]
)
def test_levels(text: str, span: tuple[int, int]) -> None:
    assert LevelSpan().convert(text, None, None) == span


@pytest.mark.parametrize("text", ["", "0-5", "40-10", "1-101", "a", "1-2-3"])
def test_what_are_no_levels_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        LevelSpan().convert(text, None, None)


@given(st.integers(1, LARGEST))
def test_a_short_count_is_about_the_count(count: int) -> None:
    said = short(count).replace(",", "")
    read = float(said.rstrip("kMGT")) * {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(said[-1], 1.0)
    assert abs(read - count) <= 0.01 * count


def test_durations() -> None:
    assert [duration(s) for s in (None, 5, 65.9, 3723)] == ["?", "0:05", "1:05", "1:02:03"]


def test_nan_lies_in_no_range():
    assert FiniteRange(0.0, 2.0).convert("1.5", None, None) == 1.5
    for text in ("nan", "-nan", "inf", "3"):
        with pytest.raises(click.BadParameter):
            FiniteRange(0.0, 2.0).convert(text, None, None)
