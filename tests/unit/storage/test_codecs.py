"""Codecs: equal after a round trip, and nothing larger than was meant, whatever the bytes."""

import bz2
import gzip
import lzma
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import ConfigError, CorruptData
from qmpi.storage import blosc2_codec
from qmpi.storage.codec_names import NAMES, codec_named
from qmpi.storage.codec_trial import cut, tried
from qmpi.storage.codecs import compress, decompress
from qmpi.storage.zstd_block import zstd_part

DTYPES = ("<u1", "<u2", "<u4", "<f4", "<i8")


def chunk_of(count, dtype, seed=0):
    return np.random.default_rng(seed).zipf(1.4, count).clip(0, 120).astype(dtype)


@pytest.mark.parametrize("name", NAMES)
@given(count=st.integers(1, 3000), dtype=st.sampled_from(DTYPES), data=st.data())
@settings(max_examples=12, deadline=None)
def test_what_was_compressed_comes_back(name, count, dtype, data):
    codec = codec_named(name)._replace(level=data.draw(st.sampled_from(NAMES[name].levels)))
    chunk = chunk_of(count, dtype)
    out = np.zeros_like(chunk)
    decompress(codec, compress(codec, chunk), out)
    assert np.array_equal(out, chunk)


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_of_another_size_is_refused(name):
    codec = codec_named(name)
    frame = compress(codec, chunk_of(3000, "<u2"))
    for count in (1, 2999, 3001, 100_000):
        with pytest.raises(CorruptData):
            decompress(codec, frame, np.empty(count, "<u2"))


@pytest.mark.parametrize("name", NAMES)
def test_torn_and_foreign_bytes_are_refused(name):
    codec = codec_named(name)
    frame = compress(codec, chunk_of(3000, "<u2"))
    out = np.empty(3000, "<u2")
    torn = [b"", b"x", frame[: len(frame) // 2], frame[:-1], frame + b"x", b"\xff" * 500]
    for bad in torn:
        with pytest.raises(CorruptData):
            decompress(codec, bad, out)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_never_gives_more_than_an_error(name):
    codec = codec_named(name)
    chunk = chunk_of(1000, "<u2")
    frame, out = compress(codec, chunk), np.empty_like(chunk)
    for place in range(0, len(frame), 3):
        bad = bytearray(frame)
        bad[place] ^= 1 << (place % 8)
        try:
            decompress(codec, bytes(bad), out)
        except CorruptData:
            continue


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        ("zlib", zlib.compress(bytes(50 << 20))),
        ("gzip", gzip.compress(bytes(50 << 20))),
        ("bz2", bz2.compress(bytes(8 << 20))),
        ("lzma", lzma.compress(bytes(50 << 20), preset=9)),
    ],
)
def test_a_bomb_takes_no_room(name, bomb):
    import tracemalloc

    out = np.empty(4096, "<u1")
    tracemalloc.start()
    with pytest.raises(CorruptData):
        decompress(codec_named(name), bomb, out)
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zstd",
        "none:1",
        "zlib:0",
        "zlib:10",
        "zlib:x",
        "zlib:",
        "zlib:-1",
        "lzma:\u0663",
        "lzma:00000000099",
        "none:0000000000",
    ],
)
def test_what_is_no_codec_is_told(text):
    with pytest.raises(ConfigError, match="codec"):
        codec_named(text)


def test_names_are_spelled_one_way():
    for name, known in NAMES.items():
        codec = codec_named(name)
        assert codec.level == known.usual
        assert codec_named(str(codec)) == codec
    assert str(codec_named("none")) == "none"


def test_a_trial_tells_what_a_codec_comes_to():
    chunks = cut(chunk_of(10_000, "<u2"), 4096)
    assert [chunk.size for chunk in chunks] == [4096, 4096]
    assert cut(chunk_of(10, "<u2"), 4096)[0].size == 10
    found = tried(codec_named("none"), chunks)
    assert (found.name, found.ratio) == ("none", 1.0)
    assert found.decode_rate > 0
    assert found.compress_rate > 0
    assert tried(codec_named("lzma"), chunks).ratio > tried(codec_named("zlib:1"), chunks).ratio > 1


@given(data=st.binary(max_size=300))
def test_checksums_are_those_of_zlib(data):
    assert blosc2_codec.crc32(data) == zlib.crc32(data)


def test_without_quick_checksums_those_of_zlib_are_taken(monkeypatch):
    monkeypatch.setattr(blosc2_codec, "_quick_crc", lambda: None)
    assert blosc2_codec.crc32(b"a shard") == zlib.crc32(b"a shard")
    monkeypatch.undo()
    monkeypatch.setattr(blosc2_codec, "_library", object)
    assert blosc2_codec._quick_crc.__wrapped__() is None


def frame_of(array, name="blosc2-zstd:5"):
    frame = compress(codec_named(name), array)
    return frame, zstd_part(frame, blosc2_codec._head(frame), array.nbytes)


def test_frames_of_ids_are_decoded_past_blosc2_and_all_others_by_it(monkeypatch):
    ids = np.random.default_rng(0).zipf(1.3, 4000).clip(0, 9999).astype("<u2")
    noise = np.random.default_rng(0).integers(0, 65536, 500).astype("<u2")
    asked = []
    slow = blosc2_codec.decode_by_blosc2
    monkeypatch.setattr(
        blosc2_codec, "decode_by_blosc2", lambda *given: (asked.append(1), slow(*given))[1]
    )
    for array, name, is_quick in (
        (ids, "blosc2-zstd:5", True),
        (ids, "blosc2-zstd-bytes:5", False),
        (ids, "blosc2-lz4:9", False),
        (noise, "blosc2-zstd:5", False),
        (np.zeros(500, "<u2"), "blosc2-zstd:5", False),
    ):
        frame, part = frame_of(array, name)
        assert (part is not None) is is_quick
        out = np.empty_like(array)
        decompress(codec_named(name), frame, out)
        assert np.array_equal(out, array)
        assert bool(asked) is not is_quick
        asked.clear()


@given(data=st.data())
@settings(max_examples=60)
def test_a_flipped_head_never_leads_out_of_the_frame(data):
    ids = np.arange(3000, dtype="<u2") % 97
    frame, _ = frame_of(ids)
    torn = bytearray(frame)
    head = blosc2_codec._head(frame)
    for _ in range(data.draw(st.integers(1, 4))):
        torn[data.draw(st.integers(head, head + 40))] = data.draw(st.integers(0, 255))
    cut = bytes(torn[: data.draw(st.integers(head, len(torn)))])
    part = zstd_part(cut, head, ids.nbytes)
    assert part is None or (part.start > head and part.start + part.size <= len(cut))
