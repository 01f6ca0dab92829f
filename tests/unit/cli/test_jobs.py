"""`qmpi init` and `qmpi check`: a first job without reading the manual."""

import json
from pathlib import Path

import pytest

from qmpi.cli.main import run
from qmpi.config.load import load_job
from qmpi.config.presets import PRESETS
from qmpi.planning.sizes import SIZES


def test_init_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = tmp_path / "my job.toml"
    assert run(["init", "--preset", "demo", "-o", str(job)]) == 0
    assert "qmpi check" in capsys.readouterr().out
    assert run(["check", str(job), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["steps"] == 60
    assert facts["tokens_a_step"] == 6 * 4 * 128
    assert facts["tokens"] == 60 * 6 * 4 * 128
    assert facts["ranks"] == 9
    assert facts["roles"] == {
        "coordinator": 1,
        "generator": 1,
        "memory": 2,
        "trainer": 3,
        "replica": 1,
        "spare": 1,
    }


@pytest.mark.parametrize(
    ("tokenizer", "rows", "needed"), [("", 4095, 4096), ("builtin:content", 4096, 32_768)]
)
def test_a_model_with_fewer_rows_than_the_tokenizer_has_ids_is_refused(
    tokenizer: str,
    rows: int,
    needed: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    job = tmp_path / "job.toml"
    assert run(["init", "--preset", "demo", "-o", str(job)]) == 0
    sets = ["--set", f"data.tokenizer={tokenizer}", "--set", f"model.vocab_size={rows}"]
    for command in ("check", "train"):
        assert run([command, str(job), *sets]) == 2
        assert f"model.vocab_size is {rows}; raise it to at least {needed}" in (
            capsys.readouterr().err
        )
    # Nothing was made for it.
    assert not (tmp_path / "cache").exists()
    sets[-1] = f"model.vocab_size={needed}"
    assert run(["check", str(job), *sets]) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_init_on_standard_output_is_a_job(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--preset", name]) == 0
    job = tmp_path / "job.toml"
    job.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_job(job).job.name == name


def test_init_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = tmp_path / "job.toml"
    job.write_text("mine")
    assert run(["init", "-o", str(job)]) == 2
    assert "--force" in capsys.readouterr().err
    assert job.read_text() == "mine"
    assert run(["init", "-o", str(job), "--force"]) == 0
    assert job.read_text() != "mine"


def test_init_for_scripts_prints_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--preset", "demo", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    job = tmp_path / "job.toml"
    job.write_text(answer["text"], encoding="utf-8")
    assert load_job(job).job.name == answer["preset"] == "demo"


@pytest.mark.parametrize(
    "choice", [("--size", "1M"), ("--size", "1T"), ("--depth", "5"), ("--depth", "48")]
)
def test_a_size_or_a_depth_is_a_job_that_check_and_plan_take(
    choice: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    assert run(["init", *choice, "-o", str(job)]) == 0
    capsys.readouterr()
    assert run(["check", str(job), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tokens"] == pytest.approx(20 * facts["parameters"], rel=0.02)
    assert facts["optimizer"] == "muon"
    assert run(["plan", str(job), "--machine", "h100", "--ranks", "64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == facts["parameters"]


def test_sizes_are_offered_by_name_and_one_dial_excludes_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["init", "--size", "2M"]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in SIZES)
    assert run(["init", "--size", "4M", "--depth", "4"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert run(["init", "--depth", "0"]) == 2
    assert run(["init", "--depth", "401"]) == 2
    assert "400" in capsys.readouterr().err


def test_check_says_what_the_schedule_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text('[optimizer]\nschedule = "wsd"\nmin_ratio = 0.1\nlearning_rate = 0.01\n')
    assert run(["check", str(job)]) == 0
    said = "wsd: climbs to 0.01 over 20 steps, falls from step 160 on to 0.001 at step 199"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("output", [".", "/"])
def test_init_does_not_write_a_directory(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "-o", output, "--force"]) == 2
    assert "is a directory" in capsys.readouterr().err


def test_init_into_a_directory_that_is_not_there_is_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "-o", str(tmp_path / "absent" / "job.toml")]) == 3
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8, 9, 64, 8000])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_legal_on_any_number_of_ranks(
    name: str, ranks: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    run(["init", "--preset", name, "-o", str(job)])
    capsys.readouterr()
    if ranks < load_job(job).parallel.team_size:
        assert run(["check", str(job), "-n", str(ranks)]) == 2
        assert "a team of 4 ranks does not fit" in capsys.readouterr().err
        return
    assert run(["check", str(job), "-n", str(ranks), "--json"]) == 0
    roles = json.loads(capsys.readouterr().out)["roles"]
    assert sum(roles.values()) >= ranks
    assert all(roles[role] >= 1 for role in ("coordinator", "memory", "trainer", "replica"))


def test_check_tells_all_mistakes_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text("[train]\nstepz = 5\n[model]\nheads = 0\n")
    assert run(["check", str(job)]) == 2
    shown = capsys.readouterr().err
    assert "train.steps" in shown
    assert "model.heads" in shown


def test_check_takes_overrides_and_a_run_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text("")
    arguments = ["check", str(job), "--set", "train.steps=7", "--set", "train.lanes=2"]
    assert run([*arguments, "--run-dir", "x y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 7
    assert run([*arguments, "--set", "train.steps=-7"]) == 2
    assert "train.steps = -7" in capsys.readouterr().err


@pytest.mark.parametrize("ranks", ["0", "-1", "1000001", "many"])
def test_check_refuses_ranks_that_no_job_has(
    ranks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text("")
    assert run(["check", str(job), "-n", ranks]) == 2
    assert "-n" in capsys.readouterr().err


def test_check_of_any_model_answers_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.toml"
    job.write_text("[model]\nlayers = 10000\nwidth = 1048576\n")
    assert run(["check", str(job), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] > 10**15
