"""What all copies must do: report what is written and verified, name damage, keep the newest.

Theory of operation. A world has two hosts with two ranks each, one disk for all, and keeps `KEEP`
snapshots of a position in a folder. What lies within reach of a rank is looked up as an engine does
when it starts.
"""

from collections.abc import Callable
from hashlib import sha256
from itertools import product
from typing import Protocol

from conformance.asking import Moving, all_outcomes, get, outcome

from qmpi.ports.base import Event, Frame
from qmpi.ports.copies import (
    Copies,
    CopyWork,
    ForgetCopies,
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    StoreSnapshot,
)
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Bytes, Digest, Rank, Step

KEEP = 2
HERE, NEAR, FAR = Rank(1), Rank(0), Rank(2)
"""A rank, another of its host, and one of another host."""

WHO = Address(Rank(3), RoleName.SPARE)


class World(Moving, Protocol):
    """Copies of ranks on two hosts."""

    def copies(self, rank: Rank) -> Copies:
        """Return the copies of a rank; the same at each call."""
        ...

    def payload(self, step: int, position: int) -> bytes:
        """Return the state before a step; of one size, for steps below 100."""
        ...

    def find(self, rank: Rank) -> tuple[SnapshotFact, ...]:
        """Return the verified snapshots within reach of a rank, as its engine looks them up."""
        ...

    def fill_ram(self, rank: Rank) -> None:
        """Leave no room for a payload in the RAM of a rank's host."""
        ...

    def fill_disk(self) -> None:
        """Leave no room for a payload on the disk."""
        ...

    def free(self) -> None:
        """Give everything room again."""
        ...

    def flip(self, fact: SnapshotFact, rank: Rank) -> None:
        """Flip a bit of the payload of a copy that a rank can read."""
        ...

    def tear(self, fact: SnapshotFact, rank: Rank) -> None:
        """Cut the last byte off a copy."""
        ...

    def remove(self, fact: SnapshotFact, rank: Rank) -> None:
        """Remove a copy."""
        ...


def digest_of(data: bytes) -> Digest:
    return Digest(sha256(data).hexdigest())


def storing(world: World, step: int, places: str, position: int = 0) -> StoreSnapshot:
    data = world.payload(step, position)
    to_ram, to_disk = "ram" in places, "disk" in places
    return StoreSnapshot(Step(step), digest_of(data), (data,), "", to_ram, to_disk, position)


def copying(fact: SnapshotFact, places: str) -> StoreSnapshot:
    to_ram, to_disk = "ram" in places, "disk" in places
    return StoreSnapshot(fact.step, fact.digest, (), fact.path, to_ram, to_disk, fact.position)


def stored(world: World, work: StoreSnapshot, rank: Rank = HERE) -> tuple[SnapshotFact, ...]:
    """Store a snapshot in every place asked for; return the facts."""
    event = get(world, world.copies(rank).submit, work, SnapshotStored)
    assert event.fault == ""
    places = [place for place, asked in (("ram", work.to_ram), ("disk", work.to_disk)) if asked]
    assert [fact.place for fact in event.facts] == places
    for fact in event.facts:
        assert (fact.step, fact.digest, fact.position) == (work.step, work.digest, work.position)
        assert fact in world.find(rank)
    return event.facts


def broken(world: World, work: CopyWork, rank: Rank = HERE) -> SnapshotBroken:
    event = get(world, world.copies(rank).submit, work, SnapshotBroken)
    assert isinstance(work, StoreSnapshot | ReadSnapshotPart)
    assert (event.step, event.position) == (work.step, work.position)
    assert event.reason
    return event


