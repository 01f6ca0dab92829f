"""Orders of going: as good as the best possible, and each what its name says."""

from functools import cache
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.policy.eviction.choice import ORDERS, order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.past import AnyOne

TRACES = st.lists(st.integers(0, 5), max_size=14)
LONG = st.lists(st.integers(0, 30), max_size=400)


def hits(order, trace, room):
    """Count hits of equal items; what does not fit goes as the order says."""
    kept, found = set(), 0
    for key in trace:
        order.accessed(key)
        if key in kept:
            order.used(key)
            found += 1
            continue
        if len(kept) == room:
            gone = order.give_way(key) if room else None
            if gone is None:
                continue
            kept.remove(gone)
        kept.add(key)
        order.add(key)
    return found


def most_hits(trace, room):
    """Try every way to keep and to let go."""

    @cache
    def best(at, kept):
        if at == len(trace):
            return 0
        key = trace[at]
        if key in kept:
            return 1 + best(at + 1, kept)
        ways = [best(at + 1, kept)]
        if len(kept) < room:
            ways.append(best(at + 1, kept | {key}))
        ways += [best(at + 1, kept - {old} | {key}) for old in kept]
        return max(ways)

    return best(0, frozenset())


def naive(name, trace, room, seed=0):
    """Simulate an order by lists and scans."""
    kept, since, used, uses = [], {}, {}, {}
    draws = seed
    found = 0
    for now, key in enumerate(trace):
        if key in kept:
            found += 1
            used[key], uses[key] = now, uses[key] + 1
            continue
        if room == 0:
            continue
        if len(kept) == room:
            if name == "random":
                draws = (draws * 6364136223846793005 + 1442695040888963407) % 2**64
                place = (draws // 2**32) * room // 2**32
                kept[place], kept[-1] = kept[-1], kept[place]
                kept.pop()
            else:
                by = {
                    "fifo": lambda k: since[k],
                    "lru": lambda k: used[k],
                    "lfu": lambda k: (uses[k], used[k]),
                    "clairvoyant": lambda k, now=now: (-next_use(trace, now, k), used[k]),
                }[name]
                goes = min(kept, key=by)
                if name == "clairvoyant" and next_use(trace, now, key) > -by(goes)[0]:
                    continue
                kept.remove(goes)
        kept.append(key)
        since[key] = used[key] = now
        uses[key] = 1
    return found


def next_use(trace, now, key):
    return next((at for at in range(now + 1, len(trace)) if trace[at] == key), inf)


@given(TRACES, st.integers(0, 4))
def test_no_way_of_keeping_has_more_hits_than_the_clairvoyant_order(trace, room):
    assert hits(Clairvoyant(trace), trace, room) == most_hits(tuple(trace), room)


@pytest.mark.parametrize("name", ORDERS)
@given(trace=LONG, room=st.integers(0, 12), seed=st.integers(0, 2**62))
@settings(max_examples=40, deadline=None)
def test_an_order_has_the_hits_of_a_simulation_by_scans(name, trace, room, seed):
    order = order_of(name, seed)
    if isinstance(order, Clairvoyant):
        order.extend(trace)
    assert hits(order, trace, room) == naive(name, trace, room, seed)


@given(LONG, st.integers(0, 12))
@settings(max_examples=50, deadline=None)
def test_who_knows_nothing_of_the_future_goes_by_the_past(trace, room):
    assert hits(Clairvoyant(), trace, room) == naive("lru", trace, room)


def test_what_is_learnt_of_a_kept_key_counts():
    order = Clairvoyant(["a", "b", "a"])
    for key in ("a", "b"):
        order.accessed(key)
        order.add(key)
    assert order.next_use("b") == inf
    order.extend(["b", "c", "a", "b"])
    order.accessed("a")
    assert (order.next_use("a"), order.next_use("b"), order.next_use("c")) == (5, 3, 4)
    assert order.give_way("c") == "a"


def test_what_is_used_later_than_all_that_is_kept_is_not_taken_in():
    order = Clairvoyant(["a", "b", "a", "b"])
    order.accessed("a")
    order.add("a")
    order.accessed("b")
    assert order.give_way("b") is None
    assert order.give_way("never") is None


@given(LONG, st.integers(1, 12), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_accesses_that_others_served_are_not_waited_for(trace, room, start):
    """Whoever begins in the middle does as if there had been nothing before."""
    late = Clairvoyant(trace)
    late.pass_by(start)
    assert hits(late, trace[start:], room) == hits(Clairvoyant(trace[start:]), trace[start:], room)


def test_a_kept_key_whose_access_passed_goes_by_its_next_one():
    order = Clairvoyant(["a", "b", "a", "c", "b", "a"])
    for key in ("a", "b"):
        order.accessed(key)
        order.add(key)
    order.pass_by(3)  # the second "a" was served elsewhere
    assert (order.next_use("a"), order.next_use("b")) == (5, 4)
    assert order.give_way("c") == "a"
    order.forget()
    assert order.next_use("b") == inf
    order.foresee(0, ["b"])
    assert order.next_use("b") == 0


def test_the_future_is_told_in_order():
    order = Clairvoyant()
    order.foresee(7, ["a", "b"])
    order.foresee(7, ["c"])
    with pytest.raises(InvariantError, match="cannot come after"):
        order.foresee(6, ["d"])


def test_draws_follow_from_the_seed():
    trace = [n * n % 97 for n in range(3000)]
    found = [hits(AnyOne(seed), trace, 20) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert len({hits(AnyOne(seed), trace, 20) for seed in range(8)}) > 1
