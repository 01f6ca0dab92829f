"""The modelled engine: chains by position, aborts and deaths at each stage, snapshots."""

import msgspec
import pytest
from msgspec.structs import replace
from unit.simulator.machine import Group, Member, settings

from qmpi.errors import ExitCode
from qmpi.policy.hyperparameters import first_hyperparameters, hyperparameters_at
from qmpi.ports.base import WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.data import Block
from qmpi.ports.engine import (
    EngineAborted,
    EngineReady,
    GroupJoined,
    PrepareEngine,
    StepApplied,
    TakeSnapshot,
)
from qmpi.protocol.teams import whole_digest
from qmpi.simulator.files import DISK
from qmpi.simulator.stream_model import State, first_weights, next_state, sum_of
from qmpi.units import Digest, Step

SHAPES = [(1, 1), (2, 1), (4, 1), (2, 2), (1, 4), (4, 4)]


def kinds(member: Member) -> list[type]:
    return [type(event) for event in member.events]


def state(steps: int, position: int, size: int) -> State:
    held = State(0, position, first_weights(0, position, size))
    log = (first_hyperparameters(settings(size)),)
    for step in range(steps):
        digests = [Digest(f"{step:08x}{lane:024x}") for lane in range(4)]
        summed = sum_of(step, digests, settings(size))
        held, spike = next_state(held, summed, hyperparameters_at(log, step), size)
        assert not spike
    return held


def chain(steps: int, position: int, size: int) -> bytes:
    return state(steps, position, size).weights


@pytest.mark.parametrize(("teams", "size"), SHAPES)
def test_steps_extend_the_chain_of_each_position(teams, size):
    group = Group(teams, size)
    group.join()
    for step in range(3):
        group.step(step)
    group.settle()
    digests = [Digest(chain(3, position, size).hex()) for position in range(size)]
    for rank, member in enumerate(group.members):
        assert kinds(member) == [GroupJoined, StepApplied, StepApplied, StepApplied]
        assert member.engine.state == state(3, rank % size, size)
        assert member.events[-1].weight_digest == whole_digest(digests)
    assert len(set(digests)) == size


def test_the_number_of_teams_changes_no_weights():
    ends = set()
    for teams in (1, 2, 4):
        group = Group(teams)
        group.join()
        group.step(0)
        group.settle()
        ends |= {member.engine.state.weights for member in group.members}
    assert len(ends) == 1


@pytest.mark.parametrize(("teams", "size"), [(2, 1), (2, 2)])
@pytest.mark.parametrize(
    "stage", ["connecting", "syncing", "computing", "reducing", "voting", "applying", "gathering"]
)
def test_an_abort_at_each_stage_ends_in_one_event_that_is_true(teams, size, stage):
    if stage == "gathering" and size == 1:
        pytest.skip("a team of one gathers nothing")
    group = Group(teams, size)
    # One that needs nothing and one that receives: both take part in the transfer.
    group.join(transfer=stage == "syncing", receives=False)
    victim = group.members[0]
    group.stages.at[0, stage] = victim.abort
    if stage not in ("connecting", "syncing"):
        group.step(0)
    group.settle()
    joins = 1 if stage not in ("connecting", "syncing") else 0
    assert len(victim.events) == joins + 1
    end = victim.events[-1]
    state = victim.engine.state
    if isinstance(end, StepApplied):
        assert stage in ("applying", "gathering")
        assert state.step == 1
    else:
        assert isinstance(end, EngineAborted)
        assert (end.state_step, end.reduced) == (state.step, victim.engine.held is not None)
        assert end.reduced == (stage == "voting")
        assert end.reason == "told to"
    # What comes after the abort is not struck.
    victim.doomed = ""
    victim.ask(PrepareEngine())
    group.settle()
    assert isinstance(victim.events[-1], EngineReady)


def test_queued_work_is_condemned_in_its_turn():
    group = Group(1)
    group.join()
    member = group.members[0]
    member.ask(group.share(0, 0))
    assert (0, "queued") in group.stages.seen
    member.abort()
    group.settle()
    assert kinds(member) == [EngineAborted, EngineAborted]
    assert not member.engine.held


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("teams", "size"), [(3, 1), (2, 2)])
@pytest.mark.parametrize("stage", ["connecting", "computing", "reducing", "voting", "applying"])
def test_after_a_death_all_hold_what_can_be_finished_or_nobody_has_applied(
    stage, teams, size, seed
):
    group = Group(teams, size, seed)
    group.join()
    group.step(0)
    victim, rest = group.members[-1], group.members[:-1]
    group.stages.at[len(rest), stage] = lambda: group.around.agenda.after(0.0, victim.die)
    group.settle()
    for member in rest:
        if len(member.events) < 2 and member.events:
            member.abort()  # on no line with the dead: it waits until it is told
    for member in rest:
        member.doomed = member.doomed or "told to"
        member.engine.nudge()
    group.settle()
    held = [(m.engine.state.step, m.engine.held is not None) for m in rest]
    if any(step == 1 for step, _ in held):
        assert all(step == 1 or reduced for step, reduced in held)


