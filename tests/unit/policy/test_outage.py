"""Reads out of reach: nothing is given up early, nothing is waited for without end."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.outage import FIRST_PAUSE, GRACE, LONGEST_PAUSE, Outage
from qmpi.units import Seconds

PATIENCE = Seconds(300.0)


def outage(*keys: str, now: float = 0.0) -> Outage[str]:
    made = Outage[str](PATIENCE)
    for key in keys:
        made.begin(key, Seconds(now))
    return made


def retried(made: Outage[str], key: str, begin: float, end: float) -> list[float]:
    """Fail each try at once, from `begin` to `end`; say when there was one."""
    tries = [begin]
    assert made.failed(key, "stale", Seconds(begin))
    now = begin
    while now < end:
        now += 0.5
        if key in made.due(Seconds(now)):
            made.begin(key, Seconds(now))
            tries.append(now)
            if not made.failed(key, "stale", Seconds(now)):
                break
    return tries


def test_tries_come_later_and_later_until_patience_is_over() -> None:
    made = outage("a")
    tries = retried(made, "a", 0.0, 1000.0)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE
    assert PATIENCE <= tries[-1] <= PATIENCE + LONGEST_PAUSE
    assert not made.reads


def test_after_a_long_outage_a_new_read_gets_one_try_and_its_success_ends_it() -> None:
    made = outage("a")
    retried(made, "a", 0.0, 1000.0)
    made.begin("b", Seconds(400.0))
    assert not made.failed("b", "stale", Seconds(400.0))
    made.begin("c", Seconds(500.0))
    made.answered("c", Seconds(500.1))
    made.begin("d", Seconds(501.0))
    assert made.failed("d", "stale", Seconds(501.0))


def test_one_bad_place_is_given_up_though_all_else_is_read() -> None:
    made = outage("bad")
    assert made.failed("bad", "input/output error", Seconds(0.0))
    for now in range(1, 300):
        made.begin("good", Seconds(now))
        made.answered("good", Seconds(now))
    assert not made.failed("bad", "input/output error", Seconds(PATIENCE))
    assert made.silent_since is None


def test_a_read_that_hangs_is_given_up_and_whoever_waits_behind_it_at_once() -> None:
    made = outage("a", "b")
    assert made.hung(Seconds(PATIENCE - 1)) == []
    assert made.hung(Seconds(PATIENCE)) == ["a", "b"]
    made.begin("c", Seconds(PATIENCE + 1))
    assert made.hung(Seconds(PATIENCE + 1)) == ["c"]
    made.answered("a", Seconds(PATIENCE + 2))
    made.begin("d", Seconds(PATIENCE + 3))
    assert made.hung(Seconds(PATIENCE + 4)) == []


def test_a_long_queue_that_moves_does_not_hang() -> None:
    made = outage(*map(str, range(100)))
    for number in range(100):
        made.answered(str(number), Seconds(10.0 * number))
        assert made.hung(Seconds(10.0 * number + 9.0)) == []


def test_after_a_long_outage_a_read_that_is_slow_is_not_taken_for_one_that_hangs() -> None:
    made = outage("a")
    retried(made, "a", 0.0, 1000.0)
    made.begin("b", Seconds(2000.0))
    assert made.hung(Seconds(2000.0 + GRACE - 1)) == []
    assert made.hung(Seconds(2000.0 + GRACE)) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("fab"), st.floats(0, 40))))
def test_every_read_ends(story: list[tuple[str, str, float]]) -> None:
    """Whatever happens, each read is under way, has a next try, or is no longer remembered."""
    made, now = Outage[str](PATIENCE), 0.0
    for key, deed, pause in story:
        now += pause
        for due in made.due(Seconds(now)):
            made.begin(due, Seconds(now))
        match deed:
            case "b":
                made.begin(key, Seconds(now))
            case "a":
                made.answered(key, Seconds(now))
                assert key not in made.reads
            case _:
                again = made.failed(key, "stale", Seconds(now))
                assert again == (key in made.reads)
        made.hung(Seconds(now))
    end = Seconds(now + PATIENCE + LONGEST_PAUSE)
    for due in made.due(end):
        made.begin(due, end)
        assert not made.failed(due, "stale", end)
    made.hung(Seconds(end + GRACE))
    assert not made.reads
