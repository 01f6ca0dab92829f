"""The benchmark of readers keeps its contract with scripts."""

import json

import bench_reader
import numpy as np
import pytest
from reader_data import IDS_NAME

from qmpi.storage.tokenizer import train_tokenizer

READERS = {"qmpi", "qmpi_mpi", "streaming", "litdata", "memmap", "h5py", "raw_blosc2"}
TOKENS = 300_000


def told(folder, *more):
    wanted = ["--tokens", str(TOKENS), "--windows", "5", "--rounds", "1", "--keep", str(folder)]
    return bench_reader.report(bench_reader.options([*wanted, "--disk", str(folder), *more]))


@pytest.fixture
def ids(tmp_path):
    found = np.random.default_rng(0).zipf(1.3, TOKENS).clip(0, 299).astype("<u2")
    np.save(tmp_path / IDS_NAME, found)
    return tmp_path


def test_all_is_told_and_what_is_missing_is_null(ids, monkeypatch):
    monkeypatch.setattr(bench_reader, "importable", lambda _name: None)
    found = told(ids)
    assert json.loads(json.dumps(found)) == found
    for key in ("tokens_per_second", "bytes_per_token", "random_windows_per_second"):
        assert set(found[key]) == READERS
        # Without a vocabulary there is no job, so no memory rank either.
        assert {name for name in READERS if found[key][name] is None} == {
            "streaming", "litdata", "qmpi_mpi",
        }  # fmt: skip
    assert all(value is None or value > 0 for value in found["cold_tokens_per_second"].values())
    assert found["bytes_per_token"]["memmap"] == 2.0
    assert found["bytes_per_token"]["qmpi"] < 2.0
    assert found["form"]["qmpi"] == ""
    assert found["tokens"] == TOKENS


@pytest.mark.slow
def test_a_memory_rank_serves_the_same_rows(ids):
    """Starts two real ranks twice; that blocks are right is shown by their digests."""
    train_tokenizer(["the quick brown fox jumps over the lazy dog"] * 3, 300).save(
        ids / "tokenizer.json"
    )
    found = told(ids, "--only", "qmpi_mpi")
    assert found["tokens_per_second"]["qmpi_mpi"] > 0
    assert found["cold_tokens_per_second"]["qmpi_mpi"] > 0
    assert found["tokens_per_second"]["qmpi"] is None
