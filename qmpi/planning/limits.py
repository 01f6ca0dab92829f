"""What limits a job, in words: each a fact with its figure, and what would lift it."""

from collections.abc import Iterator
from math import ceil
from typing import Literal

from msgspec.structs import replace

from qmpi.config.train import TrainSettings
from qmpi.planning.engine_time import EngineTime
from qmpi.planning.loads import Loads
from qmpi.planning.reliability import DAY, Reliability
from qmpi.planning.team import Heaviest, heaviest, largest_part
from qmpi.planning.wording import amount, seconds_text, size_text
from qmpi.planning.workload import Workload

LONG_DAYS = 365.0
"""A run beyond this is told what it could afford instead."""

MUCH = 0.2
"""Share of a step from which a cause is named."""

GIB = 2**30


def limits(
    job: Workload,
    most: Heaviest,
    time: EngineTime | None,
    load: Loads | None,
    failing: Reliability | None,
) -> tuple[str, ...]:
    """Say what limits a job.

    Args:
        job: the job.
        most: the position of a team that takes the most memory.
        time: of a step; None: not known.
        load: what it asks for; None likewise.
        failing: what failures cost; None likewise.

    Returns:
        Sentences, the gravest first; empty if nothing stands out.
    """
    found = [*_memory(job, most), *_float8(job), *_lanes(job), *_steps(job)]
    if time is None or load is None or failing is None:
        return (*found, _unknown(job))
    found += [*_step(job, time), *_load(load), *_failures(failing)]
    return tuple(found)


def _unknown(job: Workload) -> str:
    if job.on_gpus:
        return "speed: the machine file does not say how fast its GPUs and their memory are"
    if job.settings.train.device == "cpu":
        return "speed: the machine file does not say how fast a core is ([node] core_gflops)"
    if job.settings.train.device == "auto":
        return (
            "speed: nobody says how fast a core is ([node] core_gflops of a machine file), nor a "
            "GPU of this machine: name a machine with --machine, such as h100"
        )
    return (
        "speed: trainers compute on GPUs, and nobody says how fast those of this machine are: "
        "name one with --machine, such as h100"
    )


def rank_room(job: Workload) -> tuple[float, str]:
    """Return the memory that a trainer has where it computes.

    Args:
        job: the job.

    Returns:
        Bytes, 0: not known; and whose they are, in words.
    """
    if job.on_gpus:
        return job.machine.gpu.memory_gib * GIB, "its GPU"
    sharing = ceil(job.counts.trainers / max(1, job.nodes))
    return job.machine.node.memory_gib * GIB / sharing, "its share of a node"


def _memory(job: Workload, most: Heaviest) -> list[str]:
    need, found = most.bytes, _host_memory(job, most)
    room, where = rank_room(job)
    if not room or need <= room:
        return found
    shared = job.settings.parallel.team_size > 1
    return [
        f"memory: a trainer needs {size_text(need)} and {where} has {size_text(room)}: "
        f"{_saved(job, room)}fewer sequences a microbatch, a smaller model, or "
        f'{"another layout" if shared else "ranks that share it"} (parallel = "auto")',
        *found,
    ]


def _float8(job: Workload) -> list[str]:
    known = job.machine.gpu.fp8_tflops or not job.machine.gpu.bf16_tflops
    if job.settings.train.precision != "float8" or not job.on_gpus or known:
        return []
    return [
        "float8: the machine file knows no float8 products of its GPU ([gpu] fp8_tflops): it has "
        "none, and refuses the job, or the file is to be completed; else "
        'train.precision = "bfloat16"'
    ]


def _host_memory(job: Workload, most: Heaviest) -> list[str]:
    """Return what is to be said if trainers keep more beside their GPUs than a node has."""
    each, room = most.there.host_bytes, job.machine.node.memory_gib * GIB
    sharing = ceil(job.counts.trainers / max(1, job.nodes))
    if not room or sharing * each <= room:
        return []
    return [
        f"host memory: {sharing} trainers of a node keep {size_text(sharing * each)} beside their "
        f"GPUs and it has {size_text(room)}: offload less (train.offload)"
    ]


def _saved(job: Workload, room: float) -> str:
    """Return what makes a trainer fit, in words; "" if nothing does."""
    train = job.settings.train
    for less in _savings(train, on_gpus=job.on_gpus):
        saving = replace(job, settings=replace(job.settings, train=less))
        need = heaviest(saving).bytes
        if need <= room and less != train:
            fields = [
                f'train.{name} = "{getattr(less, name)}"'
                for name in ("checkpointing", "offload")
                if getattr(less, name) != getattr(train, name)
            ]
            made = " and ".join(fields) or "train.checkpoint_every = 1"
            return f"{made} makes that {size_text(need)}; or "
    return ""


def _savings(train: TrainSettings, *, on_gpus: bool) -> Iterator[TrainSettings]:
    """Yield a job's settings with less memory each, the cheapest in time first."""
    modes: tuple[Literal["selective", "full"], ...] = ("selective", "full")
    modes = modes[0 if train.checkpointing == "none" else 1 :]
    for mode in modes:
        yield replace(train, checkpointing=mode, checkpoint_every=1)
    if not on_gpus or train.offload == "all":
        return
    parts: tuple[Literal["optimizer", "activations"], ...] = ("optimizer", "activations")
    if train.offload == "none":
        for part in parts:
            yield replace(train, offload=part)
    yield replace(train, offload="all")
    yield replace(train, offload="all", checkpointing="full", checkpoint_every=1)


