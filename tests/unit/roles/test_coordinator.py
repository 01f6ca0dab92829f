"""The coordinator, event by event: what it refuses, forgives and finds out."""

import pytest
from msgspec.structs import replace
from unit.roles.coordinated_job import NOW, G, Job, M, R, S, T, journal, sent

from qmpi.errors import ExitCode
from qmpi.monitor.status_text import step_facts
from qmpi.ports.books import BooksBroken, WriteEnd, WriteStatus
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import FenceProcess, LeaveJob, StopRequested
from qmpi.ports.transport import RankLost
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.journal import (
    FailureSeen,
    GenerationOpened,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.membership import (
    Crashed,
    Fence,
    FormGroup,
    GroupReady,
    Leave,
    Left,
    Regroup,
    SnapshotFact,
)
from qmpi.protocol.progress import Grant
from qmpi.protocol.pulse import Beat, BeatHeard, Directory, DirectoryChange, DirectoryWanted, Pulse
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld
from qmpi.units import Digest, Generation, Rank, Seconds, Step


def test_each_member_is_told_its_own_seat_and_one_reports() -> None:
    job = Job()
    job.greet()
    assert set(sent(job.effects, Regroup)) == {3, 4}
    job.hold(3)
    effects = job.hold(4)
    seats = {rank: m for rank, m in sent(effects, FormGroup).items() if isinstance(m, FormGroup)}
    assert {rank: (m.team, m.position, m.lanes) for rank, m in seats.items()} == {
        3: (0, 0, (0,)),
        4: (1, 0, (1,)),
    }
    assert [m.reports_from for m in seats.values()] == [0, -1]
    assert [m.keeps_copy for m in seats.values()] == [True, False]
    (opened,) = journal(effects, GenerationOpened)
    assert isinstance(opened, GenerationOpened)
    assert (opened.members, opened.team_size) == ((3, 4), 1)


def test_a_report_is_journaled_with_all_that_it_says() -> None:
    job = Job()
    job.run()
    (record,) = journal(job.report(0), StepCommitted)
    assert isinstance(record, StepCommitted)
    assert (record.loss, record.gradient_norm, record.learning_rate) == (1.5, 0.5, 0.1)
    assert (record.seconds, record.wait_seconds, record.redone) == (2.0, 0.5, 1)
    assert journal(job.report(0), StepCommitted) == []
    (status,) = [e.report for e in job.tell(TimerFired("status")) if isinstance(e, WriteStatus)]
    assert (status.gradient_norm, status.learning_rate, status.redone_passes) == (0.5, 0.1, 1)
    assert status.wait_share == 0.2
    assert [(r.rank, r.team) for r in status.ranks if r.role == "trainer"] == [(3, 0), (4, 1)]


def test_another_ranks_digest_tells_of_wrong_bits() -> None:
    job = Job()
    job.run()
    job.report(0, digest="w")
    job.word(3, Beat((Pulse(T, (Rank(3),), "step 1", 1, Digest("w"), 1),), 0), RoleName.HERALD)
    assert job.role.phase == "running"
    job.word(4, Beat((Pulse(T, (Rank(4),), "step 1", 1, Digest("x"), 1),), 0), RoleName.HERALD)
    state, reason = job.end
    assert state == "failed"
    assert "wrong bits" in reason


def test_a_report_of_a_story_that_was_given_up_changes_nothing() -> None:
    job = Job()
    job.run()
    for step in range(4):
        job.report(step)
    job.word(3, SnapshotHeld((SnapshotFact(Step(2), Digest("x"), "disk", "/2"),)))
    job.tell(RankLost(Rank(3), "killed"))
    job.hold(4)  # it has lost its state
    assert job.role.record.committed == 2
    assert job.report(4, generation=1) == []
    assert job.role.phase == "forming"


KEPT = (
    SnapshotKept(1.0, Step(10), Digest("x"), "disk", Rank(3), "/10"),
    GenerationOpened(0.5, Generation(1), (Rank(3),), ((0, 1),), Step(0), "initial", "start"),
    *(
        StepCommitted(1.0, Step(s), Generation(1), 0, (), (1.0, 1.0), 1.0, Digest(""))
        for s in range(12)
    ),
)


def test_a_run_with_checkpoints_does_not_begin_anew_by_itself() -> None:
    job = Job(history=KEPT)
    job.greet()
    for rank in (3, 4):
        job.hold(rank)
    state, reason = job.end
    assert state == "failed"
    for words in ("12 committed steps", "step 10", "--from-scratch"):
        assert words in reason


def test_the_speed_of_an_earlier_start_is_not_told() -> None:
    steps = [
        StepCommitted(95.0 + s, Step(s), Generation(1), 0, (), (1.0, 1.0), 1.0, Digest(""))
        for s in range(4)
    ]
    (status,) = [e.report for e in Job(history=tuple(steps)).effects if isinstance(e, WriteStatus)]
    assert (status.state, status.step) == ("starting", 4)
    assert (status.tokens_per_second, status.eta_seconds) == (0.0, None)


def test_hosts_that_a_start_does_without_stand_among_the_failures() -> None:
    told = ("hosts b[1-2] are left out: no answer within 3 s", "host c is left out: refused")
    job = Job(left_out=told)
    job.run()
    first, second = job.role.record.failures
    assert (first.what, first.reason) == (told[0].partition(": ")[0], "no answer within 3 s")
    assert first.action == "start 1 goes on with 7 ranks elsewhere"
    assert second.reason == "refused"
    assert len(journal(job.effects, FailureSeen)) == 2


def test_the_status_says_if_nothing_is_healed_inside_the_job() -> None:
    job = Job(healing="srun started the ranks itself")
    reports = [e.report for e in job.effects if isinstance(e, WriteStatus)]
    assert reports
    assert {report.healing for report in reports} == {"srun started the ranks itself"}
    assert ("healing", "relaunch only: srun started the ranks itself") in step_facts(reports[0])
    assert "healing" not in dict(step_facts(replace(reports[0], healing="")))


def test_it_does_so_if_told_and_says_what_it_costs() -> None:
    job = Job(history=KEPT, from_scratch=True)
    job.greet()
    job.hold(3)
    effects = job.hold(4)
    assert job.role.phase == "forming"
    (seen,) = journal(effects, FailureSeen)
    assert isinstance(seen, FailureSeen)
    assert "12 committed steps" in seen.what


def test_without_checkpoints_it_begins_anew_and_says_so() -> None:
    job = Job(history=KEPT[1:])
    job.greet()
    job.hold(3)
    effects = job.hold(4)
    assert job.role.phase == "forming"
    assert len(journal(effects, FailureSeen)) == 1


def test_silence_is_fenced_by_the_mate_heard_last_and_then_lost() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 8.0)
    for rank, role in ((5, R), (6, S), (3, T), (2, M), (1, G)):
        job.word(rank, Beat((Pulse(role, (Rank(rank),), "idle"),), 0), RoleName.HERALD)
    job.now = Seconds(NOW + 11.0)
    effects = job.tell(TimerFired("watch"))
    (order,) = sent(effects, Fence).values()
    assert isinstance(order, Fence)
    assert order.pid == 1004
    assert set(sent(effects, Fence)) <= {3, 5, 6}
    assert job.role.phase == "regrouping"
    assert job.role.roster.is_buried(Rank(4))


