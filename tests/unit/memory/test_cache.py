"""The cache: never above its budget, honest counts, items that expire."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.memory.cache import Cache, recent
from qmpi.policy.eviction.choice import ORDERS, order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant

ACCESSES = st.lists(st.integers(0, 12), max_size=120)
SIZES = st.lists(st.integers(0, 9), min_size=13, max_size=13)


@pytest.mark.parametrize("name", ORDERS)
@given(accesses=ACCESSES, sizes=SIZES, budget=st.integers(0, 30), ttl=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_cache_is_never_above_its_budget_and_counts_each_access(
    name, accesses, sizes, budget, ttl
):
    now = [0.0]
    gone = []
    order = order_of(name)
    if isinstance(order, Clairvoyant):
        order.extend(accesses)
    clock, note = lambda: now[0], lambda *item: gone.append(item)
    kept = Cache(budget, order, ttl=ttl, clock=clock, gone=note)
    put = {}
    for key in accesses:
        now[0] += 1.0
        value = kept.get(key)
        if value is None:
            value = f"{key} of {now[0]}"
            kept.put(key, value, sizes[key])
            if key in kept:
                put[key] = now[0]
        assert value.startswith(f"{key} of")
        assert kept.bytes == sum(sizes[k] for k in kept) <= budget
        assert all(now[0] - put[k] < ttl for k in kept)
    counts = kept.counts
    assert counts.hits + counts.misses == len(accesses)
    assert len(kept) + len(gone) + counts.refused == counts.misses
    assert len(gone) == counts.evictions + counts.expired
    kept.clear()
    assert (kept.bytes, len(kept)) == (0, 0)


def test_one_item_larger_than_the_budget_costs_nothing_that_is_kept():
    kept = recent(10)
    kept.put("a", 1, 6)
    kept.put("large", 2, 11)
    assert list(kept) == ["a"]
    assert kept.counts.refused == 1


def test_what_is_put_again_takes_the_place_of_the_old():
    kept = recent(10)
    kept.put("a", 1, 6)
    kept.put("a", 2, 8)
    assert (kept.get("a"), kept.bytes) == (2, 8)


def test_nothing_goes_for_an_item_that_is_not_taken_in():
    """Of two small ones that would have to go, one is used before the large one."""
    trace = ["soon", "late", "large", "soon", "large", "late"]
    kept = Cache(10, Clairvoyant(trace))
    for key, size in (("soon", 5), ("late", 5), ("large", 8)):
        assert kept.get(key) is None
        kept.put(key, key, size)
    assert sorted(kept) == ["late", "soon"]
    assert kept.counts.evictions == 0
    assert kept.get("soon") == "soon"
    kept.put("large", 1, 8)  # "soon" is not used again, "late" is: later
    assert list(kept) == ["large"]


def test_an_item_expires_though_it_is_used():
    now = [0.0]
    kept = Cache(10, order_of("lru"), ttl=3.0, clock=lambda: now[0])
    kept.put("a", 1, 1)
    now[0] = 2.9
    assert kept.get("a") == 1
    now[0] = 3.0
    assert kept.get("a") is None
    assert (kept.bytes, kept.counts.expired) == (0, 1)
