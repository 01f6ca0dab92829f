"""Run directory, lock, status, end marker, atomic writes, limits of the file system."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from qmpi.errors import CorruptData, StorageError, UserError
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.storage.atomic_file import write_atomic, write_named
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import clear_end, read_end, read_status, write_end, write_status

_STATUS = StatusReport(
    state="running",
    step=3,
    steps=9,
    tokens=12,
    tokens_per_second=1.5,
    loss=None,
    digest="",
    generation=1,
    failures=(),
    ranks=(),
)
_END = EndMarker(state="finished", exit_code=0, step=9, digest="ab", reason="done", time=1.0)


def test_status_and_end_round_trip(tmp_path):
    write_status(tmp_path, _STATUS)
    assert read_status(tmp_path) == _STATUS
    assert read_end(tmp_path) is None
    write_end(tmp_path, _END)
    assert read_end(tmp_path) == _END
    clear_end(tmp_path)
    clear_end(tmp_path)
    assert read_end(tmp_path) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"state":"happy"}', b"\xff\xfe"])
def test_malformed_files_are_named(tmp_path, data):
    run = RunDirectory(tmp_path)
    run.status.write_bytes(data)
    run.end.write_bytes(data)
    with pytest.raises(CorruptData, match="status"):
        read_status(tmp_path)
    with pytest.raises(CorruptData, match="end"):
        read_end(tmp_path)


def test_missing_status_is_an_error_of_storage(tmp_path):
    with pytest.raises(StorageError, match="check the path"):
        read_status(tmp_path)


def test_create_makes_directories_and_refuses_a_file_in_the_way(tmp_path):
    run = RunDirectory(tmp_path / "a" / "b")
    run.create()
    run.create()
    assert run.checkpoints.is_dir()
    assert run.log_dir.is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        RunDirectory(tmp_path / "file").create()


def test_second_job_is_told_who_holds_the_run(tmp_path):
    path = RunDirectory(tmp_path).lock
    code = (
        "import sys,pathlib\nfrom qmpi.storage.run_directory import RunLock\n"
        "lock=RunLock(pathlib.Path(sys.argv[1]))\nprint('held',flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"pid {holder.pid} "):
            RunLock(path)
    finally:
        holder.kill()
        holder.communicate()
    with RunLock(path) as lock:
        assert lock.enforced


def test_file_size_limit_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError, match="ulimit -f"):
            write_atomic(path, [b"a" * 4000, b"b" * 4000], durable=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.fixture
def tiny_disk(tmp_path):
    mount = tmp_path / "mount"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)],
        capture_output=True,
        timeout=10,
        check=False,
    )
    if done.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield mount
    subprocess.run(["umount", str(mount)], timeout=10, check=True)


def test_full_disk_says_what_to_do(tiny_disk):
    write_atomic(tiny_disk / "small", b"old")
    with pytest.raises(StorageError, match="the file system is full"):
        write_atomic(tiny_disk / "small", b"x" * 200_000)
    assert (tiny_disk / "small").read_bytes() == b"old"
    assert [p.name for p in tiny_disk.iterdir()] == ["small"]


def test_a_pipe_that_the_user_names_is_written_into_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_named(pipe, b"report")
    assert os.read(reader, 100) == b"report"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_link_that_the_user_names_stays_one(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    write_named(tmp_path / "link", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_standard_output_may_be_named(tmp_path):
    program = (
        "from pathlib import Path; from qmpi.storage.atomic_file import write_named\n"
        "print('before', flush=True); write_named(Path('/dev/stdout'), b'report\\n')\n"
        "print('after')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, timeout=60, check=True)
    assert (tmp_path / "out").read_bytes() == b"before\nreport\nafter\n"
