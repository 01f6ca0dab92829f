"""Blocks of a generated corpus whose shards cannot be read: the same bits, files untouched."""

import logging
import shutil
from pathlib import Path

import h5py
import pytest
from unit.corpora.small_corpus import QuickMaker

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.content.address import BLOCK_TOKENS
from qmpi.corpora.repair import repair_shard
from qmpi.corpora.sources import Sources
from qmpi.corpora.survey import find_shards
from qmpi.errors import CorruptData, StorageError
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.corpus import Corpus
from qmpi.storage.os_errors import is_out_of_reach
from qmpi.storage.remedy import MANIFEST_NAME

TOKENS = 64
SHARD = "shard-000001.h5"
ROWS = tuple(RowAddress(0, 3 * BLOCK_TOKENS // TOKENS + row) for row in (3, 5, 1500))
"""Of the first and the second block of that shard."""


def opened(corpus: Path) -> Sources:
    settings = Settings(
        data=DataSettings(sources=(CorpusSource(name="shards", path=str(corpus)),)),
        model=ModelSettings(vocab_size=4096),
        train=TrainSettings(sequence_tokens=TOKENS),
    )
    sources = Sources(settings, corpus.parent / "cache")
    sources.open()
    QuickMaker.made.clear()
    return sources


def harm(path: Path, how: str) -> None:
    match how:
        case "flipped":
            with h5py.File(path, locking=False) as shard:
                chunk = shard["tokens"].id.get_chunk_info(0)
            data = bytearray(path.read_bytes())
            data[chunk.byte_offset + chunk.size // 2] ^= 0x10
            path.write_bytes(data)
        case "torn":
            path.write_bytes(path.read_bytes()[:20_000])
        case "gone":
            path.unlink()
        case "another":
            shutil.copyfile(path.with_name("shard-000002.h5"), path)
        case _:
            path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize("how", ["flipped", "torn", "gone", "another", "away"])
def test_blocks_are_made_anew_to_the_same_bits(
    corpus: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    right, sources = opened(corpus).build(ROWS, ()), opened(corpus)
    harm(corpus / SHARD, how)
    left = {path: path.read_bytes() for path in corpus.glob("*")}
    with caplog.at_level(logging.WARNING):
        assert sources.build(ROWS, ()) == right
        assert sources.build(ROWS, ()) == right
    assert {path: path.read_bytes() for path in corpus.glob("*")} == left
    expected = 1 if how == "flipped" else 2
    assert len(QuickMaker.made) == len(caplog.records) == expected
    said = caplog.messages[0]
    assert said.startswith(f"chunk 0 of shard {corpus / SHARD} is made anew from its address")
    assert QuickMaker.made[0].rpartition("/")[0] in said
    assert (f"`qmpi shards repair {corpus}" in said) == (how != "away")


def test_once_the_shard_is_repaired_it_is_read_again(corpus: Path) -> None:
    right, sources = opened(corpus).build(ROWS, ()), opened(corpus)
    harm(corpus / SHARD, "flipped")
    sources.build(ROWS[:1], ())
    assert repair_shard(find_shards([corpus])[1], None).state == "repaired"
    QuickMaker.made.clear()
    sources._chunks.clear()
    assert sources.build(ROWS, ()) == right
    assert not QuickMaker.made


def test_another_generator_makes_nothing(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = opened(corpus)
    harm(corpus / SHARD, "gone")
    monkeypatch.setattr("qmpi.content.lexicons.GENERATOR_VERSION", "content-0")
    with pytest.raises(CorruptData, match=f"{SHARD} is gone.*another generator than is here"):
        sources.build(ROWS, ())


def test_a_corpus_that_was_ingested_is_not_made_anew(corpus: Path) -> None:
    (corpus / MANIFEST_NAME).unlink()
    sources = opened(corpus)
    harm(corpus / SHARD, "flipped")
    with pytest.raises(CorruptData, match=SHARD):
        sources.build(ROWS, ())
    harm(corpus / SHARD, "away")
    with pytest.raises(StorageError) as told:
        opened_away(sources)
    assert is_out_of_reach(told.value)


def opened_away(sources: Sources) -> None:
    corpus = sources._corpora[0]
    assert isinstance(corpus, Corpus)
    corpus.shards.close()
    sources.build(ROWS, ())
