"""The roles of a training job by name; those of a work farm are in `qmpi.roles.farm.build`.

A role's code is loaded when a rank is to play it: of thousands of ranks one plays the coordinator,
and each file that all of them load is thousands of reads from a shared file system at once.
"""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.protocol.envelope import RoleName
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.facts import RankFacts
from qmpi.roles.herald import Herald
from qmpi.roles.interface import Describe, Role


class Assignment(Struct, frozen=True):
    """All that a rank's roles are built from.

    Attributes:
        settings: the job.
        rank: who this rank is.
        run: the run so far; its history is read on the coordinator's rank only.
    """

    settings: Settings
    rank: RankFacts
    run: RunFacts


def build_role(assignment: Assignment, name: RoleName, describe: Describe) -> Role:
    """Build a role of this rank in its first state.

    Args:
        assignment: the job, the rank and the run.
        name: which role.
        describe: asks what the roles of this rank are doing.

    Returns:
        A new role.

    Raises:
        InvariantError: a training job has no such role.
    """
    settings, rank = assignment.settings, assignment.rank
    match name:
        case RoleName.HERALD:
            return Herald(settings, rank, describe)
        case RoleName.COORDINATOR:
            from qmpi.roles.coordinator.machine import Coordinator

            return Coordinator(settings, rank, assignment.run)
        case RoleName.GENERATOR:
            from qmpi.roles.generator import Generator

            return Generator(settings, rank)
        case RoleName.MEMORY:
            from qmpi.roles.memory import Memory

            return Memory(settings, rank)
        case RoleName.TRAINER:
            from qmpi.roles.trainer.machine import Trainer

            return Trainer(settings, rank)
        case RoleName.REPLICA:
            from qmpi.roles.replica import Replica

            return Replica(settings, rank)
        case RoleName.SPARE:
            from qmpi.roles.spare import Spare

            return Spare(settings, rank)
        case _:
            raise InvariantError(f"a training job has no {name}")
