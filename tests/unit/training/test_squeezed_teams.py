"""Engines whose lanes send less than they have: one digest for any deal, and after a failure."""

from functools import cache

import pytest
from msgspec.structs import replace
from unit.training.small_job import LANES, alone, job, run
from unit.training.team_of_threads import teamed

from qmpi.errors import InvariantError, PeerLost

KINDS = {
    "narrow": {"reduction_bits": 16},
    "topk": {"compression": "topk", "compression_share": 0.05},
    "warm": {"compression": "topk", "compression_warmup": 2},
    "powersgd": {"compression": "powersgd", "compression_rank": 2},
}
STEPS = 4
SLOW = pytest.mark.slow


def squeezed(kind, **told):
    settings = job(**told)
    model = replace(settings.model, kv_heads=2)
    return replace(settings, model=model, train=replace(settings.train, **KINDS[kind]))


@cache
def losses_of_all_bits():
    settings = job()
    return teamed(replace(settings, model=replace(settings.model, kv_heads=2))).train(STEPS)


@pytest.mark.parametrize(
    ("kind", "axes"),
    [
        *((kind, {}) for kind in KINDS),
        ("narrow", {"pipeline": 2}),
        *(
            pytest.param(kind, {axis: 2}, marks=SLOW)
            for kind in KINDS
            for axis in ("tensor", "pipeline", "context", "expert")
            if kind != "powersgd" or axis not in ("context", "expert")
        ),
    ],
    ids=str,
)
def test_the_digest_is_the_same_for_any_number_of_teams(kind, axes):
    settings = squeezed(kind)
    if "expert" in axes:
        settings = replace(settings, model=replace(settings.model, experts=4))
    told = [teamed(settings, teams, **axes).train(STEPS) for teams in (1, 2, 3)]
    assert told[0] == told[1] == told[2]
    digests = {step[2] for step in told[0]}
    assert len(digests) == STEPS
    assert digests.isdisjoint(step[2] for step in losses_of_all_bits())


@pytest.mark.parametrize("kind", KINDS)
def test_identities_differ(kind):
    engine, other = alone(squeezed(kind)), alone(squeezed("narrow"))
    assert (engine.identity() == other.identity()) is (kind == "narrow")
    plain = job()
    plain = replace(plain, model=replace(plain.model, kv_heads=2))
    assert engine.identity() != alone(plain).identity()


def lose_the_vote(engine):
    comm = engine._group()

    def lost():
        del comm.vote
        raise PeerLost("a member is gone")

    comm.vote = lost


@pytest.mark.parametrize("finish", [True, False], ids=["finished", "redone"])
@pytest.mark.parametrize("kind", ["narrow", "topk", "powersgd"])
def test_a_step_that_a_failure_ends_comes_to_the_same_bits(kind, finish):
    settings = squeezed(kind)
    one, other = alone(settings), alone(settings)
    wanted = [run(one, settings, step).weight_digest for step in range(3)]
    found = [run(other, settings, 0).weight_digest]
    lose_the_vote(other)
    with pytest.raises(PeerLost):
        run(other, settings, 1)
    assert other.holds_reduced
    outcome = other.apply_held() if finish else run(other, settings, 1)
    found += [outcome.weight_digest, run(other, settings, 2).weight_digest]
    assert found == wanted


@pytest.mark.parametrize("kind", ["narrow", "topk", "powersgd"])
def test_lanes_go_on_with_another_member_from_what_they_have_kept(kind):
    settings = squeezed(kind)
    one, fresh = alone(settings), alone(settings, start=False)
    for step in range(2):
        run(one, settings, step)
    _, parts = one.snapshot()
    fresh.load_snapshot(2, b"".join(parts))
    fresh.at.kept.clear()
    with pytest.raises(InvariantError, match="what lane 0 keeps after 2 updates is not here"):
        run(fresh, settings, 2)
    given, taken = one.at.total.residuals, fresh.at.total.residuals
    assert given.held(2) == tuple(range(LANES))
    assert given.held(1) == ()
    for lane in range(LANES):
        taken.take(lane, 2, bytes(given.give(lane, 2)))
    wanted = [run(one, settings, step).weight_digest for step in (2, 3)]
    assert [run(fresh, settings, step).weight_digest for step in (2, 3)] == wanted


def test_a_skipped_step_keeps_what_lanes_had():
    settings = squeezed("narrow")
    engine = alone(settings)
    run(engine, settings, 0)
    residuals, total = engine.at.total.residuals, engine.at.total
    before = [bytes(residuals.give(lane, 1)) for lane in range(LANES)]
    add = total.add
    total.add = lambda number, slot, gradient: add(number, slot, gradient * float("nan"))
    assert run(engine, settings, 1).updates == 1
    total.add = add
    assert [bytes(residuals.give(lane, 1)) for lane in range(LANES)] == before
    assert run(engine, settings, 2).updates == 2


def test_a_run_that_begins_anew_begins_with_nothing_kept():
    settings = squeezed("topk")
    engine = alone(settings)
    wanted = [run(engine, settings, step).weight_digest for step in range(2)]
    engine.initialise()
    assert [run(engine, settings, step).weight_digest for step in range(2)] == wanted
