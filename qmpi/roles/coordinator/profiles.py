"""Profiles that were asked for: who makes them, and how far they are. Part of the coordinator.

Theory of operation. A request is handed to the trainers that it names, once there is a group; each
answers when its trace is written, or why it is not. A rank that dies or gives up its seat before
fails its part. What came of the newest requests stands in the status, where the command that asked
looks for it.

Invariants: a rank's part ends once, as written or failed; at most `KEPT` requests are remembered.
"""

from collections import deque
from collections.abc import Callable, Collection

from msgspec.structs import replace

from qmpi.ports.base import Effect
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.profiles import (
    MOST_RANKS,
    ProfileDone,
    ProfiledRank,
    ProfileOrder,
    ProfileReport,
    ProfileRequest,
)
from qmpi.units import Rank

KEPT = 4


class Profiles:
    """What came of the newest requests."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.waiting: deque[ProfileRequest] = deque(maxlen=KEPT)
        self._reports: deque[ProfileReport] = deque(maxlen=KEPT)

    @property
    def reports(self) -> tuple[ProfileReport, ...]:
        """How far the newest are, oldest first."""
        return tuple(self._reports)

    def ask(self, request: ProfileRequest) -> None:
        """Take a request; `order` hands it on.

        Args:
            request: what is asked for.
        """
        self.waiting.append(request)

    def order(self, trainers: Collection[Rank], steps_left: int) -> list[Effect]:
        """Hand what waits to trainers.

        Args:
            trainers: members of the group.
            steps_left: steps of the run that no trainer can have begun yet.

        Returns:
            Orders.
        """
        effects: list[Effect] = []
        while self.waiting:
            request = self.waiting.popleft()
            ranks = request.ranks or tuple(sorted(trainers))
            refused = _refusal(request, ranks, trainers, steps_left)
            asked = () if refused else tuple(ProfiledRank(rank) for rank in sorted(set(ranks)))
            self._reports.append(ProfileReport(request.name, request.steps, asked, refused))
            order = ProfileOrder(request.name, request.steps)
            effects += [Send(Address(Rank(p.rank), RoleName.TRAINER), order) for p in asked]
        return effects

    def done(self, rank: Rank, answer: ProfileDone) -> None:
        """Take a trainer's answer; one to a request that is forgotten is passed over.

        Args:
            rank: who answers.
            answer: what came of its part.
        """
        state = "failed" if answer.fault else "written"

        def ended(part: ProfiledRank) -> ProfiledRank:
            return replace(part, state=state, path=answer.path, fault=answer.fault)

        self._end(rank, ended, answer.name)

    def lose(self, rank: Rank, why: str) -> None:
        """Wait no longer for a rank that trains no more.

        Args:
            rank: which.
            why: in words.
        """
        self._end(rank, lambda part: replace(part, state="failed", fault=why))

    def _end(
        self, rank: Rank, ended: Callable[[ProfiledRank], ProfiledRank], name: str | None = None
    ) -> None:
        for number, report in enumerate(self._reports):
            if name is None or report.name == name:
                parts = tuple(
                    ended(part) if part.rank == rank and part.state == "under way" else part
                    for part in report.ranks
                )
                self._reports[number] = replace(report, ranks=parts)


def _refusal(
    request: ProfileRequest,
    ranks: tuple[Rank, ...],
    trainers: Collection[Rank],
    steps_left: int,
) -> str:
    others = [str(rank) for rank in ranks if rank not in trainers]
    if others:
        known = ", ".join(map(str, sorted(trainers)[:MOST_RANKS]))
        return f"no trainers of the group: ranks {', '.join(others)}; the trainers are {known}"
    if len(set(ranks)) > MOST_RANKS:
        return f"{len(set(ranks))} ranks at once are too many: at most {MOST_RANKS}; name some"
    if steps_left <= request.steps:
        # The step after the last profiled one waits for the trace: it is whole before the run ends.
        return (
            f"{max(0, steps_left)} steps are left that have not begun, and {request.steps} with "
            "one after them are needed"
        )
    return ""
