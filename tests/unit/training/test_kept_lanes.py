"""Trainers whose lanes keep something: the bits of one trainer, whoever dies, joins or reads."""

from functools import cache

import pytest
from msgspec.structs import replace
from unit.training.fragile_line import Death, FragileLine, Job, KilledError
from unit.training.small_job import LANES, alone, run
from unit.training.test_squeezed_teams import squeezed

from qmpi.config.parallel import ParallelSettings
from qmpi.errors import CorruptData, InvariantError, PeerLost
from qmpi.training.whole_state import WholeState

STEPS = 4
SLOW = pytest.mark.slow


@cache
def undisturbed(kind):
    """Digests behind each step of one trainer, and its snapshots."""
    told = squeezed(kind)
    engine = alone(told, start=False)
    engine.initialise()
    engine.deal_lanes(range(LANES))
    digests, payloads = [""], [b"".join(engine.snapshot()[1])]
    for step in range(STEPS):
        digests.append(run(engine, told, step).weight_digest)
        payloads.append(b"".join(engine.snapshot()[1]))
    return digests, payloads


def job_of(kind, members, shard="none"):
    return Job(replace(squeezed(kind), parallel=ParallelSettings(shard=shard)), members)


def unbroken(joined):
    assert not any(isinstance(result, Exception) for result in joined), joined


@pytest.mark.parametrize(
    ("kind", "members", "shard"),
    [
        ("topk", 3, "none"),
        ("powersgd", 2, "optimizer"),
        *(
            pytest.param(kind, members, shard, marks=SLOW)
            for kind in ("narrow", "topk", "powersgd")
            for members in (2, 3, 4)
            for shard in ("none", "optimizer")
        ),
    ],
)
def test_a_copy_of_any_group_is_that_of_one_and_any_group_goes_on_from_it(kind, members, shard):
    digests, payloads = undisturbed(kind)
    group = job_of(kind, members, shard)
    assert group.train(0, 2) == digests[2]
    assert group.keep_copy(members - 1) == payloads[2]
    assert len(payloads[2]) > len(payloads[0])
    group.train(2, 3)
    del group.engines[0]
    plan, joined = group.regroup()
    unbroken(joined)
    assert (plan.origins[0].origin, plan.step) == ("copy", 2)
    first = deal_of_first(members)
    assert f"nobody holds what {first} at step 3: " in plan.reason
    assert group.train(2, STEPS) == digests[STEPS]


def deal_of_first(members):
    count = -(-LANES // members)
    return "lane 0 keeps" if count == 1 else f"lanes 0 to {count - 1} keep"


def test_before_the_first_update_a_copy_has_the_state_alone_and_a_death_costs_nothing():
    digests, payloads = undisturbed("narrow")
    group = job_of("narrow", 3)
    assert group.keep_copy(0) == payloads[0]
    group.copy = None
    group.line.arm(Death(1, "maximum"))
    assert [type(r) for r in group.step(0)].count(KilledError) == 1
    plan, joined = group.regroup()
    unbroken(joined)
    assert (plan.origins[0].origin, plan.step) == ("live", 0)
    assert group.train(0, 2) == digests[2]


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "redone"])
def test_a_group_that_breaks_while_all_live_goes_on_from_what_they_hold(finished):
    digests, _ = undisturbed("topk")
    group = job_of("topk", 2)
    group.train(0, 1)
    group.line.arm(Death(5, "vote" if finished else "maximum", gives=True, lucky=(1,)))
    told = group.step(1)
    assert PeerLost in map(type, told)
    group.engines[7] = alone(group.settings, start=False)
    group.spares = {7}
    plan, joined = group.regroup()
    unbroken(joined)
    assert (plan.origins[0].origin, plan.step) == ("live", 2 if finished else 1)
    assert plan.needy == (7,)
    assert group.train(plan.step, STEPS) == digests[STEPS]


