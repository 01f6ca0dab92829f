"""Memory and time of a team: of its heaviest position, and of its slowest stage.

Theory of operation. All ranks of a team do a step together, so what counts of each cause is the
rank that has the most of it. Stages of a pipeline work at the pace of the slowest, and it waits
while the pipeline fills and drains. What ranks send each other in their lanes is part of a stage's
time. For a team of one rank all this is the trainer itself.
"""

from msgspec import Struct
from msgspec.structs import replace

from qmpi.planning.engine_time import EngineTime, engine_time
from qmpi.planning.memory import on_host, trainer_memory
from qmpi.planning.offload import Apart, carry_seconds
from qmpi.planning.pipelines import waiting_seconds
from qmpi.planning.position import stages_apart
from qmpi.planning.traffic import Traffic, lane_seconds, sum_seconds, told, traffic
from qmpi.planning.workload import Speeds, Workload

BESIDE = ("reduce", "apply", "digest", "snapshot", "evaluation", "offload")
"""Causes of a step's time outside the lanes."""


class Heaviest(Struct, frozen=True):
    """The position of a team that takes the most memory.

    Attributes:
        job: as it sees it.
        memory: its bytes by kind, where it computes.
        there: what of it is in the host's memory beside its GPU.
    """

    job: Workload
    memory: dict[str, int]
    there: Apart

    @property
    def bytes(self) -> int:
        """All of its memory."""
        return sum(self.memory.values())


class TeamTime(Struct, frozen=True):
    """Time of a team's step.

    Attributes:
        time: seconds by cause.
        sent: bytes that a rank sends within its team in a step, by axis: the rank with the most.
        bubble: share of the stages' time in which they wait for one another.
    """

    time: EngineTime
    sent: dict[str, float]
    bubble: float


def heaviest(job: Workload) -> Heaviest:
    """Return the position that takes the most memory.

    Args:
        job: the whole job.
    """
    found = [Heaviest(one, trainer_memory(one), on_host(one)) for one, _ in stages_apart(job)]
    return max(found, key=lambda one: one.bytes)


def largest_part(job: Workload) -> int:
    """Return the parameters that a rank of the stage that has the most holds.

    Args:
        job: the whole job.
    """
    return max(one.held for one, _ in stages_apart(job))


def team_state_bytes(job: Workload) -> int:
    """Return the bytes of a snapshot: of the state of all positions.

    Args:
        job: the whole job.
    """
    parallel = job.settings.parallel
    alike = parallel.team_size // parallel.pipeline
    return sum(alike * stages * one.copy_bytes for one, stages in stages_apart(job))


def team_time(job: Workload, speeds: Speeds) -> TeamTime:
    """Return the time of a step, failures apart.

    Args:
        job: the whole job.
        speeds: of a trainer.
    """
    parts = [(_stage(one, speeds), stages) for one, stages in stages_apart(job)]
    busy = [_busy(time) for (time, _), stages in parts for _ in range(stages)]
    slowest = max((time for (time, _), _ in parts), key=_busy)
    beside = {name: max(getattr(time, name) for (time, _), _ in parts) for name in BESIDE}
    waits = waiting_seconds(job.settings.parallel, busy, job.team_microbatches)
    idle = 1 - sum(busy) / len(busy) / (max(busy) + waits)
    sent: dict[str, float] = {}
    for (_, along), _ in parts:
        for axis, size in told(along):
            sent[axis] = max(sent.get(axis, 0.0), size)
    return TeamTime(replace(slowest, waiting=waits, **beside), sent, idle)


def _stage(job: Workload, speeds: Speeds) -> tuple[EngineTime, tuple[Traffic, ...]]:
    """Return the time of a stage by itself, and what it sends."""
    time, along = engine_time(job, speeds), traffic(job, speeds)
    offload = carry_seconds(job, on_host(job), time.lanes)
    exchange, reduce = lane_seconds(job, along), time.reduce + sum_seconds(job, along)
    return replace(time, offload=offload, exchange=exchange, reduce=reduce), along


def _busy(time: EngineTime) -> float:
    return time.lanes + time.exchange
