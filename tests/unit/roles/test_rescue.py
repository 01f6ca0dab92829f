"""The coordinator counts skipped updates, names the way out of a divergence, and goes back."""

from msgspec.structs import replace
from unit.roles.coordinated_job import HOSTS, NOW, ROLES, SETTINGS, Job, S, T, sent

from qmpi.errors import ExitCode
from qmpi.policy.hyperparameters import carried_on, first_hyperparameters
from qmpi.ports.base import Effect
from qmpi.ports.books import AppendJournal, WriteEnd, WriteStatus
from qmpi.protocol.journal import JournalRecord, RunOpened, SnapshotKept, StepCommitted
from qmpi.protocol.membership import Crashed, FormGroup, GroupReady, Hello, SnapshotFact
from qmpi.protocol.progress import StepReport
from qmpi.protocol.snapshots import SnapshotHeld
from qmpi.protocol.status import StatusReport
from qmpi.roles.coordinator.record import Record
from qmpi.units import Digest, Generation, Rank, Step

LOWER = replace(SETTINGS, optimizer=replace(SETTINGS.optimizer, learning_rate=1e-4))


def committed(step: int, *, skipped: bool = False) -> StepCommitted:
    losses = (-1.0, 3.0) if skipped else (1.0, 3.0)
    return StepCommitted(
        time=1.0,
        step=Step(step),
        generation=Generation(1),
        recipe=0,
        block_digests=(),
        lane_losses=losses,
        loss=1.0,
        weight_digest=Digest(f"w{step}"),
        gradient_norm=-1.0 if skipped else 0.5,
    )


def story(*skipped: int, steps: int = 12) -> list[JournalRecord]:
    return [committed(step, skipped=step in skipped) for step in range(steps)]


def fact(step: int, branch: int = 0) -> SnapshotFact:
    return SnapshotFact(Step(step), Digest(f"d{step}"), "disk", f"/{step}", branch=branch)


def opened(effects: list[Effect]) -> RunOpened:
    records = [r for e in effects if isinstance(e, AppendJournal) for r in e.records]
    (found,) = [r for r in records if isinstance(r, RunOpened)]
    return found


def status(effects: list[Effect]) -> StatusReport:
    return [e.report for e in effects if isinstance(e, WriteStatus)][-1]


def greet(job: Job, *facts: SnapshotFact) -> None:
    for rank in ROLES:
        if rank:
            warm = ROLES[rank] in (T, S)
            store = f"h:{rank}" if warm else ""
            snapshots = facts if warm else ()
            job.word(
                rank, Hello(HOSTS[rank], 1000 + rank, store_address=store, snapshots=snapshots)
            )


def test_skips_are_counted_and_fall_away_with_their_steps() -> None:
    record = Record(1)
    record.replay(story(3, 9, 10, 11))
    assert (record.skips, record.skipped_in_a_row) == ([3, 9, 10, 11], 3)
    report = record.status("running", NOW, 20)
    assert (report.updates, report.skipped, report.undefined_lanes, report.loss) == (8, 4, 1, 3.0)
    record.rewind(Step(10))
    assert (record.skips, record.skipped_in_a_row) == ([3, 9], 1)
    record.take(committed(10))
    assert record.skipped_in_a_row == 0
    assert record.status("running", NOW, 20).updates == 9


def test_a_step_without_a_finite_loss_is_in_no_curve() -> None:
    record = Record(1)
    record.take(replace(committed(0), lane_losses=(-1.0, -1.0)))
    report = record.status("running", NOW, 20)
    assert (report.loss, report.losses, report.undefined_lanes) == (None, (), 2)


def test_who_diverges_is_told_the_command_that_rescues() -> None:
    job = Job()
    job.run()
    for step in range(6):
        job.report(step)
    job.word(5, SnapshotHeld((fact(4), fact(6))))
    for step in range(6, 9):
        norm, losses = -1.0, (-1.0, -1.0)
        told = StepReport(
            job.role.generation, Step(step), losses, (), norm, 0.1, Digest(""), 2.0, 0.5, 0, 6
        )
        job.word(3, told)
    job.word(3, Crashed("UserError", "the run has diverged", int(ExitCode.USER)))
    state, why = job.end
    assert state == "failed"
    assert "3 of 9 updates were skipped" in why
    command = (
        "`qmpi train --resume '/runs/my run' --back-to 4 --set optimizer.learning_rate=0.0015`"
    )
    assert f"from step 6 on; go back to before that with {command}" in why


