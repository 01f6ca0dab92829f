"""Open shards: stale handles are opened anew; damage is told from what is out of reach."""

import errno
import io
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, ClassVar

import h5py
import numpy as np
import pytest

from qmpi.errors import CorruptData, StorageError
from qmpi.storage import shard_files, shard_reader, watched_file
from qmpi.storage.corpus_index import INDEX_NAME
from qmpi.storage.open_shards import ExpectedShard, OpenShards
from qmpi.storage.os_errors import is_out_of_reach
from qmpi.storage.shard_files import ShardFiles
from qmpi.storage.shard_reader import ShardReader, TokenArray
from qmpi.storage.shard_writer import ShardWriter
from qmpi.units import Digest, Seconds

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK, CHUNKS, TOKENIZER = 256, 3, Digest("d" * 64)
IDS = np.arange(CHUNK * CHUNKS, dtype="uint16")
NAME = "shard-0.h5"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    made = tmp_path / "corpus"
    made.mkdir()
    (made / INDEX_NAME).write_text("{}")
    writer = ShardWriter(made / NAME, "uint16", TOKENIZER, chunk_tokens=CHUNK)
    writer.start_document()
    writer.append(IDS)
    writer.close()
    return made


def shards(corpus: Path) -> OpenShards:
    expected = [ExpectedShard(NAME, IDS.size)]
    return OpenShards(corpus / INDEX_NAME, expected, "uint16", TOKENIZER)


def is_right(ids: TokenArray, chunk: int) -> bool:
    return np.array_equal(ids, IDS[chunk * CHUNK : (chunk + 1) * CHUNK])


def flip(path: Path, chunk: int) -> None:
    with h5py.File(path, locking=False) as file:
        place = file["tokens"].id.get_chunk_info(chunk)
    data = bytearray(path.read_bytes())
    data[place.byte_offset + place.size // 2] ^= 1
    path.write_bytes(data)


class Anew:
    """Makes what it is told to make."""

    chunk_tokens = CHUNK

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.made: list[tuple[int, int, str]] = []

    def make(self, shard: int, chunk: int, why: StorageError) -> TokenArray:
        self.made.append((shard, chunk, str(why)))
        return IDS[chunk * CHUNK : (chunk + 1) * CHUNK] + np.uint16(self.offset)


class Handle(io.FileIO):
    """A handle of a file system that fails: `fails` says how, of handles opened until now."""

    fails: ClassVar[dict["Handle", int]] = {}
    opened: ClassVar[list["Handle"]] = []
    gate: ClassVar[Event | None] = None
    waits: ClassVar[Event] = Event()

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self.opened.append(self)

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        self.meet()
        return super().readinto(buffer)

    def meet(self) -> None:
        if self.gate is not None:
            self.waits.set()
            assert self.gate.wait(60)
        if self in self.fails:
            code = self.fails[self]
            raise OSError(code, os.strerror(code))


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handle]]:
    past_hdf5 = watched_file.WatchedFile.read_at

    def read_at(file: watched_file.WatchedFile, offset: int, size: int) -> bytes:
        assert isinstance(file.raw, Handle)
        file.raw.meet()
        return past_hdf5(file, offset, size)

    monkeypatch.setattr(watched_file.io, "FileIO", Handle)
    monkeypatch.setattr(watched_file.WatchedFile, "read_at", read_at)
    yield Handle
    Handle.fails, Handle.opened, Handle.gate, Handle.waits = {}, [], None, Event()


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
def test_a_handle_that_went_stale_is_opened_anew(
    corpus: Path, handles: type[Handle], code: int
) -> None:
    held = shards(corpus)
    assert is_right(held.decoded(0, 0), 0)
    # The same file by the same name: HDF5 itself would go on with the handle that it has.
    handles.fails = dict.fromkeys(handles.opened, code)
    assert is_right(held.decoded(0, 1), 1)
    assert len(handles.opened) == 2


