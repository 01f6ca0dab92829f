"""`qmpi runs`: many runs, each in a line."""

import json
import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.cli.main import run
from qmpi.protocol.status import FailureReport, RankReport, StatusReport
from qmpi.storage.status_file import write_status

FAILURE = FailureReport(1.0, (4,), "rank 4 died", "a spare takes its place", "killed")
RANKS = tuple(
    RankReport(rank=rank, role="trainer", host=f"node{rank}", pid=rank, alive=True)
    for rank in range(1, 40)
)
REPORT = StatusReport(
    state="finished",
    step=60,
    steps=60,
    tokens=1,
    tokens_per_second=0.0,
    loss=2.5,
    digest="",
    generation=1,
    failures=(FAILURE,),
    ranks=RANKS,
    losses=tuple((step, 5.0) for step in range(200)),
)


def make(folder: Path, name: str, age: float, state: str = "finished") -> None:
    (folder / name).mkdir(parents=True)
    report = replace(REPORT, name=name, state=state, updated=time.time() - age)
    write_status(folder / name, report)


def test_runs_are_listed_newest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("runs"), "old", 7200.0)
    make(Path("runs"), "new", 60.0, "running")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "status.json").write_text("{")
    assert run(["runs"]) == 0
    titles, broken, new, old = capsys.readouterr().out.splitlines()
    assert titles.split() == [
        "run",
        "state",
        "step",
        "loss",
        "failures",
        "roll",
        "backs",
        "last",
        "sign",
        "directory",
    ]
    assert broken.split()[:2] == ["broken", "damaged"]
    assert new.split()[:5] == ["new", "stale", "60/60", "2.5000", "1"]
    assert "1 min 00 s ago" in new
    assert "2 h 00 min ago" in old
    assert old.endswith("runs/old")


def test_json_holds_what_a_script_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "a", 3.0)
    make(tmp_path, "b", 2.0, "failed")
    assert run(["runs", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in answer["runs"]] == ["b", "a"]
    assert answer["runs"][1] == {
        "directory": str(tmp_path / "a"),
        "state": "finished",
        "step": 60,
        "steps": 60,
        "loss": 2.5,
        "failures": 1,
        "updated": answer["runs"][1]["updated"],
        "name": "a",
        "reason": "",
        "roll_backs": 0,
    }
    assert run(["runs", str(tmp_path), "--state", "failed", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["runs"]] == ["b"]


def test_no_runs_and_no_folder_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", str(tmp_path)]) == 0
    assert "no run below" in capsys.readouterr().out
    assert run(["runs", str(tmp_path / "absent")]) == 2
    assert "qmpi train" in capsys.readouterr().err


def test_hundreds_of_runs_take_less_than_a_millisecond_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(300):
        make(tmp_path / f"day-{number % 7}", f"run-{number}", float(number))
    run(["runs", str(tmp_path), "--json"])
    capsys.readouterr()
    begin = time.process_time()
    assert run(["runs", str(tmp_path), "--json"]) == 0
    assert time.process_time() - begin < 1.5  # a fifth of that where nothing else runs
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 300


def test_a_name_that_is_no_utf8_keeps_the_list_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = os.fsdecode(b"b\xffd\n;$(id)")
    make(tmp_path, "a", 3.0)
    make(tmp_path, "plain", 2.0)
    (tmp_path / "plain").rename(tmp_path / strange)
    assert run(["runs", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["directory"] for one in answer["runs"]] == [
        str(tmp_path / strange),
        str(tmp_path / "a"),
    ]
    assert run(["runs", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
