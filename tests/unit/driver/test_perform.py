"""Each effect reaches its port, with its owner's way back; an unknown one is our bug."""

import pytest
from unit.driver.scripted import TRAINER, Rank1, ScriptedRole

from qmpi.driver.inbox import Inbox, Result
from qmpi.driver.perform import Performer
from qmpi.driver.ports import Ports
from qmpi.driver.router import Perform
from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, WorkCrashed
from qmpi.ports.books import AppendJournal, BooksBroken
from qmpi.ports.clock import SetTimer
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.data import OpenSources
from qmpi.ports.engine import (
    AbortEngine,
    EngineWork,
    JoinGroup,
    PrepareEngine,
    RunStep,
    TakeSnapshot,
)
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.units import OpenStage, RunUnit
from qmpi.protocol.envelope import RoleName
from qmpi.units import Digest, Generation, Step

CRASHED = WorkCrashed("StorageError", "gone", 3)
RUN = RunStep(Generation(1), Step(0), (), (), digest_due=False)


def joining() -> JoinGroup:
    return JoinGroup(
        generation=Generation(1), team=0, teams=1, position=0, is_lead=True, store_address="",
        step=Step(0), finish=False, root=0, transfer=False, receives=False, origin="initial",
        origin_digest=Digest(""),
    )  # fmt: skip


@pytest.fixture
def rank():
    return Rank1(ScriptedRole(TRAINER))


def performed(rank, effect, owner=TRAINER):
    return rank.process._performer.perform(Perform(owner, effect, "cause"))


@pytest.mark.parametrize(
    ("effect", "port"),
    [
        (PrepareEngine(), "engine"),
        (joining(), "engine"),
        (RUN, "engine"),
        (TakeSnapshot(Step(1), to_disk=False), "engine"),
        (OpenSources(), "data"),
        (ForgetCopies(), "copies"),
        (OpenStage(0), "units"),
        (RunUnit(0, 1), "units"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Effect) else value,
)
def test_work_reaches_its_port_and_its_events_the_role_that_asked(rank, effect, port):
    assert performed(rank, effect, RoleName.SPARE) is None
    for name in ("engine", "data", "copies", "units"):
        assert getattr(rank, name).works == ([effect] if name == port else [])
    getattr(rank, port).replies[0](CRASHED)
    assert rank.inbox.take() == [Result(RoleName.SPARE, CRASHED, "cause")]


def test_entries_are_answered_at_once(rank):
    entry = AppendJournal(())
    assert performed(rank, entry) is None
    rank.books.full = True
    assert performed(rank, entry) == BooksBroken("AppendJournal", "full", 3)
    assert rank.books.entries == [entry]


def test_processes_are_fenced_and_left(rank):
    performed(rank, FenceProcess(77, "silent"))
    performed(rank, LeaveJob(3, "over"))
    assert rank.processes.fenced == [(77, "silent")]
    assert rank.processes.left == [(3, "over")]


def test_an_abort_condemns_joins_and_steps_asked_for_before_it_and_nudges(rank):
    for work in (joining(), RUN, PrepareEngine(), TakeSnapshot(Step(0), to_disk=True)):
        performed(rank, work)
    performed(rank, AbortEngine("a peer is gone"))
    performed(rank, RUN)
    said = [ticket() for ticket in rank.engine.tickets]
    assert said == ["a peer is gone", "a peer is gone", None, None, None]
    assert rank.engine.nudges == 1


class Strange(Effect, frozen=True):
    """No port's."""


class NewEngineWork(EngineWork, frozen=True):
    """Work of a kind that is added later."""


@pytest.mark.parametrize("effect", [Strange(), SetTimer("x", 1.0)], ids=["strange", "timer"])
def test_an_effect_that_no_port_knows_is_a_bug(rank, effect):
    with pytest.raises(InvariantError, match="no port knows"):
        performed(rank, effect)


def test_new_work_of_a_port_needs_no_word_here(rank):
    performed(rank, NewEngineWork())
    assert rank.engine.works == [NewEngineWork()]


@pytest.mark.parametrize(
    "effect",
    [PrepareEngine(), OpenSources(), ForgetCopies(), OpenStage(0), AppendJournal(())],
    ids=lambda effect: type(effect).__name__,
)
def test_a_rank_without_the_port_says_whose_fault_it_is(rank, effect):
    bare = Ports(clock=rank.clock, transport=rank.transport, processes=rank.processes)
    performer = Performer(bare, Inbox(lambda: None))
    with pytest.raises(InvariantError, match=type(effect).__name__):
        performer.perform(Perform(TRAINER, effect, ""))
    # An abort finds nothing that waits.
    performer.perform(Perform(TRAINER, AbortEngine("x"), ""))