def read(world: World, fact: SnapshotFact, rank: Rank = HERE, part_size: int = 900) -> bytes:
    """Pull a copy part by part, as a spare does."""
    parts: list[bytes] = []
    for number in range(-(-len(world.payload(0, 0)) // part_size)):
        work = reading(fact, number, part_size)
        event = get(world, world.copies(rank).submit, work, SnapshotRead)
        assert (event.requester, event.step, event.part) == (WHO, fact.step, number)
        assert event.position == fact.position
        parts.append(bytes(event.frame))
    return b"".join(parts)


def reading(fact: SnapshotFact, number: int = 0, part_size: int = 900) -> ReadSnapshotPart:
    size = Bytes(part_size)
    return ReadSnapshotPart(WHO, fact.step, number, size, fact.path, fact.position)


def steps(world: World, rank: Rank, place: str, position: int = 0) -> list[int]:
    found = world.find(rank)
    return [f.step for f in found if (f.place, f.position) == (place, position)]


def check_a_copy_can_be_read_back(world: World) -> None:
    assert world.find(HERE) == ()
    for fact in stored(world, storing(world, 7, "ram disk")):
        assert read(world, fact) == world.payload(7, 0)
        assert read(world, fact, part_size=1 << 20) == world.payload(7, 0)


def check_a_copy_stands_when_it_is_reported(world: World) -> None:
    for place in ("ram", "disk"):
        seen: list[tuple[Event, tuple[SnapshotFact, ...]]] = []
        work = storing(world, 7, place)
        # Looked up at the very moment of the report, not a moment later.
        world.copies(HERE).submit(work, lambda event, at=seen: at.append((event, world.find(HERE))))
        assert world.drive(lambda at=seen: bool(at))
        event, found = seen[0]
        assert isinstance(event, SnapshotStored)
        assert set(event.facts) <= set(found)


def check_parts_of_any_kind_make_one_payload(world: World) -> None:
    data = world.payload(5, 0)
    parts: tuple[Frame, ...] = (data[:1], bytearray(data[1:2000]), b"", memoryview(data)[2000:])
    work = StoreSnapshot(Step(5), digest_of(data), parts, "", to_ram=True, to_disk=True)
    for fact in stored(world, work):
        assert read(world, fact) == data


def check_damaged_parts_are_never_stored(world: World) -> None:
    older = stored(world, storing(world, 4, "ram disk"))
    for ram, disk in ((True, True), (True, False), (False, True)):
        bad = (world.payload(5, 0)[:-1] + b"!",)
        work = StoreSnapshot(Step(5), digest_of(world.payload(5, 0)), bad, "", ram, disk)
        broken(world, work)
        assert set(world.find(HERE)) == set(older)


def check_a_full_ram_does_not_keep_the_disk_from_its_copy(world: World) -> None:
    (older,) = stored(world, storing(world, 4, "ram"))
    world.fill_ram(HERE)
    event = get(world, world.copies(HERE).submit, storing(world, 5, "ram disk"), SnapshotStored)
    (fact,) = event.facts
    assert fact.place == "disk"
    assert event.fault
    assert read(world, fact) == world.payload(5, 0)
    assert set(world.find(HERE)) == {older, fact}
    world.free()
    stored(world, storing(world, 6, "ram disk"))


def check_a_full_disk_does_not_keep_the_ram_from_its_copy(world: World) -> None:
    (older,) = stored(world, storing(world, 4, "disk"))
    world.fill_disk()
    event = get(world, world.copies(HERE).submit, storing(world, 5, "ram disk"), SnapshotStored)
    (fact,) = event.facts
    assert fact.place == "ram"
    assert event.fault
    assert read(world, fact) == world.payload(5, 0)
    assert set(world.find(HERE)) == {older, fact}
    world.free()
    stored(world, storing(world, 6, "disk"))


def check_where_there_is_no_room_at_all_the_copy_is_broken(world: World) -> None:
    older = stored(world, storing(world, 4, "ram disk"))
    world.fill_disk()
    broken(world, storing(world, 5, "disk"))
    world.fill_ram(HERE)
    for places in ("ram disk", "ram", "disk"):
        broken(world, storing(world, 5, places))
    # A new copy that fails never costs an old one that is whole.
    assert set(world.find(HERE)) == set(older)
    assert all(read(world, fact) == world.payload(4, 0) for fact in older)


def check_a_copy_that_fails_never_costs_the_newest(world: World) -> None:
    for step in (4, 5):
        newest = stored(world, storing(world, step, "ram disk"))
    world.fill_ram(HERE)
    world.fill_disk()
    for places in ("ram disk", "ram", "disk", "ram disk"):
        broken(world, storing(world, 6, places))
    assert set(newest) <= set(world.find(HERE))
    assert all(read(world, fact) == world.payload(5, 0) for fact in newest)


def check_a_ram_copy_becomes_a_checkpoint(world: World) -> None:
    (fact,) = stored(world, storing(world, 7, "ram"))
    (kept,) = stored(world, copying(fact, "disk"))
    assert kept.place == "disk"
    assert read(world, kept) == world.payload(7, 0)


def check_what_is_damaged_is_never_handed_out(world: World) -> None:
    for harm, (place, other) in product(
        (world.flip, world.tear), (("ram", "disk"), ("disk", "ram"))
    ):
        (fact,) = stored(world, storing(world, 7, place))
        harm(fact, HERE)
        assert fact not in world.find(HERE)
        broken(world, copying(fact, other))
        assert steps(world, HERE, other) == []
        world.remove(fact, HERE)


def check_joined_parts_of_a_damaged_copy_are_refused(world: World) -> None:
    (fact,) = stored(world, storing(world, 7, "ram"))
    world.flip(fact, HERE)
    # A part is read as it is; whoever joins the parts verifies the whole.
    parts = (read(world, fact),)
    work = StoreSnapshot(fact.step, fact.digest, parts, "", to_ram=True, to_disk=True)
    broken(world, work, FAR)
    assert world.find(FAR) == ()


def check_a_copy_that_is_gone_is_named(world: World) -> None:
    (fact,) = stored(world, storing(world, 7, "ram"))
    world.remove(fact, HERE)
    assert world.find(HERE) == ()
    assert fact.path in broken(world, copying(fact, "disk")).reason
    assert fact.path in broken(world, reading(fact)).reason


def check_a_copy_that_was_replaced_is_not_taken_for_the_old_one(world: World) -> None:
    (fact,) = stored(world, storing(world, 7, "ram"))
    other = digest_of(world.payload(8, 0))
    broken(world, StoreSnapshot(fact.step, other, (), fact.path, to_ram=False, to_disk=True))
    assert steps(world, HERE, "disk") == []


def check_ram_is_read_on_its_own_host_only_and_the_disk_by_all(world: World) -> None:
    ram, disk = stored(world, storing(world, 7, "ram disk"))
    assert set(world.find(NEAR)) == {ram, disk}
    assert world.find(FAR) == (disk,)
    assert (
        read(world, ram, NEAR)
        == read(world, disk, NEAR)
        == read(world, disk, FAR)
        == world.payload(7, 0)
    )
    broken(world, reading(ram), FAR)
    broken(world, copying(ram, "disk"), FAR)


def check_ranks_of_one_host_hold_copies_of_their_own(world: World) -> None:
    (mine,) = stored(world, storing(world, 7, "ram"))
    (other,) = stored(world, storing(world, 7, "ram"), NEAR)
    assert mine.path != other.path
    world.flip(mine, HERE)
    assert world.find(HERE) == (other,)
    assert read(world, other) == world.payload(7, 0)


def check_the_newest_are_kept_and_older_ones_go(world: World) -> None:
    for step in range(1, 6):
        stored(world, storing(world, step, "ram disk"))
    for place in ("ram", "disk"):
        assert steps(world, HERE, place) == [5, 4]
    # A run that was set back writes older steps: what it reports stands, beside the newest.
    for fact in stored(world, storing(world, 2, "ram disk")):
        assert read(world, fact) == world.payload(2, 0)
    for place in ("ram", "disk"):
        assert steps(world, HERE, place) == [5, 2]


def check_a_step_stored_again_stands_once(world: World) -> None:
    for _ in range(3):
        stored(world, storing(world, 3, "ram"))
        stored(world, storing(world, 4, "ram"))
    assert steps(world, HERE, "ram") == [4, 3]


def check_what_is_found_is_the_newest_first(world: World) -> None:
    for step in (3, 9):
        stored(world, storing(world, step, "disk"))
    stored(world, storing(world, 6, "ram"))
    assert [fact.step for fact in world.find(HERE)] == [9, 6, 3]


def check_forgetting_leaves_the_disk_and_other_hosts(world: World) -> None:
    ram, disk = stored(world, storing(world, 7, "ram disk"))
    stored(world, storing(world, 8, "ram"), NEAR)
    (far,) = stored(world, storing(world, 7, "ram"), FAR)
    told: list[Event] = []
    world.copies(HERE).submit(ForgetCopies(), told.append)
    assert world.drive(lambda: world.find(HERE) == (disk,))
    world.settle()
    assert told == []
    assert set(world.find(FAR)) == {far, disk}
    assert fact_is_gone(world, ram)
    # A rank that comes after may store again.
    stored(world, storing(world, 9, "ram"))


def fact_is_gone(world: World, fact: SnapshotFact) -> bool:
    return isinstance(outcome(world, world.copies(HERE).submit, reading(fact)), SnapshotBroken)


def check_work_is_done_in_the_order_asked(world: World) -> None:
    (fact,) = stored(world, storing(world, 1, "ram"))
    works: list[CopyWork] = [storing(world, 2, "ram"), reading(fact), storing(world, 3, "disk")]
    events = all_outcomes(world, world.copies(HERE).submit, works)
    assert [number for number, _ in events] == [0, 1, 2]


def check_each_position_keeps_its_newest(world: World) -> None:
    for step in range(1, 5):
        for position in (0, 1):
            (_, disk) = stored(world, storing(world, step, "ram disk", position))
            assert read(world, disk) == world.payload(step, position)
    for place, position in product(("ram", "disk"), (0, 1)):
        assert steps(world, HERE, place, position) == [4, 3]


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_a_copy_can_be_read_back,
    check_a_copy_stands_when_it_is_reported,
    check_parts_of_any_kind_make_one_payload,
    check_damaged_parts_are_never_stored,
    check_a_full_ram_does_not_keep_the_disk_from_its_copy,
    check_a_full_disk_does_not_keep_the_ram_from_its_copy,
    check_where_there_is_no_room_at_all_the_copy_is_broken,
    check_a_copy_that_fails_never_costs_the_newest,
    check_a_ram_copy_becomes_a_checkpoint,
    check_what_is_damaged_is_never_handed_out,
    check_joined_parts_of_a_damaged_copy_are_refused,
    check_a_copy_that_is_gone_is_named,
    check_a_copy_that_was_replaced_is_not_taken_for_the_old_one,
    check_ram_is_read_on_its_own_host_only_and_the_disk_by_all,
    check_ranks_of_one_host_hold_copies_of_their_own,
    check_the_newest_are_kept_and_older_ones_go,
    check_a_step_stored_again_stands_once,
    check_what_is_found_is_the_newest_first,
    check_forgetting_leaves_the_disk_and_other_hosts,
    check_work_is_done_in_the_order_asked,
)
"""For worlds whose ranks hold a whole state each."""

TEAM_CHECKS: tuple[Check, ...] = (
    check_a_copy_can_be_read_back,
    check_each_position_keeps_its_newest,
)
"""For worlds whose teams have two positions."""