def test_on_its_own_host_the_coordinator_fences_by_itself() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 8.0)
    for rank in (2, 3, 4, 5, 6):
        job.word(rank, Beat((), 0), RoleName.HERALD)
    job.now = Seconds(NOW + 11.0)
    effects = job.tell(TimerFired("watch"))
    assert [e.pid for e in effects if isinstance(e, FenceProcess)] == [1001]
    assert job.role.phase == "running"


def test_its_own_gap_is_nobodys_silence() -> None:
    job = Job()
    job.run()
    job.now = Seconds(NOW + 300.0)
    job.tell(Slept(Seconds(299.0)))
    job.tell(TimerFired("watch"))
    assert job.role.phase == "running"
    assert not job.role.roster.dead


def test_a_gap_while_gathering_is_not_counted_as_patience() -> None:
    job = Job()
    job.now = Seconds(NOW + 100.0)
    job.tell(Slept(Seconds(80.0)))
    job.tell(TimerFired("watch"))
    assert job.role.phase == "gathering"


def test_a_second_loss_on_the_way_opens_the_next_generation() -> None:
    job = Job()
    job.greet()
    assert job.role.phase == "regrouping"
    effects = job.tell(RankLost(Rank(4), "killed"))
    assert job.role.phase == "regrouping"
    (asked,) = sent(effects, Regroup).values()
    assert isinstance(asked, Regroup)
    assert asked.generation == 2
    effects = job.hold(3)
    assert set(sent(effects, FormGroup)) == {3, 6}


