"""Blocks as they are sent: the same ids under every codec, and never more bytes than ids."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.memory import MemorySettings
from qmpi.corpora.sent_blocks import SentBlocks
from qmpi.errors import CorruptData, InvariantError
from qmpi.protocol.blocks import frame_digest
from qmpi.storage.codec_names import NAMES
from qmpi.storage.sent_block import ids_of

TEXT = np.tile(np.arange(64, dtype="<u2"), 200).tobytes()
NOISE = np.random.default_rng(0).bytes(4096)


def back(frame, codec, ids):
    return ids if not codec else bytes(ids_of(frame, codec, frame_digest(ids), len(ids)))


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize(("dtype", "width"), [("uint16", 2), ("uint32", 4)])
def test_every_codec_gives_the_ids_back(name, dtype, width):
    frame, codec = SentBlocks(name, dtype).sent(TEXT)
    assert bool(codec) == (name != "none") == (len(frame) < len(TEXT))
    assert back(frame, codec, TEXT) == TEXT
    assert len(TEXT) % width == 0


@given(st.binary(max_size=600).map(lambda data: data[: len(data) // 2 * 2]))
def test_whatever_the_ids_are_they_come_back(ids):
    frame, codec = SentBlocks("blosc2-zstd", "uint16").sent(ids)
    assert len(frame) <= len(ids)
    assert back(frame, codec, ids) == ids


@pytest.mark.parametrize("name", ["lzma", "blosc2-lz4", "auto"])
def test_what_would_not_get_smaller_is_sent_as_it_is(name):
    assert SentBlocks(name, "uint16").sent(NOISE) == (NOISE, "")


def test_a_slow_way_makes_auto_compress_and_a_fast_one_not(caplog):
    with caplog.at_level(logging.INFO):
        slow, fast = SentBlocks("auto", "uint16", rate=1e4), SentBlocks("auto", "uint16", rate=1e14)
        frame, codec = slow.sent(TEXT)
        assert fast.sent(TEXT) == (TEXT, "")
    assert codec
    assert back(frame, codec, TEXT) == TEXT
    assert slow.reason.startswith(f"blocks are sent as {codec}: at ")
    assert slow.reason in caplog.text
    # Chosen once: what comes later is not tried again.
    assert fast.sent(TEXT[: len(TEXT) // 2]) == (TEXT[: len(TEXT) // 2], "")


def test_what_came_out_as_another_block_is_not_trained_on():
    frame, codec = SentBlocks("zlib", "uint16").sent(TEXT)
    with pytest.raises(InvariantError, match="came out as another"):
        ids_of(frame, codec, frame_digest(NOISE), len(TEXT))
    for size in (len(TEXT) - 2, len(TEXT) + 2):
        with pytest.raises(CorruptData):
            ids_of(frame, codec, frame_digest(TEXT), size)


def test_the_setting_takes_each_codec_and_auto():
    field = MemorySettings.__annotations__["codec"]
    assert set(field.__args__[0].__args__) == {*NAMES, "auto"}
