"""Units are dealt once, again after a loss, and never for ever."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.work_book import ENOUGH_TIMES, MOST_TRIES, WorkBook
from qmpi.units import Rank, Seconds

WORKERS = [Rank(n) for n in range(4)]


def deal(book: WorkBook, workers: list[Rank], now: Seconds) -> list[tuple[Rank, int]]:
    return book.deal(workers, len(workers), now)


def test_every_free_rank_gets_a_unit_then_one_in_advance() -> None:
    book = WorkBook(20, ())
    dealt = deal(book, WORKERS, Seconds(0.0))
    assert dealt[:4] == [(Rank(n), n) for n in range(4)]
    assert [rank for rank, _ in dealt[4:]] == WORKERS


def test_the_last_units_are_not_hoarded() -> None:
    book = WorkBook(5, ())
    assert [len(units) for units in (deal(book, WORKERS, Seconds(0.0)), book.held)] == [4, 4]


def test_units_done_before_are_not_dealt() -> None:
    book = WorkBook(4, {0, 2, 99})
    assert [unit for _, unit in deal(book, WORKERS, Seconds(0.0))] == [1, 3]


def test_the_units_of_a_lost_rank_are_dealt_again() -> None:
    book = WorkBook(2, ())
    deal(book, WORKERS[:2], Seconds(0.0))
    assert book.lost(Rank(0)) == (0,)
    assert deal(book, [Rank(1), Rank(2)], Seconds(1.0)) == [(Rank(2), 0)]


def test_a_late_result_of_a_lost_rank_counts() -> None:
    book = WorkBook(1, ())
    deal(book, [Rank(0)], Seconds(0.0))
    book.lost(Rank(0))
    assert book.reported(Rank(0), 0, Seconds(1.0))
    assert book.finished
    assert deal(book, WORKERS, Seconds(2.0)) == []
    book.check()


def test_a_unit_that_kills_rank_after_rank_is_named() -> None:
    book = WorkBook(1, ())
    for rank in range(MOST_TRIES):
        assert book.hopeless() is None
        deal(book, [Rank(rank)], Seconds(rank))
        book.lost(Rank(rank))
    assert book.hopeless() == 0


def test_a_slow_unit_is_dealt_once_more_and_only_once() -> None:
    book = WorkBook(ENOUGH_TIMES + 1, ())
    for unit in range(ENOUGH_TIMES):
        deal(book, [Rank(0)], Seconds(unit))
        book.reported(Rank(0), unit, Seconds(unit + 1))
    at = Seconds(ENOUGH_TIMES)
    deal(book, [Rank(0)], at)
    assert deal(book, WORKERS, Seconds(at + 1.0)) == []
    assert deal(book, WORKERS, Seconds(at + 10.0)) == [(Rank(1), ENOUGH_TIMES)]
    assert deal(book, WORKERS, Seconds(at + 20.0)) == []
    assert book.reported(Rank(1), ENOUGH_TIMES, Seconds(at + 21.0))
    assert not book.reported(Rank(0), ENOUGH_TIMES, Seconds(at + 22.0))
    book.check()


@given(
    st.integers(0, 30),
    st.sets(st.integers(0, 29)),
    st.lists(st.tuples(st.sampled_from("dlfr"), st.integers(0, 3), st.integers(0, 29))),
)
def test_no_unit_is_lost_or_waits_while_held(units: int, done: set[int], acts: list) -> None:
    book = WorkBook(units, done)
    for time, (act, rank, unit) in enumerate(acts):
        now = Seconds(time)
        match act:
            case "d":
                deal(book, WORKERS[: rank + 1], now)
            case "l":
                book.lost(Rank(rank))
            case "f":
                book.failed(Rank(rank), unit, now)
            case _:
                # Only what was dealt at some time is reported.
                if unit in book.held.get(Rank(rank), []):
                    book.reported(Rank(rank), unit, now)
        book.check()
    for _ in range(2 * units + 1):
        for rank, unit in deal(book, WORKERS, Seconds(1000.0)):
            book.reported(rank, unit, Seconds(1000.0))
        for rank, unit in [(r, u) for r, us in book.held.items() for u in us]:
            book.reported(rank, unit, Seconds(1000.0))
    assert book.finished
