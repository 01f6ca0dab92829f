"""Begin again although steps are committed? Only if nobody was promised otherwise."""

from qmpi.config.settings import Settings
from qmpi.policy.recovery import INITIAL, GroupPlan
from qmpi.protocol.journal import GenerationOpened, JournalRecord, SnapshotKept, StepCommitted
from qmpi.roles.casualties import Casualties
from qmpi.roles.crew import Crew
from qmpi.roles.interface import AppendJournal
from qmpi.roles.ledger import Ledger
from qmpi.roles.member import RankFacts
from qmpi.roles.roster import Roster
from qmpi.roles.run_facts import RunFacts
from qmpi.units import Digest, Generation, Rank, Seconds, Step

LEAD = Rank(2)


def plan(origin: str) -> GroupPlan:
    return GroupPlan(
        members=(LEAD,),
        promoted=(),
        lead=LEAD,
        lanes=((0,),),
        step=Step(0),
        finish=(),
        state_root=LEAD,
        needy=(),
        origin=origin,
        origin_digest=Digest(""),
        reason="",
    )


def committed(steps: int) -> list[JournalRecord]:
    return [
        StepCommitted(1.0, Step(step), Generation(1), 0, (), (1.0,), 1.0, Digest(""))
        for step in range(steps)
    ]


def kept(step: int, place: str) -> SnapshotKept:
    return SnapshotKept(1.0, Step(step), Digest("d"), place, LEAD, f"/{place}/{step}")


def judge(
    history: list[JournalRecord], origin: str = INITIAL, *, from_scratch: bool = False
) -> tuple[str, bool]:
    """Return the fault, and whether a failure was noted."""
    run = RunFacts("run", Digest(""), (), (), "", tuple(history), ("/c/7", "/c/9"), from_scratch)
    facts = RankFacts(Rank(0), "here", 1, Rank(0))
    ledger = Ledger(Settings().train.lanes, 1)
    ledger.replay(history)
    crew = Crew(Roster((), Seconds(0.0)), facts)
    fault, noted = Casualties(ledger, crew).state_lost(run, plan(origin), Seconds(2.0))
    assert all(isinstance(effect, AppendJournal) for effect in noted)
    return fault, bool(noted)


def test_a_run_that_has_done_nothing_begins() -> None:
    assert judge([]) == ("", False)


def test_a_checkpoint_that_was_kept_is_not_given_up() -> None:
    fault, noted = judge([*committed(9), kept(7, "disk")])
    assert "9 committed steps" in fault
    assert "/c/7, /c/9" in fault
    assert "--from-scratch" in fault
    assert not noted
    assert judge([*committed(9), kept(7, "disk")], "/c/7") == ("", False)


def test_the_user_may_insist() -> None:
    assert judge([*committed(9), kept(7, "disk")], from_scratch=True) == ("", True)


def test_before_the_first_checkpoint_the_loss_is_noted() -> None:
    assert judge([*committed(9), kept(5, "ram")]) == ("", True)


def test_a_checkpoint_of_steps_that_are_void_promises_nothing() -> None:
    again = GenerationOpened(
        2.0, Generation(2), (LEAD,), 1, Step(0), INITIAL, "as the user insists"
    )
    history = [*committed(9), kept(7, "disk"), again, *committed(3)]
    assert judge(history) == ("", True)
    assert judge([*history, *committed(9)[3:], kept(9, "disk")])[0]
