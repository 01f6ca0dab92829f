"""Begin again although steps are committed? What the record promises, and what a refusal says."""

import msgspec

from qmpi.ports.books import AppendJournal
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import (
    FailureSeen,
    GenerationOpened,
    JournalRecord,
    RunEnded,
    RunOpened,
    SnapshotKept,
    StepCommitted,
)
from qmpi.roles.coordinator.crew import Crew
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.failures import LEAVE_AGAIN, NOBODY, Failures
from qmpi.roles.coordinator.record import Record
from qmpi.roles.facts import RankFacts
from qmpi.roles.roster import Roster
from qmpi.units import Digest, Generation, Rank, Seconds, Step

LEAD = Rank(2)


def committed(steps: int) -> list[JournalRecord]:
    return [
        StepCommitted(1.0, Step(step), Generation(1), 0, (), (1.0,), 1.0, Digest(""))
        for step in range(steps)
    ]


def kept(step: int, place: str) -> SnapshotKept:
    return SnapshotKept(1.0, Step(step), Digest("d"), place, LEAD, f"/{place}/{step}")


def replayed(history: list[JournalRecord]) -> Record:
    record = Record(1)
    record.replay(history)
    return record


def run(
    checkpoints: tuple[str, ...],
    *,
    from_scratch: bool = False,
    history: tuple[JournalRecord, ...] = (),
    died: str = "",
) -> RunFacts:
    return RunFacts(
        run_id="run",
        settings_digest=Digest(""),
        recipes=(),
        expected=(),
        placement="",
        hosts=("here",),
        teams=(),
        checkpoints=checkpoints,
        from_scratch=from_scratch,
        history=history,
        died=died,
    )


def failures(record: Record) -> Failures:
    chief = Address(Rank(0), RoleName.COORDINATOR)
    facts = RankFacts(Rank(0), "here", 1, chief, (Rank(0),))
    return Failures(record, Crew(Roster((), ("here",), Seconds(0.0)), facts, lanes_keep=False))


def test_a_checkpoint_of_the_past_is_known_and_a_copy_in_ram_promises_nothing() -> None:
    assert replayed([*committed(9), kept(7, "disk"), kept(9, "ram")]).checkpointed == 7
    assert replayed([*committed(9), kept(5, "ram")]).checkpointed == 0


def test_a_checkpoint_of_steps_that_are_void_promises_nothing() -> None:
    again = GenerationOpened(
        2.0, Generation(2), (LEAD,), ((0, 1),), Step(0), "initial", "as the user insists"
    )
    history = [*committed(9), kept(7, "disk"), again, *committed(3)]
    assert replayed(history).checkpointed == 0
    assert replayed([*history, *committed(9)[3:], kept(9, "disk")]).checkpointed == 9


def test_a_checkpoint_of_a_team_counts_once_all_its_files_are_written() -> None:
    team = GenerationOpened(
        1.0, Generation(1), (LEAD,), ((0, 1),), Step(0), "initial", "begun", team_size=2
    )
    parts = [msgspec.structs.replace(kept(7, "disk"), position=position) for position in (0, 1)]
    begun = [team, *committed(9)]
    assert replayed([*begun, parts[0]]).checkpointed == 0
    assert replayed([*begun, parts[1], parts[1]]).checkpointed == 0
    whole = replayed([*begun, *parts, parts[0]])
    assert (whole.checkpointed, whole.checkpoints) == (7, [7])
    # Steps that were lost are written anew, and again by all.
    again = [*begun, *parts, team, *committed(9)]
    assert replayed([*again, parts[0]]).checkpointed == 0
    assert replayed([*again, *parts]).checkpointed == 7


def test_a_refusal_names_the_files_and_what_can_be_done() -> None:
    job, record = (
        run(("/c/7 is damaged", "/c/9 is a pipe")),
        replayed([*committed(9), kept(7, "disk")]),
    )
    text = failures(record).nothing_readable(job)
    for words in (
        "9 committed steps",
        "(/c/7 is damaged; /c/9 is a pipe; ",
        "step 7",
        "--from-scratch",
    ):
        assert words in text
    assert "no checkpoint any more" in failures(record).nothing_readable(run(()))


def test_a_run_begun_again_says_whether_the_user_insists() -> None:
    for history, from_scratch, words in (
        ([*committed(9), kept(7, "disk")], True, "insists"),
        ([*committed(9), kept(5, "ram")], True, "no checkpoint"),
        (committed(9), False, "no checkpoint"),
    ):
        job = run((), from_scratch=from_scratch)
        (effect,) = failures(replayed(history)).begun_anew(job, Seconds(2.0))
        assert isinstance(effect, AppendJournal)
        (seen,) = effect.records
        assert isinstance(seen, FailureSeen)
        assert "9 committed steps" in seen.what
        assert words in seen.reason


def test_whole_snapshots_ahead_of_the_journal_are_not_called_damaged() -> None:
    said = failures(replayed(committed(45))).nothing_readable(run(("step-48.snap",)), (Step(48),))
    assert "damaged" not in said
    for words in ("ends at step 45", "step 48", "--from-scratch"):
        assert words in said


def opened(incarnation: int) -> RunOpened:
    return RunOpened(1.0, "run", incarnation, Digest(""), (), (), "", 4, 9)


def noted_at_start(*history: JournalRecord, died: str = "") -> list[FailureSeen]:
    record = replayed([*history])
    record.take(opened(record.incarnation + 1))
    effects = failures(record).died_before(run((), history=history, died=died), Seconds(2.0))
    seen: list[FailureSeen] = []
    for effect in effects:
        assert isinstance(effect, AppendJournal)
        seen += [one for one in effect.records if isinstance(one, FailureSeen)]
    if seen:
        assert record.failures[-1].step == record.committed
    return seen


def test_a_start_that_broke_off_is_a_failure_with_cause_step_and_cure() -> None:
    broken = [opened(1), *committed(9)]
    (seen,) = noted_at_start(*broken, died="the coordinator is gone: killed")
    assert (seen.step, seen.reason) == (9, "the coordinator is gone: killed")
    assert "start 1 of the job died after step 9" in seen.what
    assert "as start 2" in seen.action
    # Started by hand, nobody can tell why.
    (seen,) = noted_at_start(*broken, opened(2))
    assert "start 2" in seen.what
    assert "no end marker" in seen.reason


def test_a_start_that_has_said_why_it_left_is_noted_once() -> None:
    ended = RunEnded(1.0, "stopped", Step(9), Digest(""), "asked")
    left = FailureSeen(1.0, Step(9), (), "no rank is left that can train", LEAVE_AGAIN, "why")
    assert noted_at_start() == []
    assert noted_at_start(opened(1), *committed(9), ended) == []
    assert noted_at_start(opened(1), *committed(9), left) == []
    died = FailureSeen(1.0, Step(9), (LEAD,), "rank 2 died", f"{LEAVE_AGAIN}: {NOBODY}", "why")
    assert noted_at_start(opened(1), *committed(9), died) == []
    assert len(noted_at_start(opened(1), left, opened(2), *committed(3))) == 1
