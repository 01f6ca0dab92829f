"""Profiles as the coordinator and a trainer see them: ordered, answered, refused, lost."""

import pytest
from unit.roles.coordinated_job import SETTINGS, Job, sent
from unit.roles.test_trainer import NOW, in_group, run_steps, said, word

from qmpi.planning.shape import flops_per_token, shape_of
from qmpi.ports.books import WriteStatus
from qmpi.ports.clock import TimerFired
from qmpi.ports.engine import ProfileSteps, ProfileWritten, StepApplied
from qmpi.ports.processes import ProfileRequested, StopRequested
from qmpi.ports.transport import RankLost
from qmpi.protocol.membership import GroupReady, Hello, Regroup
from qmpi.protocol.profiles import (
    MOST_RANKS,
    ProfileDone,
    ProfiledRank,
    ProfileOrder,
    ProfileReport,
    ProfileRequest,
)
from qmpi.protocol.progress import StepReport, StepTimes
from qmpi.roles.coordinator.profiles import KEPT, Profiles
from qmpi.units import Generation, Rank, Seconds, Step


def asked(job: Job, name: str = "p", steps: int = 3, ranks: tuple[int, ...] = (3,)) -> list:
    return job.tell(ProfileRequested(ProfileRequest(name, steps, tuple(map(Rank, ranks)))))


def last(job: Job) -> ProfileReport:
    reports = [e.report.profiles for e in job.effects if isinstance(e, WriteStatus)]
    return reports[-1][-1]


def test_the_ranks_that_are_named_are_ordered_and_their_answers_told() -> None:
    job = Job()
    job.run()
    orders = sent(asked(job, ranks=(4, 3)), ProfileOrder)
    assert orders == {3: ProfileOrder("p", 3), 4: ProfileOrder("p", 3)}
    job.word(4, ProfileDone("p", "/run/4"))
    assert last(job).ranks == (ProfiledRank(3), ProfiledRank(4, "written", "/run/4"))
    job.word(3, ProfileDone("p", "", "the disk is full"))
    job.word(3, ProfileDone("p", "/late"))
    assert last(job).ranks[0] == ProfiledRank(3, "failed", "", "the disk is full")


def test_no_ranks_mean_all_trainers() -> None:
    job = Job()
    job.run()
    assert set(sent(asked(job, ranks=()), ProfileOrder)) == {3, 4}


def test_who_does_not_train_is_refused_with_those_who_do() -> None:
    job = Job()
    job.run()
    assert sent(asked(job, ranks=(3, 5, 99)), ProfileOrder) == {}
    refused = last(job).refused
    assert "5, 99" in refused
    assert "the trainers are 3, 4" in refused


def test_more_steps_than_are_left_unbegun_are_refused() -> None:
    job = Job()
    job.run()
    # 20 steps in all, of which 8 are granted: 12 have certainly not begun, one must follow.
    assert sent(asked(job, steps=12), ProfileOrder) == {}
    assert "12 steps are left" in last(job).refused
    assert set(sent(asked(job, steps=11), ProfileOrder)) == {3}
    job.tell(StopRequested("enough"))
    assert sent(asked(job, steps=8), ProfileOrder) == {}


def test_too_many_ranks_are_refused() -> None:
    profiles = Profiles()
    profiles.ask(ProfileRequest("p", 1, ()))
    assert profiles.order([Rank(rank) for rank in range(MOST_RANKS + 1)], 100) == []
    assert "too many" in profiles.reports[0].refused


def test_a_request_waits_until_there_is_a_group() -> None:
    job = Job()
    job.greet()
    assert sent(asked(job), ProfileOrder) == {}
    for rank in (3, 4):
        job.hold(rank)
    for rank in (3, 4):
        effects = job.word(rank, GroupReady(job.role.generation, Step(0)))
    assert set(sent(effects, ProfileOrder)) == {3}


def test_a_rank_that_dies_fails_its_part_alone() -> None:
    job = Job()
    job.run()
    asked(job, ranks=())
    job.tell(RankLost(Rank(4), "killed by signal 9"))
    three, four = last(job).ranks
    assert three.state == "under way"
    assert (four.state, four.fault) == ("failed", "rank 4 died: killed by signal 9")
    job.word(3, ProfileDone("p", "/run/3"))
    assert last(job).ranks[0].state == "written"


def test_only_the_newest_are_remembered() -> None:
    profiles = Profiles()
    for number in range(KEPT + 2):
        profiles.ask(ProfileRequest(f"p{number}", 1, ()))
        profiles.order([Rank(3)], 100)
    assert [r.name for r in profiles.reports] == [f"p{n}" for n in range(2, KEPT + 2)]
    profiles.done(Rank(3), ProfileDone("p0", "/late"))
    assert all(part.state == "under way" for r in profiles.reports for part in r.ranks)


def test_a_trainer_hands_orders_to_its_engine_and_answers() -> None:
    trainer = in_group()
    assert trainer.handle(word(ProfileOrder("p", 2)), NOW) == [ProfileSteps("p", 2)]
    trainer.handle(word(Regroup(Generation(2), "why")), NOW)
    told = trainer.handle(ProfileWritten("p", "/run/3"), NOW)
    assert said(told, ProfileDone) == [ProfileDone("p", "/run/3")]


def test_a_report_says_where_all_of_the_time_went() -> None:
    trainer = in_group()
    run_steps(trainer, 0)
    trainer.phase, trainer.state_step = "stepping", 1
    trainer.timing.stepping(Seconds(NOW + 2.0))
    ended = StepApplied(
        Generation(1), Step(1), (1.0,), (), 1.0, 0.1, "", 3.0, 0, times=StepTimes(backward=3.0)
    )
    (report,) = said(trainer.handle(ended, Seconds(NOW + 6.0)), StepReport)
    assert isinstance(report, StepReport)
    assert report.times == StepTimes(data=2.0, backward=3.0, other=1.0)
    assert report.wait_seconds == 2.0


def test_the_status_averages_the_times_of_the_last_steps() -> None:
    job = Job()
    job.run()
    assert job.role.record.status("running", job.now, 20).times is None
    for step, spent in enumerate((1.0, 3.0)):
        told = StepReport(
            job.role.generation, Step(step), (1.0, 2.0), (), 0.5, 0.1, "", spent, 0.0,
            times=StepTimes(forward=spent),
        )  # fmt: skip
        job.word(3, told)
    assert job.role.record.status("running", job.now, 20).times == StepTimes(forward=2.0)


def test_the_peaks_of_the_members_add_up_if_all_are_known() -> None:
    for peaks, wanted in (((2e9, 3e9), 5e9), ((2e9, 0.0), 0.0)):
        job = Job()
        job.greet()
        for rank, peak in zip((3, 4), peaks, strict=True):
            job.word(rank, Hello("b", 1000 + rank, store_address="h:1", peak_flops=peak))
        for rank in (3, 4):
            job.hold(rank)
        for rank in (3, 4):
            job.word(rank, GroupReady(job.role.generation, Step(0)))
        report = [e.report for e in job.effects if isinstance(e, WriteStatus)][-1]
        assert report.peak_flops == wanted


def test_the_operations_are_those_of_the_tokens_of_the_last_seconds() -> None:
    job = Job()
    job.run()
    for step in range(3):
        job.now = Seconds(job.now + 2.5)
        job.report(step)
    (report,) = [e.report for e in job.tell(TimerFired("status")) if isinstance(e, WriteStatus)]
    train = SETTINGS.train
    tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    flops = flops_per_token(shape_of(SETTINGS.model), train.sequence_tokens)
    assert report.flops_per_second == pytest.approx(tokens / 2.5 * flops)
