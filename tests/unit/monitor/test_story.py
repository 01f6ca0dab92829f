from msgspec.structs import replace

from qmpi.config.optimizer import OptimizerSettings
from qmpi.corpora.standing import evaluations_of
from qmpi.monitor.report import render_report
from qmpi.monitor.story import Span, story_from_run
from qmpi.policy.scoring import Label, evaluation_of, row_marks
from qmpi.protocol.evaluation import RowLoss
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import (
    EvaluationDone,
    EvaluationMissed,
    FailureSeen,
    GenerationOpened,
    JournalRecord,
    RunOpened,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.progress import ExpertLoads
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.status import RankReport, StatusReport
from qmpi.units import Digest, Generation, Rank, Step

STATUS = StatusReport(
    state="finished",
    step=4,
    steps=4,
    tokens=4096,
    tokens_per_second=0.0,
    loss=6.0,
    digest="ff",
    generation=2,
    failures=(),
    ranks=(
        RankReport(0, "coordinator", "here", 1, alive=True),
        RankReport(0, "memory", "here", 1, alive=True),
        RankReport(1, "trainer", "here", 2, alive=False),
        RankReport(2, "trainer", "here", 3, alive=True),
        RankReport(3, "trainer", "here", 4, alive=True),
    ),
    name="tale",
)


def opened(time: float, incarnation: int = 1) -> RunOpened:
    return RunOpened(time, "id", incarnation, Digest("d"), (), (), "identity", 2, 4)


def group(time: float, number: int, members: tuple[int, ...], step: int) -> GenerationOpened:
    ranks = tuple(map(Rank, members))
    return GenerationOpened(time, Generation(number), ranks, (), Step(step), "live", "because")


def committed(time: float, step: int, loss: float, digest: str = "") -> StepCommitted:
    return StepCommitted(time, Step(step), Generation(1), 0, (), (loss,), loss, Digest(digest))


TALE: list[JournalRecord] = [
    opened(100.0),
    group(101.0, 1, (1, 2), 0),
    committed(102.0, 0, 8.0),
    committed(103.0, 1, 7.0),
    committed(104.0, 2, 6.5),
    SnapshotKept(104.5, Step(1), Digest("d"), "ram", Rank(2), "/dev/shm/x"),
    FailureSeen(105.0, Step(3), (Rank(1),), "rank 1 (trainer) died", "rank 3 comes", "MPI"),
    group(106.0, 2, (2, 3), 1),
    committed(107.0, 1, 7.0),
    committed(108.0, 2, 6.5),
    committed(109.0, 3, 6.0, "ee"),
]


def test_who_played_which_role_when() -> None:
    assert story_from_run(TALE, STATUS).spans == (
        Span(0, "coordinator + memory", 100.0, 109.0),
        Span(1, "trainer", 100.0, 105.0),
        Span(2, "trainer", 100.0, 109.0),
        Span(3, "spare", 100.0, 106.0),
        Span(3, "trainer", 106.0, 109.0),
    )


def test_steps_done_again_stand_once() -> None:
    story = story_from_run(TALE, STATUS)
    assert story.losses == ((0, 8.0), (1, 7.0), (2, 6.5), (3, 6.0))
    assert dict(story.facts)["steps done again"] == "2"
    assert story.digest == "ee"


def test_deaths_promotions_and_copies_become_marks() -> None:
    marks = {(m.kind, m.rank, m.time) for m in story_from_run(TALE, STATUS).marks}
    assert ("death", 1, 105.0) in marks
    assert ("promotion", 3, 106.0) in marks
    assert ("snapshot", 2, 104.5) in marks
    assert ("promotion", 2, 101.0) not in marks


def test_a_failure_that_kills_nobody_ends_no_span() -> None:
    tale = list(TALE)
    tale[6] = FailureSeen(105.0, Step(3), (Rank(1),), "the copy on rank 1 failed", "go on", "full")
    story = story_from_run(tale, STATUS)
    assert Span(1, "trainer", 100.0, 109.0) in story.spans
    assert [failure.what for failure in story.failures] == ["the copy on rank 1 failed"]
    assert not [mark for mark in story.marks if mark.kind == "death"]


def test_a_relaunch_begins_new_spans() -> None:
    story = story_from_run([*TALE, opened(120.0, 2), committed(125.0, 4, 5.0)], STATUS)
    assert Span(2, "trainer", 100.0, 120.0) in story.spans
    assert Span(2, "trainer", 120.0, 125.0) in story.spans
    assert dict(story.facts)["starts of the job"] == "2"


def trained(step: int, *, skipped: bool = False) -> StepCommitted:
    return replace(
        committed(103.0 + step, step, -1.0 if skipped else 5.0),
        gradient_norm=-1.0 if skipped else 0.5 + step,
        learning_rate=0.01 * (step + 1),
        seconds=3.0,
        wait_seconds=1.0,
        redone=1,
    )


def test_norms_rates_skips_and_waits_are_told() -> None:
    tale = [opened(100.0), group(101.0, 1, (1,), 0), trained(0), trained(1, skipped=True)]
    story = story_from_run(tale, STATUS)
    assert (story.steps, story.skipped, story.losses) == (2, 1, ((0, 5.0),))
    facts = dict(story.facts)
    assert facts["updates"] == "1"
    assert facts["updates skipped"] == "1"
    assert facts["last gradient norm"] == "0.5, largest 0.5"
    assert facts["learning rate"] == "0.02, highest 0.02"
    assert facts["passes done again"] == "2"
    assert facts["waiting for blocks"] == "25.0 % of the time"
    shown = render_report(story)
    assert "1 of 2 steps had a gradient that is not finite" in shown
    assert "Most updates" not in shown
    assert "Most updates were skipped" in render_report(replace(story, skipped=2))


def test_the_loss_scale_of_float16_is_told_and_no_other() -> None:
    begun = [opened(100.0), group(101.0, 1, (1,), 0)]
    scales = (65_536.0, 16_384.0, 16_384.0, 32_768.0)
    steps = [replace(trained(n), loss_scale=scale) for n, scale in enumerate(scales)]
    facts = dict(story_from_run([*begun, *steps], STATUS).facts)
    assert facts["loss scale"] == "32,768, from 16,384 to 65,536; lowered 1, raised 1 times"
    assert "loss scale" not in dict(story_from_run([*begun, trained(0)], STATUS).facts)


def test_a_mean_of_an_old_version_that_counted_lanes_as_minus_one_is_taken_anew() -> None:
    old = replace(committed(102.0, 0, 1.0), lane_losses=(3.0, -1.0), loss=1.0)
    assert story_from_run([opened(100.0), old], STATUS).losses == ((0, 3.0),)


def test_what_the_user_gave_up_and_changed_is_told() -> None:
    begun = Hyperparameters(Step(0), 4, OptimizerSettings(learning_rate=0.01))
    lower = replace(begun, first_step=Step(1), optimizer=OptimizerSettings(learning_rate=0.005))
    back = replace(opened(110.0, 2), hyperparameters=(begun, lower), back_to=1)
    story = story_from_run([*TALE, back, committed(111.0, 1, 4.0)], STATUS)
    assert story.losses == ((0, 8.0), (1, 4.0))
    facts = dict(story.facts)
    assert facts["went back"] == "to step 1; 3 steps after it were given up"
    assert facts["changed"] == "from step 1 on: optimizer.learning_rate 0.01 -> 0.005"
    assert facts["steps done again"] == "2"
    assert story.roll_backs == ()
    told = RollBack(Step(3), Step(1), 8)
    again = story_from_run([*TALE, replace(back, roll_back=told)], STATUS)
    assert again.roll_backs == (told,)


def measured(time: float, step: int, nats: float) -> EvaluationDone:
    marks = [row_marks(Label("words"), RowLoss(nats), 1, 4)]
    return EvaluationDone(time, Step(step), 1.5, evaluation_of(step, marks, {"words": 1.0}))


def test_evaluations_that_stand_are_told_and_those_that_are_missing() -> None:
    tale: list[JournalRecord] = [
        opened(100.0),
        group(101.0, 1, (1, 2), 0),
        committed(102.0, 0, 8.0),
        measured(102.5, 1, 7.5),
        committed(103.0, 1, 7.0),
        measured(103.5, 2, 7.25),
        group(104.0, 2, (2, 3), 1),
        committed(105.0, 1, 7.0),
        measured(105.5, 2, 7.0),
        committed(106.0, 2, 6.0),
        EvaluationMissed(107.0, Step(3), "a rank died <before>"),
    ]
    story = story_from_run(tale, STATUS)
    assert [(e.step, e.loss.overall) for e in story.evaluations] == [(1, 7.5), (2, 7.0)]
    assert evaluations_of(tale) == story.evaluations
    assert [e.step for e in evaluations_of(tale[:7])] == [1]
    page = render_report(story)
    assert "source words" in page
    assert "before step 3: a rank died &lt;before&gt;" in page
    assert "are missing" in render_report(replace(story, evaluations=()))


def test_loads_of_experts_are_told_and_a_dense_run_has_no_word_of_them() -> None:
    assert "loads of experts" not in dict(story_from_run(TALE, STATUS).facts)
    loads = {0: ExpertLoads(0, 1.9, 0.1), 1: ExpertLoads(3, 1.25, 0.5, 0.02)}
    tale = [
        replace(record, experts=loads.get(record.step))
        if isinstance(record, StepCommitted)
        else record
        for record in TALE
    ]
    told = dict(story_from_run(tale, STATUS).facts)["loads of experts"]
    assert told.startswith("0.10 to 1.90 of the mean in the last 2 steps, 1.0 % dropped; ")
    assert told.endswith("least even at the end: layer 3")
