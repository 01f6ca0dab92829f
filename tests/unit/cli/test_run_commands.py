"""`qmpi train`, `audit`, `ingest`: what goes wrong before any rank starts."""

import json
from pathlib import Path

import pytest

from qmpi.cli.main import run


def test_train_wants_a_job_or_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(["train", "a.toml", "--resume", str(tmp_path)]) == 2
    assert "neither" in capsys.readouterr().err


def test_train_of_a_malformed_job_makes_no_run_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text("[train]\nstepz = 5\n")
    assert run(["train", "job.toml", "--json"]) == 2
    assert "train.steps" in json.loads(capsys.readouterr().out)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["job.toml"]


def test_resume_of_what_is_no_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--resume", str(tmp_path)]) == 2
    assert "job.toml" in capsys.readouterr().err


def test_audit_of_what_is_no_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["audit", str(tmp_path / "absent")])
    assert code in (2, 3)
    shown = capsys.readouterr().err
    assert "absent" in shown
    assert "Traceback" not in shown


def test_ingest_of_missing_paths_names_them_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ingest", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")]
    assert run(arguments) == 2
    shown = capsys.readouterr().err
    assert str(tmp_path / "a") in shown
    assert str(tmp_path / "b") in shown
    assert not (tmp_path / "c").exists()


def test_ingest_then_check_a_job_on_the_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.md"
    text.write_text("".join(f"Line {n} of the notes, {n * n} squared.\n" for n in range(400)))
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    corpus = tmp_path / "corpora" / "notes"
    arguments = ["ingest", str(text), str(tmp_path / "binary.txt"), "--out", str(corpus)]
    assert run([*arguments, "--vocab-size", "300", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["facts"]["documents"] == 1
    assert sum(answer["facts"]["left_out"].values()) == 1
    assert run(arguments) == 2
    assert "--force" in capsys.readouterr().err


def test_a_run_is_no_place_for_a_corpus_whatever_is_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.md").write_text("some notes")
    place = tmp_path / "run"
    (place / "checkpoints").mkdir(parents=True)
    (place / "job.toml").write_text("[job]\n")
    for force in ([], ["--force"]):
        assert run(["ingest", str(tmp_path / "notes.md"), "--out", str(place), *force]) == 2
        shown = capsys.readouterr().err
        assert "is not a corpus: it holds 'checkpoints'; choose another directory" in shown
        assert "--force" not in shown


def test_sample_of_what_is_no_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sample", str(tmp_path), "--prompt", "x"]) == 2
    assert "job.toml" in capsys.readouterr().err
    (tmp_path / "job.toml").write_text("[job]\n")
    assert run(["sample", str(tmp_path), "--prompt", "x", "--json"]) == 2
    assert "no checkpoint" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("option", [["--tokens", "0"], ["--temperature", "-1"], ["--seed", "-1"]])
def test_sample_refuses_options_out_of_range(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sample", str(tmp_path), *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize("ranks", ["0", "-1", "1000001"])
def test_train_refuses_ranks_that_no_job_has(
    ranks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "job.toml", "-n", ranks]) == 2
    assert "-n" in capsys.readouterr().err


def test_a_path_on_the_command_line_is_expanded_as_in_a_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for arguments in (["status", "~/run"], ["audit", "~/run"], ["sample", "~/run"]):
        run(arguments)
        assert str(tmp_path / "run") in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert run(["init", "-o", "~/job.toml"]) == 0
    assert (tmp_path / "job.toml").exists()
    # Word leaves such files beside its documents; a glob finds them.
    text = "".join(f"Line {n} of the draft, {n * n} squared.\n" for n in range(400))
    Path("~$draft.md").write_text(text)
    assert run(["ingest", "~$draft.md", "--out", "corpus", "--near-duplicates", "0"]) == 0


def test_from_scratch_is_for_a_run_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "job.toml", "--from-scratch"]) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--back-to", "3"], ["--replan"]])
def test_what_is_for_a_run_that_goes_on_is_refused_otherwise(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "job.toml", *option]) == 2
    assert f"{option[0]} is for a run that goes on: --resume RUN" in capsys.readouterr().err
