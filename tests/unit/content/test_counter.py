"""Draws by address: unbiased, and the same everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.content.counter import Draw, draw_for


@given(st.binary(min_size=1, max_size=64), st.integers(1, 2**64))
def test_below_stays_below(key: bytes, limit: int) -> None:
    draw = Draw(key)
    assert all(0 <= draw.below(limit) < limit for _ in range(20))


def test_each_number_is_equally_likely() -> None:
    draw = Draw(b"key")
    counts = [0] * 7
    for _ in range(70_000):
        counts[draw.below(7)] += 1
    # Six degrees of freedom: above 30 by chance once in 25,000, and the key is fixed.
    assert sum((count - 10_000) ** 2 / 10_000 for count in counts) < 30


def test_a_limit_that_does_not_divide_the_word_is_not_biased() -> None:
    # With multiply alone, two thirds of 2**64 would give even numbers twice as often.
    draw = Draw(b"key")
    limit = 2**64 // 3 * 2
    third = sum(draw.below(limit) < limit // 2 for _ in range(20_000))
    assert 9_700 < third < 10_300


@given(st.binary(min_size=1, max_size=64), st.lists(st.integers(), max_size=30))
def test_shuffle_keeps_all_items(key: bytes, items: list[int]) -> None:
    mixed = list(items)
    Draw(key).shuffle(mixed)
    assert sorted(mixed) == sorted(items)


@given(st.binary(min_size=1, max_size=64), st.integers(0, 20))
def test_sample_draws_different_items(key: bytes, count: int) -> None:
    drawn = Draw(key).sample(range(20), count)
    assert len(set(drawn)) == len(drawn) == count


def test_shuffle_reaches_every_order() -> None:
    draw, orders = Draw(b"key"), dict[tuple[int, ...], int]()
    for _ in range(6_000):
        items = [0, 1, 2]
        draw.shuffle(items)
        orders[tuple(items)] = orders.get(tuple(items), 0) + 1
    assert len(orders) == 6
    assert all(850 < count < 1150 for count in orders.values())


@pytest.mark.parametrize(
    "address", [(1, "s", 0, 0), (0, "t", 0, 0), (0, "s", 1, 0), (0, "s", 0, 1), (0, "s", 2**60, 0)]
)
def test_each_part_of_the_address_counts(address: tuple[int, str, int, int]) -> None:
    words = [draw_for(*address).below(2**64), draw_for(0, "s", 0, 0).below(2**64)]
    assert words[0] != words[1]
    assert words[0] == draw_for(*address).below(2**64)
