"""`qmpi evaluate` on runs that were never trained: what it measures, keeps, and refuses."""

import json
import math
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from msgspec.structs import replace

from qmpi.cli import evaluate, status
from qmpi.cli.main import run as command
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.content import problems
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.launch.evaluate import Asked, evaluate_run, why_no_problem
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.policy.stream import first_recipe
from qmpi.protocol.evaluation import Evaluation, Scores
from qmpi.protocol.journal import RunOpened
from qmpi.protocol.token_kinds import AnswerLines
from qmpi.storage.evaluation_file import evaluation_path, read_evaluations
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import SnapshotHeader, digest_of, write_snapshot
from qmpi.storage.snapshot_store import snapshot_path
from qmpi.training.evaluation import Evaluator
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.sample import load_model
from qmpi.units import Step

LENGTH = 192
MODEL = ModelSettings(vocab_size=400, layers=1, width=16, heads=2, kv_heads=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(2)
    words = " ".join(str(chance.randrange(10**6)) for _ in range(30_000))
    (folder / "text.txt").write_text(words)
    ingest_corpus(
        [folder / "text.txt"], folder / "c", IngestOptions(vocab_size=400), lambda _: None
    )
    return folder / "c"


@pytest.fixture
def run(tmp_path: Path, corpus: Path) -> Path:
    settings = Settings(
        model=MODEL,
        train=TrainSettings(steps=2, lanes=2, sequences=2, sequence_tokens=LENGTH),
        evaluation=EvaluationSettings(held_out=0.1),
        data=DataSettings(
            sources=(
                CorpusSource(name="words", path=str(corpus), weight=3.0),
                ContentSource(name="sums", type="mathematics", max_level=20),
            )
        ),
    )
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    directory.job.write_text(dump_toml(settings))
    settings = load_job(directory.job)
    recipes = (first_recipe([3.0, 1.0], 0),)
    facts = Sources(settings, tmp_path).open()
    with JournalWriter.open(directory.journal) as writer:
        digest = settings_digest(settings)
        writer.append([RunOpened(0.0, "r", 1, digest, facts, recipes, "", 2, 1)])
    for step in (1, 2):
        keep_checkpoint(directory, step)
    return directory.root


def keep_checkpoint(directory: RunDirectory, step: int, seed: int | None = None) -> None:
    payload = state(step if seed is None else seed, step)
    header = SnapshotHeader(step=step, size=len(payload), digest=digest_of([payload]), run_id="r")
    write_snapshot(snapshot_path(directory.checkpoints, step), header, [payload], durable=False)


def state(seed: int, step: int) -> bytes:
    model = Transformer(MODEL)
    flat = FlatState(state_layout(Settings(model=MODEL)), torch.device("cpu"))
    flat.adopt(model)
    initialise(model, MODEL, seed)
    flat.set_counters(step, step, 0)
    return b"".join(flat.to_parts())


def evaluated(run: Path, asked: Asked) -> tuple[Evaluation, list[str]]:
    """Return the result and what was done for it."""
    done: list[str] = []
    result = evaluate_run(run, asked, run.parent, done.append, lambda what, *_: done.append(what))
    return result, done


def test_all_is_measured_by_source_type_and_band(run: Path) -> None:
    result, _ = evaluated(run, Asked(tokens=6000, problems=4, leaks=True))
    assert result.step == 2
    assert set(result.loss.source) == {"words", "sums"}
    assert set(result.loss.type) == {"mathematics"}
    assert sum(told.problems for told in result.levels) == result.problems.overall
    assert all(told.type == "mathematics" and 1 <= told.level <= 20 for told in result.levels)
    assert set(result.loss.band) == {"beginner", "elementary"}
    assert result.loss.overall == pytest.approx(
        (3 * result.loss.source["words"] + result.loss.source["sums"]) / 4
    )
    # Weights that know nothing: a token costs about the logarithm of their number.
    assert result.loss.overall == pytest.approx(math.log(400), rel=0.05)
    for name, loss in result.loss.source.items():
        assert 0 < result.bits_per_byte.source[name] < loss / math.log(2)
    assert result.accuracy.overall == 0.0
    assert result.problems.overall == result.problems.source["sums"] == 4
    assert result.tokens.overall == sum(result.tokens.source.values()) >= 6000
    assert result.leaked_rows == 0


def test_what_was_measured_is_kept_until_something_changes(run: Path) -> None:
    asked = Asked(tokens=400, problems=0)
    first, done = evaluated(run, asked)
    assert done
    assert evaluated(run, asked) == (first, [])
    assert evaluated(run, replace(asked, again=True))[1]
    assert evaluated(run, replace(asked, tokens=800))[1]
    assert evaluated(run, replace(asked, step=1))[0].step == 1
    assert [kept.result.step for kept in read_evaluations(run / "evaluations")] == [1, 2]
    assert evaluated(run, replace(asked, step=1))[1] == []
    keep_checkpoint(RunDirectory(run), 1, seed=9)
    assert evaluated(run, replace(asked, step=1))[1]


def test_a_damaged_result_is_measured_again(run: Path) -> None:
    asked = Asked(tokens=400, problems=0)
    first, _ = evaluated(run, asked)
    path = next((run / "evaluations").glob("*.json"))
    path.write_bytes(path.read_bytes()[:20])
    assert read_evaluations(run / "evaluations") == []
    again, done = evaluated(run, asked)
    assert again == first
    assert done


def test_a_damaged_checkpoint_gives_way_to_an_older_one_unless_it_was_named(run: Path) -> None:
    newest = snapshot_path(run / "checkpoints", 2)
    data = bytearray(newest.read_bytes())
    data[-5] ^= 1
    newest.write_bytes(data)
    result, said = evaluated(run, Asked(tokens=400, problems=0))
    assert result.step == 1
    assert any(newest.name in words for words in said)
    with pytest.raises(CorruptData):
        evaluated(run, Asked(step=2, tokens=400, problems=0))


@pytest.mark.parametrize("blocked", ["folder", "file"])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_result_that_cannot_be_kept_is_shown_all_the_same(
    run: Path, blocked: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    # Root writes anywhere, so something stands in the way.
    folder = run / "evaluations"
    if blocked == "folder":
        folder.write_text("a file")
    else:
        evaluation_path(folder, Step(2)).mkdir(parents=True)
    arguments = ["evaluate", str(run), "--tokens", "400", "--problems", "0"]
    assert command([*arguments, *(["--json"] if as_json else [])]) == 0
    said = capsys.readouterr()
    assert "not kept" in said.err
    assert str(folder) in said.err
    if as_json:
        assert json.loads(said.out)["loss"]["overall"] > 1.0
    else:
        assert "source words" in said.out


def only(run: Path, corpus: Path, kind: type, tokens: int = LENGTH) -> None:
    """Leave sources of one kind in the job of a run."""
    job = load_job(run / "job.toml")
    kept = tuple(source for source in job.data.sources if isinstance(source, kind))
    data = replace(job.data, sources=kept, tokenizer=str(corpus))
    train = replace(job.train, sequence_tokens=tokens)
    (run / "job.toml").write_text(dump_toml(replace(job, train=train, data=data)))


def test_problems_alone_of_a_run_that_sets_none_are_refused_before_anything_is_measured(
    run: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        pytest.fail("something was measured")

    only(run, corpus, CorpusSource)
    with pytest.raises(InputError, match=r"no generated source.*--tokens N"):
        evaluate_run(run, Asked(tokens=0, problems=5), run, fail, fail)
    assert command(["evaluate", str(run), "--tokens", "0", "--problems", "5"]) == 2
    said = capsys.readouterr()
    assert "no generated source" in said.err
    assert not said.out
    assert not (run / "evaluations").exists()


def test_problems_that_do_not_fit_are_no_result(
    run: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "BARREN", 5)
    only(run, corpus, ContentSource, tokens=8)
    with pytest.raises(InputError, match="none that fits a sequence of 8 tokens"):
        evaluated(run, Asked(tokens=0, problems=2))
    assert not (run / "evaluations").exists()


@pytest.mark.parametrize(
    ("source", "asked", "answered", "said"),
    [
        (ContentSource, 0, None, ""),
        (CorpusSource, 0, None, ""),
        (CorpusSource, 2, None, "no generated source"),
        (ContentSource, 2, None, "none that fits"),
        (ContentSource, 2, 2.0, ""),
    ],
)
def test_why_there_are_no_answers_is_told_in_the_right_words(
    run: Path, corpus: Path, source: type, asked: int, answered: float | None, said: str
) -> None:
    only(run, corpus, source)
    none = Scores(None, {}, {}, {})
    result = Evaluation(2, none, none, none, none, replace(none, overall=answered))
    told = why_no_problem(run, Asked(problems=asked), result)
    assert bool(told) == bool(said)
    assert said in told


def test_nothing_is_said_of_problems_that_nobody_asked_for(
    run: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only(run, corpus, CorpusSource)
    for number, said in (("0", False), ("2", True)):
        assert command(["evaluate", str(run), "--tokens", "400", "--problems", number]) == 0
        assert ("no problem" in capsys.readouterr().out) == said


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(step=7), "no checkpoint of step 7; there are 1, 2"),
        (Asked(tokens=0, problems=0), "nothing to measure"),
        (Asked(tokens=0, problems=4, leaks=True), "ask for some, --tokens N"),
    ],
)
def test_what_cannot_be_measured_is_told(run: Path, asked: Asked, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluated(run, asked)


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the directory of a run"):
        evaluated(tmp_path, Asked())
    (tmp_path / "begun.toml").write_text("a")
    with pytest.raises(InputError, match=r"has lost its job\.toml"):
        evaluated(tmp_path, Asked())
    (tmp_path / "begun.toml").unlink()
    (tmp_path / "job.toml").touch()
    with pytest.raises(InputError, match=r"job\.toml is empty"):
        evaluated(tmp_path, Asked())


def test_the_command_prints_a_table_or_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(run), "--tokens", "400", "--problems", "2"]
    assert command([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for name in ("loss", "bits_per_byte", "accuracy"):
        assert set(told[name]) == {"overall", "source", "type", "band"}
    assert set(told["accuracy"]["source"]) == {"sums"}
    assert command(arguments) == 0
    shown = capsys.readouterr().out
    for words in ("source words", "source sums", "type mathematics", "band beginner", "overall"):
        assert words in shown
    assert command([*arguments, "--step", "5", "--json"]) == 2
    assert "there are 1, 2" in json.loads(capsys.readouterr().out)["error"]


def test_following_measures_each_checkpoint_and_ends_with_the_run(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter(("running", "running", "running", "finished"))
    monkeypatch.setattr(status, "read", lambda _: SimpleNamespace(state=next(rounds)))
    monkeypatch.setattr(evaluate.time, "sleep", lambda _: keep_checkpoint(RunDirectory(run), 3))
    arguments = ["evaluate", str(run), "--tokens", "400", "--problems", "0", "--json"]
    assert command([*arguments, "--follow"]) == 0
    told = [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()]
    assert told == [2, 3]
    assert command([*arguments, "--follow", "--step", "1"]) == 2


def test_the_loss_of_rows_is_the_loss_that_training_has() -> None:
    settings = Settings(model=MODEL, train=TrainSettings(sequence_tokens=16))
    payload = state(3, 5)
    evaluator = Evaluator(load_model(settings, [memoryview(payload)]), 16)
    ids = torch.randint(0, 400, (7, 17), generator=torch.Generator().manual_seed(1))
    block = ids.numpy().astype("<u2").tobytes()
    model = Transformer(MODEL)
    initialise(model, MODEL, 3)
    mean = model.loss(ids[:, :-1], ids[:, 1:]).item()
    told: list[int] = []
    losses = evaluator.row_losses(block, 7, told.append)
    assert sum(losses) / (7 * 16) == pytest.approx(mean, rel=1e-5)
    assert sum(told) == 7


def test_the_loss_of_answers_is_that_of_their_tokens_alone() -> None:
    settings = Settings(model=MODEL, train=TrainSettings(sequence_tokens=16))
    model = load_model(settings, [memoryview(state(3, 5))])
    ids = torch.randint(20, 400, (3, 17), generator=torch.Generator().manual_seed(1))
    # A line break, an opening of two ids, an answer of three, a line break.
    ids[1, 4:7], ids[1, 10] = torch.tensor([9, 7, 8]), 9
    evaluator = Evaluator(model, 16, answers=AnswerLines(((7, 8),), (9,)))
    told = evaluator.measured(ids.numpy().astype("<u2").tobytes(), 3, lambda _: None)
    each = torch.nn.functional.cross_entropy(
        model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    ).view(3, 16)
    assert [loss.answers for loss in told] == [0, 3, 0]
    assert [loss.answer_nats for loss in told] == [0.0, pytest.approx(each[1, 6:9].sum().item()), 0]
    assert told[1].nats == pytest.approx(each[1].sum().item())
