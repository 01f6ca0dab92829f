"""What a job file may say: a frozen Struct a section, each field with meaning, unit and range.

`Doc` texts are the single source for `qmpi init` comments, for error messages and for the reference
page. Ranges that one field can state alone stand in `msgspec.Meta`; contradictions between fields
are checked in `qmpi.config.checks`.
"""

from typing import Annotated

from msgspec import Meta, Struct

from qmpi.config.batch import BatchSettings
from qmpi.config.bounds import PositiveInt, PositiveSeconds
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.guard import GuardSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.config.surroundings import HostSettings, MachineSettings
from qmpi.config.train import TrainSettings

RoleCount = int | Annotated[str, Meta(pattern=r"^\d+(\.\d+)?%$")]
"""A number of ranks (>= 0), or a share of all ranks such as "60%"."""


class JobSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[job]: identity of the run."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=80,
            description="Name of the run; part of the run directory's name.",
        ),
    ] = "qmpi"
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**62,
            description=(
                "Seed of the initial weights, of the data order and of the generated text."
            ),
        ),
    ] = 0
    run_dir: Annotated[
        str,
        Meta(description="Directory of the run: status, journal, checkpoints. Empty: runs/NAME."),
    ] = ""


class RoleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[roles]: how many ranks play each role; a number, or a share of all ranks such as "60%"."""

    coordinator: Annotated[
        RoleCount,
        Meta(description="Decides membership, placement and commits. Exactly 1 in this version."),
    ] = 1
    generator: Annotated[RoleCount, Meta(description="Write generated text as rows of tokens.")] = 1
    memory: Annotated[RoleCount, Meta(description="Read shards, assemble and serve blocks.")] = 1
    trainer: Annotated[
        RoleCount,
        Meta(
            description=(
                "Compute lanes, reduce gradients, step. Ranks that no count asks for "
                "become trainers."
            )
        ),
    ] = 1
    replica: Annotated[
        RoleCount, Meta(description="Keep verified snapshots in RAM and write them to disk.")
    ] = 1
    spare: Annotated[
        RoleCount, Meta(description="Wait with torch loaded and take a dead rank's place.")
    ] = 0


class InitialSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[initial]: weights to begin with, as `qmpi import` writes it. Empty: from the seed."""

    weights: Annotated[
        str,
        Meta(description="A safetensors file, or a directory with one or several and their index."),
    ] = ""
    digest: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{64})?$",
            description=(
                "SHA-256 of the weights; part of the run's identity, so that the files may move."
            ),
        ),
    ] = ""


class SnapshotSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[snapshot]: copies of the state in RAM and on disk."""

    every_steps: Annotated[PositiveInt, Meta(description="Steps between two snapshots in RAM.")] = (
        10
    )
    disk_every_steps: Annotated[
        PositiveInt,
        Meta(description="Steps between two checkpoints on disk; the last step always gets one."),
    ] = 50
    keep: Annotated[
        PositiveInt, Meta(description="Snapshots kept in RAM, and checkpoints kept on disk.")
    ] = 2
    ram_dir: Annotated[
        str,
        Meta(
            min_length=1, description="Node-local RAM file system; its files outlive the processes."
        ),
    ] = "/dev/shm"


class FailureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[failure]: detection of silent ranks, and relaunches of the whole job."""

    heartbeat_seconds: Annotated[
        PositiveSeconds, Meta(description="Time between two signs of life of a rank.")
    ] = 1.0
    dead_seconds: Annotated[
        PositiveSeconds,
        Meta(description="Silence after which a rank is fenced (killed) and counted as dead."),
    ] = 30.0
    max_relaunches: Annotated[
        int,
        Meta(ge=0, description="Relaunches of the whole MPI job within relaunch_window_seconds."),
    ] = 10
    relaunch_window_seconds: Annotated[
        PositiveSeconds, Meta(description="Window over which relaunches are counted.")
    ] = 3600.0
    start_seconds: Annotated[
        PositiveSeconds,
        Meta(description="Time within which all ranks must have reported at start."),
    ] = 300.0


class MonitorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[monitor]: what the coordinator writes for people and scripts."""

    status_seconds: Annotated[
        PositiveSeconds, Meta(description="Time between two writes of status.json.")
    ] = 1.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole job file."""

    job: JobSettings = JobSettings()
    roles: RoleSettings = RoleSettings()
    parallel: ParallelSettings = ParallelSettings()
    model: ModelSettings = ModelSettings()
    initial: InitialSettings = InitialSettings()
    train: TrainSettings = TrainSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    data: DataSettings = DataSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    failure: FailureSettings = FailureSettings()
    monitor: MonitorSettings = MonitorSettings()
    hosts: HostSettings = HostSettings()
    machine: MachineSettings = MachineSettings()
    guard: GuardSettings = GuardSettings()
    batch: BatchSettings = BatchSettings()
    memory: MemorySettings = MemorySettings()
    curriculum: CurriculumSettings = CurriculumSettings()