def test_a_handle_that_fails_again_is_out_of_reach(corpus: Path, handles: type[Handle]) -> None:
    class Lost(dict):
        def __contains__(self, _: object) -> bool:
            return True

        def __missing__(self, _: object) -> int:
            return errno.EIO

    held = shards(corpus)
    assert is_right(held.decoded(0, 0), 0)
    handles.fails = Lost()
    with pytest.raises(StorageError, match="Input/output error") as told:
        held.decoded(0, 1)
    assert is_out_of_reach(told.value)
    handles.fails = {}
    assert is_right(held.decoded(0, 1), 1)


def test_a_read_that_hangs_holds_up_its_thread_alone(corpus: Path, handles: type[Handle]) -> None:
    handles.gate, read = Event(), list[TokenArray]()
    thread = Thread(target=lambda: read.append(shards(corpus).decoded(0, 1)), daemon=True)
    thread.start()
    assert handles.waits.wait(60), "what opens a shard reads through Python"
    assert not read
    handles.gate.set()
    thread.join(60)
    assert is_right(read[0], 1)


def test_a_shard_that_was_repaired_meanwhile_is_read_anew(corpus: Path) -> None:
    right = (corpus / NAME).read_bytes()
    flip(corpus / NAME, 1)
    held = shards(corpus)
    with pytest.raises(CorruptData, match="chunk 1 fails its checksum"):
        held.decoded(0, 1)
    (corpus / "whole.h5").write_bytes(right)
    (corpus / "whole.h5").replace(corpus / NAME)
    assert is_right(held.decoded(0, 1), 1)


