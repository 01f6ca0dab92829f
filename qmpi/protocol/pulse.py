"""Signs of life, and the directory: what goes to and from the chief by way of host leaders.

Every rank has a herald. The lowest live rank of a host is its leader: the heralds there beat to the
leader's, which merges them into one `Beat` a heartbeat to the chief (coordinator or dealer). The
directory goes the other way; it also tells what is drawn from. So the chief's messages grow with
hosts, not with ranks.
"""

from msgspec import Struct

from qmpi.config.data import Source
from qmpi.protocol.added import Proposal
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe
from qmpi.units import Digest, Rank


class Pulse(Struct, frozen=True, array_like=True):
    """Role instances of one host that say the same.

    Attributes:
        role: which role.
        ranks: ranks of the host, ascending, that play it and are in this state.
        activity: what they do, in a few words.
        step: their weights are those before this step; -1: they have none.
        digest: newest digest of whole weights that they know; "" if none.
        digest_step: those are the weights before this step.
        levels: what the levels of their cache were asked for; empty: they have none.
    """

    role: RoleName
    ranks: tuple[Rank, ...]
    activity: str
    step: int = -1
    digest: Digest = Digest("")
    digest_step: int = -1
    levels: tuple[LevelUse, ...] = ()


class Beat(Struct, frozen=True, tag="beat"):
    """Signs of life; to the host's leader, or merged to the chief.

    Attributes:
        pulses: each role instance once.
        revision: of the oldest directory among these ranks.
    """

    pulses: tuple[Pulse, ...]
    revision: int


class BeatHeard(Struct, frozen=True, tag="beat_heard"):
    """The leader, or the chief, lives and has heard; `revision` is that of its directory."""

    revision: int


class Directory(Struct, frozen=True, tag="directory"):
    """Which live ranks play which data role; the chief alone writes it.

    Attributes:
        revision: raised with each change; older ones are ignored.
        generators, memories, replicas: live ranks, ascending.
        sources: facts of all data sources, in the order of the job file, added ones last.
        reason: why it changed, in words.
        recipes: the recipe log.
        added: the sources that the job file does not have.
        proposal: sources to be tried; nothing draws from them yet. None: none are.
    """

    revision: int = 0
    generators: tuple[Rank, ...] = ()
    memories: tuple[Rank, ...] = ()
    replicas: tuple[Rank, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    reason: str = ""
    recipes: tuple[Recipe, ...] = ()
    added: tuple[Source, ...] = ()
    proposal: Proposal | None = None


class DirectoryChange(Struct, frozen=True, tag="directory_change"):
    """What makes the directory of `base` that of `revision`; no use to who holds another.

    Attributes:
        joined: (role, rank) pairs that are new.
        gone: (role, rank) pairs that are there no more.
        reason: why it changed, in words.
        kept: records of the recipe log that stay as they are, from its beginning on.
        recipes: those behind them.
    """

    base: int
    revision: int
    joined: tuple[tuple[RoleName, Rank], ...]
    gone: tuple[tuple[RoleName, Rank], ...]
    reason: str = ""
    kept: int = 0
    recipes: tuple[Recipe, ...] = ()


class DirectoryWanted(Struct, frozen=True, tag="directory_wanted"):
    """The sender holds the directory of `revision`, and needs the whole of a newer one."""

    revision: int