def test_the_death_of_the_last_team_is_told_once() -> None:
    job = Job()
    job.run()
    for rank in (3, 6, 4):
        job.tell(RankLost(Rank(rank), "killed"))
    assert job.role.phase == "ended"
    told = journal(job.effects, FailureSeen)
    assert [failure.ranks for failure in told] == [(3,), (6,), (4,)]
    assert told[-1].action == "leave, to be started again: no rank is left that can train"
    assert not any("leave" in failure.action for failure in told[:-1])


def test_a_machines_fault_loses_the_rank_and_a_users_ends_the_run() -> None:
    job = Job()
    job.run()
    job.word(4, Crashed("StorageError", "disk gone", int(ExitCode.MACHINE)))
    assert job.role.phase == "regrouping"
    job.word(3, Crashed("InputError", "no such corpus", int(ExitCode.USER)))
    assert job.end == ("failed", "rank 3: InputError: no such corpus")


STARVED = Crashed("OutOfMemory", "step 0: there is no memory for 2 GiB more", 3)


def test_when_nobody_has_memory_for_a_step_the_run_ends_and_says_so() -> None:
    job = Job()
    job.run()
    job.word(6, STARVED)
    job.word(4, STARVED)
    assert job.role.phase == "regrouping"
    job.word(3, STARVED)
    state, reason = job.end
    assert state == "failed"
    assert reason.startswith("no rank is left that can train; OutOfMemory: step 0: there is no")
    assert job.role.ending.exit_code == ExitCode.MACHINE


def test_want_of_memory_in_the_first_rehearsal_ends_the_run_too() -> None:
    job = Job()
    for rank in (3, 4, 6):
        job.word(rank, STARVED)
    job.greet()
    assert job.end[0] == "failed"


@pytest.mark.parametrize("last", [STARVED, Crashed("StorageError", "disk gone", 3)])
@pytest.mark.parametrize("steps", [0, 1])
def test_want_of_memory_that_may_pass_is_answered_by_another_start(last, steps) -> None:
    job = Job()
    job.run()
    if steps:
        job.report(0)
    job.word(6, STARVED)
    job.word(4, STARVED)
    job.word(3, last)
    assert any(isinstance(e, WriteEnd) for e in job.effects) == (last is STARVED and not steps)


def test_what_cannot_be_written_down_ends_the_run() -> None:
    job = Job()
    job.run()
    job.tell(BooksBroken("AppendJournal", "no space left", int(ExitCode.MACHINE)))
    assert job.end == ("failed", "no space left")
    assert job.tell(BooksBroken("WriteEnd", "no space left", 3)) == []


def test_a_directory_goes_to_host_leaders_and_only_when_it_changed() -> None:
    job = Job()
    job.greet()
    assert set(sent(job.effects, Directory | DirectoryChange)) == {0, 3}
    job.effects.clear()
    job.tell(RankLost(Rank(6), "killed"))
    assert not sent(job.effects, Directory | DirectoryChange)
    effects = job.tell(RankLost(Rank(5), "killed"))
    assert set(sent(effects, DirectoryChange)) == {0, 3}
    assert set(sent(job.word(4, DirectoryWanted(0), RoleName.HERALD), Directory)) == {4}


