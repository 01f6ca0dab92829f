"""The programs that try things, tried themselves on real files, names and processes."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from unit.training.on_cuda import needs_cuda

from qmpi.doctor.programs import files, imports, names, ranks
from qmpi.doctor.programs.lines import (
    MARK,
    Code,
    Imported,
    Line,
    Moved,
    Small,
    Space,
    Tried,
    read_lines,
)
from qmpi.doctor.running import LARGEST, Answer, run_program

ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1"}


def clock(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest may have threads
def test_a_folder_is_tried_in_full_and_nothing_is_left(tmp_path: Path) -> None:
    told: list[Line] = []
    files.try_folder(tmp_path / "not" / "yet", time.monotonic, told.append)
    assert list(tmp_path.iterdir()) == []
    assert [one for one in told if isinstance(one, Tried) and one.fault] == []
    assert {one.what for one in told if isinstance(one, Tried)} == {"rename", "flock", "fcntl"}
    moved = {one.what: one for one in told if isinstance(one, Moved)}
    assert 0 < moved["write"].size <= files.LARGEST_FILE + files.LARGEST_PIECE
    assert 0 < moved["read"].size <= moved["write"].size
    small = next(one for one in told if isinstance(one, Small))
    assert 0 < small.median <= small.worst
    space = next(one for one in told if isinstance(one, Space))
    assert space.where == str(tmp_path)
    assert 0 < space.free <= space.total


def test_a_slow_disk_is_measured_by_a_first_piece(tmp_path: Path) -> None:
    ticks = clock(2.0)
    moved = files.written(tmp_path / "file", lambda: next(ticks))
    assert moved.size == files.FIRST_PIECE
    assert moved.seconds >= files.WRITE_SECONDS


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest may have threads
def test_locks_that_let_everybody_in_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.locked(tmp_path / "lock", whole=True) == ""
    assert files.locked(tmp_path / "lock", whole=False) == ""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert "two processes" in files.locked(tmp_path / "lock", whole=True)


def test_a_rename_that_does_not_replace_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.renamed(tmp_path) == ""
    monkeypatch.setattr(Path, "replace", lambda _path, target: target)
    assert "still there" in files.renamed(tmp_path)


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    assert files.takes_files(tmp_path / "missing") == ""
    assert files.takes_files(Path("/proc/self")) != ""
    assert list(tmp_path.iterdir()) == []


def test_names() -> None:
    told = names.resolve("localhost")
    assert set(told.addresses) & {"127.0.0.1", "::1"}
    own = names.own_address(told)
    assert own.own in told.addresses
    assert own.reached
    lost = names.resolve("no-such-host.invalid")
    assert lost.fault
    assert not lost.addresses
    assert names.resolve("x" * 300).fault
    stranger = names.own_address(names.Named("far", ("192.0.2.1",)))
    assert not stranger.own


def test_shadows_of_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "random.py").touch()
    (tmp_path / "mine.py").touch()
    package = tmp_path / "json"
    package.mkdir()
    (tmp_path / "queue").mkdir()
    (package / "__init__.py").touch()
    library = str(Path(os.__file__).parent)
    found = imports.shadows([str(tmp_path), "/nowhere", library])
    assert found == (str(package), str(tmp_path / "random.py"))
    assert imports.shadows([library, str(tmp_path)]) == ()


def test_an_import_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken_package_of_a_test.py").write_text("raise OSError('no\\nlibrary')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        from qmpi.runtime.clock import Clock

        opens = imports.Opens(lambda hook: hook("open", ()))
        told = imports.import_group("it", ("broken_package_of_a_test",), opens, Clock())
    finally:
        sys.path.remove(str(tmp_path))
    assert told.fault == "OSError: no"
    assert opens.count == 1


def test_the_imports_of_a_rank_are_counted_and_mpi_is_not_started(tmp_path: Path) -> None:
    # Without torch, which takes seconds: the program must bear that too.
    (tmp_path / "torch.py").write_text("raise ImportError('not in this test')\n")
    done = subprocess.run(
        [sys.executable, "-m", "qmpi.doctor.programs.imports"],
        env={**ENVIRON, **imports.NOT_STARTED, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = read_lines(done.stdout)
    by_name = {one.name: one for one in told if isinstance(one, Imported)}
    assert list(by_name) == ["numpy", "mpi4py", "qmpi", "torch"]
    assert by_name["torch"].fault == "ImportError: not in this test"
    assert by_name["numpy"].opens > 20
    assert by_name["numpy"].libraries > 0
    code = next(one for one in told if isinstance(one, Code))
    assert code.modules > 100
    assert 0 <= code.uncompiled <= code.modules
    assert "libmpi" in done.stdout


def test_a_program_is_ended_at_its_limit_with_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo begun; wait"
    answer = run_program(["sh", "-c", script], ENVIRON, 1.0, time.monotonic)
    assert answer.code is None
    assert "no end within 1 s" in answer.why
    assert answer.out == "begun\n"
    assert _ends(int((tmp_path / "pid").read_text()))


def test_output_without_end_is_cut_off() -> None:
    answer = run_program(["yes"], ENVIRON, 60.0, time.monotonic)
    assert answer.code is None
    assert "no end of its output" in answer.why
    assert LARGEST <= len(answer.out) < 2 * LARGEST


def test_a_program_that_leaves_another_behind_is_not_waited_for(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo done"
    answer = run_program(["sh", "-c", script], ENVIRON, 50.0, time.monotonic)
    assert (answer.code, answer.out) == (0, "done\n")
    assert answer.seconds < 45
    assert _ends(int((tmp_path / "pid").read_text()))


def test_much_is_taken_from_both_streams() -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; echo other $i >&2; i=$((i+1)); done"
    answer = run_program(["sh", "-c", script], ENVIRON, 60.0, time.monotonic)
    assert answer.code == 0
    assert answer.out.count("line") == answer.err.count("other") == 20000


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _lives(pid):
        time.sleep(0.05)
    return not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_how_a_program_ended_is_said_in_one_line() -> None:
    missing = run_program(["/nowhere/mpirun"], ENVIRON, 5.0, time.monotonic)
    assert "/nowhere/mpirun cannot be started: No such file" in missing.why
    killed = run_program(["sh", "-c", "kill -9 $$"], ENVIRON, 20.0, time.monotonic)
    assert killed.why == "it was ended by SIGKILL"
    assert Answer(2, "", "one\ntwo\n-----\n").why == "exit code 2: two"
    assert Answer(2).why == "exit code 2"
    assert Answer(1, "", "-----\nno slots\n\nleft\n").whole == "no slots left"
    assert (
        Answer(1, "", "Traceback (most recent call last)\n x\nE: y\n").whole == "exit code 1: E: y"
    )
    assert len(Answer(1, "x" * 9999).whole) < 600
    assert Answer(-signal.SIGILL).why == "it was ended by SIGILL"
    assert Answer(-99).why == "it was ended by signal 99"


def test_lines_of_others_and_torn_ones_are_passed_over() -> None:
    good = f'{MARK}{{"type":"tried","what":"flock","fault":""}}'
    text = f"a warning\n{good}\n{good[:-5]}\n{MARK}{'[' * 100_000}\n{MARK}{{}}\n"
    assert read_lines(text) == (Tried("flock"),)


def test_what_another_host_sees_of_a_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert "No such file" in ranks.seen_there(path)
    path.write_bytes(b"else")
    assert "what rank 0 wrote" in ranks.seen_there(path)
    path.write_bytes(ranks.HELLO)
    assert "gets the lock" in ranks.seen_there(path)
    with path.open("rb") as holder:
        fcntl.flock(holder.fileno(), fcntl.LOCK_EX)
        assert ranks.seen_there(path) == ""


def test_the_age_of_a_process() -> None:
    assert 0.0 < ranks.process_seconds() < 24 * 3600


@needs_cuda
def test_cuda_devices_are_told() -> None:
    facts = imports.torch_facts()
    assert facts.cuda
    assert len(facts.devices) == torch.cuda.device_count() > 0
    assert min(device.memory for device in facts.devices) > 1 << 30
