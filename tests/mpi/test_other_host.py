"""mpirun on two hosts, as `qmpi train` starts it: what reaches the ranks, and what mpirun hears.

The other host is this machine under another name (`unshare --uts`), reached by an agent that leaves
the bare environment of ssh.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qmpi.config.settings import Settings
from qmpi.launch.allocation.hosts import HostSlots
from qmpi.launch.mpirun import LaunchPlan, find_mpirun, rank_environment
from qmpi.launch.mpirun_process import finish_launcher, start_launcher
from qmpi.launch.scratch import make_scratch
from qmpi.launch.shield import BLOCKED
from qmpi.runtime.clock import Clock
from qmpi.storage.rank_files import parent_of, start_ticks

SCRIPT = Path(__file__).with_name("host_ranks.py")
UNSHARE = ["unshare", "--uts"]
AGENT = """#!/bin/sh
host=$1; shift
exec unshare --uts sh -c 'hostname "$1"; exec env -i HOME=/root PATH=/usr/bin:/bin sh -c "$2"' \\
    sh "$host" "$*"
"""

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        os.getuid() != 0 or subprocess.run([*UNSHARE, "true"], check=False).returncode != 0,
        reason="a second host name needs root and unshare",
    ),
]


class Probe(LaunchPlan, frozen=True):
    """The command of a job, with ranks that only tell what reached them."""

    def command(self) -> list[str]:
        words = super().command()
        return [*words[: words.index("-m") - 1], sys.executable, str(SCRIPT), str(self.run)]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    agent = tmp_path / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    outside = {
        "PATH": os.environ["PATH"],
        "HOME": "/root",
        "NCCL_NET": "AWS Libfabric; 'x'",
        "PRTE_MCA_plm_ssh_agent": str(agent),
        "OMPI_MCA_btl_tcp_if_include": "lo",
    }
    out = tmp_path / "out"
    out.mkdir()
    hosts = (HostSlots(socket.gethostname(), 2), HostSlots("elsewhere", 1))
    inside = rank_environment(Settings(), outside)
    plan = Probe(find_mpirun(os.environ), 3, out / "job", out, inside, hosts=hosts)
    scratch = make_scratch(out)
    with (tmp_path / "log").open("wb") as log:
        process = start_launcher(plan, log, scratch)
        try:
            yield process, out
        finally:
            (out / "leave").touch()
            finish_launcher(process, 5.0, Clock())
            assert not list(scratch.iterdir()), "mpirun clears its folders away on every host"
            scratch.rmdir()


def reports(out: Path, kind: str, log: Path) -> dict[int, Any]:
    end = time.monotonic() + 60
    while len(found := list(out.glob(f"*.{kind}"))) < 3:
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.05)
    return {int(path.stem): json.loads(path.read_text()) for path in found}


def test_what_is_set_here_reaches_the_ranks_there(
    started: tuple[subprocess.Popen[bytes], Path], tmp_path: Path
) -> None:
    _, out = started
    told = reports(out, "json", tmp_path / "log")
    # Neighbours in rank share a host.
    assert [told[rank]["host"] for rank in range(3)] == [socket.gethostname()] * 2 + ["elsewhere"]
    ours = rank_environment(Settings(), {})
    for rank in told.values():
        environment = rank["environment"]
        assert {name: environment.get(name) for name in ours} == ours
        assert environment["NCCL_NET"] == "AWS Libfabric; 'x'"
        assert environment["OMPI_MCA_btl_tcp_if_include"] == "lo"
        assert environment["OMPI_MCA_mpi_ft_enable"] not in {"", "0"}
        assert environment["TMPDIR"] == environment["OMPI_MCA_btl_sm_backing_directory"]
        assert rank["scratch"]
        assert "GLOO_SOCKET_IFNAME" not in environment


def test_mpirun_hears_no_signal_of_a_batch_system_and_its_ranks_hear_all(
    started: tuple[subprocess.Popen[bytes], Path], tmp_path: Path
) -> None:
    process, out = started
    told = reports(out, "json", tmp_path / "log")
    assert all(rank["blocked"] == [] for rank in told.values())
    daemon = parent_of(told[2]["pid"])
    assert daemon not in {process.pid, 1}
    for number in BLOCKED:
        os.kill(process.pid, number)
        os.kill(daemon, number)
    time.sleep(1.0)  # it would send SIGTERM after 0.25 s, SIGKILL after 0.5 s
    for rank in told.values():
        os.kill(rank["pid"], signal.SIGUSR1)
    (out / "leave").touch()
    heard = reports(out, "heard", tmp_path / "log")
    assert list(heard.values()) == [[signal.SIGUSR1]] * 3


def test_mpirun_is_ended_with_its_ranks_on_both_hosts(
    started: tuple[subprocess.Popen[bytes], Path], tmp_path: Path
) -> None:
    process, out = started
    ranks = [rank["pid"] for rank in reports(out, "json", tmp_path / "log").values()]
    begin = time.monotonic()
    finish_launcher(process, 0.0, Clock())
    assert time.monotonic() - begin < 8.0
    end = time.monotonic() + 5.0
    while any(start_ticks(pid) for pid in ranks) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in ranks if start_ticks(pid)]
