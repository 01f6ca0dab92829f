"""`qmpi curriculum --reference` and `--against`: what is made of runs, told of one, and refused."""

import json
import os
from pathlib import Path
from time import time

import pytest
from msgspec.structs import replace

from qmpi.cli.main import run
from qmpi.cli.train import hold_against
from qmpi.config.load import load_job, settings_digest
from qmpi.errors import InputError
from qmpi.launch.train import prepare_run
from qmpi.policy.scoring import Label, answer_marks, evaluation_of
from qmpi.protocol.hyperparameters import first_hyperparameters
from qmpi.protocol.journal import (
    EvaluationDone,
    HyperparametersChanged,
    JournalRecord,
    RunOpened,
    StepCommitted,
)
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.status_file import write_end, write_status
from qmpi.units import Step
from tests.unit.launch.balanced_runs import STEPS, TYPES, job_of, write_run

SEEDS = range(1, 8)


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("balanced")
    return [write_run(root / str(seed), job_of(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def reference(balanced: list[Path]) -> Path:
    path = balanced[0].parent / "small.json"
    assert run(["curriculum", "--reference", str(path), *named(balanced)]) == 0
    return path


def named(runs: list[Path]) -> list[str]:
    return [word for each in runs for word in ("--run", str(each))]


def rewrite(root: Path, records: list[JournalRecord]) -> None:
    (root / "journal.jsonl").unlink()
    with JournalWriter.open(root / "journal.jsonl") as writer:
        writer.append(records)


def said(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert run(["curriculum", *words]) == code
    told = capsys.readouterr()
    return told.err if code else told.out


def test_a_reference_tells_what_it_is_made_of(
    balanced: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ref.json"
    text = said(["--reference", str(path), *named(balanced)], capsys)
    tokens = STEPS * 2 * 4 * 64
    assert text.splitlines()[0] == f"{path}: 7 runs of {tokens:,} tokens"
    assert "  mathematics: 2.0" in text
    assert len(path.read_bytes()) < 60_000
    told = json.loads(said(["--reference", str(path), *named(balanced), "--json"], capsys))
    assert told == {"reference": str(path), "runs": 7, "tokens": tokens, "types": [*TYPES]}


def test_a_balanced_run_is_balanced(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "run", job_of(50))
    text = said(["--run", str(other), "--against", str(reference)], capsys)
    assert text.splitlines()[-1] == "balanced: no type stands out beside 7 runs"


@pytest.mark.parametrize("kind", ["static", "adaptive"])
def test_types_that_stand_out_are_named(
    kind: str, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = job_of(50, f"curriculum.kind={kind}")
    sources = (replace(settings.data.sources[0], weight=10.0), *settings.data.sources[1:])
    settings = replace(settings, data=replace(settings.data, sources=sources))
    other = write_run(tmp_path / "run", settings, {"mathematics": 0.6, "creative": -0.3})
    words = ["--run", str(other), "--against", str(reference)]
    lines = said(words, capsys).splitlines()
    assert lines[-2].startswith("specialised: mathematics (loss 0.5")
    assert " below the reference, z = -" in lines[-2]
    assert lines[-1].startswith("weak: code (loss 0.1")
    assert ", creative (loss 0.4" in lines[-1]
    told = json.loads(said([*words, "--json"], capsys))["specialisation"]
    assert (told["specialised"], told["weak"]) == (["mathematics"], ["code", "creative"])
    assert [each["type"] for each in told["types"]] == ["mathematics", "code", "creative"]
    assert (told["runs"], told["step"], told["is_judged"]) == (7, STEPS, True)


def test_a_run_on_its_way_is_not_judged(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "run", job_of(50), {"mathematics": 0.6}, steps=STEPS // 2)
    text = said(["--run", str(other), "--against", str(reference)], capsys)
    assert text.splitlines()[-1].startswith("not judged: a run is judged at its end: 10,240 of")
    assert "mathematics" in text.splitlines()[-5]


def test_the_reference_of_the_job_is_taken_and_the_status_tells_of_it(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = job_of(50, f'curriculum.reference="{reference}"')
    other = write_run(tmp_path / "run", settings, {"code": 0.6})
    told = StatusReport(
        state="finished", step=STEPS, steps=STEPS, tokens=0, tokens_per_second=0.0, loss=None,
        digest="", generation=1, failures=(), ranks=(), name="small",
    )  # fmt: skip
    write_status(other, told)
    write_end(other, EndMarker(
        state="finished", exit_code=0, step=STEPS, digest="", reason="", time=time(),
    ))  # fmt: skip
    assert run(["status", str(other)]) == 0
    assert "specialised" not in capsys.readouterr().out
    assert "specialised: code (loss 0.4" in said(["--run", str(other)], capsys)
    assert run(["status", str(other)]) == 0
    assert "specialised  code (loss 0.4" in capsys.readouterr().out
    assert run(["status", str(other), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["specialisation"]["specialised"] == ["code"]
    write_status(other, replace(told, step=STEPS + 1))
    assert run(["status", str(other)]) == 0
    assert "specialised" not in capsys.readouterr().out


def test_a_run_that_ends_is_held_against_the_reference_of_its_job(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = job_of(50, f'curriculum.reference="{reference}"')
    root = write_run(tmp_path / "run", settings, {"code": 0.6})
    settings = load_job(root / "job.toml")
    hold_against(settings, quiet=False)
    assert "specialised: code (loss 0.4" in capsys.readouterr().out
    assert (root / "specialisation.json").exists()
    lost = write_run(tmp_path / "lost", job_of(50, 'curriculum.reference="/nowhere.json"'))
    hold_against(load_job(lost / "job.toml"), quiet=False)
    assert "is not held against its reference: there is no reference" in capsys.readouterr().err


def test_a_job_that_cannot_be_held_against_its_reference_does_not_start(
    reference: Path, tmp_path: Path
) -> None:
    def prepared(*overrides: str) -> None:
        run_dir = f"job.run_dir={tmp_path / 'new'}"
        prepare_run(job_of(50, run_dir, *overrides), 6, os.environ)

    named = f'curriculum.reference="{reference}"'
    prepared(named)
    with pytest.raises(InputError, match="there is no reference"):
        prepared('curriculum.reference="/nowhere.json"')
    with pytest.raises(InputError, match=r"is another: train\.steps is 40, not 50"):
        prepared(named, "train.steps=50")


def test_a_reference_is_no_part_of_what_a_run_is() -> None:
    for kind in ("static", "adaptive"):
        plain = job_of(50, f"curriculum.kind={kind}")
        other = job_of(50, f"curriculum.kind={kind}", 'curriculum.reference="x.json"')
        assert settings_digest(plain) == settings_digest(other)


def test_problems_solved_are_told_by_ten_levels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_run(tmp_path / "run", job_of(50))
    label = Label("mathematics", "mathematics", "beginner", 7)
    marks = [answer_marks(label, right=right) for right in (True, False, False, False)]
    done = EvaluationDone(9.0, Step(20), 1.0, evaluation_of(20, marks, {}))
    with JournalWriter.open(root / "journal.jsonl") as writer:
        writer.append([done])
    assert "levels 1-10     25.0%  of 4" in said(["--run", str(root)], capsys)
    told = json.loads(said(["--run", str(root), "--json"], capsys))
    assert told["solved"] == [{"first": 1, "last": 10, "right": 1, "problems": 4}]
    assert run(["report", str(root)]) == 3  # no status: nothing has run here
    capsys.readouterr()


def test_runs_that_differ_in_more_than_their_seed_make_no_reference(
    balanced: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(other: Path, runs: list[Path] = balanced) -> str:
        words = ["--reference", str(tmp_path / "ref.json"), *named([*runs, other])]
        return said(words, capsys, code=2)

    assert "5 finished runs or more" in refused(balanced[0], balanced[1:4])
    assert "both have seed 1" in refused(balanced[0])
    longer = write_run(tmp_path / "longer", job_of(50, "train.steps=41"), steps=41)
    assert "train.steps is 40, not 41" in refused(longer)
    wider = write_run(tmp_path / "wider", job_of(50, "model.width=512"))
    assert "model.width" in refused(wider)
    short = write_run(tmp_path / "short", job_of(50), steps=STEPS - 1)
    assert f"has 39 of {STEPS} steps" in refused(short)
    adaptive = write_run(tmp_path / "adaptive", job_of(50, "curriculum.kind=adaptive"))
    assert "follow its losses" in refused(adaptive)
    silent = write_run(tmp_path / "silent", job_of(50))
    records = [
        replace(record, sources=()) if isinstance(record, StepCommitted) else record
        for record in read_journal(silent / "journal.jsonl")
    ]
    rewrite(silent, records)
    assert "does not tell losses by source" in refused(silent)
    assert not (tmp_path / "ref.json").exists()


def test_what_cannot_be_held_against_a_reference_is_refused(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(other: Path, path: Path = reference) -> str:
        return said(["--run", str(other), "--against", str(path)], capsys, code=2)

    plain = write_run(tmp_path / "plain", job_of(50))
    assert "there is no reference" in refused(plain, tmp_path / "nowhere.json")
    (tmp_path / "other.json").write_text("{}")
    assert "is no reference" in refused(plain, tmp_path / "other.json")
    wider = write_run(tmp_path / "wider", job_of(50, "model.width=512"))
    assert "model.width is" in refused(wider)
    settings = job_of(50)
    fewer = replace(settings, data=replace(settings.data, sources=settings.data.sources[:2]))
    assert "other levels or languages of creative" in refused(write_run(tmp_path / "fewer", fewer))
    old = write_run(tmp_path / "old", settings)
    records = [
        replace(record, sources=tuple(replace(fact, digest="00") for fact in record.sources))
        if isinstance(record, RunOpened)
        else record
        for record in read_journal(old / "journal.jsonl")
    ]
    rewrite(old, records)
    assert "have trained on other content of mathematics, code, creative" in refused(old)
    changed = write_run(tmp_path / "changed", settings)
    records = list(read_journal(changed / "journal.jsonl"))
    slower = replace(settings.optimizer, learning_rate=1e-5)
    log = first_hyperparameters(settings)
    told = HyperparametersChanged(
        5.0, Step(20), (log, replace(log, first_step=Step(20), optimizer=slower)), "slower"
    )
    rewrite(changed, [*records, told])
    assert "was changed on its way: from step 20 on: optimizer.learning_rate" in refused(changed)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--reference", "R"], "name a job, or a run with --run"),
        (["--reference", "R", "--against", "R", "--run", "X"], "--reference is made of runs alone"),
        (["--run", "X", "--run", "X"], "one run at a time"),
    ],
)
def test_options_that_do_not_go_together(
    words: list[str], told: str, balanced: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(balanced[0]) if word == "X" else word for word in words]
    assert told in said(words, capsys, code=2)
