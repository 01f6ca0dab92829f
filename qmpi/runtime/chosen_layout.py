"""The layout of a job that says `parallel = "auto"`: chosen once, where its run begins.

Theory of operation. A run that was begun keeps the layout in which it was, since that decides its
weights: whatever ranks and machine there are now. Else the candidates are planned for the ranks
that will start. The choice becomes part of the settings like any section that a user wrote: it
stands in the run's job.toml, and nothing behind this module knows of "auto". Ranks that were
started by hand have no command before them that could choose: rank 0 does, and tells the others.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.machine import Machine, load_machine
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, ExitCode, InputError, MachineError, QmpiError
from qmpi.planning.choice import Choice, choose, refusal, why
from qmpi.planning.wording import layout_text
from qmpi.planning.workload import Counts
from qmpi.policy.placement import place
from qmpi.runtime.here import as_found
from qmpi.runtime.meeting import COORDINATOR, START_SECONDS, Surroundings
from qmpi.runtime.same_run import begun_with, has_no_steps, run_path
from qmpi.storage.run_directory import RunDirectory
from qmpi.transport.gathering import exchange_hosts
from qmpi.units import Seconds


class Place(Struct, frozen=True):
    """Where a job shall run.

    Attributes:
        ranks: of the job, >= 1.
        machine: what its nodes are; None: as the job says, or as this one.
        nodes: that there are; 0: as many as it takes.
    """

    ranks: int
    machine: Machine | None = None
    nodes: int = 0


class Decision(Struct, frozen=True):
    """The layout of a job.

    Attributes:
        parallel: the layout.
        why: in words, a sentence each.
    """

    parallel: ParallelSettings
    why: tuple[str, ...]


class _Told(Struct, frozen=True):
    """What rank 0 tells of its choice."""

    parallel: ParallelSettings
    fault: str = ""
    exit_code: int = 0


def decide(settings: Settings, there: Place) -> Decision:
    """Choose the layout of a job.

    Args:
        settings: the job; its own [parallel] does not count.
        there: where it shall run.

    Returns:
        The layout of the run that goes on, or the fastest that fits.

    Raises:
        ConfigError: none fits, or nobody knows the machine.
    """
    directory = RunDirectory(run_path(settings))
    begun = begun_with(directory)
    if begun is not None and not has_no_steps(directory):
        return Decision(
            begun.parallel, (f"{layout_text(begun.parallel)}: as the run was begun, so it stays",)
        )
    choice = choices(settings, there)
    if choice.chosen is None:
        raise ConfigError(refusal(choice))
    return Decision(choice.chosen.parallel, why(choice))


def choices(settings: Settings, there: Place) -> Choice:
    """Plan all layouts that a job could have.

    Args:
        settings: the job; its own [parallel] does not count.
        there: where it shall run.

    Returns:
        Options and refusals.
    """
    machine, nodes = there.machine, there.nodes
    if machine is None:
        named = settings.machine.name
        machine = load_machine(named) if named else as_found()
        nodes = nodes or (0 if named else 1)
    return choose(settings, machine, lambda size: counts_of(settings, there.ranks, size), nodes)


def counts_of(settings: Settings, ranks: int, team_size: int) -> Counts | None:
    """Return the ranks of each role.

    Args:
        settings: the job.
        ranks: of the job.
        team_size: ranks of a team.

    Returns:
        Counts; a rank with several roles counts in each. None: there are too few for a team.
    """
    try:
        placement = place(["host"] * ranks, settings.roles, settings.train.lanes, team_size)
    except ConfigError:
        return None
    dealt: dict[str, int] = {}
    for hosted in placement.roles:
        for role in hosted:
            dealt[str(role)] = dealt.get(str(role), 0) + 1
    return Counts(
        ranks=ranks,
        trainers=dealt["trainer"],
        spares=dealt.get("spare", 0),
        generators=dealt["generator"],
        memories=dealt["memory"],
        replicas=dealt["replica"],
    )


def agreed(
    world: Surroundings, settings: Settings, decided: Callable[[Settings, Place], Decision] = decide
) -> Settings:
    """Return a job with the layout that rank 0 has chosen, the same on every rank.

    Args:
        world: of this process; nobody has spoken yet.
        settings: the job.
        decided: chooses, on rank 0 alone.

    Raises:
        UserError: there is none; raised on every rank alike.
        MachineError: a rank died or did not come.
    """
    transport, clock = world.transport, world.clock
    mine = ""
    if transport.rank == COORDINATOR:
        told = _chosen(settings, Place(transport.size), decided)
        mine = msgspec.json.encode(told).decode()
    deadline = Seconds(clock.now() + START_SECONDS)
    first, *_ = exchange_hosts(transport, mine, clock.now, clock.sleep, deadline)
    heard = msgspec.json.decode(first, type=_Told)
    if heard.fault:
        raise (InputError if heard.exit_code == ExitCode.USER else MachineError)(heard.fault)
    return replace(settings, parallel=heard.parallel)


def _chosen(
    settings: Settings, there: Place, decided: Callable[[Settings, Place], Decision]
) -> _Told:
    try:
        return _Told(decided(settings, there).parallel)
    except QmpiError as error:
        return _Told(ParallelSettings(), str(error), int(error.exit_code))
