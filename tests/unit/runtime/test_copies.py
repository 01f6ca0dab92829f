"""Copies: verified before they are told, one place never costs the other, the newest stays."""

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.runtime.small_disk import SmallDisk, install

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.ports.copies import (
    ForgetCopies,
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    StoreSnapshot,
)
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.copies import FileCopies
from qmpi.runtime.copy_files import CopyFiles
from qmpi.storage.noted_places import note_places
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_store import prune, ram_directory, snapshot_path
from qmpi.units import Seconds

SIZE = 100_000
"""Far above the reserve for heads, so that rooms can be counted in payloads."""

RESERVE = 70_000


def payload(step, size=SIZE):
    return bytes([step % 251]) * size


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Host:
    """One host's RAM and one disk, with the copies of a rank or several."""

    def __init__(self, folder, keep=2, tensor=1):
        self.ram, self.run = folder / "ram", RunDirectory(folder / "run")
        self.disk = self.run.checkpoints
        self.ram.mkdir()
        self.settings = Settings(
            snapshot=SnapshotSettings(keep=keep, ram_dir=str(self.ram)),
            parallel=ParallelSettings(tensor=tensor),
        )

    def files(self, rank=0):
        return CopyFiles(self.settings, "run", rank, self.run)

    def do(self, *work, rank=0):
        copies, events = FileCopies(self.files(rank)), []
        for piece in work:
            copies.submit(piece, events.append)
        assert copies.settle(Seconds(20.0))
        return events

    def store(self, step, rank=0, data=None, position=0, ram=True, disk=True):
        data = payload(step) if data is None else data
        wanted = digest(payload(step) if len(data) == SIZE else data)
        work = StoreSnapshot(step, wanted, (data,), "", ram, disk, position)
        (event,) = self.do(work, rank=rank)
        return event

    def held(self, rank=0):
        return [(fact.step, fact.place) for fact in self.files(rank).find()]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_what_is_stored_is_found_and_read(host):
    stored = host.store(5)
    assert isinstance(stored, SnapshotStored)
    assert [fact.place for fact in stored.facts] == ["ram", "disk"]
    assert stored.fault == ""
    assert set(host.files(3).find()) == set(stored.facts)
    asked = Address(1, RoleName.REPLICA)
    (first, last) = host.do(
        ReadSnapshotPart(asked, 5, 0, 60_000, stored.facts[0].path),
        ReadSnapshotPart(asked, 5, 1, 60_000, stored.facts[0].path),
    )
    assert isinstance(first, SnapshotRead)
    assert bytes(first.frame) + bytes(last.frame) == payload(5)


def test_a_copy_is_taken_from_a_file_of_the_host(host):
    path = host.store(5, disk=False).facts[0].path
    (stored,) = host.do(StoreSnapshot(5, digest(payload(5)), (), path, False, True), rank=1)
    assert [fact.place for fact in stored.facts] == ["disk"]


def test_damaged_parts_are_stored_nowhere_and_cost_nothing(host):
    host.store(5)
    bad = bytearray(payload(6))
    bad[7] ^= 1
    assert isinstance(host.store(6, data=bytes(bad)), SnapshotBroken)
    assert host.held() == [(5, "ram"), (5, "disk")]


def test_a_damaged_file_is_not_handed_out_nor_copied(host):
    fact = host.store(5, disk=False).facts[0]
    with Path(fact.path).open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"x")
    assert host.held() == []
    (event,) = host.do(StoreSnapshot(5, fact.digest, (), fact.path, False, True))
    assert isinstance(event, SnapshotBroken)
    assert not list(host.disk.glob("*.snap"))


def test_a_file_that_was_replaced_is_not_the_one_that_was_meant(host):
    fact = host.store(5, disk=False).facts[0]
    other = payload(6)
    host.do(StoreSnapshot(5, digest(other), (other,), "", True, False))
    (event,) = host.do(StoreSnapshot(5, fact.digest, (), fact.path, False, True))
    assert isinstance(event, SnapshotBroken)
    assert "no longer" in event.reason


