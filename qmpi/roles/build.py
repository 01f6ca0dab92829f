"""The one place that knows all roles."""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.protocol.envelope import RoleName
from qmpi.roles.coordinator import Coordinator
from qmpi.roles.generator import Generator
from qmpi.roles.interface import Role
from qmpi.roles.member import RankFacts
from qmpi.roles.memory import Memory
from qmpi.roles.replica import Replica
from qmpi.roles.run_facts import RunFacts
from qmpi.roles.spare import Spare
from qmpi.roles.trainer import Trainer


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


def build_role(assignment: Assignment, name: RoleName) -> Role:
    """Build a role of this rank in its first state.

    Args:
        assignment: the job, the rank and the run.
        name: which role.

    Returns:
        A new role.
    """
    settings, rank = assignment.settings, assignment.rank
    match name:
        case RoleName.COORDINATOR:
            return Coordinator(settings, rank, assignment.run)
        case RoleName.GENERATOR:
            return Generator(settings, rank)
        case RoleName.MEMORY:
            return Memory(settings, rank, assignment.run.recipes)
        case RoleName.TRAINER:
            return Trainer(settings, rank)
        case RoleName.REPLICA:
            return Replica(settings, rank)
        case RoleName.SPARE:
            return Spare(settings, rank)