def test_each_beat_is_answered_to_the_leader_that_sent_it() -> None:
    job = Job()
    job.run()
    for now in (NOW, NOW + 5.0):
        job.now = Seconds(now)
        assert set(sent(job.word(3, Beat((), 99), RoleName.HERALD), BeatHeard)) == {3}


def test_a_late_beat_with_an_old_directory_is_answered() -> None:
    job = Job()
    job.run()
    beat = Beat((), 0)
    assert not sent(job.word(3, beat, RoleName.HERALD), Directory)
    job.now = Seconds(NOW + 5.0)
    assert set(sent(job.word(3, beat, RoleName.HERALD), Directory)) == {3}


def test_ram_that_refuses_is_noted_once() -> None:
    job = Job()
    job.run()
    failed = SnapshotFailed(Step(4), "no space left", place="ram")
    assert len(journal(job.word(3, failed), FailureSeen)) == 1
    assert journal(job.word(3, failed), FailureSeen) == []
    assert len(journal(job.word(5, failed), FailureSeen)) == 1
    assert job.role.phase == "running"


def test_the_end_waits_for_the_checkpoint_and_frees_the_ram_of_each_host_once() -> None:
    job = Job()
    job.run()
    for step in range(20):
        job.report(step)
    assert job.role.phase == "running"
    effects = job.word(5, SnapshotHeld((SnapshotFact(Step(20), Digest("x"), "disk", "/20"),)))
    assert job.end[0] == "finished"
    leave = sent(effects, Leave)
    assert set(leave) == {1, 2, 3, 4, 5, 6}
    forget = {rank for rank, m in leave.items() if isinstance(m, Leave) and m.forget_copies}
    assert forget == {3}
    assert ForgetCopies() in effects
    for rank in (1, 2, 3, 4, 5):
        job.word(rank, Left(), RoleName.HERALD)
    assert [type(e) for e in job.tell(RankLost(Rank(6), "exit"))] == [LeaveJob]


def test_a_last_copy_that_fails_is_taken_again_then_given_up() -> None:
    job = Job()
    job.run()
    for step in range(20):
        job.report(step)
    failed = SnapshotFailed(Step(20), "disk full")
    job.word(3, failed)
    assert job.role.phase == "regrouping"
    effects = []
    for _ in range(2):
        for rank in (3, 4):
            job.hold(rank, 20)
        for rank in (3, 4):
            job.word(rank, GroupReady(job.role.generation, Step(20)))
        effects = job.word(3, failed)
    assert job.end == ("failed", "disk full")
    # The last try forms no group any more.
    assert not sent(effects, FormGroup)
    assert not journal(effects, GenerationOpened)


def test_a_stop_grants_no_more_and_ends_with_a_checkpoint() -> None:
    job = Job()
    job.run()
    effects = job.tell(StopRequested("SIGTERM"))
    (grant, _) = sent(effects, Grant).values()
    assert isinstance(grant, Grant)
    assert (grant.until, grant.checkpoint_steps[-1]) == (8, 8)
    for step in range(8):
        job.report(step)
    job.word(5, SnapshotHeld((SnapshotFact(Step(8), Digest("x"), "disk", "/8"),)))
    assert job.end == ("stopped", "SIGTERM")


def test_the_end_marker_says_of_which_step_its_digest_is() -> None:
    job = Job()
    job.run()
    for step in range(3):
        job.report(step, digest="w" if step < 2 else "")
    job.tell(BooksBroken("AppendJournal", "no space left", 3))
    (marker,) = [e.marker for e in job.effects if isinstance(e, WriteEnd)]
    assert (marker.step, marker.digest, marker.digest_step) == (3, "w", 2)


def test_a_stop_before_the_first_grant_ends_at_once() -> None:
    job = Job()
    job.tell(StopRequested("SIGTERM"))
    assert job.end == ("stopped", "SIGTERM")
