"""The command that starts a job, and the environment of its ranks."""

import os
import sys
from pathlib import Path

import pytest

from qmpi.config.settings import Settings, TrainSettings
from qmpi.errors import LaunchError
from qmpi.launch.mpirun import FLAGS, LaunchPlan, find_mpirun, rank_environment


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_named_launcher_wins(tmp_path: Path):
    named = program(tmp_path / "my mpirun")
    assert find_mpirun({"QMPI_MPIRUN": str(named), "PATH": ""}) == named


def test_a_named_launcher_that_is_none_is_refused_by_name(tmp_path: Path):
    with pytest.raises(LaunchError, match=r"QMPI_MPIRUN=.*nowhere"):
        find_mpirun({"QMPI_MPIRUN": str(tmp_path / "nowhere")})


def test_the_launcher_beside_the_interpreter_comes_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "venv").mkdir()
    (tmp_path / "bin").mkdir()
    other = program(tmp_path / "bin" / "mpirun")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert find_mpirun({"PATH": str(other.parent)}) == other
    own = program(tmp_path / "venv" / "mpirun")
    assert find_mpirun({"PATH": str(other.parent)}) == own


def test_no_launcher_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(LaunchError, match=r"pip install 'qmpi\[mpi\]'"):
        find_mpirun({"PATH": str(tmp_path)})


def test_the_command_is_a_list_in_which_names_stay_whole(tmp_path: Path):
    run = tmp_path / "a run; rm -rf $HOME"
    plan = LaunchPlan(Path("/opt/mpirun"), 7, run / "job.toml", run, {})
    command = plan.command()
    assert command[0] == "/opt/mpirun"
    assert ("--allow-run-as-root" in command) == (os.getuid() == 0)
    assert command[command.index("-n") + 1] == "7"
    rank = [sys.executable, "-m", "qmpi.main", f"{run}/job.toml", "--run-dir", str(run)]
    assert command[-6:] == rank
    assert FLAGS[:2] == ("--with-ft", "ulfm")


def test_ranks_get_their_threads_and_what_the_user_set_for_libraries():
    settings = Settings(train=TrainSettings(threads=3))
    outside = {"OMP_NUM_THREADS": "64", "GLOO_SOCKET_IFNAME": "hsn0", "HOME": "/home/u"}
    inside = rank_environment(settings, outside)
    # Threads are part of the run's identity: what the shell says must not change the bits.
    assert inside["OMP_NUM_THREADS"] == "3"
    assert inside["OPENBLAS_NUM_THREADS"] == "1"
    assert inside["GLOO_SOCKET_IFNAME"] == "hsn0"
    assert inside["HOME"] == "/home/u"
    assert inside["HDF5_USE_FILE_LOCKING"] == "FALSE"
    assert inside["OMP_WAIT_POLICY"] == "PASSIVE"
    assert rank_environment(settings, {})["GLOO_SOCKET_IFNAME"] == "lo"
