"""Tickets: an abort condemns what was asked for before it, and nothing after."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.driver.tickets import Tickets, never
from qmpi.units import Rank


def test_nothing_is_condemned_at_first():
    assert Tickets(Rank(0)).issue()() is None
    assert never() is None


def test_an_abort_strikes_work_that_nobody_has_picked_up_yet():
    tickets = Tickets(Rank(0))
    queued = tickets.issue()
    tickets.condemn("a peer is gone")
    assert queued() == "a peer is gone"


def test_an_abort_spares_later_work():
    tickets = Tickets(Rank(0))
    tickets.condemn("too late")
    assert tickets.issue()() is None


@pytest.mark.parametrize("rank", [0, 7])
def test_an_abort_without_a_reason_still_strikes(rank):
    tickets = Tickets(Rank(rank))
    work = tickets.issue()
    tickets.condemn("")
    assert f"rank {rank}" in str(work())


@given(st.lists(st.booleans(), max_size=60))
def test_work_is_condemned_iff_an_abort_came_after_it(deeds):
    tickets, works = Tickets(Rank(3)), []
    for number, is_abort in enumerate(deeds):
        if is_abort:
            tickets.condemn(f"abort {number}")
        else:
            works.append((number, tickets.issue()))
        aborts = [n for n, abort in enumerate(deeds[: number + 1]) if abort]
        for asked, condemned in works:
            later = [abort for abort in aborts if abort > asked]
            assert (condemned() is not None) == bool(later)
            assert not later or condemned() == f"abort {later[-1]}"