def refuse(code: int) -> Callable[..., None]:
    def raising(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return raising


@pytest.mark.parametrize(
    "code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EACCES]
)
def test_what_the_system_refuses_is_out_of_reach(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(shard_reader.h5py, "File", refuse(code))
    with pytest.raises(StorageError, match=os.strerror(code)) as told:
        shards(corpus).decoded(0, 0)
    assert is_out_of_reach(told.value)
    monkeypatch.undo()
    monkeypatch.setattr(Path, "stat", refuse(code))
    with pytest.raises(StorageError, match=os.strerror(code)) as told:
        shards(corpus).decoded(0, 0)
    assert is_out_of_reach(told.value)


def test_a_place_that_makes_no_sense_is_damage(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_reader.h5py, "File", refuse(errno.EINVAL))
    with pytest.raises(CorruptData):
        shards(corpus).decoded(0, 0)


def test_a_directory_that_is_away_is_out_of_reach_and_a_shard_alone_is_gone(corpus: Path) -> None:
    held, elsewhere = shards(corpus), corpus.parent / "elsewhere"
    corpus.rename(elsewhere)
    with pytest.raises(StorageError) as told:
        held.decoded(0, 0)
    assert is_out_of_reach(told.value)
    elsewhere.rename(corpus)
    (corpus / NAME).rename(corpus / "kept")
    with pytest.raises(CorruptData, match=f"{NAME} is gone"):
        held.decoded(0, 0)
    (corpus / "kept").rename(corpus / NAME)
    assert is_right(held.decoded(0, 0), 0)


def test_what_cannot_be_read_is_made_anew_and_held_against_the_checksum(corpus: Path) -> None:
    flip(corpus / NAME, 1)
    before = (corpus / NAME).read_bytes()
    held = shards(corpus)
    held.remaker = anew = Anew()
    assert is_right(held.decoded(0, 1), 1)
    assert is_right(held.decoded(0, 2), 2)
    ((shard, chunk, why),) = anew.made
    assert (shard, chunk) == (0, 1)
    assert NAME in why
    assert (corpus / NAME).read_bytes() == before
    held.remaker = Anew(offset=1)
    with pytest.raises(CorruptData, match=f"{NAME}.*does not have the checksum"):
        held.decoded(0, 1)


@pytest.mark.parametrize("harm", ["gone", "torn", "away"])
def test_of_a_shard_nothing_need_be_left(corpus: Path, harm: str) -> None:
    match harm:
        case "gone":
            (corpus / NAME).unlink()
        case "torn":
            (corpus / NAME).write_bytes((corpus / NAME).read_bytes()[:1000])
        case _:
            shutil.rmtree(corpus)
    held = shards(corpus)
    with pytest.raises(StorageError):
        held.chunk_tokens(0)
    held.remaker = Anew()
    assert held.chunk_tokens(0) == CHUNK
    assert is_right(held.decoded(0, 2), 2)


MANY = 12


def many_shards(folder: Path, files: ShardFiles) -> OpenShards:
    for number in range(MANY):
        writer = ShardWriter(folder / f"{number}.h5", "uint16", TOKENIZER, chunk_tokens=CHUNK)
        writer.start_document()
        writer.append(IDS + np.uint16(number))
        writer.close()
    expected = [ExpectedShard(f"{number}.h5", IDS.size) for number in range(MANY)]
    return OpenShards(folder / INDEX_NAME, expected, "uint16", TOKENIZER, files)


@pytest.mark.parametrize("most", [1, 3, MANY])
def test_of_many_shards_each_is_opened_once_and_few_files_at_a_time(
    tmp_path: Path, handles: type[Handle], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    opened = list[Path]()

    def counted(path: Path) -> ShardReader:
        opened.append(path)
        return ShardReader(path)

    monkeypatch.setattr("qmpi.storage.open_shards.ShardReader", counted)
    held = many_shards(tmp_path, ShardFiles(most=most))
    chance = random.Random(most)
    for _ in range(200):
        number, chunk = chance.randrange(MANY), chance.randrange(CHUNKS)
        first = chunk * CHUNK + number
        assert np.array_equal(held.decoded(number, chunk), np.arange(first, first + CHUNK))
        assert sum(not handle.closed for handle in handles.opened) <= most
    assert len(opened) == len(set(opened)) == MANY
    assert (len(handles.opened) == MANY) == (most == MANY)
    held.close()
    assert all(handle.closed for handle in handles.opened)


def test_a_file_of_another_shard_in_the_place_of_one_that_was_closed_is_found_out(
    tmp_path: Path,
) -> None:
    held = many_shards(tmp_path, ShardFiles(most=1))
    assert held.decoded(0, 0)[0] == 0
    assert held.decoded(1, 0)[0] == 1
    (tmp_path / "2.h5").replace(tmp_path / "0.h5")
    # As many ids by the same tokenizer: it is what has the name now.
    assert held.decoded(0, 0)[0] == 2


def test_what_was_read_and_made_anew_is_counted(corpus: Path) -> None:
    ticks = iter(range(1000))
    files = ShardFiles(clock=lambda: Seconds(next(ticks)))
    expected = [ExpectedShard(NAME, IDS.size)]
    held = OpenShards(corpus / INDEX_NAME, expected, "uint16", TOKENIZER, files)
    size = len(held.frame(0, 0))
    assert (files.read.hits, files.read.hit_bytes, files.read.seconds) == (1, size, 1.0)
    flip(corpus / NAME, 1)
    with pytest.raises(CorruptData):
        held.decoded(0, 1)
    held.remaker = Anew()
    held.decoded(0, 1)
    assert (files.read.hits, files.read.misses) == (1, 2)
    assert (files.anew.hits, files.anew.hit_bytes, files.anew.seconds) == (1, 2 * CHUNK, 1.0)


def test_books_of_chunks_that_are_damaged_leave_the_checksums(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(reader: ShardReader, chunks: int) -> tuple[TokenArray, TokenArray]:
        del reader
        offsets, sizes = np.zeros(chunks, np.uint64), np.zeros(chunks, np.uint64)
        offsets[1], sizes[1] = 2**64 - 1, 100
        offsets[2], sizes[2] = 2**40, 100
        return offsets, sizes

    monkeypatch.setattr(ShardReader, "_places", torn)
    held = shards(corpus)
    for chunk in range(CHUNKS):
        with pytest.raises(CorruptData, match=f"chunk {chunk}"):
            held.decoded(0, chunk)
    held.remaker = Anew()
    assert is_right(held.decoded(0, 1), 1)
    held.remaker = Anew(offset=1)
    with pytest.raises(CorruptData, match="does not have the checksum"):
        held.decoded(0, 1)


def test_a_limit_on_open_files_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, most in ((resource.RLIM_INFINITY, 1024), (1024, 256), (1 << 20, 1024), (8, 4)):
        monkeypatch.setattr(shard_files.resource, "getrlimit", lambda _, n=limit: (n, n))
        assert shard_files.files_here() == most
