"""`qmpi status`: what a night operator and a script read."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.cli.main import run
from qmpi.policy.scoring import Label, answer_marks, evaluation_of, row_marks
from qmpi.protocol.evaluation import EvaluationReport, RowLoss
from qmpi.protocol.progress import StepTimes
from qmpi.protocol.status import EndMarker, FailureReport, RankReport, StatusReport
from qmpi.storage.status_file import write_end, write_status

FAILURE = FailureReport(
    time=1.0,
    ranks=(4,),
    what="rank 4 (trainer) died",
    action="spare 8 takes its place from step 12",
    reason="killed by signal 9",
)


def report() -> StatusReport:
    return StatusReport(
        state="running",
        step=12,
        steps=60,
        tokens=36864,
        tokens_per_second=1000.0,
        loss=5.25,
        digest="abcdef0123456789aa",
        generation=2,
        failures=(FAILURE,),
        ranks=(
            RankReport(rank=0, role="coordinator", host="here", pid=10, alive=True),
            RankReport(rank=4, role="trainer", host="here", pid=14, alive=False),
        ),
        name="demo",
        updated=time.time(),
        eta_seconds=90.0,
    )


def marker(state: str) -> EndMarker:
    return EndMarker(state=state, exit_code=0, step=60, digest="ab", reason="why so", time=1.0)


def shown(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run(["status", str(run_dir), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_text_says_how_far_who_lives_and_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    write_status(tmp_path, report())
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for word in ("running", "12 of 60", "5.25", "36,864", "1,000", "1 min 30 s", "coordinator"):
        assert word in text
    for word in ("alive", "dead", FAILURE.what, FAILURE.action, FAILURE.reason):
        assert word in text


def test_text_says_where_the_time_went_and_how_near_the_peak_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = StepTimes(forward=0.06, backward=0.12, sweep=0.01, communication=0.01, digest=0.0001)
    speed = {"times": times, "flops_per_second": 3.1e10, "peak_flops": 6.2e10}
    write_status(tmp_path, replace(report(), **speed))
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "step time" in text
    assert "0.2 s: backward 60 %, forward 30 %, sweep 5 %, communication 5 %" in text
    assert "digest" not in text
    assert "50 %: 31 GFLOP/s of 62 GFLOP/s" in text
    told = shown(tmp_path, capsys)
    assert told["times"]["backward"] == 0.12  # pyright: ignore[reportIndexIssue]
    assert "hidden" not in text
    write_status(tmp_path, report())
    assert run(["status", str(tmp_path)]) == 0
    assert "step time" not in capsys.readouterr().out


def test_text_says_how_much_of_the_communication_was_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = StepTimes(forward=0.1, backward=0.2, communication=0.1, hidden=0.3)
    write_status(tmp_path, replace(report(), times=times))
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "0.4 s: backward 50 %, forward 25 %, communication 25 %" in text
    assert "0.3 s behind gradients, 75 % of the communication" in text
    assert shown(tmp_path, capsys)["times"]["hidden"] == 0.3  # pyright: ignore[reportIndexIssue]


def test_text_says_what_was_measured_and_what_it_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = [row_marks(Label("words"), RowLoss(8.0), 2, 4), answer_marks(Label("sums"), right=True)]
    found = evaluation_of(20, marks, {"words": 1.0, "sums": 1.0})
    told = EvaluationReport(1.0, 2.5, found)
    write_status(tmp_path, replace(report(), evaluation=told, evaluations_missed=2))
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "before step 20 in 2.5 s: held-out loss 4.0000, 100.0 % of 1 problems solved" in text
    assert "2 evaluations are missing" in text


def test_json_holds_every_field_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, report())
    answer = shown(tmp_path, capsys)
    assert set(answer) == set(StatusReport.__struct_fields__)
    assert answer["state"] == "running"


@pytest.mark.parametrize("state", ["running", "starting"])
def test_silence_is_stale_and_says_how_to_go_on(
    state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, replace(report(), state=state, updated=time.time() - 120.0))
    answer = shown(tmp_path, capsys)
    assert answer["state"] == "stale"
    assert re.search(r"\b1[2-9]\d s", str(answer["reason"]))
    assert "qmpi train --resume" in str(answer["reason"])


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_ended_run_is_never_stale(
    state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, replace(report(), state=state, updated=1.0))
    assert shown(tmp_path, capsys)["state"] == state


@pytest.mark.parametrize(
    ("end", "state"), [("finished", "finished"), ("failed", "failed"), ("stopped", "stopped")]
)
def test_the_end_marker_overrules_a_status_that_says_running(
    end: str, state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, report())
    write_end(tmp_path, marker(end))
    answer = shown(tmp_path, capsys)
    assert answer["state"] == state
    assert answer["reason"] == "why so"


def test_the_newest_run_is_the_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("new", "old")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_status(tmp_path / "runs" / name, replace(report(), name=name))
        os.utime(tmp_path / "runs" / name / "status.json", (1000 - number, 1000 - number))
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "new"


def test_no_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["status"]) == 2
    assert "qmpi train" in capsys.readouterr().err
    assert run(["status", str(tmp_path / "absent"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["fault"] == "user"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"state": "odd"}'])
def test_a_damaged_status_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert run(["status", str(tmp_path)]) == 3
    assert "status.json" in capsys.readouterr().err


def test_markup_in_names_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rank = RankReport(rank=1, role="spare", host="[h]", pid=1, alive=True, activity="[/red] x")
    write_status(tmp_path, replace(report(), name="[bold]n", reason="[/]", ranks=(rank,)))
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for word in ("[bold]n", "[/]", "[h]", "[/red] x"):
        assert word in text


def test_a_file_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").touch()
    assert run(["status", str(tmp_path / "run")]) == 2
    assert "is a file, not the directory of a run" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["status.json", "end.json"])
def test_a_file_that_is_far_too_large_is_not_read_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write_status(tmp_path, report())
    with (tmp_path / name).open("ab") as file:
        file.truncate(1 << 40)
    assert run(["status", str(tmp_path)]) == 3
    assert f"{name} is damaged (larger than" in capsys.readouterr().err


def test_a_script_that_watches_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_status(tmp_path, report())
    assert run(["status", str(tmp_path), "--watch", "--json"]) == 2
    assert "--watch" in json.loads(capsys.readouterr().out)["error"]


def test_skipped_updates_and_lanes_that_are_not_finite_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    bad = replace(
        report(),
        gradient_norm=-1.0,
        learning_rate=0.5,
        updates=2,
        skipped=10,
        undefined_lanes=2,
        redone_passes=4,
    )
    write_status(tmp_path, bad)
    assert run(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for words in (
        "5.2500, 2 lanes not finite",
        "not finite: the update was skipped, learning rate 0.5, 4 passes done again",
        "2 applied, 10 of 12 updates skipped, most of them: the gradient was not finite",
    ):
        assert words in text
    assert "norm -1" not in text
    answer = shown(tmp_path, capsys)
    assert (answer["updates"], answer["skipped"], answer["undefined_lanes"]) == (2, 10, 2)
    write_status(tmp_path, replace(bad, loss_scale=16_384.0))
    assert run(["status", str(tmp_path)]) == 0
    assert "rate 0.5, loss scale 16,384, 4 passes done again" in capsys.readouterr().out
    write_status(tmp_path, replace(bad, redone_passes=1))
    assert run(["status", str(tmp_path)]) == 0
    assert "rate 0.5, 1 pass done again" in capsys.readouterr().out
    write_status(tmp_path, replace(bad, loss=None, undefined_lanes=1))
    assert run(["status", str(tmp_path)]) == 0
    assert "none: 1 lane not finite" in capsys.readouterr().out