def test_the_command_that_rescues_plans_anew_what_was_planned_anew_after_the_step() -> None:
    cosine = replace(SETTINGS.optimizer, schedule="cosine", warmup_steps=0)
    short = replace(SETTINGS, optimizer=cosine, train=replace(SETTINGS.train, steps=6))
    log = (first_hyperparameters(short),)
    longer = replace(short, train=replace(short.train, steps=40))
    log = carried_on(log, longer, 6, replanned=True)
    role = Job(history=tuple(story(*range(7, 12))), settings=longer).role
    for kept, anew in ((6, " --replan"), (0, "")):
        told = role.failures.rescue(role.run, longer, log, [Step(kept)])
        assert f"--back-to {kept}{anew} --set" in told


def test_a_record_that_is_rewound_tells_of_the_steps_that_stand() -> None:
    record = Record(1)
    record.replay(story(steps=12))
    assert (record.digest, record.digest_step) == ("w11", 12)
    record.rewind(Step(8))
    assert (record.digest, record.digest_step, record.loss) == ("w7", 8, 2.0)
    report = record.status("running", NOW, 20)
    assert (report.gradient_norm, report.learning_rate) == (None, None)
    record.rewind(Step(0))
    assert (record.digest, record.digest_step, record.loss) == ("", 0, None)


def test_without_a_snapshot_from_before_the_way_out_is_the_beginning() -> None:
    job = Job(history=tuple(story(*range(1, 12))))
    greet(job)
    job.word(3, Crashed("UserError", "diverged", int(ExitCode.USER)))
    assert "--back-to 0 " in job.end[1]


def test_a_change_is_written_down_where_the_run_goes_on() -> None:
    job = Job(history=tuple(story()), settings=LOWER)
    greet(job, fact(10))
    record = opened(job.effects)
    assert [(r.first_step, r.optimizer.learning_rate) for r in record.hyperparameters] == [
        (0, SETTINGS.optimizer.learning_rate),
        (12, 1e-4),
    ]
    assert record.back_to == -1
    for rank in (3, 4):
        job.hold(rank)
    forms = sent(job.effects, FormGroup)
    assert all(
        isinstance(form, FormGroup) and form.hyperparameters == record.hyperparameters
        for form in forms.values()
    )


def test_who_goes_back_takes_only_copies_of_before() -> None:
    history = (
        *story(*range(9, 12)),
        SnapshotKept(1.0, Step(8), Digest("d"), "disk", Rank(5), "/8"),
    )
    job = Job(history=history, back_to=8, settings=LOWER)
    greet(job, fact(11), fact(8), fact(4))
    assert opened(job.effects).back_to == 8
    for rank in (3, 4):
        job.hold(rank)
    forms = [f for f in sent(job.effects, FormGroup).values() if isinstance(f, FormGroup)]
    assert {(f.step, f.origin, f.branch) for f in forms} == {(8, "/8", 1)}
    assert status(job.effects).step == 8
    assert status(job.effects).skipped == 0
    # Steps 8 to 10 are done anew; then a start finds the copy of the story that was given up.
    again = [r for e in job.effects if isinstance(e, AppendJournal) for r in e.records]
    later = Job(history=(*history, *again, *(committed(s) for s in range(8, 12))), settings=LOWER)
    greet(later, fact(11), fact(10, branch=1), fact(8))
    for rank in (3, 4):
        later.hold(rank)
    forms = [f for f in sent(later.effects, FormGroup).values() if isinstance(f, FormGroup)]
    assert {(f.step, f.origin, f.branch) for f in forms} == {(10, "/10", 1)}


def test_a_run_that_goes_back_to_its_new_end_names_the_weights_that_stand() -> None:
    ended = replace(SETTINGS, train=replace(SETTINGS.train, steps=8))
    kept = SnapshotKept(1.0, Step(8), Digest("d"), "disk", Rank(5), "/8")
    job = Job(history=(*story(), kept), back_to=8, replan=True, settings=ended)
    greet(job, fact(8))
    for rank in (3, 4):
        job.hold(rank)
    for rank in (3, 4):
        job.word(rank, GroupReady(job.role.generation, Step(8)))
    job.word(5, SnapshotHeld((fact(8, branch=1),)))
    (marker,) = [e.marker for e in job.effects if isinstance(e, WriteEnd)]
    assert (marker.state, marker.step) == ("finished", 8)
    assert (marker.digest, marker.digest_step) == ("w7", 8)


def test_without_a_copy_of_before_nobody_goes_back() -> None:
    history = (*story(), SnapshotKept(1.0, Step(10), Digest("d"), "disk", Rank(5), "/10"))
    job = Job(history=history, back_to=8)
    greet(job, fact(10))
    state, why = job.end
    assert state == "failed"
    assert "there are snapshots of steps: 10" in why
    records = [r for e in job.effects if isinstance(e, AppendJournal) for r in e.records]
    assert not [r for r in records if isinstance(r, RunOpened)], "the run stands as it stood"
