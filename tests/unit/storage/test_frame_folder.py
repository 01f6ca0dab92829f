"""Levels of the cache: what is put is what comes back or nothing, and nothing is left behind."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import StorageError
from qmpi.memory.cache import recent
from qmpi.memory.levels import FrameKey, Level, LevelCounts, Levels
from qmpi.storage import frame_file, frame_folder, frame_tree
from qmpi.storage.atomic_file import short_host
from qmpi.storage.frame_file import frame_name, room_of
from qmpi.storage.frame_folder import FrameFolder
from qmpi.storage.frame_tree import clear_tree, open_folder, tree_path
from qmpi.storage.os_errors import storage_error
from qmpi.storage.rank_files import start_ticks
from qmpi.units import Bytes, Digest, Seconds

SHARD = Digest("5" * 64)
PAGE = 4096


def key(number: int) -> FrameKey:
    return FrameKey(SHARD, number)


def frame(number: int) -> bytes:
    """One chunk, of one to three pages with its head."""
    return bytes([number % 251]) * (100 + number % 3 * PAGE)


def folder(tree: Path, process: int = 1, budget: int = 1 << 20, kind: str = "host") -> FrameFolder:
    """The level of one process of a host."""
    own = tree / f"there-{process}-1"  # of another host, so that nobody takes it for dead
    own.mkdir(parents=True, exist_ok=True)
    return FrameFolder(kind, own, recent(budget), lambda: Seconds(0.0))


def files_of(level: FrameFolder) -> set[str]:
    return {path.name for path in level._own.iterdir()}


class Modelled:
    """A level in a dictionary."""

    kind = "modelled"

    def __init__(self, budget: int) -> None:
        self.counts, self._kept = LevelCounts(), recent(budget)

    def get(self, key: FrameKey) -> bytes | None:
        found = self._kept.get(key)
        self.counts.hits += found is not None
        self.counts.misses += found is None
        return found

    def put(self, key: FrameKey, frame: bytes) -> None:
        if key not in self._kept:
            self._kept.put(key, frame, room_of(frame))

    def close(self) -> None:
        self._kept.clear()


Make = Callable[[int], Level]


@pytest.fixture(params=["files", "modelled"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a level of a budget."""
    if request.param == "modelled":
        return Modelled
    return lambda budget: folder(tmp_path / "tree", budget=budget)


def test_what_is_put_comes_back(make: Make) -> None:
    level = make(1 << 20)
    assert level.get(key(1)) is None
    for number in (1, 2, frame_file._HEAD.size, -1):
        level.put(key(number), frame(number))
        level.put(key(number), frame(number))
        assert level.get(key(number)) == frame(number)
    assert level.get(FrameKey(Digest("6" * 64), 1)) is None
    assert (level.counts.hits, level.counts.misses) == (4, 2)
    level.close()
    assert level.get(key(1)) is None


def test_room_is_made_by_the_order(make: Make) -> None:
    level = make(2 * PAGE)
    for number in (0, 3, 6):
        level.put(key(number), frame(number))
        level.get(key(0))
    assert [level.get(key(number)) is not None for number in (0, 3, 6)] == [True, False, True]
    level.put(key(5), frame(5))
    assert level.get(key(5)) is None  # larger than the budget


ACCESSES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), max_size=40)


