"""The doctor on this very machine, and on this machine broken on purpose, one way after another."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qmpi.doctor.examine import CHECKS
from qmpi.launch.mpirun import find_mpirun

pytestmark = pytest.mark.timeout(400)

DOCTOR = [sys.executable, "-m", "qmpi.cli.main", "doctor", "--json"]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may break a machine so")

Found = dict[str, dict[str, str]]


def doctor(*options: str, before: str = "", around: tuple[str, ...] = (), **environ: str) -> Found:
    """Ask the doctor in a shell; `before` breaks the machine for it, inside `around`."""
    command = f"{before}\nexec {shlex.join([*DOCTOR, *options])}"
    done = subprocess.run(
        [*around, "bash", "-ec", command],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    told: list[dict[str, str]] = json.loads(done.stdout)
    errors = [one for one in told if one["state"] == "error"]
    assert done.returncode == (3 if errors else 0), (errors, done.stderr)
    return {one["check"]: one for one in told}


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--check", name)]


def test_every_check_is_made_here_and_ranks_hear_of_a_death(tmp_path: Path) -> None:
    found = doctor("--mpi", "-n", "3", "--dir", str(tmp_path))
    assert list(found) == list(CHECKS)
    assert all(set(one) == {"check", "state", "found", "advice"} for one in found.values())
    silent = [one for one in found.values() if one["found"].startswith("cannot be")]
    assert not silent
    for name in ("mpirun", "ULFM", "MPI library", "death of a rank", "rename", "locks", "torch"):
        assert found[name]["state"] == "ok", found[name]
    assert "3 ranks (3 on " in found["MPI start"]["found"]
    assert "2 of 2 others heard" in found["death of a rank"]["found"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_they_stand_there(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    block = page.partition("```\n")[2].partition("```")[0]
    made = [sys.executable, "-m", "qmpi.cli.main", "init", "--preset", "laptop", "-o", "job.toml"]
    subprocess.run(made, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    lines = block.splitlines()
    assert len(lines) == 5
    for line in lines:
        words = [sys.executable, "-m", "qmpi.cli.main", *shlex.split(line)[1:]]
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
        )
        # A machine may well lack something.
        assert done.returncode in {0, 3}, (line, done.stderr)
        assert done.stdout, line
        assert not done.stderr, line


def test_the_page_explains_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    named = {
        name
        for line in page.splitlines()
        if line.startswith("| ")
        for name in line.split("|")[1].strip().split(", ")
    }
    assert set(CHECKS) <= named, set(CHECKS) - named


def without_ft(folder: Path) -> Path:
    """Make an mpirun that starts Open MPI as if it had no fault tolerance."""
    path = folder / "mpirun"
    real = shlex.quote(str(find_mpirun(os.environ)))
    path.write_text(
        "#!/bin/bash\nwords=()\nwhile (( $# )); do\n"
        '  if [[ $1 == --with-ft ]]; then shift 2; else words+=("$1"); shift; fi\n'
        f'done\nexec {real} "${{words[@]}}"\n'
    )
    path.chmod(0o755)
    return path


def test_no_ulfm_is_named_by_a_death_that_ends_the_job(tmp_path: Path) -> None:
    names = ("mpirun", "ULFM", "MPI start", "death of a rank")
    mpirun = without_ft(tmp_path)
    found = doctor("--mpi", "-n", "3", *only(*names), QMPI_MPIRUN=str(mpirun))
    assert found["mpirun"]["state"] == "ok"
    assert found["ULFM"]["state"] == "error"
    assert "QMPI_MPIRUN" in found["ULFM"]["advice"]
    assert found["death of a rank"]["state"] == "error"
    assert "the job ended with it" in found["death of a rank"]["found"]


def test_a_low_limit_of_open_files_is_named_with_the_mend() -> None:
    found = doctor(*only("open files"), before="ulimit -S -n 48")["open files"]
    assert found["state"] == "error"
    assert "ulimit -n is 48" in found["found"]
    assert found["advice"].startswith("ulimit -n ")
    # The mend mends.
    mend = found["advice"].partition(" before")[0]
    again = doctor(*only("open files"), before=f"ulimit -S -n 48; {mend}")
    assert again["open files"]["state"] == "ok"


@pytest.mark.slow
@as_root
def test_a_small_ram_file_system_is_named_with_the_mend() -> None:
    names = only("RAM directory", "shared memory")
    small = "mount -t tmpfs -o size=16m tmpfs /dev/shm"
    found = doctor(*names, before=small, around=("unshare", "-m"))
    for one in found.values():
        assert one["state"] == "error"
        assert "16.0 MiB" in one["found"]
    mend = found["shared memory"]["advice"].removeprefix("make it larger: ").partition(" (")[0]
    mended = doctor(*names, before=f"{small}\n{mend}", around=("unshare", "-m"))
    assert {one["state"] for one in mended.values()} == {"ok"}, mended


@pytest.mark.slow
@as_root
def test_a_read_only_home_is_named_with_the_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = f"mount -t tmpfs -o ro tmpfs {shlex.quote(str(home))}"
    where = {"HOME": str(home), "XDG_CACHE_HOME": "", "QMPI_CACHE": ""}
    found = doctor(*only("home", "cache"), before=before, around=("unshare", "-m"), **where)
    assert found["home"]["state"] == "warning"
    assert found["cache"]["state"] == "error"
    assert "Read-only file system" in found["cache"]["found"]
    assert "export QMPI_CACHE" in found["cache"]["advice"]
    where["QMPI_CACHE"] = str(tmp_path / "cache")
    mended = doctor(*only("cache"), before=before, around=("unshare", "-m"), **where)
    assert mended["cache"]["state"] == "ok"


@pytest.mark.slow
@as_root
def test_a_wrong_host_name_is_named_with_the_mend(tmp_path: Path) -> None:
    options = (*only("host name"), "--hosts", "no-such-name,localhost")
    space = ("unshare", "--uts", "--mount")
    found = doctor(*options, before="hostname no-such-name", around=space)["host name"]
    assert found["state"] == "error"
    assert "wrong host name: 'no-such-name' does not resolve" in found["found"]
    assert "127.0.1.1 no-such-name" in found["advice"]
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.1.1 no-such-name\n")
    mend = f"hostname no-such-name\nmount --bind {shlex.quote(str(hosts))} /etc/hosts"
    mended = doctor(*only("host name"), before=mend, around=space)["host name"]
    assert mended["state"] == "ok", mended
    assert "127.0.1.1, reached" in mended["found"]


@pytest.mark.slow
@as_root
def test_a_slow_disk_is_named(tmp_path: Path) -> None:
    with throttled(tmp_path, 1 << 20) as group:
        before = f"echo $$ > {shlex.quote(str(group / 'cgroup.procs'))}"
        found = doctor(*only("disk speed"), "--dir", str(tmp_path), before=before)["disk speed"]
    assert found["state"] == "error", found
    assert found["found"].startswith("slow disk: writes ")
    assert "faster file system" in found["advice"]


@contextmanager
def throttled(folder: Path, bytes_a_second: int) -> Iterator[Path]:
    """Have a control group whose processes write no faster to the disk of a folder."""
    device = folder.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    first, unified = Path("/sys/fs/cgroup/blkio"), Path("/sys/fs/cgroup")
    root = first if first.is_dir() else unified
    group = root / f"qmpi-doctor-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        try:
            if root == first:
                limit = group / "blkio.throttle.write_bps_device"
                limit.write_text(f"{name} {bytes_a_second}")
            else:
                (group / "io.max").write_text(f"{name} wbps={bytes_a_second}")
        except OSError as error:
            pytest.skip(f"writes to {name} cannot be throttled: {error}")
        yield group
    finally:
        group.rmdir()
