"""The doctor on two hosts: their clocks, what they share, and a death on the other one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts.pretend import PretendHosts

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
NAMES = ("MPI start", "death of a rank", "clocks", "shared files", "host name", "hosts")
DOCTOR = [sys.executable, "-m", "qmpi.cli.main", "doctor", "--json", "--mpi", "-n", "4"]


def asked(hosts: PretendHosts, folder: str, *names: str) -> dict[str, dict[str, str]]:
    words = [*DOCTOR, "--hostfile", str(hosts.host_file(2)), "--dir", folder]
    words += [word for name in names for word in ("--check", name)]
    agent = {"PRTE_MCA_plm_ssh_agent": str(hosts.agent)}
    environ = {**os.environ, **agent, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with hosts.popen("h0", words, environ, stdout=subprocess.PIPE) as process:
        told, _ = process.communicate(timeout=200)
    return {one["check"]: one for one in json.loads(told)}


def test_two_hosts_start_as_one_job_and_hear_of_a_death(
    make_hosts: Callable[..., PretendHosts], tmp_path: Path
) -> None:
    hosts = make_hosts(2)
    found = asked(hosts, str(tmp_path), *NAMES)
    assert {one["state"] for one in found.values()} == {"ok"}, found
    assert "(2 on h0, 2 on h1)" in found["MPI start"]["found"]
    assert "3 of 3 others heard" in found["death of a rank"]["found"]
    assert found["clocks"]["found"].startswith("2 hosts; h")
    assert "same locks" in found["shared files"]["found"]
    # A folder of each host's own is none for a run.
    apart = asked(hosts, "/dev/shm", "shared files")["shared files"]
    assert apart["state"] == "error"
    assert "h1: it does not see" in apart["found"]