@given(accesses=ACCESSES, budgets=st.tuples(st.integers(0, 6), st.integers(0, 9)))
@settings(max_examples=25, deadline=None)
def test_any_accesses_of_two_processes(
    tmp_path_factory: pytest.TempPathFactory,
    accesses: list[tuple[int, int]],
    budgets: tuple[int, int],
) -> None:
    base = tmp_path_factory.mktemp("levels")
    kinds = {"host": PAGE * budgets[0], "disk": PAGE * budgets[1]}
    ranks = [
        Levels([folder(base / kind, rank, room, kind) for kind, room in kinds.items()])
        for rank in (1, 2)
    ]
    for rank, number in accesses:
        found = ranks[rank].get(key(number))
        if found is None:
            ranks[rank].put(key(number), found := frame(number))
        assert found == frame(number)
        for levels in ranks:
            for level in levels.levels:
                assert isinstance(level, FrameFolder)
                assert files_of(level) == {frame_name(k) for k in level._index}
                held = sum(room_of(path.read_bytes()[16:]) for path in level._own.iterdir())
                assert held == level._index.bytes <= kinds[level.kind]
        for kind in kinds:
            copies = [path.name for path in (base / kind).rglob("*-*") if path.is_file()]
            assert len(copies) == len(set(copies))  # one a host
    for rank, levels in enumerate(ranks):
        host, disk = levels.levels
        assert host.counts.hits + host.counts.misses == sum(r == rank for r, _ in accesses)
        assert disk.counts.hits + disk.counts.misses == host.counts.misses
        levels.close()
    assert not any(path.exists() for path in (base / "host", base / "disk"))


def test_what_a_level_has_goes_into_those_above_alone(tmp_path: Path) -> None:
    host, disk = folder(tmp_path / "a"), folder(tmp_path / "b", kind="disk")
    chain = Levels([host, disk])
    disk.put(key(1), frame(1))
    assert chain.get(key(1)) == frame(1)
    assert (host.get(key(1)), disk.counts.hits) == (frame(1), 1)
    host.put(key(2), frame(2))
    assert chain.get(key(2)) == frame(2)
    assert disk.get(key(2)) is None
    assert Levels().get(key(1)) is None


def test_a_sibling_is_read_and_its_chunks_are_not_written_again(tmp_path: Path) -> None:
    mine, other = folder(tmp_path / "t", 1), folder(tmp_path / "t", 2)
    other.put(key(1), frame(1))
    mine.put(key(1), frame(1))
    assert mine.get(key(1)) == frame(1)
    assert not files_of(mine)
    other.close()
    assert mine.get(key(1)) is None
    mine.put(key(1), frame(1))
    assert mine.get(key(1)) == frame(1)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _foreign(path: Path) -> None:
    other = path.with_name(frame_name(key(2)))
    path.write_bytes(other.read_bytes())


