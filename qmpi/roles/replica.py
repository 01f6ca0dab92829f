"""Checkpoint replica: keeps verified copies of the training state and writes some of them to disk.

Theory of operation. A trainer offers a snapshot; the replica pulls it part by part, at most
`WINDOW` parts in flight, so it bounds what it must hold. When all parts are there the driver
verifies them against the offered digest and writes a node-local RAM file, and a checkpoint on disk
when asked. Only what was verified is reported as held. A newer offer, or one that also goes to
disk, takes the place of a transfer that did not finish; an older one is passed over. One of the
same worth by another rank is kept: the source may be dead already, and the next group's keeper of
copies offers once. The parts of a team's positions come beside each other.
"""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.copies import SnapshotBroken, SnapshotStored, StoreSnapshot
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.messages import Message
from qmpi.protocol.snapshots import (
    SnapshotFailed,
    SnapshotGone,
    SnapshotHeld,
    SnapshotOffer,
    SnapshotPart,
    SnapshotPull,
)
from qmpi.roles.facts import RankFacts
from qmpi.roles.follower import Follower
from qmpi.units import Rank, Seconds, Step

WINDOW = 2
"""Parts in flight; two keep the link busy and bound the memory to two parts."""


class Transfer(Struct):
    """One snapshot on its way.

    Attributes:
        others: who else offers it, with the offer; the latest last.

    Invariants: parts [0, asked) were asked for, `parts` holds a prefix-complete subset of them.
    """

    source: Address
    offer: SnapshotOffer
    count: int
    asked: int
    parts: dict[int, Frame]
    others: dict[Address, SnapshotOffer]


def _worth(offer: SnapshotOffer) -> tuple[Step, bool]:
    return offer.step, offer.to_disk


class Replica(Follower):
    """A rank that keeps snapshots.

    Invariants: at most one transfer a position; `storing` maps each part of a state that is being
    written to those who offered it.
    """

    role = RoleName.REPLICA

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make an empty replica.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.transfers: dict[int, Transfer] = {}
        self.storing: dict[tuple[Step, int], tuple[Address, ...]] = {}

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Pull, store, report."""
        del now
        match event:
            case Received(header, SnapshotOffer() as offer):
                return self._offered(header.source, offer)
            case Received(_, SnapshotPart() as part, frames) if frames:
                return self._arrived(part, frames[0])
            case Received(_, SnapshotGone(step, position)):
                return self._drop(step, position)
            case SnapshotStored(facts, fault):
                return self._stored(facts, fault)
            case SnapshotBroken(step, reason, position, place):
                self._activity = "idle"
                offerers = self.storing.pop((step, position), ())
                failed = SnapshotFailed(step, reason, position, place)
                return [self.tell(failed), *(Send(offerer, failed) for offerer in offerers)]
            case RankLost(rank):
                return self._lost(rank)
            case _:
                return []

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: more parts are held or asked for than there are.
        """
        for t in self.transfers.values():
            if not len(t.parts) <= t.asked <= t.count:
                raise InvariantError(
                    f"replica {self.facts.rank}: parts {len(t.parts)}/{t.asked}/{t.count}"
                )

    def _offered(self, source: Address, offer: SnapshotOffer) -> list[Effect]:
        current = self.transfers.get(offer.position)
        # A former lead may still offer what is older; it must not displace what is on its way.
        if current is not None and _worth(current.offer) >= _worth(offer):
            if current.offer == offer and source != current.source:
                current.others[source] = offer
            return []
        self._activity = f"receiving snapshot of step {offer.step}"
        count = max(1, -(-offer.size // offer.part_size))
        transfer = self.transfers[offer.position] = Transfer(source, offer, count, 0, {}, {})
        return self._pull(transfer)

    def _pull(self, transfer: Transfer) -> list[Effect]:
        offer, pulls = transfer.offer, list[Effect]()
        while transfer.asked < transfer.count and transfer.asked - len(transfer.parts) < WINDOW:
            pull = SnapshotPull(offer.step, transfer.asked, offer.position)
            pulls.append(Send(transfer.source, pull))
            transfer.asked += 1
        return pulls

    def _arrived(self, arrived: SnapshotPart, frame: Frame) -> list[Effect]:
        transfer = self.transfers.get(arrived.position)
        if (
            transfer is None
            or transfer.offer.step != arrived.step
            or arrived.part >= transfer.asked
        ):
            return []
        transfer.parts[arrived.part] = frame
        if len(transfer.parts) < transfer.count:
            return self._pull(transfer)
        offer = transfer.offer
        del self.transfers[offer.position]
        self.storing[(offer.step, offer.position)] = (transfer.source, *transfer.others)
        self._activity = f"writing snapshot of step {offer.step}"
        parts = tuple(transfer.parts[i] for i in range(transfer.count))
        return [
            StoreSnapshot(
                offer.step,
                offer.digest,
                parts,
                "",
                to_ram=True,
                to_disk=offer.to_disk,
                position=offer.position,
                branch=offer.branch,
                skipped=offer.skipped,
            )
        ]

    def _stored(self, facts: tuple[SnapshotFact, ...], fault: str) -> list[Effect]:
        fact = facts[0]
        self._activity = f"holds step {fact.step}"
        offerers = self.storing.pop((fact.step, fact.position), ())
        words: list[Message] = [SnapshotHeld(facts)]
        if fault:
            place = "ram" if fact.place == "disk" else ""
            words.append(SnapshotFailed(fact.step, fault, fact.position, place))
        to = [self.facts.chief, *offerers]
        return [Send(address, word) for word in words for address in to]

    def _lost(self, rank: Rank) -> list[Effect]:
        effects: list[Effect] = []
        for transfer in list(self.transfers.values()):
            for other in [other for other in transfer.others if other.rank == rank]:
                del transfer.others[other]
            if transfer.source.rank == rank:
                effects += self._drop(transfer.offer.step, transfer.offer.position)
        return effects

    def _drop(self, step: Step, position: int) -> list[Effect]:
        transfer = self.transfers.get(position)
        if transfer is None or transfer.offer.step != step:
            return []
        del self.transfers[position]
        self._activity = "idle"
        if not transfer.others:
            return []
        source, offer = transfer.others.popitem()
        effects = self._offered(source, offer)
        self.transfers[position].others = transfer.others
        return effects
