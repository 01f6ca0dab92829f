"""Ranks for the hosts that live."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import ConfigError
from qmpi.launch.allocation.deal import MOST_A_HOST, Wanted, deal_ranks
from qmpi.launch.allocation.hosts import Allocation, HostSlots


def allocation(*slots: int, here: str = "") -> Allocation:
    hosts = tuple(HostSlots(f"h{number}", slot) for number, slot in enumerate(slots))
    return Allocation(scheduler="slurm", hosts=hosts, why="", here=here)


def dealt(found: Allocation, living: list[str], wanted: Wanted) -> dict[str, int]:
    return {host.name: host.slots for host in deal_ranks(found, living, wanted)}


def test_what_the_user_says_comes_before_the_batch_system_and_the_job():
    found, all_three = allocation(4, 4, 4), ["h0", "h1", "h2"]
    assert dealt(found, all_three, Wanted(None, 2, 7)) == {"h0": 2, "h1": 2, "h2": 2}
    assert dealt(found, all_three, Wanted(7, None, 9)) == {"h0": 3, "h1": 2, "h2": 2}
    assert dealt(found, all_three, Wanted(5, 2, 9)) == {"h0": 2, "h1": 2, "h2": 1}
    assert dealt(found, all_three, Wanted(None, None, 9)) == {"h0": 4, "h1": 4, "h2": 4}
    assert dealt(allocation(0, 0), ["h0", "h1"], Wanted(None, None, 7)) == {"h0": 4, "h1": 3}


def test_a_dead_host_takes_its_ranks_along():
    found = allocation(0, 0, 0)
    assert dealt(found, ["h0", "h2"], Wanted(None, 2, 7)) == {"h0": 2, "h2": 2}
    assert dealt(found, ["h0", "h2"], Wanted(7, None, 7)) == {"h0": 3, "h2": 3}
    assert dealt(allocation(4, 2, 1), ["h1", "h2"], Wanted()) == {"h1": 2, "h2": 1}


def test_this_machine_comes_first_and_no_host_gets_none():
    found = allocation(0, 0, 0, here="h2")
    assert list(dealt(found, ["h0", "h1", "h2"], Wanted(2, None, None))) == ["h2", "h0"]


def test_shares_need_a_number():
    with pytest.raises(ConfigError, match="--ranks-per-host"):
        deal_ranks(allocation(0, 0), ["h0"], Wanted())


@given(
    st.integers(1, 12),
    st.integers(1, 60) | st.none(),
    st.integers(1, 9) | st.none(),
    st.integers(1, 60),
    st.data(),
)
def test_the_living_share_evenly_and_never_more_than_was_meant(
    hosts: int, ranks: int | None, per_host: int | None, asked: int, data: st.DataObject
):
    found = allocation(*[0] * hosts)
    names = [host.name for host in found.hosts]
    living = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    wanted = Wanted(ranks, per_host, asked)
    got = list(dealt(found, living, wanted).values())
    whole = sum(dealt(found, names, wanted).values())
    assert 1 <= sum(got) <= whole
    assert max(got) - min(got) <= 1
    each = per_host or -(-(ranks or asked) // hosts)
    assert max(got) <= each
    if ranks is not None:
        assert sum(got) <= ranks


def test_more_ranks_than_hosts_can_hold_are_refused():
    assert dealt(allocation(0), ["h0"], Wanted(MOST_A_HOST)) == {"h0": MOST_A_HOST}
    for wanted in (Wanted(1_000_000), Wanted(None, 10**6), Wanted(None, None, MOST_A_HOST + 1)):
        with pytest.raises(ConfigError, match="start fewer, or name more hosts"):
            deal_ranks(allocation(0), ["h0"], wanted)
    two = dealt(allocation(0, 0), ["h0", "h1"], Wanted(MOST_A_HOST + 1))
    assert sum(two.values()) == MOST_A_HOST + 1
