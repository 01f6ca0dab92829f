"""`qmpi doctor` on the command line: what scripts read, what is asked wrongly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qmpi.cli.doctor import _extended, surroundings
from qmpi.cli.main import run
from qmpi.config.settings import Settings
from qmpi.doctor.examine import CHECKS

LIGHT = ("stack", "shared memory", "scheduler", "cores")


def named(*names: str) -> list[str]:
    return [word for name in names for word in ("--check", name)]


def test_json_is_a_list_of_objects_with_exactly_these_fields(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    code = run(["doctor", "--json", *named(*LIGHT)])
    told = json.loads(capsys.readouterr().out)
    assert [one["check"] for one in told] == list(LIGHT)
    for one in told:
        assert list(one) == ["check", "state", "found", "advice"]
        assert one["state"] in {"ok", "warning", "error"}
        assert (one["advice"] == "") == (one["state"] == "ok")
    assert code == (3 if any(one["state"] == "error" for one in told) else 0)


def test_an_error_is_exit_code_3_in_words_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QMPI_MPIRUN", str(tmp_path / "no mpirun"))
    assert run(["doctor", *named("mpirun", "stack")]) == 3
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("error    mpirun")
    assert "no mpirun is not a program" in shown[1]
    assert shown[-1] == "2 checks: 1 error, 0 warnings (mpirun)"


def test_what_is_asked_wrongly_is_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["doctor", "--check", "speed"]) == 2
    assert "disk speed" in capsys.readouterr().err
    hosts = tmp_path / "hosts"
    hosts.write_text("a slots=2\n")
    assert run(["doctor", "--hosts", "a", "--hostfile", str(hosts)]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert run(["doctor", "--hosts", " , "]) == 2
    hosts.write_text("# none\n")
    assert run(["doctor", "--hostfile", str(hosts)]) == 2
    assert "names no host" in capsys.readouterr().err
    os.mkfifo(tmp_path / "pipe")
    assert run(["doctor", "--hostfile", str(tmp_path / "pipe")]) == 3
    assert "not a file" in capsys.readouterr().err
    job = tmp_path / "job.toml"
    job.write_text("[train]\nstepz = 5\n")
    assert run(["doctor", str(job), "--json"]) == 2
    assert "train.steps" in json.loads(capsys.readouterr().out)["error"]
    assert run(["doctor", str(tmp_path / "none.toml")]) == 2


def test_hosts_of_a_file_and_of_the_command_line_are_looked_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# mine\nlocalhost slots=2\n\nno-such-host.invalid # down\n")
    for option in (["--hostfile", str(hosts)], ["--hosts", "localhost,no-such-host.invalid"]):
        assert run(["doctor", "--json", *option, *named("hosts")]) == 3
        told = json.loads(capsys.readouterr().out)[0]
        assert "1 name of 2 does not resolve: no-such-host.invalid" in told["found"]


def test_ranks_are_started_on_hosts_as_a_job_would_start_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SLURM_JOB_ID", "PBS_NODEFILE", "LSB_DJOB_HOSTFILE", "FLUX_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NCCL_NET", "AWS Libfabric")
    here = surroundings(Settings(), job_given=False, folder=None)
    alone = _extended(here, 4, mpi=True, hosts=None, hostfile=None)
    assert (alone.hosts, alone.trial_ranks) == ((), 4)
    assert "--oversubscribe" in alone.launcher.flags
    far = _extended(here, 5, mpi=True, hosts="a, b", hostfile=None)
    assert far.hosts == ("a", "b")
    flags = far.launcher.flags
    assert flags[flags.index("--host") + 1] == "a:3,b:2"
    assert flags[flags.index("NCCL_NET") - 1] == "-x"
    assert flags[flags.index("--with-ft") :][:2] == ("--with-ft", "ulfm")
    assert far.rank_environ["TMPDIR"]


def test_the_folder_is_that_of_the_job_unless_it_is_named(tmp_path: Path) -> None:
    settings = Settings()
    assert surroundings(settings, job_given=False, folder=None).folder == Path.cwd()
    own = surroundings(settings, job_given=True, folder=None).folder
    assert own == Path.cwd() / "runs" / settings.job.name
    assert surroundings(settings, job_given=True, folder=tmp_path).folder == tmp_path


def test_the_command_itself_loads_neither_torch_nor_mpi_nor_hdf5() -> None:
    program = (
        "import sys\n"
        "from qmpi.cli.main import run\n"
        "run(['doctor', '--check', 'home', '--check', 'packages', '--check', 'mpirun'])\n"
        "print(*(name for name in ('torch', 'mpi4py', 'h5py', 'numpy') if name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines()[-1] == ""


def test_a_reader_that_has_gone_costs_no_traceback() -> None:
    command = [sys.executable, "-m", "qmpi.cli.main", "doctor", *named(*LIGHT)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def test_names_of_checks_repeat_nothing() -> None:
    assert len({name.lower() for name in CHECKS}) == len(CHECKS)
