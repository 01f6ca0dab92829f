from qmpi.monitor.story import Span, story_from_run
from qmpi.protocol.journal import (
    FailureSeen,
    GenerationOpened,
    JournalRecord,
    RunOpened,
    SnapshotKept,
    StepCommitted,
)
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
