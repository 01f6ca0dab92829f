"""Sums that begin while the last lane is computed: the same bits, whoever computes what."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.small_job import alone, job, never, run
from unit.training.team_of_threads import teamed
from unit.training.test_teams import four_heads

from qmpi.errors import PeerLost
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.flat_state import lay_out, state_layout
from qmpi.training.reduction.buckets import EarlySums, buckets_of
from qmpi.training.stopwatch import HostStopwatch

SMALL = 8 * 1024
"""Bytes of a bucket: the tests' models have several."""

STEPS = 3
DEALS = {
    "two, evenly": ([0, 1], [2, 3]),
    "two, unevenly": ([3], [0, 2, 1]),
    "one has none": ([0, 1, 2, 3], []),
    "three": ([2], [3, 0], [1]),
    "three, two have none": ([], [3, 1, 0, 2], []),
}

KINDS = {
    "dense": {},
    "microbatches": {"microbatches": 2},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "ahead": {"predict_ahead": 1},
    "experts": {"experts": 4, "shared_experts": 1, "dense_layers": 1},
    "adamw": {"tied_head": False},
}


def settings_of(kind):
    settings = job(**KINDS[kind])
    if kind == "adamw":
        return replace(settings, optimizer=replace(settings.optimizer, kind="adamw"))
    return settings


@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=9),
    st.integers(0, 4),
    st.integers(1, 4 * 70 * 70),
)
def test_buckets_are_the_matrices_of_the_blocks_from_the_last_to_the_first(widths, vectors, least):
    shapes = {f"m{n}": (width, 71 - width) for n, width in enumerate(widths)}
    shapes |= {"model.embed_tokens.weight": (5, 6)} | {f"v{n}": (7,) for n in range(vectors)}
    layout = lay_out(shapes)
    buckets = buckets_of(layout, least)
    assert buckets == buckets_of(layout, least)
    assert [n for bucket in buckets for n in bucket.numbers] == list(range(len(widths)))[::-1]
    ends = [layout.hidden, *(bucket.span.start for bucket in buckets)]
    assert [bucket.span.stop for bucket in buckets] == ends[:-1]
    assert ends[-1] == 0
    for bucket in buckets[:-1]:
        size = bucket.span.stop - bucket.span.start
        last = layout.slots[bucket.numbers[-1]]
        assert 4 * size >= least > 4 * (size - (bucket.span.start - last.start) - last.size) - 256


def engine_of(settings, member, aborted=never):
    engine = Engine(settings, lambda: 0.0, aborted)
    engine._sum._early = EarlySums(engine._state.layout, SMALL)
    engine.initialise()
    engine.join(member)
    return engine


def gang(settings, deal, prepare=lambda _: None, steps=STEPS):
    """Train some steps; return each member's outcomes, and the line."""
    line = ThreadLine(len(deal))
    engines = [engine_of(settings, line.member(index)) for index in range(len(deal))]

    def train(engine, lanes):
        prepare(engine)
        return [run(engine, settings, step, lanes) for step in range(steps)]

    calls = [lambda e=e, mine=mine: train(e, mine) for e, mine in zip(engines, deal, strict=True)]
    return run_all(calls, [line]), line


def facts(outcomes):
    return [(o.weight_digest, o.lane_losses, o.gradient_norm, o.redone) for o in outcomes]


@cache
def undisturbed(kind):
    engine, settings = alone(settings_of(kind)), settings_of(kind)
    return facts([run(engine, settings, step) for step in range(STEPS)])


@pytest.mark.parametrize("deal", DEALS)
def test_any_deal_gives_the_bits_of_one_member(deal):
    told, line = gang(settings_of("dense"), DEALS[deal])
    assert all(facts(each) == undisturbed("dense") for each in told)
    many = len(buckets_of(state_layout(settings_of("dense")), SMALL))
    passes = STEPS + sum(outcome.redone for outcome in told[0])
    assert many >= 4
    assert begun(line) == many * passes + STEPS


def begun(line):
    """Return how many sums went on by themselves, all of them ended."""
    assert all(total.done.is_set() for total in line.begun.values())
    return len(line.begun)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dense"])
def test_any_kind_of_job_gives_the_bits_of_one_member(kind):
    told, _ = gang(settings_of(kind), DEALS["two, unevenly"])
    assert all(facts(each) == undisturbed(kind) for each in told)


def first_layer_outgrows(engine):
    """Let the matrices that are finished last, after all sums but one have begun, not fit."""
    first, chunks = engine._state.layout.slots[0], engine._state.exponents
    assert first.start == 0
    chunks[: first.chunks] = -60


@pytest.mark.parametrize("deal", ["two, unevenly", "one has none", "three"])
def test_a_pass_of_no_use_whose_sums_have_begun_is_done_again(deal):
    settings = settings_of("dense")
    single = alone(settings)
    first_layer_outgrows(single)
    wanted = facts([run(single, settings, step) for step in range(STEPS)])
    told, line = gang(settings, DEALS[deal], first_layer_outgrows)
    assert [outcome.redone for outcome in told[0]] == [1, 0, 0]
    assert all(facts(each) == wanted for each in told)
    many = len(buckets_of(state_layout(settings), SMALL))
    assert begun(line) == many * (STEPS + 1) + STEPS


