"""Shards: equal after a round trip, readable by plain HDF5 tools, no silent damage."""

import resource
import signal

import h5py
import hdf5plugin  # noqa: F401 - registers the filter for the comparison
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter


def _write(path, ids, dtype="uint16", chunk=256, cuts=(0,)):
    writer = ShardWriter(path, dtype, "d" * 64, chunk_tokens=chunk)
    for start, end in zip(cuts, [*cuts[1:], len(ids)], strict=True):
        writer.start_document()
        writer.append(np.asarray(ids[start:end], dtype))
    writer.close()
    return path


def _ids(count, top=4096, seed=0):
    return np.random.default_rng(seed).integers(0, top, count)


@given(count=st.integers(1, 1200), dtype=st.sampled_from(["uint16", "uint32"]), data=st.data())
@settings(max_examples=20, deadline=None)
def test_ranges_read_equal_whatever_the_cache(tmp_path_factory, count, dtype, data):
    path = tmp_path_factory.mktemp("s") / "a.h5"
    ids = _ids(count, 2 ** (16 if dtype == "uint16" else 20))
    cut = data.draw(st.integers(0, count))
    _write(path, ids, dtype, cuts=(0, cut))
    reader = ShardReader(path, cache_bytes=data.draw(st.sampled_from([0, 1 << 20])))
    start = data.draw(st.integers(0, count))
    length = data.draw(st.integers(0, count - start))
    assert np.array_equal(reader.read(start, length), ids[start : start + length])
    assert reader.document_offsets.tolist() == [0, cut]
    reader.close()


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_plain_hdf5_with_the_plugin_reads_equal(tmp_path, dtype):
    ids = _ids(300_000)
    path = _write(tmp_path / "a.h5", ids, dtype, chunk=128 * 1024)
    with h5py.File(path, "r", locking=False) as file:
        assert np.array_equal(file["tokens"][:], ids)
        assert file["tokens"].dtype == np.dtype(dtype)


def test_every_sampled_bit_is_found_or_harmless(tmp_path):
    ids = _ids(2000, 300)
    path = _write(tmp_path / "a.h5", ids)
    good = path.read_bytes()
    found = 0
    for place in range(0, len(good), 5):
        data = bytearray(good)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        try:
            reader = ShardReader(path)
        except CorruptData:
            found += 1
            continue
        try:
            assert np.array_equal(reader.read(0, len(ids)), ids)
        except CorruptData:
            found += 1
        finally:
            reader.close()
    assert found > len(good) // 10


def test_flips_inside_chunks_name_file_and_chunk(tmp_path):
    ids = _ids(1000, 300)
    path = _write(tmp_path / "a.h5", ids)
    with h5py.File(path, "r", locking=False) as file:
        spans = [file["tokens"].id.get_chunk_info(n) for n in range(4)]
    good = path.read_bytes()
    for number, span in enumerate(spans):
        for place in range(span.byte_offset, span.byte_offset + span.size, 17):
            data = bytearray(good)
            data[place] ^= 1 << (place % 8)
            path.write_bytes(data)
            reader = ShardReader(path)
            with pytest.raises(CorruptData, match=rf"a\.h5: chunk {number} "):
                reader.verify()
            reader.close()


def test_truncated_shard_is_refused(tmp_path):
    path = _write(tmp_path / "a.h5", _ids(2000, 300))
    good = path.read_bytes()
    for end in range(0, len(good) - 1, max(1, len(good) // 40)):
        path.write_bytes(good[:end])
        with pytest.raises(CorruptData):
            ShardReader(path).verify()


def test_range_outside_and_missing_file(tmp_path):
    reader = ShardReader(_write(tmp_path / "a.h5", _ids(10)))
    with pytest.raises(InputError):
        reader.read(5, 6)
    with pytest.raises(StorageError, match="check the path"):
        ShardReader(tmp_path / "none.h5")


def test_abandoned_shard_leaves_nothing(tmp_path):
    writer = ShardWriter(tmp_path / "a.h5", "uint16", "d")
    writer.append(np.arange(10, dtype="u2"))
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


def test_file_size_limit_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(StorageError):
            _write(tmp_path / "a.h5", _ids(100_000, 65536), chunk=8192)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "a.h5").exists()
