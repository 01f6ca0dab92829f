"""`qmpi curriculum JOB --tune DIR`: options, what is told and what is written; runs are played."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.launch.test_tuning import JOB, Player, by_draw

from qmpi.cli import train
from qmpi.cli.main import run
from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.launch.train import Asked
from qmpi.protocol.status import EndMarker

TUNE = ["--candidates", "4", "--share", "0.5"]


@pytest.fixture
def job(tmp_path: Path) -> str:
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return str(path)


def play(monkeypatch: pytest.MonkeyPatch, player: Player) -> list[int | None]:
    """Let a player train in place of ranks; returns where the ranks of each proxy are noted."""
    ranks: list[int | None] = []

    def run_supervised(settings: Settings, asked: Asked, **_: object) -> EndMarker:
        ranks.append(asked.ranks)
        return player.train(settings)

    monkeypatch.setattr(train, "run_supervised", run_supervised)
    return ranks


def told(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run(["curriculum", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_what_is_accepted_is_printed_and_written_as_a_job(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ranks, folder = play(monkeypatch, Player(by_draw)), tmp_path / "d"
    found = told([job, "--tune", str(folder), *TUNE, "-n", "3"], capsys)
    assert set(ranks) == {3}
    assert list(found) == [
        "tuning", "best", "reason", "gains", "candidates", "tokens", "job_tokens", "curriculum",
        "job",
    ]  # fmt: skip
    assert (found["tuning"], found["tokens"] < 0.5 * found["job_tokens"]) == ("accepted", True)
    assert found["job"] == str(folder / "small.toml")
    (best,) = (each for each in found["candidates"] if each["candidate"]["name"] == found["best"])
    written, before = load_job(folder / "small.toml"), load_job(Path(job))
    constants = best["candidate"]["constants"]
    assert {name: getattr(written.curriculum, name) for name in constants} == constants
    assert all(line.partition(" = ")[0] in constants for line in found["curriculum"])
    assert len(best["held_out"]) == 3
    assert written.data == before.data
    # Asked again: nothing is trained, and people read the same in words.
    assert run(["curriculum", job, "--tune", str(folder), *TUNE]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:3] == ["candidate", "every_steps", "placebo_share"]
    assert found["reason"] in shown
    assert shown[shown.index("[curriculum]") + 1 : -1] == found["curriculum"]
    assert len(ranks) == 4 + 2 + 9


def test_a_static_job_becomes_adaptive_by_what_is_accepted(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(monkeypatch, Player(lambda s: float(s.curriculum.kind == "static")))
    static = [job, "--set", "curriculum.kind=static", "--tune", str(tmp_path / "d"), *TUNE]
    found = told(static, capsys)
    assert (found["best"], found["curriculum"]) == ("job", ['kind = "adaptive"'])
    assert load_job(tmp_path / "d" / "small.toml") == load_job(Path(job))


def test_without_a_gain_nothing_is_written_and_a_stop_is_to_be_queued_again(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    player = Player(lambda _: 3.0, "rung-1-draw-2")
    play(monkeypatch, player)
    arguments = [job, "--tune", str(tmp_path / "d"), *TUNE]
    stopped = told(arguments, capsys, 75)
    assert (stopped["tuning"], stopped["job"]) == ("stopped", None)
    player.stops = ""
    found = told(arguments, capsys)
    assert (found["tuning"], found["curriculum"], found["job"]) == ("kept", [], None)
    assert not (tmp_path / "d" / "small.toml").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--candidates", "3"], "--candidates goes with --tune DIR"),
        (["-n", "3"], "-n goes with --tune DIR"),
        (["--tune", "d", "--all"], "--tune is for a job"),
        (["--tune", "d", "--share", "nan"], "no number"),
        (["--tune", "d", "--seeds", "2"], "--seeds"),
        (["--tune", "d", "--share", "0.0001"], "what fits is --share"),
        (["--tune", "d", "--set", "train.steps=100"], "nothing fits"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    job: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ranks = play(monkeypatch, Player(by_draw))
    assert run(["curriculum", job, *options]) == 2
    assert words in capsys.readouterr().err
    assert not ranks
    assert not (tmp_path / "d").exists()