def _lanes(job: Workload) -> list[str]:
    lanes, counts = job.settings.train.lanes, job.counts
    found: list[str] = []
    if counts.spares > max(2, counts.trainers // 10):
        most = " (4,096 at most)" if lanes >= 4096 else ""
        found.append(
            f"lanes: {lanes:,} lanes{most} feed {counts.trainers:,} trainers; "
            f"{counts.spares:,} more ranks wait as spares"
        )
    idle = 1 - lanes / (job.team_lanes * job.teams)
    sharing = "trainers" if job.settings.parallel.team_size == 1 else "teams"
    if idle > 0.05:
        found.append(
            f"lanes: {lanes:,} lanes do not divide among {job.teams:,} {sharing}: they idle "
            f"{idle:.0%} of the time"
        )
    return found


def _steps(job: Workload) -> list[str]:
    warmup = job.settings.optimizer.warmup_steps
    if job.steps > warmup:
        return []
    return [
        f"steps: {amount(job.tokens)} are {job.steps:,} steps of {amount(job.step_tokens)}, fewer "
        f"than the warm-up has ({warmup:,}): fewer lanes or sequences, or more tokens"
    ]


def _step(job: Workload, time: EngineTime) -> list[str]:
    whole = time.total
    work = time.products + time.attention + time.sweeps + time.calls
    found = _within_team(time)
    if time.reduce > MUCH * whole:
        found += [
            f"network: summing {size_text(4 * largest_part(job))} of gradients takes "
            f"{seconds_text(time.reduce)} of a step of {seconds_text(whole)}: gloo goes through "
            "host memory and nothing hides it; more microbatches a lane, or a GPU backend, which "
            "this version does not have"
        ]
    elif work > MUCH * whole or not found:
        found += [f"compute: products and sweeps are {work / whole:.0%} of a step"]
    if time.snapshot > 0.05 * whole:
        state = size_text(job.copy_bytes)
        found.append(
            f"snapshots: hashing {state} takes {time.snapshot / whole:.0%} of the "
            "time: raise snapshot.every_steps"
        )
    if time.digest > 0.05 * whole:
        found.append(
            f"digests: hashing the weights takes {time.digest / whole:.0%} of the time: raise "
            "train.digest_every"
        )
    if time.evaluation > 0.05 * whole:
        found.append(
            f"evaluations: they take {time.evaluation / whole:.0%} of the time: raise "
            "evaluation.every_steps, or ask for fewer tokens or problems"
        )
    days = job.steps * whole / DAY
    if days > LONG_DAYS:
        found.append(
            f"tokens: {amount(job.tokens)} take {days / 365.25:,.0f} years; in 30 days "
            f"{job.nodes:,} {'node trains' if job.nodes == 1 else 'nodes train'} on "
            f"{amount(affordable(job, whole, 30.0))}"
        )
    return found


def _within_team(time: EngineTime) -> list[str]:
    """Return what is to be said if ranks of a team hold each other up."""
    found: list[str] = []
    if time.exchange > MUCH * time.total:
        found.append(
            f"team: what its ranks send each other takes {time.exchange / time.total:.0%} of a "
            "step, and nothing hides it: fewer ranks a team, or ranks that lie on one host"
        )
    if time.waiting > MUCH * time.total:
        found.append(
            f"pipeline: to fill and drain it takes {time.waiting / time.total:.0%} of a step: more "
            "microbatches, or fewer stages"
        )
    return found


def affordable(job: Workload, step_seconds: float, days: float) -> int:
    """Return the tokens that a job trains on in a time, failures apart.

    Args:
        job: the job.
        step_seconds: of a step.
        days: of running.

    Returns:
        Tokens of whole steps.
    """
    return int(days * DAY / step_seconds) * job.step_tokens


def _load(load: Loads) -> list[str]:
    found: list[str] = []
    if load.generated_tokens > load.generator_room:
        found.append(
            f"generators: the stream wants {amount(load.generated_tokens)} a second and they write "
            f"{amount(load.generator_room)}: "
            f"{load.generated_tokens / load.generator_room:.1f} times as many are needed"
        )
    if load.coordinator_core > 0.5:
        found.append(f"coordinator: it needs {load.coordinator_core:.0%} of a core")
    late = load.checkpoint_seconds
    if late is not None and late > load.checkpoint_every:
        found.append(
            f"files: a checkpoint takes {seconds_text(late)} and one is due every "
            f"{seconds_text(load.checkpoint_every)}: raise snapshot.disk_every_steps"
        )
    return found


def _failures(failing: Reliability) -> list[str]:
    if failing.share is None or failing.share > 0.95:
        return []
    return [
        f"failures: {failing.per_day:,.1f} nodes a day, {seconds_text(failing.seconds_each)} lost "
        f"with each, leave {failing.share:.0%} of the time"
    ]