def test_a_mate_lost_while_gathering_costs_the_digest_and_the_next_join_tells_it():
    group = Group(2, 2)
    group.join()
    group.step(0)
    mate, other = group.members[1], group.members[0]
    group.stages.at[1, "applying"] = lambda: group.around.agenda.after(0.0, mate.die)
    group.settle()
    applied = other.events[-1]
    assert isinstance(applied, StepApplied)
    assert applied.weight_digest == ""
    whole = group.members[2].events[-1].weight_digest
    assert whole
    group.members[1] = Member(group.around, group.lines, 1)
    for rank, member in enumerate(group.members):
        seat = group.seat(rank, 2, 1, "live")
        at_first = rank % 2
        member.ask(replace(seat, transfer=bool(at_first), receives=rank == 1, root=1))
    group.settle()
    joined = other.events[-1]
    assert isinstance(joined, GroupJoined)
    assert joined.finished == replace(applied, weight_digest=whole)
    assert group.members[2].events[-1].finished is None


def test_a_seat_at_another_position_needs_its_state():
    group = Group(2, 2)
    group.join()
    group.settle()
    group.members[0], group.members[1] = group.members[1], group.members[0]
    group.join(generation=2, origin="live")
    group.settle()
    crashed = group.members[0].events[-1]
    assert isinstance(crashed, WorkCrashed)
    assert crashed.exit_code == ExitCode.BUG


def test_mates_that_compute_other_blocks_are_found():
    group = Group(1, 2)
    group.join()
    group.members[0].ask(group.share(0, 0))
    right = group.share(1, 0)
    wrong = replace(right, blocks=tuple(Block(Digest("0" * 32), b"") for _ in right.blocks))
    group.members[1].ask(wrong)
    group.settle()
    assert all(isinstance(m.events[-1], WorkCrashed) for m in group.members)


@pytest.mark.parametrize("code", [ExitCode.MACHINE, ExitCode.BUG])
def test_an_engine_that_raises_goes_on_with_the_next_work(code):
    group = Group(1)
    member = group.members[0]
    member.ask(PrepareEngine())
    group.stages.at[0, "computing"] = lambda: member.engine.crash("torn", code)
    group.join()
    group.step(0)
    group.step(0)
    group.settle()
    assert kinds(member) == [EngineReady, GroupJoined, WorkCrashed, StepApplied]
    assert member.events[2].exit_code == code


def test_a_cut_group_ends_for_all_who_wait():
    group = Group(3)
    group.join()
    group.step(0)
    group.stages.at[2, "reducing"] = group.members[2].engine.cut
    group.settle()
    assert all(kinds(m) == [GroupJoined, EngineAborted] for m in group.members)


def test_a_snapshot_of_a_position_is_read_back():
    group = Group(2, 2)
    group.join()
    group.step(0)
    for member in group.members[:2]:
        member.ask(TakeSnapshot(Step(1), to_disk=False))
    group.settle()
    facts = [member.events[-1].fact for member in group.members[:2]]
    assert [fact.position for fact in facts] == [0, 1]
    assert len({fact.path for fact in facts}) == 2
    payload = group.around.files.read(facts[1].path, "host0")
    assert msgspec.msgpack.decode(payload, type=State) == group.members[1].engine.state
    fresh = Member(group.around, group.lines, 1)
    seat = replace(
        group.seat(1, 2, 1, facts[1].path), teams=1, team=0, origin_digest=facts[1].digest
    )
    fresh.ask(seat)
    group.settle()
    assert fresh.engine.state == group.members[1].engine.state


def test_a_snapshot_that_ram_refuses_goes_to_disk_only_if_one_is_due():
    group = Group(1)
    group.join()
    group.around.files.fill("host0")
    member = group.members[0]
    member.ask(TakeSnapshot(Step(0), to_disk=False))
    member.ask(TakeSnapshot(Step(0), to_disk=True))
    group.settle()
    broken, taken = member.events[1:]
    assert isinstance(broken, SnapshotBroken)
    assert (broken.place, bool(broken.reason)) == ("ram", True)
    assert isinstance(taken, SnapshotTaken)
    assert (taken.fact.place, bool(taken.fault)) == ("disk", True)
    group.around.files.fill(DISK)
    member.ask(TakeSnapshot(Step(0), to_disk=True))
    group.settle()
    assert isinstance(member.events[-1], SnapshotBroken)
    assert member.events[-1].place == ""


def test_a_snapshot_of_another_step_is_refused():
    group = Group(1)
    group.join()
    group.members[0].ask(TakeSnapshot(Step(5), to_disk=True))
    group.settle()
    assert isinstance(group.members[0].events[-1], SnapshotBroken)
