"""Groups that break in a row: spaced, bounded in number and time, nobody blamed for others."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.broken_groups import (
    LEAST_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_TRIES,
    UNFIT_LEAST,
    UNFIT_SECONDS,
    UNFIT_TRIES,
    AfterBroken,
    BrokenGroup,
    after_broken,
)
from qmpi.units import Rank, Seconds

RANKS = st.integers(0, 4)
TRIES = st.tuples(st.floats(0, 60), RANKS, st.booleans())


def follow(
    tries: list[tuple[float, int, bool]], spared: set[int]
) -> tuple[list[BrokenGroup], list[AfterBroken]]:
    """Let groups break after so many seconds each, by such ranks; return what was decided."""
    now, series, decisions = 0.0, list[BrokenGroup](), list[AfterBroken]()
    for lasts, rank, own_fault in tries:
        now += lasts
        series.append(BrokenGroup(Seconds(now), Rank(rank), "a reason", own_fault))
        decided = after_broken(series, {Rank(rank) for rank in spared})
        decisions.append(decided)
        if decided.ends or decided.unfit is not None:
            break
        now += decided.wait_seconds
    return series, decisions


def at_once(rank: int = 3, *, own_fault: bool = False) -> list[tuple[float, int, bool]]:
    return [(0.0, rank, own_fault)] * 100


def test_the_first_are_followed_at_once_and_later_ones_wait_longer() -> None:
    _, decisions = follow(at_once(), set())
    assert [d.wait_seconds for d in decisions[:-1]] == [0, 0, 0.5, 1, 2, 4, 8, 8, 8]
    assert decisions[-1] == AfterBroken(ends=True)


def test_who_alone_cannot_connect_goes_if_it_can_be_spared() -> None:
    series, decisions = follow(at_once(own_fault=True), {3, 4})
    assert (decisions[-1].unfit, len(series), series[-1].at) == (3, UNFIT_TRIES, 15.5)
    _, decisions = follow(at_once(own_fault=True), {4})
    assert decisions[-1].ends


def test_two_that_cannot_connect_go_one_after_the_other() -> None:
    both = [(0.0, 3 + number % 2, True) for number in range(20)]
    assert follow(both, {3, 4})[1][-1].unfit == 3
    assert follow(both, {4})[1][-1].unfit == 4


@given(st.lists(TRIES, max_size=40), st.sets(RANKS))
def test_the_bounds_hold(tries: list[tuple[float, int, bool]], spared: set[int]) -> None:
    series, decisions = follow(tries, spared)
    for number, decided in enumerate(decisions, 1):
        assert 0 <= decided.wait_seconds <= LONGEST_WAIT_SECONDS
        lasted = series[number - 1].at - series[0].at
        if decided.unfit is not None:
            assert (number >= UNFIT_TRIES, lasted >= UNFIT_SECONDS) == (True, True)
            assert decided.unfit in spared
            mine = [group for group in series if group.rank == decided.unfit and group.own_fault]
            assert len(mine) >= min(UNFIT_LEAST, number / 2)
        enough = number >= MOST_TRIES and lasted >= LEAST_SECONDS
        assert decided.ends == (enough and decided.unfit is None)


@given(st.lists(TRIES, min_size=12, max_size=40), st.sets(RANKS))
def test_no_series_goes_on_for_ever(tries: list[tuple[float, int, bool]], spared: set[int]) -> None:
    last = follow(tries, spared)[1][-1]
    assert last.ends or last.unfit is not None


@given(st.lists(TRIES, min_size=1, max_size=MOST_TRIES), st.sets(RANKS))
def test_nobody_is_unfit_for_what_others_may_have_done(
    tries: list[tuple[float, int, bool]], spared: set[int]
) -> None:
    not_its_own = [(lasts, rank, False) for lasts, rank, _ in tries]
    assert all(decided.unfit is None for decided in follow(not_its_own, spared)[1])


def test_a_very_long_series_does_not_overflow() -> None:
    series = [BrokenGroup(Seconds(0.0), Rank(3), "", own_fault=False)] * 5000
    assert after_broken(series, ()).wait_seconds == LONGEST_WAIT_SECONDS