@pytest.mark.parametrize("part", [-1, 9])
def test_a_part_that_is_not_there_is_told(host, part):
    path = host.store(5, disk=False).facts[0].path
    work = ReadSnapshotPart(Address(1, RoleName.REPLICA), 5, part, 60_000, path, 3)
    (event,) = host.do(work)
    assert isinstance(event, SnapshotBroken)
    assert event.position == 3


def test_a_ram_that_refuses_never_costs_the_checkpoint(host, monkeypatch):
    install(monkeypatch, SmallDisk(host.ram, SIZE // 2))
    for step in (5, 6, 7):
        stored = host.store(step)
        assert [fact.place for fact in stored.facts] == ["disk"]
        assert "full" in stored.fault
    assert host.held() == [(7, "disk"), (6, "disk")]


def test_a_disk_that_refuses_never_costs_the_copy_in_ram(host, monkeypatch):
    install(monkeypatch, SmallDisk(host.disk, SIZE // 2))
    stored = host.store(5)
    assert [fact.place for fact in stored.facts] == ["ram"]
    assert "full" in stored.fault


@pytest.mark.parametrize(("disk", "place"), [(True, ""), (False, "ram")])
def test_what_is_written_nowhere_is_broken(host, monkeypatch, disk, place):
    install(monkeypatch, SmallDisk(host.ram, 10), SmallDisk(host.disk, 10))
    broken = host.store(5, disk=disk)
    assert isinstance(broken, SnapshotBroken)
    assert broken.place == place


def test_ram_with_room_for_one_copy_holds_the_newest(host, monkeypatch):
    install(monkeypatch, SmallDisk(host.ram, SIZE + RESERVE))
    for step in (5, 6, 7):
        assert host.store(step, disk=False).fault == ""
        assert host.held() == [(step, "ram")]


def test_the_last_copy_in_ram_is_not_given_up_for_nothing(host, monkeypatch):
    small = SmallDisk(host.ram, 2 * SIZE)
    install(monkeypatch, small)
    host.store(5, disk=False)
    small.room = SIZE - 1  # others have filled the rest
    assert isinstance(host.store(6, disk=False), SnapshotBroken)
    assert host.held() == [(5, "ram")]


def test_damage_in_a_full_ram_does_not_cost_the_copy_that_is_whole(host, monkeypatch):
    install(monkeypatch, SmallDisk(host.ram, SIZE + RESERVE))
    host.store(5, disk=False)
    bad = bytearray(payload(6))
    bad[7] ^= 1
    assert isinstance(host.store(6, data=bytes(bad), disk=False), SnapshotBroken)
    assert host.held() == [(5, "ram")]


def test_a_full_disk_keeps_its_newest_checkpoint(host, monkeypatch):
    small = SmallDisk(host.disk, 2 * SIZE + 1000)
    install(monkeypatch, small)
    for step in (5, 6, 7, 8):
        assert host.store(step, ram=False).fault == ""
        assert (step, "disk") in host.held()
    small.room = 1
    assert isinstance(host.store(9, ram=False), SnapshotBroken)
    assert (8, "disk") in host.held()


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_the_newest_are_kept(tmp_path, keep):
    host = Host(tmp_path, keep=keep)
    for step in range(6):
        host.store(step)
    kept = range(5, 5 - keep, -1)
    assert host.held() == [(step, place) for step in kept for place in ("ram", "disk")]


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_that_was_set_back_keeps_what_it_writes(tmp_path, keep):
    host = Host(tmp_path, keep=keep)
    for step in (8, 9, 4, 5):
        assert isinstance(host.store(step), SnapshotStored)
        assert {(step, "ram"), (step, "disk")} <= set(host.held())
    assert len(host.held()) == 2 * keep


def test_a_step_that_is_stored_again_costs_no_other(host):
    for step in (3, 4, 4, 3, 4):
        host.store(step)
    assert host.held() == [(4, "ram"), (4, "disk"), (3, "ram"), (3, "disk")]


def test_a_checkpoint_stands_before_an_older_one_goes(host):
    host = host.files()
    for step in (1, 2):
        host.write(SnapshotFact(step, digest(payload(step)), "disk", ""), (payload(step),))
    with pytest.raises(Exception, match="digest"):
        host.write(SnapshotFact(3, digest(payload(4)), "disk", ""), (payload(3),))
    assert [fact.step for fact in host.find()] == [2, 1]


def test_parts_of_a_team_lie_side_by_side_and_are_pruned_apart(tmp_path):
    host = Host(tmp_path, keep=1, tensor=2)
    for step in (1, 2):
        for position in (0, 1):
            host.store(step, position=position)
    found = host.files().find()
    assert {(fact.step, fact.position, fact.place) for fact in found} == {
        (2, position, place) for position in (0, 1) for place in ("ram", "disk")
    }
    assert all(f"position-{fact.position:04d}" in fact.path for fact in found)


def test_a_whole_state_keeps_its_name(host):
    path = host.store(5, disk=False).facts[0].path
    ram = ram_directory(str(host.ram), "run", host.run.root)
    assert path == str(snapshot_path(ram / "rank-0", 5))
    assert "position" not in path


def test_a_good_end_forgets_ram_and_keeps_the_disk(host):
    host.store(5)
    host.store(5, rank=1)
    assert host.do(ForgetCopies()) == []
    assert host.held() == [(5, "disk")]
    assert not list(host.ram.rglob("*.snap"))


def test_a_ram_that_is_not_there_hides_nothing_on_disk(host):
    host.store(5)
    host.settings = Settings(snapshot=SnapshotSettings(ram_dir=str(host.ram / "none")))
    assert host.held() == [(5, "disk")]


def test_what_another_process_is_writing_is_left_alone(host):
    host.store(5, ram=False)
    host.store(9, ram=False)
    name = snapshot_path(host.disk, 9).name
    others = {
        "of a stranger": host.disk / f".{name}.elsewhere-77.tmp",
        "of a stranger, too old": host.disk
        / f".{snapshot_path(host.disk, 1).name}.elsewhere-7.tmp",
        "nobody's": host.disk / f".{name}.77.tmp",
    }
    for path in others.values():
        path.write_bytes(b"half")
    prune(host.disk, 2)
    left = {name for name, path in others.items() if path.exists()}
    assert left == {"of a stranger"}


def test_copies_in_a_place_of_before_are_found_and_go_once_a_newer_one_stands(tmp_path):
    host = Host(tmp_path)
    host.run.root.mkdir(exist_ok=True)
    note_places(host.run, "ram_dirs", [str(host.ram)])
    old = host.files().write(SnapshotFact(5, digest(payload(5)), "ram", ""), [payload(5)])
    before = host.ram
    host.ram = tmp_path / "ram-new"
    host.ram.mkdir()
    host.settings = replace(
        host.settings, snapshot=replace(host.settings.snapshot, ram_dir=str(host.ram))
    )
    host.run.root.mkdir(exist_ok=True)
    note_places(host.run, "ram_dirs", [str(host.ram)])
    files = host.files()
    assert [(fact.step, fact.path) for fact in files.find()] == [(5, old.path)]
    assert bytes(files.payload(old.path, old.digest)) == payload(5)
    new = files.write(SnapshotFact(6, digest(payload(6)), "ram", ""), [payload(6)])
    assert [(fact.step, fact.path) for fact in files.find()] == [(6, new.path)]
    assert list(before.iterdir()) == []
    assert list(host.ram.iterdir()) != []


def test_at_the_end_nothing_stays_in_a_place_of_before(tmp_path):
    host = Host(tmp_path)
    host.run.root.mkdir()
    note_places(host.run, "ram_dirs", [str(host.ram), "/nowhere/at/all"])
    host.files().write(SnapshotFact(5, digest(payload(5)), "ram", ""), [payload(5)])
    before = host.ram
    host.settings = replace(
        host.settings, snapshot=replace(host.settings.snapshot, ram_dir=str(tmp_path))
    )
    host.files().forget()
    assert list(before.iterdir()) == []
