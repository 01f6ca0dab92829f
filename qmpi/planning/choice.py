"""`parallel = "auto"`: which layout of a team a job gets, and why, in words.

Theory of operation. Every candidate is planned like a job that names it: seconds of a step, and
memory of its heaviest position beside what a rank has. Of those that fit the fastest is taken; of
equals the smallest team. Rates are those of the machine file, or round figures for a core: never
measured ones, so that every command, every rank and every start choose alike.
"""

from collections.abc import Callable, Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.machine import Machine
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.planning.candidates import Refused, candidates, refused
from qmpi.planning.limits import rank_room
from qmpi.planning.team import heaviest, team_time
from qmpi.planning.wording import layout_text, seconds_text, size_text
from qmpi.planning.workload import Counts, Workload, workload

ROOM = 0.9
"""Share of a rank's memory that may be planned for; the rest goes to buffers, and to copies."""

USUAL_CORE_GFLOPS = 50.0
"""Of a core whose machine file does not say: choices depend on it little, figures do."""

SHOWN = 3
"""Layouts that are told beside the chosen one."""

CountsOf = Callable[[int], Counts | None]
"""Gives the ranks of each role for a size of a team; None: there are too few."""


class Option(Struct, frozen=True, kw_only=True):
    """A legal layout with its figures.

    Attributes:
        parallel: the layout.
        teams: that the ranks make.
        step_seconds: of a step.
        memory_bytes: of the heaviest position.
        room_bytes: that a rank has, as far as it may be planned for.
        sent_bytes: that a rank sends within its team in a step, by axis.
        bubble: share of the stages' time in which they wait for one another.
    """

    parallel: ParallelSettings
    teams: int
    step_seconds: float
    memory_bytes: int
    room_bytes: float
    sent_bytes: dict[str, float]
    bubble: float

    @property
    def fits(self) -> bool:
        """Whether a rank has the memory."""
        return self.memory_bytes <= self.room_bytes


class Choice(Struct, frozen=True):
    """What there is to choose from.

    Attributes:
        options: those that fit first, the fastest first.
        refused: what the job cannot have, and why.
    """

    options: tuple[Option, ...]
    refused: tuple[Refused, ...]

    @property
    def chosen(self) -> Option | None:
        """The fastest that fits; None: none does."""
        return self.options[0] if self.options and self.options[0].fits else None


def choose(settings: Settings, machine: Machine, counts_of: CountsOf, nodes: int = 0) -> Choice:
    """Plan all candidates.

    Args:
        settings: the job; its own [parallel] does not count.
        machine: where it runs.
        counts_of: ranks of each role by the size of a team.
        nodes: that there are; 0: as many as it takes.

    Returns:
        Options and refusals; no options if nobody knows how fast or how large the machine is.
    """
    alone = counts_of(1)
    most = 1 if alone is None else alone.trainers + alone.spares
    dealt: dict[int, Counts | None] = {}
    found: list[Option] = []
    for parallel in candidates(settings, most):
        size = parallel.team_size
        if size not in dealt:
            dealt[size] = counts_of(size)
        counts = dealt[size]
        if counts is None:
            continue
        option = _option(replace(settings, parallel=parallel), counts, machine, nodes)
        if option is not None:
            found.append(option)
    found.sort(key=lambda one: (not one.fits, one.step_seconds, one.parallel.team_size))
    return Choice(tuple(found), refused(settings, most))


def _option(settings: Settings, counts: Counts, machine: Machine, nodes: int) -> Option | None:
    job = usual_speeds(replace(workload(settings, counts, machine, None, None), most_nodes=nodes))
    room, _ = rank_room(job)
    if job.speeds is None or not room:
        return None
    most, team = heaviest(job), team_time(job, job.speeds)
    return Option(
        parallel=settings.parallel,
        teams=job.teams,
        step_seconds=team.time.total,
        memory_bytes=most.bytes,
        room_bytes=ROOM * room,
        sent_bytes=team.sent,
        bubble=team.bubble,
    )


def usual_speeds(job: Workload) -> Workload:
    """Return a job with a usual core's speed, where nobody says how fast its cores are.

    Where the precision is left open such a core computes in float32, which takes more memory: few
    cores multiply bfloat16, and what does not fit must not be chosen.

    Args:
        job: the job on its machine.
    """
    if job.speeds is not None or job.on_gpus:
        return job
    node = replace(job.machine.node, core_gflops=USUAL_CORE_GFLOPS)
    told = replace(job.machine, node=node)
    known = workload(job.settings, job.counts, told, None, None)
    speeds = known.speeds
    if speeds is not None and job.settings.train.precision == "auto":
        speeds = replace(speeds, half=False)
    return replace(job, machine=told, speeds=speeds)


def why(choice: Choice) -> tuple[str, ...]:
    """Say why a layout was chosen: its figures, then those of others and what they lack.

    Args:
        choice: with a chosen layout, or none that fits.

    Returns:
        A sentence each.
    """
    best = choice.chosen
    if best is None:
        return _nearest(choice.options)
    fitting = sum(option.fits for option in choice.options)
    first = (
        f"{layout_text(best.parallel)}: {_figures(best)}; the fastest of {fitting:,} "
        f"layout{'s' if fitting != 1 else ''} that fit{'s' if fitting == 1 else ''}"
    )
    others = sorted(choice.options[1:], key=lambda one: (one.step_seconds, not one.fits))
    told = [f"not {layout_text(one.parallel)}: {lack(one, best)}" for one in others[:SHOWN]]
    return (first, *told, *(f"refused: {one.why}" for one in choice.refused))


def refusal(choice: Choice) -> str:
    """Say why a job that leaves its layout to qmpi gets none.

    Args:
        choice: without a chosen layout.

    Returns:
        Lines: the nearest, what is refused, and what would help.
    """
    if not choice.options:
        return (
            'parallel = "auto": nobody says how large and how fast the GPUs of this machine are: '
            "name one, as --set machine.name=h100, or write [parallel] with sizes"
        )
    lines = [
        'parallel = "auto": no layout fits these ranks; nearest are',
        *why(choice),
        *(f"refused: {one.why}" for one in choice.refused),
        "more ranks, train.checkpointing, fewer sequences a microbatch, or a smaller model",
    ]
    return "\n  ".join(lines)


def lack(option: Option, best: Option | None) -> str:
    """Say what a layout has and lacks.

    Args:
        option: the layout.
        best: the chosen one; None: none fits.

    Returns:
        Its figures, and what speaks against it.
    """
    if not option.fits:
        return (
            f"{seconds_text(option.step_seconds)} a step, but a rank needs "
            f"{size_text(option.memory_bytes)} and may have {size_text(option.room_bytes)}"
        )
    slower = option.step_seconds / best.step_seconds - 1 if best is not None else 0.0
    return f"{_figures(option)}; {slower:.0%} slower"


def _figures(option: Option) -> str:
    sent = sum(option.sent_bytes.values())
    parts = [
        f"{seconds_text(option.step_seconds)} a step",
        f"{size_text(option.memory_bytes)} of {size_text(option.room_bytes)} a rank",
    ]
    if sent:
        parts.append(f"{size_text(sent)} sent within the team")
    if option.bubble >= 0.005:
        parts.append(f"bubble {option.bubble:.0%}")
    return ", ".join(parts)


def _nearest(options: Sequence[Option]) -> tuple[str, ...]:
    near = sorted(options, key=lambda one: one.memory_bytes / (one.room_bytes or inf))[:SHOWN]
    return tuple(f"{layout_text(one.parallel)}: {lack(one, None)}" for one in near)
