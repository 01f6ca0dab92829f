"""Every flipped bit is found, its block named, and the file made whole to the very bytes."""

import random
import shutil
from pathlib import Path

import pytest
from unit.corpora.small_corpus import SHARD_BLOCKS, QuickMaker

from qmpi.content.address import GENERATOR_VERSION
from qmpi.content.lexicons import lexicon_digest
from qmpi.corpora import repair as shard_repair
from qmpi.corpora.repair import repair_directory, repair_shard
from qmpi.corpora.survey import find_shards
from qmpi.corpora.verify import verify_directory, verify_shard
from qmpi.errors import CorruptData
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, read_corpus_facts
from qmpi.storage.remedy import MANIFEST_NAME

POSITIONS = 200
SHARD = "shard-000001.h5"


def no_built_in() -> Path:
    raise AssertionError("nothing can have it: its number of ids is another")


def flip(path: Path, position: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def test_every_flipped_bit_is_found_and_repaired(corpus: Path) -> None:
    path, chance = corpus / SHARD, random.Random(5)
    right = path.read_bytes()
    shard = find_shards([corpus])[1]
    # The ends, where HDF5 keeps its books, and places all over the file.
    places = [*range(20), *range(len(right) - 20, len(right))]
    places += [chance.randrange(len(right)) for _ in range(POSITIONS - len(places))]
    named = 0
    for position in places:
        flip(path, position, chance.randrange(8))
        check = verify_shard(shard)
        assert check.whole_file
        assert check.faults, position
        QuickMaker.made.clear()
        done = repair_shard(shard, None)
        assert done.state == "repaired", done.how
        assert path.read_bytes() == right, position
        blocks = tuple(fault.block for fault in check.faults if fault.block)
        if blocks:
            # One, but for damage to the books that lead to every chunk.
            assert len(blocks) in (1, SHARD_BLOCKS)
            assert done.blocks == blocks == tuple(QuickMaker.made)
            named += len(blocks) == 1
    assert named > POSITIONS // 2
    assert repair_shard(shard, None).state == "whole"


@pytest.mark.parametrize("harm", ["empty", "short", "gone", "noise"])
def test_whatever_is_left_of_a_shard_it_is_made_again(corpus: Path, harm: str) -> None:
    path = corpus / SHARD
    right = path.read_bytes()
    shard = find_shards([corpus])[1]
    match harm:
        case "empty":
            path.write_bytes(b"")
        case "short":
            path.write_bytes(right[: len(right) // 2])
        case "gone":
            path.unlink()
        case _:
            path.write_bytes(random.Random(1).randbytes(len(right)))
    assert verify_shard(shard).faults
    done = repair_shard(shard, None)
    assert (done.state, len(done.blocks)) == ("repaired", SHARD_BLOCKS), done.how
    assert path.read_bytes() == right
    assert not [p for p in corpus.iterdir() if p.name.startswith(".")]


def test_a_single_shard_is_repaired_by_its_own_addresses(corpus: Path) -> None:
    right = (corpus / SHARD).read_bytes()
    (corpus / INDEX_NAME).unlink()
    (corpus / MANIFEST_NAME).unlink()
    flip(corpus / SHARD, len(right) // 2, 3)
    (shard,) = find_shards([corpus / SHARD])
    check = verify_shard(shard)
    assert not check.whole_file
    assert check.faults[0].block
    done = repair_shard(shard, None)
    assert done.state == "repaired", done.how
    assert "no index" in done.how
    assert (corpus / SHARD).read_bytes() == right


def test_another_generator_is_not_trusted(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = (corpus / SHARD).read_bytes()
    backup = Path(shutil.copytree(corpus, corpus.parent / "backup"))
    flip(corpus / SHARD, len(right) // 2, 0)
    shard = find_shards([corpus])[1]
    monkeypatch.setattr("qmpi.content.lexicons.GENERATOR_VERSION", "content-0")
    refused = repair_shard(shard, None)
    assert refused.state == "refused"
    assert "--from" in refused.how
    assert f"generator {GENERATOR_VERSION}, not content-0" in refused.how
    assert "vocabulary" not in refused.how, "that is the same"
    assert repair_shard(shard, backup).state == "repaired"
    assert (corpus / SHARD).read_bytes() == right


def test_what_differs_is_named(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = lexicon_digest()
    monkeypatch.setattr("qmpi.content.lexicons.lexicon_digest", lambda: "f" * 64)
    flip(corpus / SHARD, 5000, 0)
    refused = repair_shard(find_shards([corpus])[1], None)
    assert f"vocabulary {here[:8]}, not ffffffff" in refused.how
    assert GENERATOR_VERSION not in refused.how, "that is the same"


def test_a_damaged_copy_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(corpus / SHARD, 5000, 0)
    damaged = (corpus / SHARD).read_bytes()
    backup = Path(shutil.copytree(corpus, corpus.parent / "backup"))
    monkeypatch.setattr("qmpi.content.lexicons.GENERATOR_VERSION", "content-0")
    done = repair_shard(find_shards([corpus])[1], backup)
    assert done.state == "refused"
    assert (corpus / SHARD).read_bytes() == damaged


@pytest.mark.parametrize("name", [INDEX_NAME, MANIFEST_NAME, TOKENIZER_NAME])
def test_the_files_beside_the_shards_are_watched_too(corpus: Path, name: str) -> None:
    backup = Path(shutil.copytree(corpus, corpus.parent / "backup"))
    right = (corpus / name).read_bytes()
    chance = random.Random(2)
    for _ in range(25):
        flip(corpus / name, chance.randrange(len(right)), chance.randrange(8))
        assert verify_directory(corpus), "found"
        done = repair_directory(corpus, backup, no_built_in)
        assert [one.state for one in done] == ["repaired"], done
        assert (corpus / name).read_bytes() == right
    assert repair_directory(corpus, None, no_built_in) == []


@pytest.mark.parametrize("harm", [b"", b"{", b'{"version": 1}', None])
def test_the_index_is_made_again_as_its_damage_says(corpus: Path, harm: bytes | None) -> None:
    index = corpus / INDEX_NAME
    right = index.read_bytes()
    if harm is None:
        index.unlink()
    else:
        index.write_bytes(harm)
    with pytest.raises(CorruptData, match=f"`qmpi shards repair {corpus}` mends it"):
        read_corpus_facts(corpus)
    assert [one.state for one in repair_directory(corpus, None, no_built_in)] == ["repaired"]
    assert index.read_bytes() == right


def test_the_tokenizer_of_generated_text_is_made_again(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, cached = corpus / TOKENIZER_NAME, corpus.parent / "built-in.json"
    right = tokenizer.read_bytes()
    cached.write_bytes(right)
    monkeypatch.setattr(shard_repair, "VOCABULARY", read_corpus_facts(corpus).vocab_size)
    tokenizer.unlink()
    assert [one.state for one in repair_directory(corpus, None, lambda: cached)] == ["repaired"]
    assert tokenizer.read_bytes() == right
    flip(tokenizer, 50, 1)
    flip(cached, 60, 1)
    (refused,) = repair_directory(corpus, None, lambda: cached)
    assert (refused.state, "--from" in refused.how) == ("refused", True)
