"""Sources that a run is given while it goes on. Part of the coordinator.

Theory of operation. What a request adds is proposed by the directory. Every rank that serves data
opens it and says what it found; who joins meanwhile is asked by the same directory, and who dies is
waited for no longer. When all that live have answered alike, the sources are agreed on: they go
into the journal with what they hold, in the record that first draws from them, and into the
directory.
Until then nothing draws from them, so a death before the record leaves the request as it was.

Invariants: `agreed` only grows, and is what the journal says; nothing is proposed but what the
directory proposes.
"""

from qmpi.config.settings import Settings
from qmpi.policy.added_sources import added_of, judged, with_added
from qmpi.protocol.added import AddedSource, Proposal, SourcesTried
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.recipe import RecipeRequest
from qmpi.roles.coordinator.crew import Crew
from qmpi.roles.coordinator.facts import RunFacts

DATA_ROLES = (RoleName.MEMORY, RoleName.GENERATOR)
"""Who opens sources."""


def added_before(run: RunFacts) -> tuple[AddedSource, ...]:
    """Return the sources that the job file does not have, as a start finds them.

    Args:
        run: the run so far.
    """
    return run.replayed.added if run.replayed is not None else added_of(run.history)


class Additions:
    """Sources behind those of the job file.

    Attributes:
        settings: the job, with the sources that are agreed on.
        agreed: sources that the run draws from, or has drawn from.
        proposed: request whose sources are being tried; None: none are.
    """

    def __init__(self, settings: Settings, run: RunFacts, crew: Crew) -> None:
        """Go on with what was added before.

        Args:
            settings: the job, as its file has it.
            run: the run so far.
            crew: tells who serves data.
        """
        self._job, self._crew = settings, crew
        self.proposed: RecipeRequest | None = None
        self._told: dict[Address, SourcesTried] = {}
        self.settings = settings
        self.agreed: tuple[AddedSource, ...] = ()
        self.agree(added_before(run))

    def agree(self, added: tuple[AddedSource, ...]) -> None:
        """Let the run draw from further sources.

        Args:
            added: behind those that are agreed on.
        """
        self.agreed = (*self.agreed, *added)
        self.settings = with_added(self._job, self.agreed)
        self._crew.added = self.agreed

    def propose(self, request: RecipeRequest | None) -> None:
        """Have the sources of a request tried; one that was tried before is dropped.

        Args:
            request: what is asked for; None: nothing is.
        """
        self.proposed, self._told = request, {}
        self._crew.proposal = Proposal(request.name, request.added) if request else None

    def hear(self, source: Address, tried: SourcesTried) -> None:
        """Take in what a rank found.

        Args:
            source: role and rank.
            tried: what it says; of an older request it is passed over.
        """
        if self.proposed is not None and tried.request == self.proposed.name:
            self._told[source] = tried

    @property
    def is_tried(self) -> bool:
        """Whether every rank that serves data has tried what is proposed."""
        if self.proposed is None:
            return False
        who = self._asked()
        return any(one.role == RoleName.MEMORY for one in who) and all(
            one in self._told for one in who
        )

    def settled(self, request: RecipeRequest) -> tuple[tuple[AddedSource, ...], str]:
        """Propose no more, and judge what was found.

        Args:
            request: that was tried.

        Returns:
            Its sources, and ""; or what stands against them, in words.
        """
        told = [self._told[one] for one in self._asked()]
        self.propose(None)
        return judged(request, told)

    def _asked(self) -> list[Address]:
        roster = self._crew.roster
        return [Address(rank, role) for role in DATA_ROLES for rank in roster.ranks(role)]
