"""`qmpi profile`: what it asks, what it tells, what it refuses; a thread plays the job."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from qmpi.cli import profile
from qmpi.cli.main import run
from qmpi.protocol.profiles import ProfiledRank, ProfileReport, ProfileRequest
from qmpi.protocol.status import RankReport, RunState, StatusReport
from qmpi.protocol.work import WorkStatus
from qmpi.storage.profile_request import take_request, write_request
from qmpi.storage.status_file import write_status
from qmpi.storage.trace_file import read_trace, write_trace
from qmpi.units import Rank

TRACE = {"baseTimeNanoseconds": 5, "traceEvents": []}


def report(state: RunState = "running") -> StatusReport:
    ranks = (
        RankReport(rank=0, role="coordinator", host="here", pid=10, alive=True),
        RankReport(rank=3, role="trainer", host="here", pid=12, alive=False),
        RankReport(rank=4, role="trainer", host="here", pid=14, alive=True),
    )
    return StatusReport(
        state=state, step=12, steps=60, tokens=1, tokens_per_second=1.0, loss=1.0, digest="",
        generation=2, failures=(), ranks=ranks, updated=time.time(),
    )  # fmt: skip


def part(folder: Path, rank: int, fault: str = "") -> ProfiledRank:
    if fault:
        return ProfiledRank(rank, "failed", "", fault)
    path = folder / f"rank-{rank}.json.gz"
    write_trace(path, {**TRACE, "traceEvents": [{"ph": "M", "pid": 7, "rank": rank}], "rank": rank})
    return ProfiledRank(rank, "written", str(path))


@contextmanager
def job(folder: Path, answer: Any) -> Iterator[list[ProfileRequest]]:
    """Play the coordinator: take a request, and answer it by the status."""
    write_status(folder, report())
    taken: list[ProfileRequest] = []
    over = threading.Event()

    def play() -> None:
        path = folder / "profile.json"
        while not over.wait(0.01):
            if path.exists():
                taken.append(take_request(path))
                write_status(folder, answer(taken[-1]))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "LOOK_SECONDS", 0.01)


def told(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    code = run(["profile", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_traces_are_named_and_joined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: ProfileRequest) -> StatusReport:
        parts = tuple(part(tmp_path, rank) for rank in (4, 5))
        return replace(report(), profiles=(ProfileReport(request.name, request.steps, parts),))

    to = tmp_path / "both.json"
    with job(tmp_path, answer) as taken:
        arguments = (str(tmp_path), "--steps", "7", "--ranks", "5,4,4", "--to", str(to))
        code, said = told(*arguments, capsys=capsys)
    assert code == 0
    assert [(r.steps, r.ranks) for r in taken] == [(7, (4, 5))]
    assert said["files"] == [str(tmp_path / f"rank-{rank}.json.gz") for rank in (4, 5)]
    assert (said["ranks"], said["to"]) == ([4, 5], str(to))
    assert read_trace(tmp_path / "rank-4.json.gz")["rank"] == 4
    events = json.loads(to.read_text())["traceEvents"]
    assert [event["rank"] for event in events] == [4, 5]
    assert len({event["pid"] for event in events}) == 2


@pytest.mark.parametrize(("ranks", "wanted"), [((), (4,)), (("--ranks", "all"), ())])
def test_who_is_asked_by_default(
    ranks: tuple[str, ...],
    wanted: tuple[Rank, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer(request: ProfileRequest) -> StatusReport:
        made = ProfileReport(request.name, request.steps, (part(tmp_path, 4),))
        return replace(report(), profiles=(made,))

    with job(tmp_path, answer) as taken:
        assert run(["profile", str(tmp_path), *ranks]) == 0
    assert taken[0].ranks == wanted
    assert "rank 4: " in capsys.readouterr().out


def test_what_the_job_refuses_is_the_users_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: ProfileRequest) -> StatusReport:
        return replace(report(), profiles=(ProfileReport(request.name, 3, (), "no trainers: 9"),))

    with job(tmp_path, answer):
        code, said = told(str(tmp_path), "--ranks", "9", capsys=capsys)
    assert (code, said["fault"], said["error"]) == (2, "user", "no trainers: 9")


def test_a_rank_that_fails_is_named_with_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: ProfileRequest) -> StatusReport:
        parts = (part(tmp_path, 4), part(tmp_path, 5, "rank 5 died: killed"))
        return replace(report(), profiles=(ProfileReport(request.name, 3, parts),))

    to = tmp_path / "never.json.gz"
    with job(tmp_path, answer):
        code, said = told(str(tmp_path), "--to", str(to), capsys=capsys)
    assert (code, said["fault"]) == (3, "peer")
    assert "rank 5 died: killed" in said["error"]
    assert "rank-4.json.gz" in said["error"]
    assert not to.exists()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (lambda r: replace(r, state="failed"), "it ended before"),
        (lambda r: replace(r, incarnation=2), "started again"),
        (lambda r: replace(r, state="starting"), "started again"),
        (lambda r: r, "no answer of the coordinator within 1 s"),
    ],
)
def test_a_job_that_does_not_answer(
    after: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job(tmp_path, lambda _: after(report())):
        code, said = told(str(tmp_path), "--timeout", "1", capsys=capsys)
    assert code == 3
    assert words in said["error"]


def test_a_request_that_nobody_took_is_withdrawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, report())
    code, _ = told(str(tmp_path), "--timeout", "1", capsys=capsys)
    assert code == 3
    assert not (tmp_path / "profile.json").exists()


@pytest.mark.parametrize("state", ["starting", "finished", "stopped", "failed"])
def test_only_a_job_that_runs_is_asked(
    state: RunState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, report(state))
    code, said = told(str(tmp_path), capsys=capsys)
    assert code == 2
    assert state in said["error"]
    assert not (tmp_path / "profile.json").exists()


def test_nonsense_is_refused_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_status(tmp_path, report())
    for arguments, words in (
        (("--ranks", "3,x"), "numbers of ranks"),
        (("--ranks", ""), "numbers of ranks"),
        (("--ranks", "-1"), "numbers of ranks"),
        (("--steps", "0"), "steps"),
        (("--timeout", "nan"), "timeout"),
        (("--to", str(tmp_path / "none" / "x")), "is no directory"),
        (("--to", str(tmp_path)), "is a directory"),
    ):
        code, said = told(str(tmp_path), *arguments, capsys=capsys)
        assert code == 2
        assert words in said["error"]
    assert not (tmp_path / "profile.json").exists()


def test_a_farm_and_a_second_asker_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    farm = WorkStatus(
        stage="s", stage_number=0, stages=1, units=1, units_done=0, documents=0, tokens=0, bytes=0
    )
    write_status(tmp_path, replace(report(), work=farm))
    assert "trains nothing" in told(str(tmp_path), capsys=capsys)[1]["error"]
    write_status(tmp_path, report())
    write_request(tmp_path / "profile.json", ProfileRequest("other", 1, ()))
    code, said = told(str(tmp_path), capsys=capsys)
    assert code == 2
    assert "another profile" in said["error"]
    assert (tmp_path / "profile.json").exists()
    write_status(tmp_path, replace(report(), ranks=report().ranks[:1]))
    (tmp_path / "profile.json").unlink()
    assert "--ranks" in told(str(tmp_path), capsys=capsys)[1]["error"]
