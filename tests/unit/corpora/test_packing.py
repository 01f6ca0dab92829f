"""Packed corpora: every id once, the same rows whoever asks, an index that heals itself."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.packing import document_counts, open_packed
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.launch.train import check_sources
from qmpi.policy.held_out import is_held_out
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_directory import check_corpus_directory, clear_corpus_directory
from qmpi.storage.packing_index import index_name, write_index

LENGTH = 64
NAME = index_name(LENGTH)


def ingest(folder: Path, name: str, **options) -> Corpus:
    options = {"vocab_size": 400, **options}
    ingest_corpus([folder / "texts"], folder / name, IngestOptions(**options), lambda _: None)
    return Corpus.open(folder / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("packing"), random.Random(3)
    (folder / "texts").mkdir()
    for number in range(150):
        words = [f"{draw.choice('abcdefgh')}{draw.randrange(99)}" for _ in range(draw.choice(
            (4, 9, 11, 17, 18, 300)))]  # fmt: skip
        (folder / "texts" / f"{number:03}.txt").write_text(f"{number} " + " ".join(words))
    ingest(folder, "shared", shard_tokens=1000)
    return folder


@pytest.fixture
def corpus(folder: Path, tmp_path: Path) -> Corpus:
    unpacked = shutil.ignore_patterns("packing-*")
    shutil.copytree(folder / "shared", tmp_path / "corpus", ignore=unpacked)
    return Corpus.open(tmp_path / "corpus")


def documents(corpus: Corpus) -> list[list[int]]:
    """Return the documents, found by their end tokens alone."""
    ids = corpus.read(0, corpus.tokens).tolist()
    end, found = ids[-1], [[]]
    for number in ids:
        found[-1].append(number)
        if number == end:
            found.append([])
    assert len(corpus.facts.shards) > 3
    return found[:-1]


def test_documents_are_told_across_shards(corpus: Corpus) -> None:
    assert list(document_counts(corpus)) == [len(d) for d in documents(corpus)]


def test_rows_are_the_documents_each_id_once_as_a_target(corpus: Corpus, tmp_path: Path) -> None:
    packed = open_packed(corpus, LENGTH, tmp_path)
    rows = [packed.read_row(n, LENGTH).tolist() for n in range(packed.index.rows)]
    assert len(rows) == corpus.tokens // LENGTH
    flat = corpus.read(0, corpus.tokens).tolist()
    end, used = flat[-1], np.zeros(corpus.tokens, int)
    for number, row in enumerate(rows):
        pieces = packed.index.pieces(number)
        assert row[0] == flat[pieces[0][0] - 1]
        assert row[1:] == [i for start, count in pieces for i in flat[start : start + count]]
        for start, count in pieces:
            used[start : start + count] += 1
    assert used.max() == 1
    assert (used == 0).sum() < LENGTH
    # By text alone: nearly every document that fits a row stands whole in one, between end tokens.
    texts = [",".join(map(str, row)) + "," for row in rows]
    short = [d for d in documents(corpus) if len(d) <= LENGTH]
    whole = [d for d in short if any(",".join(map(str, [end, *d])) + "," in t for t in texts)]
    assert len(whole) >= 0.97 * len(short)


def test_rows_do_not_depend_on_shards_or_on_who_asks(folder: Path, tmp_path: Path) -> None:
    one = open_packed(Corpus.open(folder / "shared"), LENGTH, tmp_path)
    other = open_packed(ingest(folder, "one-shard"), LENGTH, tmp_path)
    assert one.index.digest == other.index.digest
    last = one.index.rows - 1
    assert np.array_equal(one.read_row(last, LENGTH), other.read_row(last, LENGTH))
    with pytest.raises(InputError):
        one.read_row(last + 1, LENGTH)


def test_the_first_id_has_the_end_token_before_it(corpus: Corpus, tmp_path: Path) -> None:
    packed = open_packed(corpus, LENGTH, tmp_path)
    first = [n for n in range(packed.index.rows) if packed.index.pieces(n)[0][0] == 0]
    for row in first:
        assert packed.read_row(row, LENGTH)[0] == corpus.read(corpus.tokens - 1, 1)[0]


def test_an_index_is_made_once_and_anew_when_missing_or_damaged(
    corpus: Corpus, tmp_path: Path
) -> None:
    digest = open_packed(corpus, LENGTH, tmp_path).index.digest
    path = corpus.path / NAME
    made = path.read_bytes()
    before = path.stat().st_mtime_ns
    assert open_packed(corpus, LENGTH, tmp_path).index.digest == digest
    assert path.stat().st_mtime_ns == before
    draw = random.Random(4)
    flips = [draw.randrange(len(made)) for _ in range(4)] + [13, len(made) - 1]
    torn = [made[:-8], made[:20], b"", made + b"12345678"]
    for bad in [made[:n] + bytes([made[n] ^ 4]) + made[n + 1 :] for n in flips] + torn:
        path.write_bytes(bad)
        assert open_packed(corpus, LENGTH, tmp_path).index.digest == digest
        assert path.read_bytes() == made
    path.unlink()
    open_packed(corpus, LENGTH, tmp_path)
    assert path.read_bytes() == made


def test_an_index_of_other_text_is_made_anew(folder: Path, corpus: Corpus, tmp_path: Path) -> None:
    other = ingest(folder, "other", vocab_size=350)
    open_packed(other, LENGTH, tmp_path)
    (corpus.path / NAME).write_bytes((other.path / NAME).read_bytes())
    expected = open_packed(Corpus.open(folder / "shared"), LENGTH, tmp_path).index.digest
    assert open_packed(corpus, LENGTH, tmp_path).index.digest == expected


def test_where_shards_may_not_be_written_the_index_lies_in_the_cache(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != corpus.path)
    cache = tmp_path / "cache"
    packed = open_packed(corpus, LENGTH, cache)
    assert not (corpus.path / NAME).exists()
    assert [p.name for p in cache.rglob("*.rows")] == [NAME]
    monkeypatch.undo()
    assert open_packed(corpus, LENGTH, cache).index.digest == packed.index.digest
    monkeypatch.setattr(os, "access", lambda path, _: path != corpus.path)
    assert open_packed(corpus, LENGTH, tmp_path / "none").index.digest == packed.index.digest
    assert not (tmp_path / "none").exists()


def test_a_corpus_directory_with_an_index_is_still_one(corpus: Corpus, tmp_path: Path) -> None:
    open_packed(corpus, LENGTH, tmp_path)
    check_corpus_directory(corpus.path)
    clear_corpus_directory(corpus.path)
    assert not corpus.path.exists()


def job(corpus: Corpus, packing: str = "best_fit") -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=400),
        train=TrainSettings(steps=2, lanes=2, microbatches=1, sequences=2, sequence_tokens=LENGTH),
        evaluation=EvaluationSettings(held_out=0.1),
        data=DataSettings(
            packing=packing,
            sources=(
                CorpusSource(name="words", path=str(corpus.path)),
                ContentSource(name="sums", type="mathematics"),
            ),
        ),
    )


def test_sources_give_packed_rows_and_say_so_in_their_facts(corpus: Corpus, tmp_path: Path) -> None:
    packed, plain = Sources(job(corpus), tmp_path), Sources(job(corpus, "concatenate"), tmp_path)
    facts, before = packed.open(), plain.open()
    assert facts[0].rows == corpus.tokens // LENGTH
    assert all(one.digest != other.digest for one, other in zip(facts, before, strict=True))
    assert before[0].digest == corpus.digest
    row = next(n for n in range(facts[0].rows) if not is_held_out(facts[0], n))
    addresses = (RowAddress(0, row), RowAddress(1, 5))
    digest, block = packed.build_all(addresses)
    index = open_packed(corpus, LENGTH, tmp_path)
    ids = np.frombuffer(block, "<u2").reshape(2, LENGTH + 1)
    assert np.array_equal(ids[0], index.read_row(row, LENGTH))
    assert digest == hashlib.blake2b(block, digest_size=16).hexdigest()
    assert packed.stream_of(addresses[0]) is None
    assert packed.stream_of(addresses[1]).type == "mathematics"
    assert packed.packing_fault() == plain.packing_fault() == ""


def test_the_command_makes_the_index_before_the_job(corpus: Corpus, tmp_path: Path) -> None:
    check_sources(job(corpus, "concatenate"), tmp_path)
    assert not (corpus.path / NAME).exists()
    check_sources(job(corpus), tmp_path)
    assert (corpus.path / NAME).exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: [*rows[:-1], rows[0]], "an id is in two rows"),
        (lambda rows: [*rows[:-1], [(10**6, LENGTH)]], "a row holds ids that are not there"),
        (lambda rows: [*rows[:-1], rows[-1][1:] or [(rows[-1][0][0], 3)]], "a row is not full"),
    ],
)
def test_a_wrong_index_that_agrees_with_itself_is_found(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change, told: str
) -> None:
    index = open_packed(corpus, LENGTH, tmp_path).index
    rows = [index.pieces(n) for n in range(index.rows)]
    monkeypatch.setattr("qmpi.corpora.packing._rows", lambda *_: iter(change(rows)))
    (corpus.path / NAME).unlink()
    sources = Sources(job(corpus), tmp_path)
    sources.open()
    assert sources.packing_fault() == f"source 'words': {told}"


def test_an_index_without_rows_can_be_kept(tmp_path: Path) -> None:
    write_index(tmp_path / NAME, "nothing", [])
    assert (tmp_path / NAME).stat().st_size > 0