def breaks(engine):
    engine._state.params[:2000] = 3e38


def test_gradients_that_are_not_finite_skip_the_update_and_leave_no_sum_behind():
    settings = settings_of("dense")
    told, line = gang(settings, DEALS["two, unevenly"], breaks, steps=2)
    for each in told:
        assert [outcome.gradient_norm for outcome in each] == [-1.0, -1.0]
    assert begun(line) == 2 * len(buckets_of(state_layout(settings), SMALL))


class Silent(Comm):
    """A member of two whose peer has died: what it begins goes on, and nobody ends it."""

    def __init__(self, most):
        super().__init__(
            store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=lambda: None
        )
        self.size, self.most, self.left = 2, most, []
        self.start = self

    def allreduce(self, tensor):
        if len(self.left) == self.most:
            raise PeerLost("gone")
        self.left.append(tensor)
        return self

    calls_ended = False

    def maximum(self, tensor):  # noqa: ARG002 - the name of the real one
        raise PeerLost("gone")


@pytest.mark.parametrize("most", [1, 3, 99])
def test_what_is_left_behind_never_writes_where_the_next_pass_adds_up(most):
    settings = settings_of("dense")
    expected = undisturbed("dense")[0]
    silent = Silent(most)
    engine = engine_of(settings, silent)
    before = b"".join(engine.snapshot()[1])
    with pytest.raises(PeerLost):
        run(engine, settings, 0)
    assert silent.left
    assert (engine.state_step, engine.holds_reduced) == (0, False)
    assert b"".join(engine.snapshot()[1]) == before
    line = ThreadLine(1)
    engine.join(line.member(0))
    dirty = engine._sum.add

    def add(*given):
        for left in silent.left:
            left.fill_(77)
        dirty(*given)

    engine._sum.add = add
    assert facts([run(engine, settings, 0)]) == [expected]


def test_a_lane_that_is_left_leaves_no_memory_to_sums_that_have_begun():
    settings = job(microbatches=2)
    looks = []

    def aborted():
        looks.append(len(silent.left))
        return "a peer saw a failure" if silent.left else None

    silent = Silent(99)
    engine = engine_of(settings, silent, aborted)
    # The first lane is taken for the last, so that sums begin before the second.
    run_pass = engine._sum.go_early
    engine._sum.go_early = lambda line, _lanes, watch: run_pass(line, 1, watch)
    with pytest.raises(PeerLost, match="a peer saw"):
        run(engine, settings, 0)
    assert looks[-1] >= 4
    engine._sum.go_early = run_pass
    buffer = engine._sum._buffer
    left, silent.left = silent.left, []
    engine.join(ThreadLine(1).member(0))
    told = run(engine, settings, 0)
    assert engine._sum._buffer.data_ptr() != buffer.data_ptr()
    assert all(each.data_ptr() != engine._sum._buffer.data_ptr() for each in left)
    single = alone(settings)
    assert facts([told]) == facts([run(single, settings, 0)])


class Under(list):
    calls_ended = property(lambda self: not self)

    def wait(self):
        assert not self


def test_what_goes_on_behind_computing_is_counted_until_it_is_seen_to_have_ended():
    now = [0.0]
    watch = HostStopwatch(lambda: now[0])
    early = EarlySums(lay_out({"a": (64, 64), "b": (64, 64)}), SMALL)
    sums = [Under([1]), Under([1])]

    class Two:
        size, by_host = 2, None
        start = property(lambda self: self)

        def allreduce(self, tensor):
            return sums[int(tensor)]

    watch.begin()
    early.expect(Two(), 1, watch)

    def after(seconds, which=None, computing=True):
        now[0] += seconds
        if which is not None:
            early.begin(torch.tensor([which]))
        early.look(computing=computing)
        return watch.times().hidden

    assert after(5.0) == 0.0
    assert after(1.0, which=0) == 0.0
    assert after(2.0) == 2.0
    sums[0].clear()
    assert after(1.0) == 3.0
    assert after(7.0) == 3.0
    assert after(1.0, which=1) == 3.0
    assert after(4.0, computing=False) == 7.0
    assert after(9.0, computing=False) == 7.0
    assert watch.times().communication == 0.0
    watch.begin()
    assert watch.times().hidden == 0.0


def test_one_member_sums_all_at_the_end():
    line = ThreadLine(1)
    engine = engine_of(settings_of("dense"), line.member(0))
    run(engine, settings_of("dense"), 0)
    assert not line.begun
    assert math.isfinite(float(torch.linalg.vector_norm(engine._sum.place)))


@pytest.mark.parametrize("axes", [{"pipeline": 2}, {"tensor": 2}], ids=str)
def test_teams_give_the_bits_of_one_team(axes):
    told = []
    for teams in (1, 2):
        group = teamed(four_heads("experts"), teams, **axes)
        for engine in group.engines.values():
            engine._sum._early = EarlySums(engine._state.layout, SMALL)
        told.append(group.train(2))
        assert any(line.begun for line in group.lines.values()) == (teams > 1)
    assert told[0] == told[1]