def _link(path: Path) -> None:
    target = path.rename(path.with_name("kept"))
    path.symlink_to(target)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILS: list[Callable[[Path], object]] = [
    _flip,
    _foreign,
    _link,
    _pipe,
    lambda path: os.truncate(path, 50),
    lambda path: os.truncate(path, 3),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes() + b"x"),
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_torn_flipped_or_foreign_is_a_miss_and_its_owner_removes_it(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    mine, other = folder(tmp_path / "t", 1), folder(tmp_path / "t", 2)
    for number in (1, 2):
        mine.put(key(number), frame(number))
    path = mine._own / frame_name(key(1))
    spoil(path)
    assert other.get(key(1)) is None
    assert path.is_symlink() or path.exists()
    other.put(key(1), frame(1))
    assert files_of(other) == {path.name}
    other.close()
    assert mine.get(key(1)) is None
    assert mine.counts.damaged == other.counts.damaged == 1
    assert path.name not in files_of(mine)
    mine.put(key(1), frame(1))
    assert mine.get(key(1)) == frame(1)


def test_a_file_that_is_gone_is_a_miss(tmp_path: Path) -> None:
    mine = folder(tmp_path / "t")
    mine.put(key(1), frame(1))
    (mine._own / frame_name(key(1))).unlink()
    assert mine.get(key(1)) is None
    assert (mine.counts.damaged, mine._index.bytes) == (0, 0)


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 64 KiB; a modelled one where none may be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", str(place)]
    if (
        os.geteuid() == 0
        and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    ):
        yield place
        subprocess.run(["umount", "-l", str(place)], check=True)
        return
    plain = frame_folder.write_frame

    def write(own: Path, key: FrameKey, frame: bytes) -> None:
        if sum(room_of(path.read_bytes()) for path in own.iterdir()) + room_of(frame) > 15 * PAGE:
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise storage_error(error, "write", own) from error
        plain(own, key, frame)

    monkeypatch.setattr(frame_folder, "write_frame", write)
    yield place


def test_a_full_file_system_gets_its_room_back(
    full: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level = folder(full / "t")
    with caplog.at_level(logging.WARNING):
        for number in range(60):
            level.put(key(number), frame(number))
    assert [record.message for record in caplog.records if "file system is full" in record.message]
    assert len(caplog.records) == 1
    assert not files_of(level)
    assert level.get(key(0)) is None
    level.close()
    assert not list(full.iterdir())


def test_a_folder_that_is_gone_ends_the_keeping(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level = folder(tmp_path / "t")
    level._own.rmdir()
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            level.put(key(number), frame(number))
            assert level.get(key(number)) is None
    assert len(caplog.records) == 1
    assert "keeps no more chunks" in caplog.text


def test_a_tree_is_its_users_alone(tmp_path: Path) -> None:
    tree = tree_path(str(tmp_path), "abc", tmp_path / "run")
    own = open_folder(tree)
    assert [oct(path.stat().st_mode & 0o777) for path in (tree, own)] == ["0o700"] * 2
    assert tree != tree_path(str(tmp_path), "abd", tmp_path / "run")
    assert tree != tree_path(str(tmp_path), "abc", tmp_path / "copied")
    tree.chmod(0o755)
    assert open_folder(tree) == own
    assert oct(tree.stat().st_mode & 0o777) == "0o700"


def test_the_tree_of_another_is_refused_and_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tree_path(str(tmp_path), "abc", tmp_path / "run")
    own = open_folder(tree)
    stranger = os.getuid() + 1
    monkeypatch.setattr(frame_tree.os, "getuid", lambda: stranger)
    with pytest.raises(StorageError, match="another user's"):
        open_folder(tree)
    assert clear_tree(tree) == 0
    monkeypatch.undo()
    assert own.is_dir()
    link = tmp_path / "link"
    link.symlink_to(tree)
    with pytest.raises(StorageError, match="or no folder"):
        open_folder(link)


def test_only_folders_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    tree, here = tmp_path / "t", short_host()
    own = open_folder(tree)
    parent = f"{here}-{os.getppid()}-{start_ticks(os.getppid())}"
    stays = [parent, "elsewhere-1-1", f"{here}-{os.getppid()}-0", "notes"]
    goes = [f"{here}-{os.getppid()}-1", f"{here}-4194304-7"]
    for name in (*stays, *goes):
        (tree / name).mkdir()
        (tree / name / "file").write_bytes(b"x")
    assert clear_tree(tree) == 2
    assert {path.name for path in tree.iterdir()} == {own.name, *stays}
    frame_tree.leave_folder(own)
    assert {path.name for path in tree.iterdir()} == set(stays)
    assert clear_tree(tmp_path / "none") == 0
    assert clear_tree(Path("/tmp/no\0path")) == 0  # as it may be noted by hand


def test_budgets_count_whole_pages() -> None:
    assert [room_of(b"x" * size) for size in (0, PAGE - 16, PAGE - 15)] == [
        Bytes(PAGE),
        Bytes(PAGE),
        Bytes(2 * PAGE),
    ]


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = start_ticks(child.pid)
    assert started
    folder = tmp_path / "tree" / f"{short_host()}-{child.pid}-{started}"
    folder.mkdir(parents=True, mode=0o700)
    assert clear_tree(folder.parent) == 0
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # nobody takes its end away
    assert Path(f"/proc/{child.pid}").exists()
    assert start_ticks(child.pid) == 0
    assert clear_tree(folder.parent) == 1
    child.communicate()
