"""Shards follow from the description alone; what is done is found, what is damaged is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.corpora.small_corpus import (
    BLOCKS,
    SHARD_BLOCKS,
    QuickMaker,
    make_all,
    quick_plan,
    use_quick_maker,
)

from qmpi.content.address import BLOCK_TOKENS
from qmpi.corpora.generate_plan import open_plan
from qmpi.errors import ConfigError, CorruptData
from qmpi.protocol.work import UnitProgress
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME
from qmpi.storage.manifest import merkle_root, read_manifest


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        yield


def test_a_whole_corpus(tmp_path: Path) -> None:
    plan = quick_plan(tmp_path)
    said = make_all(plan)
    corpus = Corpus.open(tmp_path)
    assert (corpus.tokens, said["shards"]) == (BLOCKS * BLOCK_TOKENS, 3)
    assert corpus.verify() == []
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert said["digest"] == manifest.merkle_root == corpus.digest
    assert manifest.merkle_root == merkle_root([shard.sha256 for shard in manifest.shards])
    assert sum(said["counters"].values()) == corpus.tokens
    assert len(set(QuickMaker.made)) == len(QuickMaker.made) == BLOCKS


def test_the_last_shard_is_short(tmp_path: Path) -> None:
    plan = quick_plan(tmp_path)
    assert [len(plan.addresses(unit)) for unit in range(plan.units(0))] == [3, 3, 1]
    assert SHARD_BLOCKS == 3


def test_a_shard_made_twice_is_made_equal(tmp_path: Path) -> None:
    progress: list[UnitProgress] = []
    plan = quick_plan(tmp_path)
    report = plan.run(0, 1, progress.append)
    first = (tmp_path / "shard-000001.h5").read_bytes()
    assert plan.run(0, 1, progress.append) == report
    assert (tmp_path / "shard-000001.h5").read_bytes() == first
    assert [p.tokens for p in progress[:3]] == [BLOCK_TOKENS, 2 * BLOCK_TOKENS, 3 * BLOCK_TOKENS]


def test_only_what_verifies_is_done(tmp_path: Path) -> None:
    plan = quick_plan(tmp_path)
    made = plan.run(0, 0, lambda _: None)
    make_all(plan)
    leftover = tmp_path / ".shard-000000.h5.host-1.tmp"
    leftover.write_bytes(b"half a shard")
    shard = tmp_path / "shard-000001.h5"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    (tmp_path / "work" / "units" / "000002.json").write_bytes(b"{")
    (done,) = quick_plan(tmp_path).done(0).items()
    assert done == (0, made)
    assert not leftover.exists()


def test_another_seed_gives_another_corpus(tmp_path: Path) -> None:
    digests = {make_all(quick_plan(tmp_path / str(s), seed=s))["digest"] for s in (1, 2)}
    assert len(digests) == 2


def test_a_description_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        open_plan({"name": "x"}, tmp_path)


def test_what_goes_meanwhile_is_not_called_whole(tmp_path: Path) -> None:
    plan = quick_plan(tmp_path)
    for unit in range(plan.units(0)):
        plan.run(0, unit, lambda _: None)
    right = (tmp_path / TOKENIZER_NAME).read_bytes()
    (tmp_path / TOKENIZER_NAME).unlink()
    (tmp_path / "shard-000001.h5").unlink()
    with pytest.raises(CorruptData, match=r"shard-000001\.h5.*the same command"):
        plan.finish()
    assert not (tmp_path / INDEX_NAME).exists()
    plan.run(0, 1, lambda _: None)
    plan.finish()
    assert (tmp_path / TOKENIZER_NAME).read_bytes() == right
