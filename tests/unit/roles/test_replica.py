"""A replica keeps who else offers what it pulls: the source may be dead and not known to be."""

from qmpi.config.settings import Settings
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.copies import SnapshotStored, StoreSnapshot
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.messages import Message
from qmpi.protocol.snapshots import (
    SnapshotGone,
    SnapshotHeld,
    SnapshotOffer,
    SnapshotPart,
    SnapshotPull,
)
from qmpi.roles.facts import RankFacts
from qmpi.roles.replica import Replica
from qmpi.units import Bytes, Digest, Generation, Rank, Seconds, Step

HERE = Address(Rank(4), RoleName.REPLICA)
CHIEF = Address(Rank(0), RoleName.COORDINATOR)
FIRST, SECOND = (Address(Rank(number), RoleName.TRAINER) for number in (1, 7))
FACTS = RankFacts(Rank(4), "here", 104, CHIEF, (Rank(4),))
OFFER = SnapshotOffer(Step(30), Digest("d"), Bytes(24), Bytes(8), to_disk=True)


def replica() -> Replica:
    return Replica(Settings(), FACTS)


def heard(role: Replica, source: Address, message: Message, frames: tuple[Frame, ...] = ()):
    header = Header(
        version=WIRE_VERSION,
        source=source,
        target=HERE,
        sequence=1,
        generation=Generation(1),
        cause="a test",
    )
    return done(role, Received(header, message, frames))


def done(role: Replica, event: Event) -> list[Effect]:
    effects = role.on_event(event, Seconds(0.0))
    role.check()
    return effects


def pulls(effects: list[Effect]) -> list[tuple[Address, int]]:
    sent = [(e.to, e.message) for e in effects if isinstance(e, Send)]
    return [(to, message.part) for to, message in sent if isinstance(message, SnapshotPull)]


def told(effects: list[Effect], kind: type) -> list[Address]:
    return [e.to for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def test_what_a_dead_source_leaves_undone_is_pulled_from_who_offered_it_too() -> None:
    role = replica()
    assert pulls(heard(role, FIRST, OFFER)) == [(FIRST, 0), (FIRST, 1)]
    assert heard(role, SECOND, OFFER) == []
    assert pulls(done(role, RankLost(FIRST.rank, "killed"))) == [(SECOND, 0), (SECOND, 1)]


def test_what_a_source_no_longer_holds_is_pulled_from_who_offered_it_too() -> None:
    role = replica()
    heard(role, FIRST, OFFER)
    heard(role, SECOND, OFFER)
    assert pulls(heard(role, FIRST, SnapshotGone(OFFER.step))) == [(SECOND, 0), (SECOND, 1)]


def test_a_dead_rank_is_not_asked_for_what_it_offered() -> None:
    role = replica()
    heard(role, FIRST, OFFER)
    heard(role, SECOND, OFFER)
    assert done(role, RankLost(SECOND.rank, "killed")) == []
    assert done(role, RankLost(FIRST.rank, "killed")) == []


def test_all_who_offered_a_snapshot_hear_that_it_is_held() -> None:
    role = replica()
    heard(role, FIRST, OFFER)
    heard(role, SECOND, OFFER)
    effects: list[Effect] = []
    for part in range(3):
        effects = heard(role, FIRST, SnapshotPart(OFFER.step, part), (bytes(8),))
    (store,) = effects
    assert isinstance(store, StoreSnapshot)
    held = SnapshotFact(OFFER.step, OFFER.digest, "disk", "/there")
    assert told(done(role, SnapshotStored((held,))), SnapshotHeld) == [CHIEF, FIRST, SECOND]
