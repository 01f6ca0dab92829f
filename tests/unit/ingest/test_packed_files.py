"""Compressed files: what is cut short is told, and none can fill the memory."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest
import zstandard

from qmpi.ingest.read.files import reason_of, unpacked
from qmpi.ingest.scan import SourceFile, changed_at


def _file(path):
    facts = path.stat()
    return SourceFile(os.fsencode(path), "", facts.st_size, changed_at(facts))


def test_compressed_files_tell_when_they_are_cut(tmp_path):
    data = np.random.default_rng(0).bytes(300_000)
    packed = {
        ".gz": gzip.compress(data),
        ".zst": zstandard.compress(data[:1000]) + zstandard.compress(data[1000:]),
    }
    for ending, content in packed.items():
        path = tmp_path / f"a{ending}"
        path.write_bytes(content)
        with unpacked(_file(path)) as stream:
            assert stream.read() == data
        for cut in (len(content) - 1, len(content) // 2):
            path.write_bytes(content[:cut])
            with unpacked(_file(path)) as stream, pytest.raises((EOFError, OSError)) as caught:
                stream.read()
            assert reason_of(caught.value) == "damaged"


def test_a_zstd_bomb_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "a.zst"
    path.write_bytes(zstandard.compress(bytes(300 << 20)))
    tracemalloc.start()
    with unpacked(_file(path)) as stream:
        size = sum(len(part) for part in iter(lambda: stream.read(1 << 20), b""))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 300 << 20
    assert most < 100 << 20


def test_zstd_with_the_longest_window_is_read(tmp_path):
    # As `zstd --ultra --long=31` writes; one raw block.
    frame = zstandard.FRAME_HEADER + bytes([0x00, 0xA8]) + (4 << 3 | 1).to_bytes(3, "little")
    path = tmp_path / "a.zst"
    path.write_bytes(frame + b"text")
    with unpacked(_file(path)) as stream:
        assert stream.read() == b"text"
