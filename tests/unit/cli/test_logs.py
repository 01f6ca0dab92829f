"""`qmpi logs`: many files read as one."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from qmpi.cli import logs
from qmpi.cli.main import run
from qmpi.monitor.run_logs import PIECE_BYTES, LogFile, RunLogs, spelled
from qmpi.protocol.status import EndMarker, RankReport, StatusReport
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import write_end, write_status

HERE = os.uname().nodename
BEGIN = 1_700_000_000.0


def line(at: float, rank: int, text: str) -> str:
    return f"{spelled(BEGIN + at)} rank {rank} INFO qmpi.main: {text}\n"


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.create()
    made.log_of(0).write_text(line(0, 0, "a") + line(4, 0, "e") + "Traceback\n  File\n")
    made.log_of(2).write_text(line(1, 2, "b") + line(5, 2, "f"))
    made.log_of(10).write_text(line(2, 10, "c"))
    job = made.log_dir / "job-1.log"
    job.write_text("mpirun said this\nand that\n")
    os.utime(job, (BEGIN + 3, BEGIN + 3))
    roles = ((0, "coordinator"), (2, "trainer"), (10, "trainer"))
    ranks = tuple(
        RankReport(rank=rank, role=role, host=HERE, pid=1, alive=True) for rank, role in roles
    )
    write_status(
        made.root,
        StatusReport(
            state="running",
            step=1,
            steps=2,
            tokens=0,
            tokens_per_second=0.0,
            loss=None,
            digest="",
            generation=1,
            failures=(),
            ranks=ranks,
            updated=time.time(),
        ),
    )
    return made


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert run(["logs", *map(str, arguments)]) == 0
    return [text.rsplit("main: ", 1)[-1] for text in capsys.readouterr().out.splitlines()]


MERGED = [
    *("a", "b", "c", "job 1: mpirun said this", "job 1: and that"),
    *("e", "Traceback", "  File", "f"),
]


def test_lines_of_all_files_are_merged_by_time(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, directory.root) == MERGED
    for count in (0, 1, 3, 5, 100):
        kept = MERGED[len(MERGED) - count :] if count < len(MERGED) else MERGED
        assert shown(capsys, directory.root, "--tail", count) == kept


def test_ranks_and_roles_are_chosen(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, directory.root, "--rank", 2) == ["b", "f"]
    assert shown(capsys, directory.root, "--rank", 2, "--rank", 10) == ["b", "c", "f"]
    assert shown(capsys, directory.root, "--role", "trainer", "--tail", 2) == ["c", "f"]
    assert run(["logs", str(directory.root), "--rank", "7"]) == 2
    assert "no log of rank 7" in capsys.readouterr().err
    assert run(["logs", str(directory.root), "--role", "poet"]) == 2
    assert "they play coordinator, trainer" in capsys.readouterr().err
    assert run(["logs", str(directory.root / "absent")]) == 2


def test_nothing_older_than_a_time(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = spelled(BEGIN + 4).replace(",", ".")
    assert shown(capsys, directory.root, "--since", moment) == MERGED[5:]
    assert shown(capsys, directory.root, "--since", "10m") == []
    for wrong in ("yesterday", "10", "-3m", "1e9d"):
        assert run(["logs", str(directory.root), "--since", wrong]) == 2
        assert "10m" in capsys.readouterr().err


def test_json_is_an_object_a_line(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["logs", str(directory.root), "--tail", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["time"], answer["source"]) == (spelled(BEGIN + 5), "rank 2")
    assert answer["text"].endswith("f")


def test_what_a_terminal_would_obey_is_shown(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    directory.log_of(2).write_text(line(9, 2, "\x1b[2Jgone\ta tab"))
    assert shown(capsys, directory.root, "--rank", 2) == ["\ufffd[2Jgone\ta tab"]


@pytest.mark.parametrize("lines", [0, 1, 7, 400])
@pytest.mark.parametrize("width", [10, PIECE_BYTES // 3, 2 * PIECE_BYTES])
def test_the_last_lines_are_found_from_the_end(tmp_path: Path, lines: int, width: int) -> None:
    if lines * width > 40 * PIECE_BYTES:
        lines = 20
    texts = [f"{number:06d}" + "x" * width for number in range(lines)]
    path = tmp_path / "rank-00001.log"
    path.write_text("".join(f"{text}\n" for text in texts) + "torn")
    for count in (0, 1, 2, 6, lines, lines + 5):
        file = LogFile(path, "rank", 1)
        file.skip_to_last(count)
        assert [found.text for found in file.lines()] == texts[max(0, lines - count) :]


def test_what_was_given_out_is_not_given_again_and_torn_lines_wait(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    files = RunLogs(folder)
    path = folder / "rank-00000.log"
    path.write_text(line(0, 0, "a") + "to")
    assert len(list(files.lines())) == 1
    with path.open("a") as log:
        log.write("rn\n")
    (found,) = files.lines()
    assert found.text == "torn"
    assert found.time == spelled(BEGIN)
    (folder / "job-2.log").write_text("new\n")
    assert [(one.source, one.text) for one in files.lines()] == [("job 2", "new")]
    assert list(files.lines()) == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(logs, "LINGER_SECONDS", 1.0)


@pytest.mark.usefixtures("quick")
def test_a_run_is_followed_over_a_relaunch_to_its_end(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = RunLock(directory.supervisor_lock)

    def play() -> None:
        time.sleep(0.2)
        with directory.log_of(0).open("a") as log:
            log.write(line(6, 0, "g"))
        directory.status.unlink()  # the job is down, its command lives
        time.sleep(0.5)
        (directory.log_dir / "job-2.log").write_text("started again\n")
        directory.log_of(11).write_text(line(8, 11, "a spare"))
        time.sleep(0.2)
        marker = EndMarker(
            state="finished", exit_code=0, step=2, digest="", reason="", time=time.time()
        )
        write_end(directory.root, marker)
        lock.release()
        with directory.log_of(0).open("a") as log:
            log.write(line(9, 0, "leaving"))

    player = threading.Thread(target=play)
    player.start()
    begin = time.monotonic()
    said = shown(capsys, directory.root, "--tail", 0, "--follow")
    player.join()
    assert sorted(said) == sorted(["g", "job 2: started again", "a spare", "leaving"])
    assert said[0] == "g"
    assert said.index("a spare") < said.index("leaving")
    assert time.monotonic() - begin > 0.9


@pytest.mark.usefixtures("quick")
def test_a_run_that_is_over_is_followed_no_further(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = EndMarker(state="failed", exit_code=3, step=2, digest="", reason="", time=time.time())
    write_end(directory.root, marker)
    assert shown(capsys, directory.root, "--follow") == MERGED


@pytest.mark.usefixtures("quick")
def test_a_damaged_status_is_told_and_not_followed_for_ever(
    directory: RunDirectory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "DAMAGED_PATIENCE", 0.3)
    directory.status.write_text("{")
    assert run(["logs", str(directory.root), "--follow"]) == 3
    said = capsys.readouterr()
    assert "status.json is damaged" in said.err
    assert "mpirun said this" in said.out


def test_what_is_no_run_has_no_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path, tmp_path / "file", tmp_path / "absent"):
        for follow in ([], ["--follow"]):
            assert run(["logs", str(where), *follow]) == 2
            assert "has no logs" in capsys.readouterr().err


def test_a_number_that_no_memory_holds_is_the_users(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["logs", str(directory.root), "--tail", "9" * 20]) == 2
    assert "--tail" in capsys.readouterr().err
