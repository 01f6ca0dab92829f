"""Who a rank is: what all its roles are told when they are built."""

from msgspec import Struct

from qmpi.protocol.envelope import Address
from qmpi.units import Rank


class RankFacts(Struct, frozen=True):
    """Who this rank is.

    Attributes:
        rank: rank in MPI_COMM_WORLD.
        host: name of its machine.
        pid: its process id there.
        chief: the role that decides: coordinator or dealer.
        mates: ranks of this host, ascending, this one included.
    """

    rank: Rank
    host: str
    pid: int
    chief: Address
    mates: tuple[Rank, ...]
