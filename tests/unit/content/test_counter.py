"""Draws by address: unbiased, and the same everywhere."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.content.counter import Draw


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


def test_each_byte_of_the_key_counts() -> None:
    plain = Draw(bytes(16)).take(8)
    for place in range(16):
        changed = bytes(place) + b"\x01" + bytes(15 - place)
        assert Draw(changed).take(8) != plain
    assert Draw(bytes(16)).take(8) == plain


def test_take_gives_words_across_refills() -> None:
    one_by_one, at_once = Draw(b"key"), Draw(b"key")
    words = [one_by_one.word() for _ in range(600)]
    taken = [word for _ in range(6) for word in at_once.take(100)]
    assert all(0 <= word < 2**32 for word in taken)
    assert len(set(taken)) > 595
    assert len(set(words)) > 595


def test_sample_of_few_from_many_gives_different_items_in_any_order() -> None:
    draw = Draw(b"key")
    drawn = [draw.sample(range(1_000), 3) for _ in range(500)]
    assert all(len(set(items)) == 3 for items in drawn)
    assert any(items != sorted(items) for items in drawn)
    assert len({tuple(items) for items in drawn}) > 495
