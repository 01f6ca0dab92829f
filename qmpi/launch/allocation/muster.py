"""Before each start: ask the hosts who lives, deal the ranks to those, and write down what is so.

Theory of operation. Every start asks again: a host that died is left out, one that came back is
taken. The first round is patient, since nothing waits for it and a cold file system is slow; later
ones give each host three times what the slowest needed before, within bounds: a run that stands
still waits for a dead host in vain. Of hosts that lived for the last start somebody should answer:
while nobody has, the limit is longer (see `probe`). This machine is not asked.

The same visit ends ranks of an earlier start that outlived it, and makes the folder for MPI's own
files, so that a host which cannot take a job is found before mpirun trips over it.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import LaunchError
from qmpi.launch.allocation.deal import Wanted, deal_ranks
from qmpi.launch.allocation.hosts import Allocation, HostSlots, short
from qmpi.launch.allocation.nodelist import compress
from qmpi.launch.allocation.probe import TIMES_SLOWER, Answer, Patience, ask_all
from qmpi.launch.allocation.reach import reach
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.scratch import scratch_of
from qmpi.runtime.clock import Clock
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.rank_files import read_rank_files, run_of
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Seconds

FIRST_SECONDS = 20.0
LEAST_SECONDS = 3.0
SILENT_SECONDS = 12.0
"""For how long a later round waits while no host has answered that lived before."""

LEAVE_SECONDS = 3.0
"""How long the clearing away after the last start may take."""

MOST_WORDS = 512
"""Ranks of one host that a visit can be told to end; the line of a command has a limit."""

VISIT = Path(__file__).with_name("visit.py")


class HostReport(Struct, frozen=True):
    """One host in RUN/hosts.json.

    Attributes:
        name: as the batch system spells it.
        state: "here" (this machine), "living" or "dead".
        ranks: dealt to it.
        reason: why it is dead, in words.
        seconds: until it answered, or was given up.
    """

    name: str
    state: str
    ranks: int = 0
    reason: str = ""
    seconds: float = 0.0


class HostsReport(Struct, frozen=True, kw_only=True):
    """RUN/hosts.json: what was found for the newest start, and why."""

    time: float
    start: int
    scheduler: str
    job: str
    why: str
    end: float | None
    ranks: int
    hosts: tuple[HostReport, ...]


class Muster:
    """The hosts of one command, asked before each start.

    Attributes:
        left_out: hosts that did not answer for the newest start but did before it, in words.
    """

    def __init__(
        self,
        found: Allocation,
        wanted: Wanted,
        directory: RunDirectory,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """Ask nobody yet.

        Args:
            found: the allocation.
            wanted: ranks that are wanted.
            directory: of the run.
            environ: environment of this process; names mpirun's agent.
            clock: the clock.
        """
        self._found = found
        self._wanted = wanted
        self._directory = directory
        self._environ = environ
        self._clock = clock
        self._limit = FIRST_SECONDS
        self._starts = 0
        self._dead: dict[str, str] = {}
        self._visited: tuple[str, ...] = ()
        self.left_out: tuple[str, ...] = ()

    @property
    def end(self) -> Seconds | None:
        """When the batch system will end the job; None: not known."""
        return self._found.end

    def ranks_of_all(self) -> int:
        """Return the ranks of a start on which every host lives.

        Returns:
            At least 1.

        Raises:
            ConfigError: nobody says how many.
        """
        names = [host.name for host in self._found.hosts]
        return sum(host.slots for host in deal_ranks(self._found, names, self._wanted))

    def hosts_of_all(self) -> int:
        """Return the hosts of a start on which every host lives.

        Raises:
            ConfigError: nobody says how many ranks.
        """
        names = [host.name for host in self._found.hosts]
        return max(1, sum(host.slots > 0 for host in deal_ranks(self._found, names, self._wanted)))

    def muster(
        self, tell: Callable[[str], None], rest: Callable[[float], None]
    ) -> tuple[HostSlots, ...]:
        """Ask all hosts, and deal the ranks to those that answer.

        Args:
            tell: takes words for people.
            rest: sleeps for some seconds; may raise to give up.

        Returns:
            Hosts and ranks of the next start, this machine first.

        Raises:
            LaunchError: no host answers.
            StorageError: the run directory takes no data.
        """
        self._starts += 1
        if self._starts == 1 and self._found.scheduler:
            tell(self._found.why)
        answers = self._visit("make", self._others(), self._patience(), rest)
        living = [h.name for h in self._found.hosts if self._lives(h.name, answers)]
        self._visited = tuple(name for name in living if name != self._found.here)
        self._tell_changes(answers, tell)
        if not living:
            raise LaunchError(self._nobody(answers))
        slowest = max((a.seconds for a in answers.values() if a.alive), default=0.0)
        self._limit = min(FIRST_SECONDS, max(LEAST_SECONDS, TIMES_SLOWER * slowest))
        dealt = deal_ranks(self._found, living, self._wanted)
        self._write(answers, dealt)
        return dealt

    def plan(
        self, job: LaunchPlan, tell: Callable[[str], None], rest: Callable[[float], None]
    ) -> LaunchPlan:
        """Ask all hosts, and plan the next start on those that answer.

        Args:
            job: as planned before.
            tell: takes words for people.
            rest: sleeps for some seconds; may raise to give up.

        Returns:
            The job on the hosts that live.

        Raises:
            LaunchError: no host answers.
            StorageError: the run directory takes no data.
        """
        dealt = self.muster(tell, rest)
        ranks = sum(host.slots for host in dealt)
        hosts = () if self._found.is_single else dealt  # mpirun needs to be told of no host then
        return replace(job, hosts=hosts, ranks=ranks, left_out=self.left_out)

    def dismiss(self) -> None:
        """Clear away on the hosts of the last start; one that does not answer is let be."""
        visited, self._visited = self._visited, ()
        self._visit("clear", visited, Patience(LEAVE_SECONDS, LEAVE_SECONDS), self._clock.sleep)

    def _patience(self) -> Patience:
        silent = SILENT_SECONDS if self._visited else self._limit
        return Patience(self._limit, max(silent, self._limit))

    def _others(self) -> tuple[str, ...]:
        return tuple(h.name for h in self._found.hosts if h.name != self._found.here)

    def _lives(self, name: str, answers: Mapping[str, Answer]) -> bool:
        return name == self._found.here or answers[name].alive

    def _visit(
        self, task: str, hosts: tuple[str, ...], patience: Patience, rest: Callable[[float], None]
    ) -> dict[str, Answer]:
        if not hosts:
            return {}
        root = self._directory.root
        command = [sys.executable, "-I", "-S", str(VISIT), task, str(scratch_of(root)), str(root)]
        left = self._left_ranks()
        calls = {
            host: reach(
                self._found,
                host,
                [*command, *left.get(short(host), [])[:MOST_WORDS]],
                self._environ,
                patience.longest,
            )
            for host in hosts
        }
        return ask_all(calls, self._environ, patience, self._clock.now, rest, self._visited)

    def _left_ranks(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        run = run_of(self._directory.ranks)
        for rank in read_rank_files(self._directory.ranks):
            if rank.started and rank.run == run:
                found.setdefault(short(rank.host), []).append(f"{rank.pid}:{rank.started}")
        return found

    def _tell_changes(self, answers: Mapping[str, Answer], tell: Callable[[str], None]) -> None:
        dead = {name: answer.reason for name, answer in answers.items() if not answer.alive}
        back = [name for name in self._dead if name not in dead]
        if back:
            tell(f"{_hosts_are(back)} back")
        news = {name: reason for name, reason in dead.items() if name not in self._dead}
        self.left_out = tuple(
            f"{_hosts_are([name for name in news if news[name] == reason])} left out: {reason}"
            for reason in dict.fromkeys(news.values())
        )
        for told in self.left_out:
            tell(told)
        self._dead = dead

    def _nobody(self, answers: Mapping[str, Answer]) -> str:
        name, first = next(iter(answers.items()))
        if self._found.scheduler == "slurm":
            advice = f"`srun --overlap -N1 -n1 -w {name} true` must work inside the job"
        else:
            advice = (
                f"`ssh {name} true` must work without a password; or name what your site has "
                "instead in PRTE_MCA_plm_ssh_agent"
            )
        return (
            f"none of {len(answers)} hosts can be used ({self._found.why}); {name}: "
            f"{first.reason}. {advice}"
        )

    def _write(self, answers: Mapping[str, Answer], dealt: tuple[HostSlots, ...]) -> None:
        ranks = {host.name: host.slots for host in dealt}
        found = self._found
        report = HostsReport(
            time=self._clock.now(),
            start=self._starts,
            scheduler=found.scheduler,
            job=found.job,
            why=found.why,
            end=found.end,
            ranks=sum(ranks.values()),
            hosts=tuple(
                _reported(h.name, answers.get(h.name), ranks.get(h.name, 0)) for h in found.hosts
            ),
        )
        data = msgspec.json.format(msgspec.json.encode(report), indent=1)
        write_atomic(self._directory.hosts, data + b"\n", durable=False)


def _reported(name: str, answer: Answer | None, ranks: int) -> HostReport:
    if answer is None:
        return HostReport(name, "here", ranks)
    state = "living" if answer.alive else "dead"
    return HostReport(name, state, ranks, answer.reason, round(answer.seconds, 3))


def _hosts_are(names: list[str]) -> str:
    return f"host {names[0]} is" if len(names) == 1 else f"hosts {compress(names)} are"
