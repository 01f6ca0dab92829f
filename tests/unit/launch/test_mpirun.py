"""The command that starts a job, and the environment of its ranks."""

import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import LaunchError
from qmpi.launch.allocation.hosts import HostSlots
from qmpi.launch.mpirun import (
    FLAGS,
    SHIELD,
    LaunchPlan,
    find_mpirun,
    module_path,
    rank_environment,
    shielded_daemon,
)


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
    assert inside["TORCH_NCCL_ASYNC_ERROR_HANDLING"] == "0"


def test_gloo_stays_on_the_loopback_where_there_is_one_host(tmp_path: Path):
    inside = rank_environment(Settings(), {})
    plan = LaunchPlan(Path("/opt/mpirun"), 4, tmp_path / "job.toml", tmp_path, inside)
    assert plan.environment_in(tmp_path)["GLOO_SOCKET_IFNAME"] == "lo"
    several = replace(plan, hosts=(HostSlots("a", 2), HostSlots("b", 2)))
    assert "GLOO_SOCKET_IFNAME" not in several.environment_in(tmp_path)
    named = replace(several, environment={**inside, "GLOO_SOCKET_IFNAME": "hsn0"})
    assert named.environment_in(tmp_path)["GLOO_SOCKET_IFNAME"] == "hsn0"


def test_other_hosts_are_named_and_given_what_was_set_here(tmp_path: Path):
    outside = {
        "QMPI_CACHE": "/shared/cache",
        "NCCL_NET": "AWS Libfabric",
        "CUDA_VISIBLE_DEVICES": "0",
        "SLURMD_NODENAME": "a",
        "DISPLAY": ":0",
    }
    inside = rank_environment(Settings(), outside)
    hosts = (HostSlots("a", 2), HostSlots("b", 1))
    plan = LaunchPlan(Path("/m"), 3, tmp_path / "j", tmp_path, inside, hosts=hosts)
    command = plan.command()
    assert command[command.index("--host") + 1] == "a:2,b:1"
    assert command[command.index("-n") + 1] == "3"
    assert command[command.index("oob_tcp_keepalive_time") + 1] == "0"
    exported = {command[at + 1] for at, word in enumerate(command) if word == "-x"}
    ours = set(inside) - set(outside)
    assert ours <= exported, "what we set must reach ranks whose daemon has a bare environment"
    assert {"QMPI_CACHE", "NCCL_NET", "TMPDIR"} <= exported
    assert not exported & {"CUDA_VISIBLE_DEVICES", "SLURMD_NODENAME", "DISPLAY"}
    assert "--host" not in replace(plan, hosts=()).command()
    assert plan.environment_in(tmp_path)["SLURM_OVERLAP"] == "1", "steps of a lost node never end"
    daemon = plan.environment_in(tmp_path)["PRTE_MCA_prte_launch_agent"]
    assert daemon.split()[-2:] == [str(SHIELD), "prted"]
    named = replace(plan, environment={**inside, "PRTE_MCA_prte_launch_agent": "my prted"})
    assert named.environment_in(tmp_path)["PRTE_MCA_prte_launch_agent"] == "my prted"


def test_the_working_directory_is_not_on_the_module_path_of_ranks(tmp_path: Path):
    outside = {"PYTHONPATH": f":relative:{tmp_path}:.", "PYTHONSTARTUP": "x.py", "PYTHONHOME": "/h"}
    inside = rank_environment(Settings(), outside)
    assert inside["PYTHONSAFEPATH"] == "1"
    assert inside["PYTHONPATH"] == str(tmp_path)
    assert inside["PYTHONHOME"] == "/h"
    assert "PYTHONSTARTUP" not in inside
    assert "PYTHONPATH" not in rank_environment(Settings(), {"PYTHONPATH": ":"})


def test_a_checkout_that_is_not_installed_is_found_by_its_ranks(monkeypatch: pytest.MonkeyPatch):
    checkout = Path(__file__).resolve().parents[3]
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(sys, "path", ["", *(p for p in sys.path if Path(p) != checkout)])
    assert module_path("") == str(checkout)
    monkeypatch.setattr(sys, "path", ["", str(checkout)])
    assert module_path("") == ""


def test_ranks_have_a_home(monkeypatch: pytest.MonkeyPatch):
    assert Path(rank_environment(Settings(), {})["HOME"]).is_absolute()
    assert Path(rank_environment(Settings(), {"HOME": ""})["HOME"]).is_absolute()

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert str(os.getuid()) in rank_environment(Settings(), {})["HOME"]


def test_the_identity_of_an_outer_job_stays_outside():
    user = {
        "OMPI_MCA_btl_tcp_if_include": "eth0",
        "PMIX_MCA_gds": "hash",
        "PRTE_MCA_rmaps_default_mapping_policy": "core",
        "SLURM_JOB_ID": "7",
        "LD_PRELOAD": "libjemalloc.so",
        "OPAL_PREFIX": "/opt/openmpi",
    }
    inside = rank_environment(Settings(), user)
    assert {name: inside.get(name) for name in user} == user
    outer = {
        "PMIX_RANK": "0",
        "PMIX_NAMESPACE": "prterun",
        "PMIX_SERVER_URI41": "tcp4://127.0.0.1:1",
        "OMPI_COMM_WORLD_RANK": "0",
        "OMPI_WORLD_SIZE": "1",
        "OMPI_FILE_LOCATION": "/tmp/x",
        "PRTE_LAUNCHED": "1",
    }
    inside = rank_environment(Settings(), {**user, **outer})
    assert not set(outer) & set(inside)
    assert "OPAL_PREFIX" not in inside
    assert inside["PMIX_MCA_gds"] == "hash"


def test_the_ranks_of_this_host_are_those_that_can_be_counted(tmp_path: Path):
    plan = LaunchPlan(Path("/m"), 6, tmp_path / "j", tmp_path, {})
    assert plan.ranks_here == 6
    own = f"{os.uname().nodename.partition('.')[0]}.example.org"
    several = (HostSlots("elsewhere", 1), HostSlots(own, 2), HostSlots("beyond", 3))
    assert replace(plan, hosts=several).ranks_here == 2
    assert replace(plan, hosts=several[:1]).ranks_here == 0


@pytest.mark.parametrize("name", ["a b", "a;b", "$(x)", "it's", "a\tb", "a&b", "*"])
def test_no_shell_of_another_host_sees_a_path_that_needs_quotes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python = tmp_path / name / "bin" / "python"
    assert shielded_daemon(python) == ""
    assert shielded_daemon(Path("/usr/bin/python3"), tmp_path / name / "shield.py") == ""
    monkeypatch.setattr(sys, "executable", str(python))
    hosts = (HostSlots("a", 2), HostSlots("b", 1))
    plan = LaunchPlan(Path("/m"), 3, tmp_path / "j", tmp_path, {}, hosts=hosts)
    assert "PRTE_MCA_prte_launch_agent" not in plan.environment_in(tmp_path)
    plain = shielded_daemon(Path("/home/jos\u00e9/v-1.0/bin/python"), Path("/s/shield.py"))
    assert plain.split()[0] == "/home/jos\u00e9/v-1.0/bin/python"
