"""Shards in every codec; those of before stay readable, and are still written to the same bytes."""

import zlib

import blosc2
import h5py
import hdf5plugin  # noqa: F401 - registers the filters for the comparison
import numpy as np
import pytest

from qmpi.errors import CorruptData
from qmpi.storage.codec_names import NAMES, codec_named
from qmpi.storage.codecs import compress
from qmpi.storage.shard_layout import FIRST_CODEC
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter
from qmpi.units import Digest

CHUNK = 512
IDS = np.random.default_rng(0).zipf(1.3, 1300).clip(0, 4000).astype("<u2")
OTHERS_READ = [name for name in NAMES if name not in {"gzip", "lzma"}]


def write(path, codec=FIRST_CODEC):
    writer = ShardWriter(path, "uint16", Digest("d" * 64), chunk_tokens=CHUNK, codec=codec)
    writer.start_document()
    writer.append(IDS)
    writer.close()
    return path


def first_frame(chunk):
    """Compress as the first shards were."""
    parameters = {
        "codec": blosc2.Codec.ZSTD, "clevel": 5, "typesize": 2, "blocksize": chunk.nbytes,
        "filters": [blosc2.Filter.NOFILTER], "filters_meta": [0], "nthreads": 1,
    }  # fmt: skip
    storage = {"contiguous": True, "cparams": parameters}
    return blosc2.SChunk(chunksize=chunk.nbytes, data=chunk, **storage).to_cframe()


def write_first(path):
    """Write a shard as format 2 was first written, with h5py alone."""
    size = 2 * CHUNK
    with h5py.File(path, "w", libver=("v110", "v110"), locking=False) as file:
        file.attrs["format_version"] = 2
        file.attrs["tokenizer_digest"] = np.bytes_("d" * 64)
        data = file.create_dataset(
            "tokens", shape=(0,), maxshape=(None,), chunks=(CHUNK,), dtype="<u2",
            compression=32026, compression_opts=(1, size, 2, size, 5, 0, 5),
            allow_unknown_filter=True, fill_time="never",
        )  # fmt: skip
        crcs = []
        for start in range(0, len(IDS), CHUNK):
            chunk = np.zeros(CHUNK, "<u2")
            part = IDS[start : start + CHUNK]
            chunk[: len(part)] = part
            frame = first_frame(chunk)
            data.resize((start + len(part),))
            data.id.write_direct_chunk((start,), frame)
            crcs.append(zlib.crc32(frame))
        file.create_dataset("chunk_crc", data=np.asarray(crcs, "<u4"))
        offsets = np.asarray([0], "<i8")
        file.create_dataset("document_offsets", data=offsets)
        file.attrs["documents_crc"] = zlib.crc32(offsets.tobytes())
        file.attrs["count"] = len(IDS)
        file.attrs["dtype"] = np.bytes_("uint16")
    return path


def test_a_shard_of_before_is_read_and_written_to_the_same_bytes(tmp_path):
    old = write_first(tmp_path / "old.h5")
    reader = ShardReader(old)
    assert np.array_equal(reader.read(0, len(IDS)), IDS)
    assert reader.codec == FIRST_CODEC
    assert write(tmp_path / "new.h5").read_bytes() == old.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_codec_is_named_read_back_and_verified(tmp_path, name):
    codec = codec_named(name)
    reader = ShardReader(write(tmp_path / "a.h5", codec))
    assert np.array_equal(reader.read(100, 1200), IDS[100:])
    assert reader.codec == codec
    reader.verify()
    reader.close()


@pytest.mark.parametrize("name", OTHERS_READ)
def test_other_tools_read_what_has_a_filter_of_its_own(tmp_path, name):
    with h5py.File(write(tmp_path / "a.h5", codec_named(name)), locking=False) as file:
        assert np.array_equal(file["tokens"][:], IDS)


def test_a_chunk_of_another_size_with_a_right_checksum_is_refused(tmp_path):
    path = write(tmp_path / "a.h5", codec_named("zlib"))
    bomb = compress(codec_named("zlib"), np.zeros(1 << 20, "<u2"))
    with h5py.File(path, "r+", locking=False) as file:
        file["tokens"].id.write_direct_chunk((CHUNK,), bomb)
        file["chunk_crc"][1] = zlib.crc32(bomb)
    with pytest.raises(CorruptData, match=r"a\.h5: chunk 1: .*1024 bytes"):
        ShardReader(path).verify()


@pytest.mark.parametrize("text", [b"brotli:4", b"zlib:77", b"\xff"])
def test_a_codec_that_is_none_is_refused(tmp_path, text):
    path = write(tmp_path / "a.h5", codec_named("zlib"))
    with h5py.File(path, "r+", locking=False) as file:
        file.attrs["codec"] = np.bytes_(text)
    with pytest.raises(CorruptData, match=r"a\.h5"):
        ShardReader(path)
