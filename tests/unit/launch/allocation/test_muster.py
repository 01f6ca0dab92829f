"""Asking the hosts before a start: who answers, who is left out and why, what is written down.

The agent is a script that plays ssh on this machine: hosts whose name stands in the file `down`
refuse, those in `dark` never answer, those in `late` do so after a while, one in `busy` on the
second question.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qmpi.errors import LaunchError
from qmpi.launch.allocation import muster as mustering
from qmpi.launch.allocation.deal import Wanted
from qmpi.launch.allocation.hosts import Allocation, HostSlots
from qmpi.launch.allocation.muster import Muster
from qmpi.launch.allocation.probe import Patience, ask_all
from qmpi.launch.allocation.reach import reach
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.scratch import scratch_of
from qmpi.runtime.clock import Clock
from qmpi.storage.rank_files import RankProcess, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory

AGENT = """#!/bin/sh
cd "$(dirname "$0")"
host=$1; shift
echo $$ >> pids
echo "$host" >> asked
if grep -qx "$host" dark; then exec sleep 30; fi
if grep -qx "$host" late; then sleep 1.5; fi
if grep -qx "$host" busy; then : > busy; echo "srun: error: steps are disabled" >&2; exit 1; fi
if grep -qx "$host" down; then echo "ssh: connect to host $host port 22: refused" >&2; exit 255; fi
echo "Welcome to $host"
exec sh -c "$*"
"""


PATH = {"PATH": os.environ["PATH"]}
ONE_SECOND = Patience(1.0, 1.0)


class Site:
    """Hosts h0 (this machine), h1 and h2, and what is told of them."""

    def __init__(self, folder: Path, here: str = "h0") -> None:
        self.folder = folder
        self.agent = folder / "my agent"
        self.agent.write_text(AGENT)
        self.agent.chmod(0o755)
        self.set(down=(), dark=())
        self.directory = RunDirectory(folder / "a run; of mine")
        self.directory.create()
        hosts = tuple(HostSlots(f"h{number}", 0) for number in range(3))
        found = Allocation(scheduler="pbs", hosts=hosts, why="PBS job 7 has h[0-2]", here=here)
        agent = f"'{self.agent}'"
        environ = {"PATH": os.environ["PATH"], "PRTE_MCA_plm_ssh_agent": agent}
        self.said: list[str] = []
        self.muster = Muster(found, Wanted(None, 2), self.directory, environ, Clock())

    def set(self, **kinds: tuple[str, ...]) -> None:
        for name in ("down", "dark", "late", "busy"):
            (self.folder / name).write_text("".join(f"{host}\n" for host in kinds.get(name, ())))

    def start(self) -> dict[str, int]:
        self.said.clear()
        dealt = self.muster.muster(self.said.append, time.sleep)
        return {host.name: host.slots for host in dealt}

    def written(self) -> dict[str, tuple[str, int]]:
        report = json.loads(self.directory.hosts.read_text())
        return {host["name"]: (host["state"], host["ranks"]) for host in report["hosts"]}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    shutil.rmtree(scratch_of(made.directory.root), ignore_errors=True)


def test_all_answer(site: Site):
    assert site.start() == {"h0": 2, "h1": 2, "h2": 2}
    assert site.said == ["PBS job 7 has h[0-2]"]
    assert site.written() == {"h0": ("here", 2), "h1": ("living", 2), "h2": ("living", 2)}
    # This machine is not asked.
    assert sorted((site.folder / "asked").read_text().split()) == ["h1", "h2"]
    scratch = scratch_of(site.directory.root)
    assert scratch.stat().st_mode & 0o777 == 0o700
    site.muster.dismiss()
    assert not scratch.exists()


def test_a_host_that_refuses_is_left_out_and_taken_again_when_it_is_back(site: Site):
    site.set(down=("h1",))
    assert site.start() == {"h0": 2, "h2": 2}
    assert site.said[1:] == ["host h1 is left out: ssh: connect to host h1 port 22: refused"]
    assert list(site.muster.left_out) == site.said[1:]
    assert site.written()["h1"] == ("dead", 0)
    assert site.start() == {"h0": 2, "h2": 2}
    assert site.said == []
    site.set()
    assert site.start() == {"h0": 2, "h1": 2, "h2": 2}
    assert site.said == ["host h1 is back"]
    assert site.muster.left_out == ()
    site.muster.dismiss()


def test_silent_hosts_cost_one_limit_together(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mustering, "LEAST_SECONDS", 0.7)
    site.set(down=("h1", "h2"))
    assert site.start() == {"h0": 2}  # goes on alone
    assert len(site.said) == 3
    site.set(dark=("h1", "h2"))
    begin = time.monotonic()
    assert site.start() == {"h0": 2}
    assert time.monotonic() - begin < 3.0
    reasons = {
        h["name"]: h["reason"] for h in json.loads(site.directory.hosts.read_text())["hosts"]
    }
    assert reasons == {"h0": "", "h1": "no answer within 1 s", "h2": "no answer within 1 s"}


def test_a_host_that_is_late_when_another_has_died_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mustering, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(mustering, "TIMES_SLOWER", 1e-3)
    assert site.start() == {"h0": 2, "h1": 2, "h2": 2}
    site.set(late=("h1",), dark=("h2",))
    assert site.start() == {"h0": 2, "h1": 2}
    assert site.written()["h2"] == ("dead", 0)


def test_a_host_that_answered_before_is_asked_once_more(site: Site):
    site.set(busy=("h1",))
    assert site.start() == {"h0": 2, "h2": 2}, "nothing is known of it"
    site.set()
    assert site.start() == {"h0": 2, "h1": 2, "h2": 2}
    site.set(busy=("h1",), down=("h2",))
    assert site.start() == {"h0": 2, "h1": 2}
    asked = (site.folder / "asked").read_text().split()
    assert [asked.count(host) for host in ("h1", "h2")] == [4, 4]


def test_hosts_have_longer_while_others_are_slow():
    patience = Patience(3.0, 12.0)
    assert patience.limit([]) == 12.0
    assert patience.limit([0.1, 0.2]) == 3.0
    assert patience.limit([0.1, 2.0]) == 6.0
    assert patience.limit([9.0]) == 12.0


def test_the_next_start_is_planned_on_those_that_live(site: Site, tmp_path: Path):
    site.set(down=("h2",))
    job = LaunchPlan(Path("mpirun"), 6, tmp_path / "job", tmp_path, {})
    planned = site.muster.plan(job, site.said.append, time.sleep)
    assert (planned.ranks, planned.described()) == (4, "4 ranks on h[0-1]")
    assert "QMPI_HOSTS_LEFT_OUT" in planned.environment_in(tmp_path)
    again = site.muster.plan(planned, site.said.append, time.sleep)
    assert again.hosts == planned.hosts
    assert again.left_out == (), "it stands in the journal already"


def test_one_machine_alone_is_told_to_mpirun_as_before(tmp_path: Path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    alone = Allocation(scheduler="", hosts=(HostSlots("h0", 0),), why="alone", here="h0")
    said: list[str] = []
    muster = Muster(alone, Wanted(None, None, 7), directory, {}, Clock())
    job = LaunchPlan(Path("mpirun"), 1, tmp_path / "job", tmp_path, {})
    planned = muster.plan(job, said.append, time.sleep)
    assert (planned.hosts, planned.described(), said) == ((), "7 ranks", [])
    assert json.loads(directory.hosts.read_text())["hosts"][0]["state"] == "here"


@pytest.mark.parametrize(("ranks", "hosts"), [(1, 1), (2, 2), (9, 3)])
def test_hosts_without_a_rank_do_not_count(tmp_path: Path, ranks: int, hosts: int):
    slots = tuple(HostSlots(f"node{number}", 0) for number in range(3))
    found = Allocation(scheduler="", hosts=slots, why="a test")
    wanted = Wanted(ranks, None)
    muster = Muster(found, wanted, RunDirectory(tmp_path), {}, Clock())
    assert muster.ranks_of_all() == ranks
    assert muster.hosts_of_all() == hosts


def test_who_gives_up_while_hosts_are_asked_leaves_no_question_behind(site: Site):
    site.set(dark=("h1", "h2"))

    def rest(seconds: float) -> None:
        time.sleep(seconds)
        if len((site.folder / "asked").read_text().split()) == 2:
            raise KeyboardInterrupt

    (site.folder / "asked").touch()
    with pytest.raises(KeyboardInterrupt):
        site.muster.muster(site.said.append, rest)
    asked = (site.folder / "pids").read_text().split()
    assert [start_ticks(int(pid)) for pid in asked] == [0, 0]


def test_nobody_answers(tmp_path: Path):
    site = Site(tmp_path, here="")
    site.set(down=("h0", "h1", "h2"))
    with pytest.raises(LaunchError, match=r"none of 3 hosts .*refused.*without a password"):
        site.start()


def test_a_host_that_does_not_see_the_run_is_left_out_with_the_reason(site: Site):
    site.directory.root.joinpath("checkpoints").rmdir()
    site.directory.root.joinpath("logs").rmdir()
    command = [sys.executable, "-I", "-S", str(mustering.VISIT), "make"]
    missing = [*command, str(site.folder / "scratch"), str(site.folder / "no run")]
    answers = ask_all({"h1": missing}, {}, Patience(20.0, 20.0), Clock().now, time.sleep)
    assert not answers["h1"].alive
    assert "a file system that all hosts share" in answers["h1"].reason


def test_ranks_that_outlived_their_job_are_ended_over_there(site: Site):
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    left, stranger = (subprocess.Popen(sleeper) for _ in range(2))
    try:
        folder = site.directory.ranks
        folder.mkdir()
        for rank, (process, off) in enumerate([(left, 0), (stranger, 1)]):
            ticks = start_ticks(process.pid) + off
            told = RankProcess(rank, process.pid, "h1.cluster", ticks, run_of(folder))
            (folder / f"{rank}.json").write_bytes(msgspec.json.encode(told))
        site.start()
        assert left.wait(5) == -9
        assert stranger.poll() is None, "it only has the pid of a rank that is gone"
        site.muster.dismiss()
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


def test_the_way_to_a_host_is_that_of_mpirun():
    def found(scheduler: str) -> Allocation:
        hosts = (HostSlots("a", 0), HostSlots("b", 0))
        return Allocation(scheduler=scheduler, hosts=hosts, why="")

    words = ["visit", "a run; rm -rf /"]
    environ = {"PATH": os.environ["PATH"]}
    slurm = reach(found("slurm"), "b", words, environ, 5)
    assert slurm[0] == "srun"
    assert "--overlap" in slurm
    assert slurm[slurm.index("-w") + 1 :] == ["b", *words]
    flux = reach(found("flux"), "b", words, environ, 5)
    assert flux == ["flux", "exec", "-n", "-r", "1", *words]
    ssh = reach(found("hostfile"), "b", words, environ, 5)
    assert ssh[0] == "ssh"
    assert "BatchMode=yes" in ssh
    assert ssh[-2:] == ["b", "visit 'a run; rm -rf /'"]
    agent = {**environ, "OMPI_MCA_plm_rsh_agent": "nothing-here : sh -x"}
    assert reach(found("lsf"), "b", words, agent, 5)[:3] == ["sh", "-x", "b"]
    assert reach(found("lsf"), "b", words, {**environ, "PRTE_MCA_plm_ssh_agent": "ssh"}, 5) == ssh


def test_what_a_late_host_has_said_is_told():
    late = ["sh", "-c", "echo srun: step creation disabled, retrying >&2; exec sleep 30"]
    answers = ask_all({"b": late}, PATH, ONE_SECOND, Clock().now, time.sleep)
    assert answers["b"].reason == (
        "no answer within 1 s, but 'srun: step creation disabled, retrying'"
    )


def test_a_command_that_is_not_there_is_the_reason():
    answers = ask_all({"b": ["/nowhere/srun"]}, {}, ONE_SECOND, Clock().now, time.sleep)
    assert answers["b"].reason == "/nowhere/srun cannot be run: No such file or directory"
