"""The coordinator takes a run back that stopped at a spike, once, and says how and why not."""

from msgspec.structs import replace
from unit.roles.coordinated_job import SETTINGS, Job, sent
from unit.roles.test_rescue import committed, fact, greet, opened, status, story

from qmpi.config.guard import GuardSettings
from qmpi.config.settings import SnapshotSettings
from qmpi.errors import ExitCode
from qmpi.policy.hyperparameters import block_of
from qmpi.ports.books import WriteEnd
from qmpi.ports.processes import StopRequested
from qmpi.protocol.journal import JournalRecord, RunEnded, SnapshotKept
from qmpi.protocol.membership import FormGroup
from qmpi.protocol.progress import StepReport
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.snapshots import SnapshotHeld
from qmpi.units import Digest, Rank, Step

GUARD = GuardSettings(loss_spike=4.0, action="roll_back", back_steps=4, most_roll_backs=1)
GUARDED = replace(
    SETTINGS, guard=GUARD, snapshot=SnapshotSettings(every_steps=1, disk_every_steps=2)
)
ENDED = RunEnded(1.0, "stopped", Step(12), Digest(""), "a spike")


def spiked(*more: JournalRecord) -> tuple[JournalRecord, ...]:
    """Return the journal of a run whose step 11 is a spike at which it stops."""
    spike = replace(committed(11), spike="loss", halts=True)
    return (*story(steps=11), spike, *more)


def kept(step: int) -> SnapshotKept:
    return SnapshotKept(1.0, Step(step), Digest("d"), "disk", Rank(5), f"/{step}")


def test_the_next_start_goes_back_whether_the_end_was_told_or_not() -> None:
    for history in (spiked(), spiked(kept(12), ENDED)):
        job = Job(history=history, settings=GUARDED)
        greet(job, fact(12), fact(10), fact(6))
        record = opened(job.effects)
        assert (record.back_to, record.roll_back) == (7, RollBack(11, 7, 24))
        assert block_of(record.hyperparameters, 7, 0, 2) == 24
        assert block_of(record.hyperparameters, 6, 1, 2) == 13
        for rank in (3, 4):
            job.hold(rank)
        forms = [f for f in sent(job.effects, FormGroup).values() if isinstance(f, FormGroup)]
        assert {(f.step, f.origin, f.branch) for f in forms} == {(6, "/6", 1)}
        assert status(job.effects).roll_backs == (record.roll_back,)


def test_to_begin_with_the_initial_weights_as_meant_is_no_failure() -> None:
    rare = replace(GUARDED, snapshot=SnapshotSettings(every_steps=1, disk_every_steps=20))
    job = Job(history=spiked(kept(12), ENDED), settings=rare)
    greet(job, fact(12))
    assert opened(job.effects).back_to == 7
    for rank in (3, 4):
        job.hold(rank)
    forms = [f for f in sent(job.effects, FormGroup).values() if isinstance(f, FormGroup)]
    assert {f.step for f in forms} == {0}
    assert status(job.effects).failures == ()


def test_it_is_done_once_and_no_further_than_the_guard_allows() -> None:
    job = Job(history=spiked(ENDED), settings=GUARDED)
    greet(job, fact(12), fact(6))
    again = Job(history=spiked(ENDED, opened(job.effects)), settings=GUARDED)
    greet(again, fact(12), fact(6))
    assert (opened(again.effects).back_to, opened(again.effects).roll_back) == (-1, None)
    assert opened(again.effects).hyperparameters == opened(job.effects).hyperparameters
    redone = [committed(step) for step in range(7, 11)]
    spike = replace(committed(11), spike="loss", halts=True)
    full = Job(history=spiked(ENDED, opened(job.effects), *redone, spike, ENDED), settings=GUARDED)
    greet(full, fact(6))
    assert opened(full.effects).back_to == -1


def test_who_goes_elsewhere_or_was_over_or_skips_does_not_go_back() -> None:
    over = replace(ENDED, state="finished")
    skipping = replace(SETTINGS, guard=replace(GUARD, action="skip"))
    for history, settings, back_to in (
        (spiked(ENDED), GUARDED, 9),
        (spiked(over), GUARDED, -1),
        (spiked(ENDED), skipping, -1),
        (spiked(ENDED, committed(12)), GUARDED, -1),
    ):
        job = Job(history=history, settings=settings, back_to=back_to)
        greet(job, fact(12), fact(8))
        assert (opened(job.effects).back_to, opened(job.effects).roll_back) == (back_to, None)


def test_without_an_old_copy_it_goes_to_the_oldest_and_says_so() -> None:
    job = Job(history=spiked(kept(10), kept(12), ENDED), settings=GUARDED)
    greet(job, fact(12), fact(10))
    assert opened(job.effects).roll_back == RollBack(11, 10, 24)
    assert "the oldest that there is a copy of; 7 was wanted" in job.role.why


def test_a_checkpoint_that_cannot_be_read_is_no_reason_to_begin_anew() -> None:
    job = Job(history=spiked(kept(6), kept(12), ENDED), settings=GUARDED)
    greet(job, fact(12))
    state, why = job.end
    assert state == "failed"
    assert "go back to step 7" in why
    assert "that of step 6 was kept" in why
    # Before the first copy there are the initial weights.
    young = Job(history=spiked(kept(12), ENDED), settings=GUARDED)
    greet(young, fact(12))
    assert opened(young.effects).roll_back == RollBack(11, 7, 24)
    for rank in (3, 4):
        young.hold(rank)
    forms = [f for f in sent(young.effects, FormGroup).values() if isinstance(f, FormGroup)]
    assert {(f.step, f.origin) for f in forms} == {(0, "initial")}


def test_who_asks_the_run_to_stop_does_not_have_it_started_again() -> None:
    early = Job(history=spiked(ENDED), settings=GUARDED)
    early.tell(StopRequested("a stop was requested"))
    late = Job(settings=GUARDED)
    late.run()
    halting(late)
    late.tell(StopRequested("a stop was requested"))
    late.word(5, SnapshotHeld((fact(2),)))
    for job in (early, late):
        (marker,) = [e.marker for e in job.effects if isinstance(e, WriteEnd)]
        assert (marker.state, marker.exit_code, marker.goes_back) == ("stopped", 75, False)


def halting(job: Job) -> None:
    """Report two steps, the second one a spike at which the run stops."""
    job.report(0)
    generation = job.role.generation
    told = StepReport(generation, Step(1), (9.0, 9.0), (), 0.5, 0.1, Digest("w"), 2.0, 0.5, 0, 1)
    job.word(3, replace(told, spike="loss", halts=True))


def test_the_job_that_meets_the_spike_ends_and_says_what_follows() -> None:
    for guard, code, goes_back, words in (
        (GUARD, ExitCode.REQUEUE, True, "go back to step 0 and past the data"),
        (replace(GUARD, most_roll_backs=0), ExitCode.USER, False, "gone back 0 times by itself"),
        (replace(GUARD, action="stop"), ExitCode.USER, False, "[guard] says to stop"),
    ):
        job = Job(settings=replace(SETTINGS, guard=guard))
        job.run()
        halting(job)
        job.word(5, SnapshotHeld((fact(2),)))
        (marker,) = [e.marker for e in job.effects if isinstance(e, WriteEnd)]
        assert (marker.state, marker.step) == ("stopped", 2)
        assert (marker.exit_code, marker.goes_back) == (int(code), goes_back)
        assert words in marker.reason
        assert "`qmpi train --resume '/runs/my run'`" in marker.reason