def test_a_join_that_is_cut_off_leaves_each_lane_with_somebody():
    digests, _ = undisturbed("narrow")
    group = job_of("narrow", 2)
    group.train(0, 2)
    group.engines[5] = alone(group.settings, start=False)
    group.spares = {5}
    # The newcomer dies as it gets its lanes, and who gave them is through.
    _, joined = group.regroup(Death(2, "alltoall", gives=True, lucky=(1,)))
    assert [type(result) for result in joined].count(PeerLost) == 1
    plan, joined = group.regroup()
    unbroken(joined)
    assert (plan.origins[0].origin, plan.step) == ("live", 2)
    assert group.train(2, STEPS) == digests[STEPS]


def test_what_others_computed_is_no_part_of_a_step_that_is_finished():
    digests, _ = undisturbed("narrow")
    group = job_of("narrow", 1)
    group.train(0, 1)
    group.keep_copy(0)
    group.engines[5] = alone(group.settings, start=False)
    group.spares = {5}
    unbroken(group.regroup()[1])
    assert group.engines[0].kept_lanes == ((0, LANES),)
    group.line.arm(Death(1, "vote"))
    group.step(1)
    assert group.engines[0].holds_reduced
    assert group.engines[0].kept_lanes == ((0, LANES // 2),)
    plan, joined = group.regroup()
    unbroken(joined)
    assert (plan.origins[0].origin, plan.step) == ("copy", 1)
    assert group.train(1, STEPS) == digests[STEPS]


def test_who_takes_another_state_keeps_nothing_of_the_one_before():
    _, payloads = undisturbed("narrow")
    engine = alone(squeezed("narrow"))
    for step in range(2):
        run(engine, squeezed("narrow"), step)
    assert engine.kept_lanes == ((0, LANES),)
    engine.load_snapshot(1, payloads[1])
    assert engine.kept_lanes == ((0, LANES),)
    assert run(engine, squeezed("narrow"), 1).weight_digest == undisturbed("narrow")[0][2]
    engine.initialise()
    assert engine.at.total.residuals.held(2) == ()


def test_weights_are_read_from_a_copy_whatever_is_behind_them():
    digests, payloads = undisturbed("narrow")
    settings = squeezed("narrow")
    assert WholeState(settings, [memoryview(payloads[2])]).weight_digest(2) == digests[2]
    with pytest.raises(CorruptData, match="does not fit this model"):
        WholeState(settings, [memoryview(payloads[2][:-64])])
    plain = replace(settings, train=replace(settings.train, reduction_bits=32))
    with pytest.raises(CorruptData, match="does not fit this model"):
        WholeState(plain, [memoryview(payloads[2])])


def test_a_copy_of_another_kind_is_refused_in_words():
    _, payloads = undisturbed("narrow")
    plain = squeezed("narrow")
    plain = replace(plain, train=replace(plain.train, reduction_bits=32))
    with pytest.raises(CorruptData, match="does not fit this model"):
        alone(plain, start=False).load_snapshot(2, payloads[2])
    engine = alone(plain)
    run(engine, plain, 0)
    without = b"".join(engine.snapshot()[1])
    fresh = alone(squeezed("narrow"), start=False)
    with pytest.raises(CorruptData, match=r"has nothing of what lanes keep.*begin a run with"):
        fresh.load_snapshot(1, without)
    assert fresh.state_step == -1
    with pytest.raises(CorruptData, match="bytes behind the state, where what lanes keep takes"):
        fresh.load_snapshot(2, payloads[2][:-64])


def test_what_nobody_holds_is_never_made_up():
    group = job_of("narrow", 2)
    group.train(0, 1)
    engine = group.engines[0]
    engine.leave()
    engine.join(FragileLine(1).member(0))
    with pytest.raises(InvariantError, match="nobody holds"):
        engine.deal_lanes(range(LANES))
    assert engine.kept_lanes == ((0, LANES // 2),)
