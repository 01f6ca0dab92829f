"""Faults that wait for their moment, and what they do to a job when it comes."""

from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.protocol.journal import RunOpened
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.simulator.agenda import Agenda
from qmpi.simulator.faults import (
    AtTime,
    Break,
    Change,
    Corrupt,
    CrashEngine,
    CutGroup,
    Deed,
    Exhaust,
    Fault,
    Fill,
    Free,
    GoBack,
    Hang,
    Kill,
    KillAll,
    KillRole,
    LoseFiles,
    LoseHost,
    OnEvent,
    Partition,
    Profile,
    Stop,
    Weigh,
    WhenStep,
)
from qmpi.simulator.files import DISK
from qmpi.simulator.incarnation import Incarnation
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Rank, Seconds

Strike = Callable[[Deed], None]
CHIEF = Rank(0)


class Pending:
    """Faults whose moment has not come.

    Invariants: each fault strikes once; a count stays for the next fault with the same trigger.
    """

    def __init__(self, agenda: Agenda, faults: Iterable[Fault], strike: Strike) -> None:
        """Plan what has a time, and wait with the rest.

        Args:
            agenda: the clock.
            faults: what shall go wrong.
            strike: does it.
        """
        self._agenda = agenda
        self._strike = strike
        self._named: dict[str, list[Fault]] = {}
        self._counts: dict[OnEvent, int] = {}
        self._steps: list[Fault] = []
        for fault in faults:
            match fault.trigger:
                case AtTime(at):
                    agenda.at(at, partial(strike, fault.deed))
                case WhenStep():
                    self._steps.append(fault)
                case OnEvent(name):
                    self._named.setdefault(name, []).append(fault)

    @property
    def listening(self) -> bool:
        """True while a fault waits for something to happen."""
        return bool(self._named)

    def happened(self, name: str, rank: Rank) -> bool:
        """Let faults that wait for something strike.

        Args:
            name: of what happened.
            rank: where.

        Returns:
            Whether one strikes.
        """
        due = [f for f in self._named.get(name, ()) if self._due(f.trigger, rank)]
        for fault in due:
            self._named[name].remove(fault)
            self._agenda.after(0.0, partial(self._strike, fault.deed))
        if name in self._named and not self._named[name]:
            del self._named[name]
        return bool(due)

    def committed(self, steps: int) -> None:
        """Let faults that wait for a step strike.

        Args:
            steps: committed so far.
        """
        for fault in tuple(self._steps):
            if isinstance(fault.trigger, WhenStep) and steps >= fault.trigger.step:
                self._steps.remove(fault)
                self._agenda.after(0.0, partial(self._strike, fault.deed))

    def _due(self, trigger: object, rank: Rank) -> bool:
        if not isinstance(trigger, OnEvent) or trigger.rank not in (None, rank):
            return False
        self._counts[trigger] = self._counts.get(trigger, 0) + 1
        return self._counts[trigger] >= trigger.count


def strike(deed: Deed, job: Incarnation, around: Surroundings) -> None:
    """Let something go wrong.

    Args:
        deed: what; one that names a rank that is not there does nothing.
        job: the running one.
        around: the machine.
    """
    match deed:
        case Kill(rank):
            _kill_rank(job, rank)
        case KillRole(role, index):
            for process in job.players(role)[index : index + 1]:
                job.kill(process, "killed")
        case KillAll():
            job.kill_all()
        case LoseHost(hosts):
            around.files.lose_hosts(hosts)
            job.kill_all()
        case Hang(rank, seconds):
            process = job.at(rank)
            if process is not None:
                process.life.hang(seconds)
        case Partition(ranks, seconds):
            job.network.cut(frozenset(ranks), seconds)
        case Stop() | Profile() | Weigh():
            _ask(job, deed, around)
        case _:
            _spoil(deed, job, around)


def _wish(deed: Change | GoBack, around: Surroundings) -> None:
    match deed:
        case Change(section, key, value, replan):
            tree = msgspec.to_builtins(around.settings)
            tree[section][key] = msgspec.json.decode(value)
            around.settings = msgspec.convert(tree, Settings)
            around.wish = replace(around.wish, replan=replan)
        case GoBack(step):
            starts = sum(isinstance(record, RunOpened) for record in around.files.journal)
            around.wish = replace(around.wish, back_to=step, starts=starts)


def _spoil(
    deed: Corrupt
    | Break
    | LoseFiles
    | Fill
    | Free
    | CrashEngine
    | CutGroup
    | Exhaust
    | Change
    | GoBack,
    job: Incarnation,
    around: Surroundings,
) -> None:
    match deed:
        case Corrupt(place, rank):
            around.files.corrupt(place, rank)
        case Break(work, rank, times):
            around.troubles.expect(work, rank, times)
        case LoseFiles(rank, seconds, hangs):
            until = Seconds(around.agenda.now + seconds)
            around.troubles.lose_files(rank, until, hangs=hangs)
        case Fill(rank):
            around.files.fill(_place(job, rank))
        case Free(rank):
            around.files.free(_place(job, rank))
        case CrashEngine(rank) | CutGroup(rank) | Exhaust(rank):
            process = job.at(rank)
            if process is not None and process.engine is not None:
                _break(deed, process.engine)
        case Change() | GoBack():
            _wish(deed, around)


def _break(deed: CrashEngine | CutGroup | Exhaust, engine: SimulatedEngine) -> None:
    match deed:
        case CrashEngine(_, code):
            engine.crash("the machine broke" if code == 3 else "an error", code)
        case CutGroup():
            engine.cut()
        case Exhaust(_, times):
            engine.exhaust(times)


def _place(job: Incarnation, rank: Rank | None) -> str:
    return DISK if rank is None else job.hosts[rank % len(job.hosts)]


def _kill_rank(job: Incarnation, rank: Rank) -> None:
    process = job.at(rank)
    if process is not None:
        job.kill(process, "killed")


def _ask(job: Incarnation, deed: Stop | Profile | Weigh, around: Surroundings) -> None:
    first = job.at(CHIEF)
    processes = first.ports.processes if first is not None else None
    if isinstance(deed, Weigh):
        around.weighed += 1
        request = RecipeRequest(f"asked-{around.weighed}", deed.weights, deed.at, deed.added)
        around.files.recipe_request = request
        if isinstance(processes, SimulatedProcesses):
            processes.ask_recipe(request)
        return
    if not isinstance(processes, SimulatedProcesses):
        return
    if isinstance(deed, Profile):
        processes.ask_profile(ProfileRequest("simulated", deed.steps, (deed.rank,)))
    else:
        processes.ask_stop("a stop was requested")
