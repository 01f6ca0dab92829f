"""Whole hosts are lost, cut and powered off: the run ends in the weights of an undisturbed one.

Three hosts with two ranks each. The host of the command has mpirun, the coordinator and a trainer;
the others memory and generator, replica and trainer. Faults strike in turns, while steps are made,
and each host is struck in each part. What each came to is appended, in seconds, to the file that
QMPI_FAULT_TIMES names.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts.host_run import JOB, HostRun, Recovery
from hosts.pretend import PretendHosts
from mpi.live_run import LiveRun, qmpi

MakeHosts = Callable[..., PretendHosts]

FEW = ("--set", "train.steps=12")
MANY = ("--set", "train.steps=160", "--set", "monitor.status_seconds=0.1")
LASTING = (*MANY, "--set", "failure.max_relaunches=100")
"""Faults in turns are more than a run bears by itself."""

SILENT = ("--set", "failure.heartbeat_seconds=0.5", "--set", "failure.dead_seconds=10")
STEPS_BETWEEN = 3


def undisturbed(folder: Path, *options: str) -> str:
    """Return the digest of the same job on one rank of one host."""
    with LiveRun(folder, "-n", "1", *options, job=JOB, name="alone") as run:
        status = run.finish(400)
    assert status["state"] == "finished", run.logs()
    return str(status["digest"])


def check(run: HostRun, digest: str) -> None:
    status = run.finish()
    assert status["state"] == "finished", run.story()
    assert status["digest"] == digest
    audit = qmpi("audit", str(run.run), "--json")
    assert audit.returncode == 0, audit.stderr
    assert json.loads(audit.stdout)["audit"] == "ok"
    assert run.left_behind() == {}


def note(what: str, recovery: Recovery) -> None:
    path = os.environ.get("QMPI_FAULT_TIMES", "")
    if path:
        with Path(path).open("a") as file:
            file.write(f"{what}\t{recovery.whole:.1f}\t{recovery.relaunch:.1f}\n")


class Faults:
    """Strikes a run, each time after some more steps, and waits until it goes on.

    Attributes:
        home: the host of the command.
    """

    def __init__(self, run: HostRun) -> None:
        self.run, self.hosts = run, run.hosts
        self.home = self.hosts.names[0]
        self.dead: set[str] = set()
        run.start(self.home)

    def _some_steps(self) -> None:
        self.run.wait_for_step(self.run.status().get("step", 0) + STEPS_BETWEEN)

    def cut_briefly(self, host: str, seconds: float) -> None:
        """A link is cut for less than the limit: nothing must come of it but a pause."""
        self._some_steps()
        before = self.run.status()
        self.hosts.cut(host)
        time.sleep(seconds)
        self.hosts.heal(host)
        moment = time.time()
        self.run.wait_for_step(self.run.status()["step"] + 1)
        note(f"cut for {seconds} s", Recovery(time.time() - moment, 0.0))
        after = self.run.status()
        for what in ("incarnation", "generation", "failures"):
            assert after[what] == before[what], self.run.story()

    def lose(self, host: str) -> None:
        """Every process of a host that has not the command is killed: relaunched on the rest."""
        self._some_steps()
        self._strike("lose", host, "run_opened")
        assert self.run.status()["failures"], self.run.story()

    def fall_silent(self, host: str, how: str) -> None:
        """A host is cut or powered off for good: the others go on inside the job."""
        self._some_steps()
        before = self.run.status()
        self._strike(how, host, "failure_seen")
        after = self.run.status()
        assert after["incarnation"] == before["incarnation"], self.run.story()
        assert len(after["failures"]) > len(before["failures"])

    def lose_home(self, how: str) -> None:
        """The host of the command goes; the same command on another host goes on, with all."""
        self._some_steps()
        for host in sorted(self.dead):
            self.hosts.heal(host)
            if not self.hosts.is_up(host):
                self.hosts.boot(host)
        self.dead.clear()
        getattr(self.hosts, how)(self.home)
        self.hosts.boot(self.home)
        names = self.hosts.names
        self.home = names[(names.index(self.home) + 1) % len(names)]
        moment = time.time()
        self.run.start(self.home)
        note(f"{how}, host of the command", self.run.recovery(moment, "run_opened"))
        self._all_take_part(names)

    def _strike(self, how: str, host: str, sign: str) -> None:
        moment = time.time()
        getattr(self.hosts, how)(host)
        self.dead.add(host)
        note(how, self.run.recovery(moment, sign))

    def _all_take_part(self, names: tuple[str, ...]) -> None:
        hosts = {rank["host"] for rank in self.run.status()["ranks"]}
        assert hosts == set(names), self.run.story()

    def others(self) -> list[str]:
        return [name for name in self.hosts.names if name != self.home]


@pytest.mark.timeout(300)
def test_three_hosts_train_as_one(make_hosts: MakeHosts, tmp_path: Path):
    with HostRun(make_hosts(3), tmp_path, *FEW) as run:
        run.start("h0")
        check(run, undisturbed(tmp_path, *FEW))
        assert run.status()["incarnation"] == 1
        ranks = run.status()["ranks"]
        assert [rank["host"] for rank in sorted(ranks, key=lambda r: r["rank"])] == [
            *("h0", "h0", "h1", "h1", "h2", "h2")
        ]
        trainer, replica = (
            {rank["host"] for rank in ranks if rank["role"] == role}
            for role in ("trainer", "replica")
        )
        assert len(trainer) == 2
        assert replica - {"h0"}


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_hosts_are_lost_and_links_cut_for_a_while(make_hosts: MakeHosts, tmp_path: Path):
    with HostRun(make_hosts(3), tmp_path, *LASTING) as run:
        faults = Faults(run)
        for turn in range(3):
            first, second = faults.others()
            faults.cut_briefly(first, 3)
            faults.cut_briefly(faults.home if turn == 1 else second, 20)
            faults.lose((first, second)[turn % 2])
            faults.lose_home("lose")
        check(run, undisturbed(tmp_path, *MANY))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_hosts_fall_silent_for_good(make_hosts: MakeHosts, tmp_path: Path):
    with HostRun(make_hosts(3), tmp_path, *LASTING, *SILENT) as run:
        faults = Faults(run)
        for turn in range(4):
            faults.fall_silent(faults.others()[turn % 2], "cut" if turn % 2 else "power_off")
            faults.lose_home("power_off" if turn % 2 else "lose")
        check(run, undisturbed(tmp_path, *MANY))
