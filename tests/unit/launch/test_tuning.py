"""A tuning whose proxies are only played: what is written, what goes on, what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.load import parse_job
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, CorruptData, InputError, LaunchError
from qmpi.launch.tuning.prepare import Asked, Prepared, prepare_tuning
from qmpi.launch.tuning.run import Hands, Outcome, tune
from qmpi.policy.scoring import Label, evaluation_of, row_marks
from qmpi.protocol.evaluation import RowLoss
from qmpi.protocol.journal import EvaluationDone, EvaluationMissed
from qmpi.protocol.status import EndMarker
from qmpi.protocol.tuning import ProxyEnded, RungDecided, TuningJudged, TuningOpened
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.tuning_file import TuningFile

JOB = """
[job]
name = "small"
seed = 7
[train]
steps = 100000
[curriculum]
kind = "adaptive"
every_steps = 12
[[data.sources]]
kind = "content"
name = "sums"
type = "mathematics"
"""
Loss = Callable[[Settings], float]


def prepared(*overrides: str, kind: str = "adaptive", **asked: float) -> Prepared:
    settings = parse_job(JOB, overrides)
    options = {"candidates": 4, "share": 0.5, **asked}
    return prepare_tuning(settings, kind, Asked(**options))  # pyright: ignore[reportArgumentType]


def is_drawn(job: Settings) -> bool:
    rules = job.curriculum
    return rules.kind == "adaptive" and rules.least_progress != 1e-3


def by_draw(job: Settings, *, gain: float = 0.1) -> float:
    """A loss that is lower for draws, and changes with the seed and a little with the rule."""
    chance = job.job.seed % 97 / 97
    return 3.0 + chance - gain * is_drawn(job) + 1e-3 * job.curriculum.most * chance


class Player:
    """Writes what a proxy would leave, and counts how often each was trained."""

    def __init__(self, loss: Loss, stops: str = "") -> None:
        self.loss, self.stops, self.trained = loss, stops, list[str]()
        self.told: list[str] = []

    def train(self, job: Settings) -> EndMarker:
        name, steps = job.job.name, job.train.steps
        marker = EndMarker(
            state="finished", exit_code=0, step=steps, digest="ab" * 32, reason="", time=1.0
        )
        if name == self.stops:
            return replace(marker, state="stopped", exit_code=75, step=1, reason="asked to")
        self.trained.append(name)
        directory = RunDirectory(Path(job.job.run_dir))
        directory.create()
        marks = [row_marks(Label("sums", "mathematics"), RowLoss(self.loss(job)), 1, 1)]
        result = evaluation_of(steps, marks, {"sums": 1.0})
        with JournalWriter.open(directory.journal) as journal:
            journal.append([EvaluationDone(1.0, steps, 1.0, result)])  # pyright: ignore[reportArgumentType]
        return marker

    def hands(self) -> Hands:
        return Hands(self.train, self.told.append, lambda: 1.0)


def tuned(folder: Path, loss: Loss, plan: Prepared | None = None) -> tuple[Outcome, Player]:
    player = Player(loss)
    return tune(plan or prepared(), folder, player.hands()), player


def test_what_is_better_on_fresh_seeds_is_accepted_and_each_step_is_written_down(
    tmp_path: Path,
) -> None:
    outcome, player = tuned(tmp_path / "d", by_draw)
    assert outcome.state == "accepted"
    assert outcome.best.startswith("draw-")
    assert [gain.against for gain in outcome.gains] == ["job", "static"]
    records = TuningFile(tmp_path / "d" / "tuning.jsonl").records
    opened, *rest, last = records
    assert isinstance(opened, TuningOpened)
    assert isinstance(last, TuningJudged)
    assert (last.accepted, last.told) == (True, outcome.reason)
    ended = [record for record in rest if isinstance(record, ProxyEnded)]
    assert [record.name for record in ended] == player.trained
    assert len(ended) == 4 + 2 + 3 * 3
    assert len({record.name for record in ended}) == len(ended)
    assert [r.kept for r in rest if isinstance(r, RungDecided)][-1] == (outcome.best,)
    # The seeds that confirm it are not those that chose it.
    chose, confirm = (
        {e.seed for e in ended if e.name.startswith(kind)} for kind in ("rung-", "held-out-")
    )
    assert len(confirm) == 3
    assert not chose & confirm
    assert sum(record.tokens for record in ended) == outcome.tokens == opened.tokens
    assert all(record.told for record in records)


def test_what_is_no_better_is_not_accepted(tmp_path: Path) -> None:
    outcome, player = tuned(tmp_path / "same", lambda _: 3.0)
    assert (outcome.state, outcome.best) == ("kept", "job")
    assert outcome.reason == "no gain: keep the job's constants, the best of 4 candidates"
    # What the job has is the best of the halving: there is nothing to confirm.
    assert not any(name.startswith("held-out") for name in player.trained)
    assert outcome.tokens < prepared().tokens

    def lucky(job: Settings) -> float:
        return by_draw(job) if job.job.name.startswith("rung") else by_draw(job, gain=-0.1)

    outcome, _ = tuned(tmp_path / "lucky", lucky)
    assert outcome.state == "kept"
    assert outcome.best.startswith("draw-")
    assert outcome.reason.startswith("no gain: keep the job's constants; on 3 held-out seeds draw-")
    assert " nats a token worse than job (standard error 0.0" in outcome.reason


def test_static_data_are_a_candidate_and_what_a_static_job_keeps(tmp_path: Path) -> None:
    def better_static(job: Settings) -> float:
        return 2.0 if job.curriculum.kind == "static" else 3.0

    outcome, player = tuned(tmp_path / "adaptive", better_static)
    assert (outcome.state, outcome.best) == ("accepted", "static")
    assert [name for name in player.trained if name.startswith("held-out-1")] == [
        "held-out-1-static", "held-out-1-job",
    ]  # fmt: skip
    outcome, _ = tuned(tmp_path / "static", better_static, prepared(kind="static"))
    assert (outcome.state, outcome.reason) == (
        "kept", "no gain: keep static data, the best of 4 candidates",
    )  # fmt: skip


@pytest.mark.parametrize("stops", ["rung-1-static", "rung-2-draw-1", "held-out-2-job"])
def test_what_was_broken_off_goes_on_to_the_same_and_trains_nothing_twice(
    tmp_path: Path, stops: str
) -> None:
    def by_first(job: Settings) -> float:
        return by_draw(job) - 0.01 * ("draw-1" in job.job.name)

    whole, calm = tuned(tmp_path / "whole", by_first)
    struck = Player(by_first, stops)
    outcome = tune(prepared(), tmp_path / "d", struck.hands())
    assert outcome.state == "stopped"
    assert outcome.reason == f"proxy {stops} stopped at step 1: asked to"
    before, struck.stops = list(struck.trained), ""
    # Killed in the middle of a line.
    with (tmp_path / "d" / "tuning.jsonl").open("ab") as file:
        file.write(b'{"prev": "12')
    assert tune(prepared(), tmp_path / "d", struck.hands()) == whole
    assert struck.trained == calm.trained
    assert struck.trained[: len(before)] == before
    again, records = Player(by_first), TuningFile(tmp_path / "d" / "tuning.jsonl").records
    assert tune(prepared(), tmp_path / "d", again.hands()) == whole
    assert again.trained == []
    assert TuningFile(tmp_path / "d" / "tuning.jsonl").records == records


@pytest.mark.parametrize(
    ("overrides", "asked", "told"),
    [
        (["job.seed=8"], {}, "job.seed is 7, not 8"),
        (["curriculum.most=3"], {}, "curriculum.most is 4.0, not 3.0"),
        (["train.steps=99999"], {}, "train.steps is 100000, not 99999"),
        ([], {"candidates": 5}, "--candidates is 4, not 5"),
        ([], {"width": 32}, "--proxy-width is 64, not 32"),
        ([], {"seeds": 4}, "--seeds is 3, not 4"),
        ([], {"kind": "static"}, 'curriculum.kind is "adaptive", not "static"'),
    ],
)
def test_another_job_or_other_options_do_not_go_on(
    tmp_path: Path, overrides: list[str], asked: dict[str, float], told: str
) -> None:
    tune(prepared(), tmp_path, Player(by_draw, "rung-1-static").hands())
    other, player = prepared(*overrides, **asked), Player(by_draw)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="is another tuning") as refused:
        tune(other, tmp_path, player.hands())
    assert told in str(refused.value)
    assert player.trained == []


def test_a_share_may_be_another_when_a_tuning_goes_on(tmp_path: Path) -> None:
    tune(prepared(), tmp_path, Player(by_draw, "rung-1-static").hands())
    assert tune(prepared(share=0.9), tmp_path, Player(by_draw).hands()).state == "accepted"


def test_what_is_too_dear_is_refused_with_what_would_fit() -> None:
    plan = prepared(candidates=8, seeds=5)
    share = plan.tokens / plan.whole
    with pytest.raises(ConfigError, match="what fits is --candidates") as refused:
        prepared(candidates=8, seeds=5, share=0.8 * share)
    words = str(refused.value)
    fit = int(words.split("--candidates ")[1].split()[0])
    assert prepared(candidates=fit, share=0.8 * share).tokens < 0.8 * share * plan.whole
    assert prepared(candidates=8, seeds=5, share=float(words.split("--share ")[-1]))
    with pytest.raises(ConfigError, match=r"and --share 1 allows 1: nothing fits"):
        prepared("train.steps=200", share=1.0)
    with pytest.raises(ConfigError, match="what fits is --share"):
        prepared(share=1e-6)
    # Exactly as much as is allowed is not below it.
    with pytest.raises(ConfigError):
        prepared(candidates=8, seeds=5, share=share)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other files, as 'notes.txt'"):
        tuned(tmp_path, by_draw)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_record_that_was_changed_is_refused(tmp_path: Path) -> None:
    tune(prepared(), tmp_path, Player(by_draw, "rung-1-draw-1").hands())
    path = tmp_path / "tuning.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b'"steps":72', b'"steps":73'), lines[2]]))
    with pytest.raises(CorruptData, match=r"line 2 was changed"):
        tuned(tmp_path, by_draw)
    path.write_bytes(b"".join([lines[0], lines[2]]))
    with pytest.raises(CorruptData, match=r"line 2 was changed, or does not follow"):
        tuned(tmp_path, by_draw)


def test_a_proxy_that_fails_or_is_not_measured_ends_the_tuning_and_names_it(
    tmp_path: Path,
) -> None:
    class Failing(Player):
        def train(self, job: Settings) -> EndMarker:
            marker = super().train(job)
            return replace(marker, state="failed", exit_code=3, reason="no room")

    with pytest.raises(LaunchError, match="proxy rung-1-job failed at step 72: no room"):
        tune(prepared(), tmp_path / "failed", Failing(by_draw).hands())

    class Unmeasured(Player):
        def train(self, job: Settings) -> EndMarker:
            directory = RunDirectory(Path(job.job.run_dir))
            directory.create()
            steps = job.train.steps
            with JournalWriter.open(directory.journal) as journal:
                journal.append([EvaluationMissed(1.0, steps, "a corpus is away")])  # pyright: ignore[reportArgumentType]
            return EndMarker(
                state="finished", exit_code=0, step=steps, digest="", reason="", time=1.0
            )

    with pytest.raises(LaunchError, match="was not measured at its end: a corpus is away"):
        tune(prepared(), tmp_path / "unmeasured", Unmeasured(by_draw).hands())
