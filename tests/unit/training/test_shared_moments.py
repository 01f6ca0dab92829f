"""Trainers that share out moments: the bits of one that holds all, whoever dies and when."""

from functools import cache

import pytest
import torch
from msgspec.structs import replace
from unit.training.fragile_line import Death, Job, KilledError
from unit.training.small_job import alone, job, run
from unit.training.team_of_threads import teamed

from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError, PeerLost
from qmpi.protocol.portions import Portions

STEPS = 5


MIXTURE = {"experts": 4, "dense_layers": 1, "balance_rate": 0.01}


def settings(kind="adamw", shard="optimizer", **told):
    """A job of a kind of optimizer; "mixture": of experts whose biases fade into routers."""
    base = job(**(MIXTURE if kind == "mixture" else {}), **told)
    optimizer = replace(base.optimizer, kind=kind)
    if kind == "mixture":
        optimizer = replace(base.optimizer, schedule="wsd", decay_share=0.9)
    return replace(base, optimizer=optimizer, parallel=ParallelSettings(shard=shard))


@cache
def undisturbed(kind):
    """Digests behind each step of one that holds all, and its snapshots."""
    told = settings(kind, "none")
    engine = alone(told)
    digests, payloads = [""], [b"".join(engine.snapshot()[1])]
    for step in range(STEPS):
        digests.append(run(engine, told, step).weight_digest)
        payloads.append(b"".join(engine.snapshot()[1]))
    return digests, payloads


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        *(("adamw", members) for members in (1, 2, 3, 4)),
        *((kind, members) for kind in ("muon", "adamw8", "mixture") for members in (3, 4)),
    ],
)
def test_any_number_of_members_gives_the_bits_of_one(kind, members):
    digests, payloads = undisturbed(kind)
    group = Job(settings(kind), members)
    assert group.train(0, 2) == digests[2]
    if members > 2:
        assert group.keep_copy(members - 1) == payloads[2]
        assert group.train(2, 3) == digests[3]
    held = [engine._state.held_bytes for engine in group.engines.values()]
    total = group.engines[0]._state.total_bytes
    assert all(size == total for size in held) == (members <= 2)


CUT_OFF = {
    "in the sum": (Death(1, "allreduce"), False),
    "before the vote": (Death(1, "vote"), True),
    "behind the vote": (Death(1, "vote", gives=True, lucky=(0, 2)), True),
    "in the exchange": (Death(1, "alltoall"), True),
    "in the exchange that one ends": (Death(1, "alltoall", gives=True, lucky=(3,)), True),
}


@pytest.mark.parametrize(
    ("kind", "when"),
    [("adamw", when) for when in CUT_OFF]
    + [(kind, "in the exchange that one ends") for kind in ("muon", "mixture")],
)
def test_a_death_costs_no_step_wherever_it_falls(kind, when):
    digests, _ = undisturbed(kind)
    death, is_finished = CUT_OFF[when]
    if kind != "adamw":  # Muon exchanges momentum before
        death = death._replace(number=2)
    group = Job(settings(kind), 4)
    group.train(0, 2)
    group.line.arm(death)
    results = group.step(2)
    assert [type(r) for r in results].count(KilledError) == 1
    plan, joined = group.regroup()
    assert (plan.origins[0].origin, plan.step) == ("live", 3 if is_finished else 2)
    assert not any(isinstance(r, Exception) for r in joined), joined
    told = {o.weight_digest for outcomes in joined for o in outcomes}
    assert told <= {digests[3]}
    assert group.train(plan.step, STEPS) == digests[STEPS]


def test_a_death_within_the_exchange_of_a_join_leaves_two_divisions_that_are_whole():
    digests, _ = undisturbed("adamw")
    group = Job(settings(), 4)
    group.train(0, 2)
    group.line.arm(Death(1, "vote"))
    group.step(2)
    # The next group, of three, is cut in its last exchange, that of weights: rank 0 is through.
    plan, joined = group.regroup(Death(2, "alltoall", number=2, gives=True, lucky=(0,)))
    assert plan.step == 3
    held = {engine.portions for engine in group.engines.values()}
    assert {portions.count for portions in held} == {3, 4}
    assert [type(r) for r in joined].count(PeerLost) == 1
    plan, joined = group.regroup()
    assert (plan.origins[0].origin, plan.step) == ("live", 3)
    assert group.train(3, STEPS) == digests[STEPS]


def test_a_newcomer_gets_its_portions_and_the_weights():
    digests, _ = undisturbed("muon")
    group = Job(settings("muon"), 3)
    group.train(0, 2)
    group.engines[3] = alone(group.settings, start=False)
    group.spares = {3}
    plan, joined = group.regroup()
    assert plan.needy == (3,)
    assert not any(isinstance(r, Exception) for r in joined), joined
    assert [engine.portions for engine in group.engines.values()] == [
        Portions(index, 4) for index in range(4)
    ]
    assert group.train(2, STEPS) == digests[STEPS]


def test_two_neighbours_cost_the_steps_since_the_newest_copy():
    digests, payloads = undisturbed("adamw")
    group = Job(settings(), 4)
    group.train(0, 1)
    assert group.keep_copy(0) == payloads[1]
    group.train(1, 3)
    del group.engines[1], group.engines[2]
    plan, joined = group.regroup()
    assert (plan.origins[0].origin, plan.step) == ("copy", 1)
    assert "nobody holds a part of the moments of step 3" in plan.reason
    assert not any(isinstance(r, Exception) for r in joined), joined
    assert group.train(1, STEPS) == digests[STEPS]


def test_two_that_are_no_neighbours_cost_nothing():
    digests, _ = undisturbed("adamw")
    group = Job(settings(), 4)
    group.train(0, 2)
    del group.engines[1], group.engines[3]
    plan, _ = group.regroup()
    assert (plan.origins[0].origin, plan.step) == ("live", 2)
    assert group.train(2, STEPS) == digests[STEPS]


def test_a_keeper_that_dies_while_it_copies_costs_that_copy_only():
    digests, _ = undisturbed("adamw")
    group = Job(settings(), 4)
    group.train(0, 2)
    group.line.arm(Death(2, "alltoall"))
    assert isinstance(group.keep_copy(2), KilledError)
    plan, _ = group.regroup()
    assert (plan.origins[0].origin, plan.step) == ("live", 2)
    assert group.train(2, STEPS) == digests[STEPS]


def test_a_step_that_is_applied_in_part_is_never_done_again():
    group = Job(settings(), 3)
    group.line.arm(Death(1, "alltoall"))
    group.step(0)
    engine = group.engines[0]
    assert (engine.state_step, engine.holds_reduced) == (0, True)
    before = engine._state.params.clone()
    assert engine.apply_held() is None
    assert torch.equal(engine._state.params, before)
    with pytest.raises(InvariantError, match="others have its weights"):
        run(engine, group.settings, 0)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_teams_of_two_give_the_digest_of_one_team(kind):
    told = settings(kind, microbatches=2)
    told = replace(told, model=replace(told.model, kv_heads=2))
    plain = teamed(told, tensor=2, shard="none")
    shared = teamed(told, 3, tensor=2, shard="optimizer")
    for seat, engine in shared.engines.items():
        engine.initialise(Portions(seat.team, 3))
    assert shared.train(3) == plain.train(3)
