"""What is read ahead: the right key, never for a worse one, within budget and credit."""

import random
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.lookahead import CREDIT_SHARE, Lookahead
from qmpi.policy.eviction.past import LeastRecent

KEYS = 9
TRACES = st.lists(st.integers(0, KEYS - 1), max_size=30)
SIZES = st.lists(st.integers(1, 3), min_size=KEYS, max_size=KEYS)
MOVES = st.lists(
    st.sampled_from(["take", "take", "take", "ask", "ask", "oldest", "newest", "fail"]), max_size=80
)


class Rank:
    """A cache whose reads ahead end when a test says so; keeps the books by scans of its own."""

    def __init__(self, trace, sizes, budget, credit):
        self.trace, self.sizes, self.now = trace, sizes, 0
        self.order = Lookahead(credit)
        self.cache = Cache(budget, self.order, gone=lambda key, _: self.gone.append(key))
        self.order.extend(trace)
        self.flying, self.gone, self.reads, self.misses = [], [], 0, 0
        self.refused = set()
        self.budget, self.credit = budget, credit

    def next_use(self, key):
        return next((at for at in range(self.now, len(self.trace)) if self.trace[at] == key), inf)

    def size_of(self, key):
        return self.sizes[key]

    def take(self):
        """Take up what is read next; say whether there was anything."""
        self.gone.clear()
        before = set(self.cache)
        key = self.order.choose(self.cache.free, self.size_of)
        missing = [
            k
            for k in set(self.trace[self.now :])
            if k not in self.cache and k not in self.flying and k not in self.refused
        ]
        if key is None or not self.cache.reserve(key, self.sizes[key]):
            return False
        self.order.take_up(key, self.sizes[key])
        self.flying.append(key)
        assert key == min(missing, key=self.next_use)
        assert set(self.gone) <= before
        if self.gone:
            assert all(self.next_use(gone) > self.next_use(key) for gone in self.gone)
            assert self.order.ahead_bytes <= self.credit
        self.check()
        return True

    def land(self, at, *, well):
        key = self.flying.pop(at)
        self.cache.release(self.sizes[key])
        if well:
            self.reads += 1
            self.cache.put(key, key, self.sizes[key])
            assert key in self.cache
        else:
            self.order.give_up(key)
            self.refused.add(key)
        self.check()

    def ask(self):
        """Ask for the next key, as soon as it is not being read."""
        key = self.trace[self.now]
        if key in self.flying:
            self.land(self.flying.index(key), well=True)
        self.now += 1
        self.refused.discard(key)
        if self.cache.get(key) is None:
            self.order.withhold(key)
            self.misses, self.reads = self.misses + 1, self.reads + 1
            self.cache.put(key, key, self.sizes[key])
            self.order.offer(key)
        self.check()

    def check(self):
        taken = self.cache.bytes + self.cache.reserved
        assert taken <= self.budget
        assert self.cache.reserved == sum(self.sizes[key] for key in self.flying)
        assert 0 <= self.order.ahead_bytes <= taken


@given(TRACES, SIZES, st.integers(0, 14), st.integers(0, 14), MOVES)
@settings(max_examples=60, deadline=None)
def test_the_nearest_missing_key_is_read_and_nothing_nearer_goes_for_it(
    trace, sizes, budget, credit, moves
):
    rank = Rank(trace, sizes, budget, credit)
    for move in moves:
        match move:
            case "take":
                rank.take()
            case "ask" if rank.now < len(trace):
                rank.ask()
            case "oldest" | "newest" | "fail" if rank.flying:
                rank.land(-1 if move == "newest" else 0, well=move != "fail")
    assert rank.cache.counts.misses == rank.misses


@given(TRACES, SIZES, st.integers(0, 14), st.integers(0, 14))
@settings(max_examples=25, deadline=None)
def test_reading_ahead_comes_to_rest_though_nobody_asks(trace, sizes, budget, credit):
    rank = Rank(trace, sizes, budget, credit)
    for asked in range(len(trace)):
        for _ in range(budget + KEYS + 1):
            if not rank.take():
                break
            rank.land(0, well=True)
        else:
            raise AssertionError(f"still reading at access {asked}")
        rank.ask()


@given(TRACES, SIZES)
@settings(max_examples=20, deadline=None)
def test_where_all_fits_all_is_read_once_in_the_order_of_first_use(trace, sizes):
    rank, taken = Rank(trace, sizes, 3 * KEYS, 0), []
    while rank.take():
        taken.append(rank.flying[-1])
        rank.land(0, well=True)
    assert taken == list(dict.fromkeys(trace))
    while rank.now < len(trace):
        rank.ask()
    assert (rank.misses, rank.reads) == (0, len(set(trace)))


def misses(order, trace, room):
    cache = Cache(room, order)
    for key in trace:
        if cache.get(key) is None:
            cache.put(key, key, 1)
    return cache.counts.misses


def reads_ahead(trace, room, credit):
    """Count the reads of who always reads all that it may before it asks."""
    order, reads = Lookahead(credit), 0
    cache = Cache(room, order)
    order.extend(trace)
    for key in trace:
        while (chosen := order.choose(cache.free, lambda _: 1)) is not None:
            assert cache.reserve(chosen, 1)
            order.take_up(chosen, 1)
            cache.release(1)
            cache.put(chosen, chosen, 1)
            reads += 1
        assert cache.get(key) == key
    return reads


def test_a_credit_keeps_most_of_what_knowing_the_future_spares():
    """Who reads as far ahead as there is room reads as often as who knows no future."""
    draw, room = random.Random(3), 64
    trace = [draw.randrange(2 * room) for _ in range(3000)]
    best, blind = (misses(order, trace, room) for order in (Clairvoyant(trace), LeastRecent()))
    assert reads_ahead(trace, room, room) == blind > 2 * best
    assert best < reads_ahead(trace, room, room // CREDIT_SHARE) < 1.15 * best


def test_what_is_told_anew_or_was_served_elsewhere_is_not_read():
    order = Lookahead(10)
    order.foresee(5, ["a", "b"])
    order.foresee(6, ["c"])
    order.take_up("a", 2)
    order.pass_by(6)
    assert order.choose(10, lambda _: 1) == "c"
    assert order.ahead_bytes == 0
    order.forget()
    assert order.choose(10, lambda _: 1) is None
    order.foresee(0, ["b"])
    assert order.choose(10, lambda _: 1) == "b"
    order.give_up("a")
    order.foresee(1, ["a"])
    order.take_up("b", 1)
    assert order.choose(10, lambda _: 1) is None  # "a" failed, and nobody asked for it since
    order.accessed("a")
    order.foresee(2, ["a"])
    assert order.choose(10, lambda _: 1) == "a"
