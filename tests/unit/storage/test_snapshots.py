"""Snapshots: whole or absent, every bit covered, newest first."""

import errno
import hashlib
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import CorruptData, InputError, InvariantError, StorageError
from qmpi.storage.snapshot_file import (
    digest_of,
    read_header,
    read_part,
    read_payload,
    verify_snapshot,
    write_snapshot,
)
from qmpi.storage.snapshot_folder import SnapshotFolder
from qmpi.storage.snapshot_format import SnapshotHeader
from qmpi.storage.snapshot_store import (
    find_snapshots,
    forget_ram,
    prune,
    ram_directory,
    snapshot_path,
    what_is_wrong,
)


def _save(directory, step, payload=b"payload", run_id="run"):
    path = snapshot_path(directory, step)
    header = SnapshotHeader(step=step, size=len(payload), digest="", run_id=run_id, meta={"a": "b"})
    return path, write_snapshot(path, header, [payload], durable=False)


@given(parts=st.lists(st.binary(max_size=200), max_size=5), step=st.integers(0, 2**62))
@settings(max_examples=30, deadline=None)
def test_round_trip(tmp_path_factory, parts, step):
    path = tmp_path_factory.mktemp("s") / "a.snap"
    payload = b"".join(parts)
    header = SnapshotHeader(step=step, size=len(payload), digest="", run_id="r")
    written = write_snapshot(path, header, parts, durable=True)
    assert written.digest == hashlib.sha256(payload).hexdigest()
    assert verify_snapshot(path) == read_header(path) == written
    assert bytes(read_payload(path)) == payload
    assert read_part(path, len(payload) // 2, 10**9) == payload[len(payload) // 2 :]


def test_every_flipped_bit_and_every_cut_is_found(tmp_path):
    path, _ = _save(tmp_path, 3)
    good = path.read_bytes()
    for place in range(len(good)):
        for bit in range(8):
            data = bytearray(good)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            with pytest.raises(CorruptData):
                verify_snapshot(path)
    for end in range(len(good)):
        path.write_bytes(good[:end])
        with pytest.raises(CorruptData):
            read_header(path)
    path.write_bytes(good + b"x")
    with pytest.raises(CorruptData):
        read_header(path)


@pytest.mark.parametrize(("version", "age"), [(1, "an older"), (3, "a newer"), (700, "a newer")])
def test_another_version_is_named_as_such(tmp_path, version, age):
    path, _ = _save(tmp_path, 3)
    data = bytearray(path.read_bytes())
    data[8:12] = version.to_bytes(4, "little")
    path.write_bytes(data)
    words = f"{age} qmpi .format {version}; this one reads format 2."
    for read in (read_header, verify_snapshot, read_payload):
        with pytest.raises(CorruptData, match=words):
            read(path)
    assert age in what_is_wrong(path, "run")
    facts, reasons = find_snapshots([("disk", tmp_path)], "run")
    assert facts == []
    assert [age in reason for reason in reasons] == [True]
    path.write_bytes(b"QMPISNAX" + data[8:])
    assert what_is_wrong(path, "run") == f"{path} is not a snapshot"


def test_wrong_promises_write_nothing(tmp_path):
    path = tmp_path / "a.snap"
    header = SnapshotHeader(step=1, size=3, digest="0" * 64, run_id="r")
    with pytest.raises(CorruptData):
        write_snapshot(path, header, [b"abc"], durable=False)
    with pytest.raises(InvariantError):
        write_snapshot(path, header, [b"abcd"], durable=False)
    assert list(tmp_path.iterdir()) == []


def test_find_is_newest_first_and_skips_damage_with_a_reason(tmp_path):
    ram, disk = tmp_path / "ram", tmp_path / "disk"
    ram.mkdir()
    disk.mkdir()
    for directory, step in ((disk, 9), (disk, 10), (ram, 10), (ram, 200)):
        _save(directory, step)
    other, _ = _save(disk, 300, run_id="other")
    bad, _ = _save(ram, 400)
    bad.write_bytes(bad.read_bytes()[:-1])
    places = [("ram", ram), ("disk", disk), ("disk", tmp_path / "missing")]
    facts, reasons = find_snapshots(places, "run")
    assert [(f.step, f.place) for f in facts] == [
        (200, "ram"),
        (10, "ram"),
        (10, "disk"),
        (9, "disk"),
    ]
    assert str(bad) in reasons[0]
    assert reasons[1] == f"{other} is of another run"
    assert other.exists()


def test_prune_keeps_the_newest(tmp_path):
    for step in (5, 40, 300):
        _save(tmp_path, step)
    (tmp_path / ".step-1.snap.77.tmp").write_bytes(b"torn")
    prune(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        snapshot_path(tmp_path, 40).name,
        snapshot_path(tmp_path, 300).name,
    ]


def test_ram_directory_is_private_and_stays_inside(tmp_path):
    made = ram_directory(str(tmp_path), "abc-1", tmp_path / "run")
    assert made.parent == tmp_path / "qmpi-abc-1"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    with pytest.raises(InputError):
        ram_directory(str(tmp_path), "../x", tmp_path)
    with pytest.raises(StorageError):
        ram_directory(str(tmp_path / "none"), "abc", tmp_path)


def test_a_copied_run_has_ram_files_of_its_own_and_a_linked_one_has_not(tmp_path):
    for name in ("run", "copy"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("run")
    original, copy, link = (
        ram_directory(str(tmp_path), "abc", tmp_path / name) for name in ("run", "copy", "link")
    )
    assert original == link != copy
    (copy / "rank-0").mkdir()
    forget_ram(str(tmp_path), "abc", tmp_path / "run")
    assert not original.exists()
    assert (copy / "rank-0").exists()
    forget_ram(str(tmp_path), "abc", tmp_path / "copy")
    assert not copy.parent.exists()


def test_a_run_that_was_moved_keeps_its_ram_files(tmp_path):
    (tmp_path / "run").mkdir()
    made = ram_directory(str(tmp_path), "abc", tmp_path / "run")
    (made / "rank-0").mkdir()
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    moved = ram_directory(str(tmp_path), "abc", tmp_path / "elsewhere")
    assert moved != made
    assert (moved / "rank-0").exists()
    assert not made.exists()
    assert ram_directory(str(tmp_path), "abc", tmp_path / "elsewhere") == moved
    (tmp_path / "copy").mkdir()
    assert not (ram_directory(str(tmp_path), "abc", tmp_path / "copy") / "rank-0").exists()


def test_another_user_may_run_a_copy(tmp_path):
    made = ram_directory(str(tmp_path), "abc", tmp_path)
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o1777


def test_full_disk_keeps_the_old_snapshot(tmp_path, monkeypatch):
    path, old = _save(tmp_path, 1, b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    header = SnapshotHeader(step=1, size=3, digest="", run_id="run")
    with pytest.raises(StorageError, match="free space"):
        write_snapshot(path, header, [b"new"], durable=True)
    assert verify_snapshot(path) == old
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_part_outside_is_refused(tmp_path):
    path, _ = _save(tmp_path, 1)
    with pytest.raises(InputError):
        read_part(path, 8, 1)


def test_what_is_no_snapshot_is_said_to_be_what_it_is(tmp_path):
    path, _ = _save(tmp_path, 1)
    assert what_is_wrong(path, "other") == f"{path} is of another run"
    path.write_bytes(path.read_bytes()[:-1])
    assert "is cut short" in what_is_wrong(path, "run")
    path.unlink()
    os.mkfifo(path)
    assert what_is_wrong(path, "run") == f"{path} is a pipe, a socket or a device, not a file"
    path.unlink()
    path.mkdir()
    assert "it is a directory, not a file" in what_is_wrong(path, "run")
    path.rmdir()
    path.symlink_to(tmp_path / "gone")
    assert "it does not exist" in what_is_wrong(path, "run")


def _written(directory, step, *, keep=2, branch=0, skipped=0):
    folder = SnapshotFolder(directory, "run", keep=keep, in_ram=False)
    payload = b"state %d" % step
    folder.write(step, digest_of([payload]), [payload], None, branch=branch, skipped=skipped)
    return [fact.step for fact in find_snapshots([("disk", directory)], "run")[0]]


def test_the_newest_from_before_the_trouble_is_kept(tmp_path):
    for step in (10, 20):
        _written(tmp_path, step)
    assert _written(tmp_path, 30, skipped=8) == [30, 20]
    assert _written(tmp_path, 40, skipped=18) == [40, 30, 20]
    assert _written(tmp_path, 50, skipped=28) == [50, 40, 20]
    # It recovers by itself: what was spared goes with age again.
    assert _written(tmp_path, 60) == [60, 50]


def test_with_one_copy_the_state_at_the_beginning_of_the_trouble_is_kept(tmp_path):
    _written(tmp_path, 10, keep=1)
    assert _written(tmp_path, 20, keep=1) == [20]
    assert _written(tmp_path, 30, keep=1, skipped=10) == [30, 20]


def test_a_full_place_gives_up_the_new_copy_rather_than_the_one_for_a_rescue(tmp_path, monkeypatch):
    folder = SnapshotFolder(tmp_path, "run", keep=2, in_ram=True)
    for step in (10, 20):
        folder.write(step, digest_of([b"x"]), [b"x"], None)
    full = StorageError("no space left")
    full.__cause__ = OSError(errno.ENOSPC, "full")

    def refuse(*_args, **_named):
        raise full

    monkeypatch.setattr("qmpi.storage.snapshot_folder.write_snapshot", refuse)
    monkeypatch.setattr("qmpi.storage.snapshot_folder.is_full", lambda _: True)
    with pytest.raises(StorageError):
        folder.write(30, digest_of([b"x"]), [b"x"], None, skipped=8)
    assert [f.step for f in find_snapshots([("ram", tmp_path)], "run")[0]] == [20]


def test_what_was_given_up_goes_before_what_stands(tmp_path):
    for step in (10, 60, 70):
        _save(tmp_path, step)
    assert _written(tmp_path, 20, branch=1) == [20, 10]
    assert _written(tmp_path, 25, branch=1) == [25, 20]
    facts, _ = find_snapshots([("disk", tmp_path)], "run")
    assert {(fact.step, fact.branch) for fact in facts} == {(20, 1), (25, 1)}


def test_a_file_says_how_many_steps_were_skipped_before_it(tmp_path):
    _written(tmp_path, 30, skipped=8)
    (fact,), _ = find_snapshots([("disk", tmp_path)], "run")
    assert (fact.skipped, fact.branch) == (8, 0)


def test_files_of_another_run_take_no_place(tmp_path):
    foreign, _ = _save(tmp_path, 900, run_id="other")
    for step in (10, 20, 30):
        _written(tmp_path, step)
    assert _written(tmp_path, 40) == [40, 30]
    assert foreign.exists()
