"""A generated shard says where its blocks come from, also to plain h5py."""

import zlib
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filter
import numpy as np
import pytest

from qmpi.errors import InvariantError, StorageError
from qmpi.storage.os_errors import hdf5_explained
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter
from qmpi.units import Digest

CHUNK = 256
BLOCKS = [("code/7/en", 0), ("code/7/en", 1), ("multilingual/100/zh", 17)]
DOCUMENTS = [(0, 0), (100, 1), (200, 3840)]


def ids_of(index: int) -> np.ndarray:
    return np.arange(index, index + CHUNK, dtype=np.uint32) % 500


def write(path: Path, *, copy_from: ShardReader | None = None) -> None:
    writer = ShardWriter(path, "uint16", Digest("d" * 64), chunk_tokens=CHUNK, generator="g 1")
    for index, (stream, block) in enumerate(BLOCKS):
        if copy_from is not None and index == 1:
            writer.copy_block(stream, block, copy_from.frame(index), DOCUMENTS)
        else:
            writer.append_block(stream, block, ids_of(index), DOCUMENTS)
    writer.close()


def test_addresses_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path)
    reader = ShardReader(path)
    assert reader.generator == "g 1"
    assert [(a.stream, a.block, a.start) for a in reader.addresses] == [
        (stream, block, index * CHUNK) for index, (stream, block) in enumerate(BLOCKS)
    ]
    assert reader.documents_of(2) == DOCUMENTS
    assert np.array_equal(reader.read(CHUNK, CHUNK), ids_of(1))


def test_a_copied_block_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    write(first)
    write(second, copy_from=ShardReader(first))
    assert first.read_bytes() == second.read_bytes()


def test_h5py_alone_reads_tokens_and_addresses(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path)
    with h5py.File(path) as file:
        rows = file["block_address"][:]
        assert rows["stream"].tolist() == [stream.encode() for stream, _ in BLOCKS]
        assert rows["block"].tolist() == [block for _, block in BLOCKS]
        assert file.attrs["addresses_crc"] == zlib.crc32(rows.tobytes())
        assert np.array_equal(file["tokens"][:CHUNK], ids_of(0))
        assert file["document_numbers"][:3].tolist() == [number for _, number in DOCUMENTS]


def test_blocks_and_chunks_go_together(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "a.h5", "uint16", Digest(""), chunk_tokens=9, generator="g")
    with pytest.raises(InvariantError):
        writer.append_block("code/7/en", 0, ids_of(0), DOCUMENTS)
    writer.abandon()
    plain = ShardWriter(tmp_path / "b.h5", "uint16", Digest(""), chunk_tokens=CHUNK)
    with pytest.raises(InvariantError):
        plain.append_block("code/7/en", 0, ids_of(0), DOCUMENTS)
    plain.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_hdf5_is_named(tmp_path: Path) -> None:
    said = "Disable slist on flush failed (file write failed: errno = 28, error message = 'No s')"
    for text, told in ((said, "file system is full"), ("something else", "something else")):
        with (
            pytest.raises(StorageError, match=told),
            hdf5_explained("write the shard", tmp_path),
        ):
            raise RuntimeError(text)
