"""Checkpoint replica: keeps verified copies of the training state and writes some of them to disk.

Theory of operation. A trainer offers a snapshot; the replica pulls it part by part, at most
`WINDOW` parts in flight, so it bounds what it must hold. When all parts are there the driver
verifies them against the offered digest and writes a node-local RAM file, and a checkpoint on disk
when asked. Only what was verified is reported as held. A newer offer, or one that also goes to
disk, takes the place of a transfer that did not finish; an older one is passed over.
"""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.copies import SnapshotBroken, SnapshotStored, StoreSnapshot
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import SnapshotFact
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
from qmpi.units import Seconds, Step

WINDOW = 2
"""Parts in flight; two keep the link busy and bound the memory to two parts."""


class Transfer(Struct):
    """One snapshot on its way.

    Invariants: parts [0, asked) were asked for, `parts` holds a prefix-complete subset of them.
    """

    source: Address
    offer: SnapshotOffer
    count: int
    asked: int
    parts: dict[int, Frame]


def _worth(offer: SnapshotOffer) -> tuple[Step, bool]:
    return offer.step, offer.to_disk


class Replica(Follower):
    """A rank that keeps snapshots.

    Invariants: at most one transfer; `storing` maps each step being written to who offered it.
    """

    role = RoleName.REPLICA

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make an empty replica.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.transfer: Transfer | None = None
        self.storing: dict[Step, Address] = {}

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Pull, store, report."""
        del now
        match event:
            case Received(header, SnapshotOffer() as offer):
                return self._offered(header.source, offer)
            case Received(_, SnapshotPart(step, part), frames) if frames:
                return self._arrived(step, part, frames[0])
            case Received(_, SnapshotGone(step)):
                self._drop(step)
                return []
            case SnapshotStored(facts):
                return self._stored(facts)
            case SnapshotBroken(step, reason):
                self._activity = "idle"
                offerer = self.storing.pop(step, None)
                failed = SnapshotFailed(step, reason)
                return [self.tell(failed), *([Send(offerer, failed)] if offerer else [])]
            case RankLost(rank):
                if self.transfer is not None and self.transfer.source.rank == rank:
                    self._drop(self.transfer.offer.step)
                return []
            case _:
                return []

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: more parts are held or asked for than there are.
        """
        t = self.transfer
        if t is not None and not len(t.parts) <= t.asked <= t.count:
            raise InvariantError(
                f"replica {self.facts.rank}: parts {len(t.parts)}/{t.asked}/{t.count}"
            )

    def _offered(self, source: Address, offer: SnapshotOffer) -> list[Effect]:
        current = self.transfer
        # A former lead may still offer what is older; it must not displace what is on its way.
        if current is not None and _worth(current.offer) >= _worth(offer):
            return []
        self._activity = f"receiving snapshot of step {offer.step}"
        count = max(1, -(-offer.size // offer.part_size))
        self.transfer = Transfer(source, offer, count, 0, {})
        return self._pull()

    def _pull(self) -> list[Effect]:
        transfer = self.transfer
        if transfer is None:
            return []
        pulls: list[Effect] = []
        while transfer.asked < transfer.count and transfer.asked - len(transfer.parts) < WINDOW:
            pulls.append(Send(transfer.source, SnapshotPull(transfer.offer.step, transfer.asked)))
            transfer.asked += 1
        return pulls

    def _arrived(self, step: Step, part: int, frame: Frame) -> list[Effect]:
        transfer = self.transfer
        if transfer is None or transfer.offer.step != step or part >= transfer.asked:
            return []
        transfer.parts[part] = frame
        if len(transfer.parts) < transfer.count:
            return self._pull()
        self.transfer = None
        self.storing[step] = transfer.source
        self._activity = f"writing snapshot of step {step}"
        parts = tuple(transfer.parts[i] for i in range(transfer.count))
        offer = transfer.offer
        return [StoreSnapshot(step, offer.digest, parts, "", to_ram=True, to_disk=offer.to_disk)]

    def _stored(self, facts: tuple[SnapshotFact, ...]) -> list[Effect]:
        self._activity = f"holds step {max((f.step for f in facts), default=Step(0))}"
        held = SnapshotHeld(facts)
        offerers = {self.storing.pop(f.step) for f in facts if f.step in self.storing}
        return [self.tell(held), *(Send(offerer, held) for offerer in sorted(offerers))]

    def _drop(self, step: Step) -> None:
        if self.transfer is not None and self.transfer.offer.step == step:
            self.transfer = None
            self._activity = "idle"
