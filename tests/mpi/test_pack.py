"""A pack of the environment of the tests: made, moved, run from, and nothing else touched."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB, qmpi
from unit.launch.pack.small import write_small

CLEAN = ("PATH", "HOME", "TMPDIR")
"""All that is kept of the environment, so that nothing leads back to the old place."""


def test_every_host_unpacks(tmp_path: Path) -> None:
    archive, target = write_small(tmp_path / "p.tar.zst"), tmp_path / "my env"
    for reused in (False, True):
        done = qmpi("unpack", "--everywhere", str(archive), str(target), "--json")
        assert done.returncode == 0, done.stderr
        (told,) = json.loads(done.stdout)["hosts"]
        assert (told["done"], told["reused"]) == (True, reused), told
    (target / "bin" / "python").unlink()
    archive.write_bytes(archive.read_bytes()[:-300])
    done = qmpi("unpack", "--everywhere", str(archive), str(target))
    assert done.returncode == 3
    assert "damaged" in done.stderr


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of the tests, packed and unpacked under a name with a space."""
    folder = tmp_path_factory.mktemp("pack")
    pack, target = folder / "env.qmpi.tar.zst", folder / "my env"
    made = qmpi("pack", "-o", str(pack), "--without", "pyarrow", "--json", timeout=900)
    assert made.returncode == 0, made.stderr
    facts = json.loads(made.stdout)
    assert facts["left_out"] == ["pyarrow"]
    assert {"torch", "mpi4py", "qmpi"} <= set(facts["distributions"])
    done = qmpi("unpack", str(pack), str(target), timeout=900)
    assert done.returncode == 0, done.stderr
    pack.unlink()
    return target


def _environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in CLEAN if name in os.environ} | more


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_job_runs_from_the_pack_and_ends_in_the_same_weights(
    unpacked: Path, tmp_path: Path
) -> None:
    (tmp_path / "job.toml").write_text(TINY_JOB)
    digests = []
    for program in ([str(unpacked / "bin" / "qmpi")], [sys.executable, "-m", "qmpi.cli.main"]):
        run = tmp_path / f"run{len(digests)}"
        command = [*program, "train", str(tmp_path / "job.toml"), "--run-dir", str(run), "--json"]
        done = subprocess.run(
            command, cwd=tmp_path, env=_environment(), capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        digests.append(json.loads(done.stdout)["digest"])
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_rank_looks_into_the_old_environment(unpacked: Path, tmp_path: Path) -> None:
    program = "import qmpi.main, qmpi.runtime.bootstrap, mpi4py.MPI, torch, h5py, tokenizers"
    trace = tmp_path / "trace"
    # A program that is looked for along PATH (platform asks for uname) would be seen there.
    around = _environment(OMP_NUM_THREADS="1", PATH=os.defpath)
    strace = ["strace", "-f", "-e", "trace=%file", "-o", str(trace)]
    done = subprocess.run(
        [*strace, str(unpacked / "bin" / "python"), "-P", "-c", program],
        cwd=tmp_path, env=around, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    old = "|".join(map(re.escape, {sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])}))
    found = [line for line in trace.read_text().splitlines() if re.search(f'"(?:{old})/', line)]
    assert not found, found[:5]
    assert not list(unpacked.rglob("*.pyc.*"))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_half_way_is_told_and_left_clean(tmp_path: Path) -> None:
    """Room enough by its bytes, but not for so many files; it goes with its mount namespace."""
    archive, disk = write_small(tmp_path / "p.tar.zst"), tmp_path / "disk"
    disk.mkdir()
    unpack = f"{sys.executable} -m qmpi.cli.main unpack {archive} {disk}/env"
    mounted = f"mount -t tmpfs -o nr_inodes=20 small {disk}; {unpack}; code=$?; ls -A {disk}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{mounted}; exit $code"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the file system is full" in done.stderr
    assert done.stdout.split() == [".env.lock"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize(("option", "said"), [("ro", "read-only"), ("noexec", "noexec")])
def test_a_mount_that_does_not_serve_is_explained(tmp_path: Path, option: str, said: str) -> None:
    archive, disk = write_small(tmp_path / "p.tar.zst"), tmp_path / "disk"
    disk.mkdir()
    unpack = f"{sys.executable} -m qmpi.cli.main unpack {archive} {disk}/env"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o {option} small {disk}; {unpack}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert said in done.stderr
