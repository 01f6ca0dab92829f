"""The roles of a work farm by name, and which rank has which."""

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.protocol.envelope import RoleName
from qmpi.roles.facts import RankFacts
from qmpi.roles.farm.dealer import Dealer
from qmpi.roles.farm.tally import FarmFacts
from qmpi.roles.farm.worker import Worker
from qmpi.roles.herald import Herald
from qmpi.roles.interface import Describe, Role
from qmpi.units import Rank

SMALL_FARM = 2
"""Most ranks of a farm whose dealer works besides; in a larger one it keeps free for the others,
who then never wait for an answer."""


def workers_of(size: int) -> tuple[Rank, ...]:
    """Return the ranks that do units.

    Args:
        size: ranks of the job.

    Returns:
        All of them in a small farm, else all but the dealer's.
    """
    return tuple(Rank(rank) for rank in range(0 if size <= SMALL_FARM else 1, size))


def roles_of(rank: Rank, size: int) -> tuple[RoleName, ...]:
    """Return the roles of a rank, in the order in which they start.

    Args:
        rank: which.
        size: ranks of the job.

    Returns:
        Two or three roles.
    """
    dealer = (RoleName.DEALER,) if rank == 0 else ()
    worker = (RoleName.WORKER,) if rank in workers_of(size) else ()
    return (RoleName.HERALD, *dealer, *worker)


def build_farm_role(
    settings: Settings, facts: RankFacts, farm: FarmFacts, name: RoleName, describe: Describe
) -> Role:
    """Build a role of this rank in its first state.

    Args:
        settings: limits of failures, and how often the status is written.
        facts: who this rank is.
        farm: the work.
        name: which role.
        describe: asks what the roles of this rank are doing.

    Returns:
        A new role.

    Raises:
        InvariantError: a farm has no such role.
    """
    match name:
        case RoleName.HERALD:
            return Herald(settings, facts, describe)
        case RoleName.DEALER:
            return Dealer(settings, facts, farm)
        case RoleName.WORKER:
            return Worker(settings, facts)
        case _:
            raise InvariantError(f"a work farm has no {name}")
