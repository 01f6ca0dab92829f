"""The codec of an ingestion: as it is asked for, tried once, written down, and used by all."""

from pathlib import Path

import numpy as np
import pytest

from qmpi.errors import ConfigError, CorruptData
from qmpi.ingest import shard_codec
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.ingest.shard_codec import CodecFile, best_codec, choice_of, codec_wish
from qmpi.ingest.spec import spec_from, spec_of
from qmpi.storage.codec_names import NAMES, USUAL_CODEC, codec_named
from qmpi.storage.codec_trial import Tried
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import read_corpus_facts
from qmpi.storage.shard_layout import FIRST_CODEC
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.tokenizer import train_tokenizer

TEXT = "the quick brown fox jumps over the lazy dog and thinks of nothing else. " * 30


def ignore(_progress):
    return None


@pytest.fixture
def trials(monkeypatch):
    """Trials of zlib and none at fixed speeds; lists what was tried."""
    seen = []

    def tried(codec, chunks):
        seen.append((str(codec), len(chunks)))
        rate = 5e9 if codec.name == "none" else 4e8
        return Tried(str(codec), 1.0 if codec.name == "none" else 2.0, rate, rate)

    monkeypatch.setattr(shard_codec, "CANDIDATES", ("none", "zlib:6"))
    monkeypatch.setattr(shard_codec, "tried", tried)
    return seen


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    for number in range(5):
        (path / f"{number}.txt").write_text(f"{number} {TEXT}")
    return path


def test_what_is_asked_for():
    assert codec_wish("zlib:3") == (codec_named("zlib:3"), 0.0)
    assert codec_wish("auto") == (None, 200e6)
    assert codec_wish("auto:12.5") == (None, 12.5e6)
    assert choice_of(USUAL_CODEC).reason == "the usual one"
    assert choice_of("none") == shard_codec.CodecChoice("none", "asked for")
    assert choice_of("auto:9") is None


@pytest.mark.parametrize("text", ["auto:", "auto:0", "auto:-1", "auto:1e9", "auto:nan", "zstd", ""])
def test_what_means_nothing_is_the_users_mistake(text, tmp_path):
    with pytest.raises(ConfigError, match="codec"):
        spec_of([tmp_path], tmp_path / "out", IngestOptions(codec=text), "", "")


def test_candidates_are_codecs_and_hold_the_usual_one():
    assert {codec_named(name).name for name in shard_codec.CANDIDATES} <= set(NAMES)
    assert USUAL_CODEC in shard_codec.CANDIDATES


def test_the_best_depends_on_what_a_reader_gets(trials):
    sample = np.zeros(100 * 64, "<u2")
    assert best_codec("auto:100", sample, 64).name == "zlib:6"
    assert best_codec("auto:4000", sample, 64).name == "none"
    assert {count for _, count in trials} == {8}, "a trial looks at few chunks of all"


def test_a_corpus_says_which_codec_it_lies_in_and_why(source, tmp_path, trials):
    usual = ingest_corpus([source], tmp_path / "usual", IngestOptions(vocab_size=300), ignore)
    options = IngestOptions(vocab_size=300, codec="auto:100")
    made = ingest_corpus([source], tmp_path / "best", options, ignore)
    facts = read_corpus_facts(tmp_path / "best")
    assert facts == made.facts
    assert facts.codec == "zlib:6"
    assert facts.codec_reason.startswith("at 100 MB/s a GB takes 7.50 s: ratio 2.00")
    assert [name for name, _ in trials] == ["none", "zlib:6"], "one trial for all shards"
    assert (usual.facts.codec, usual.facts.codec_reason) == (USUAL_CODEC, "the usual one")
    assert facts.digest == usual.facts.digest, "what is in it is the same"
    codecs = [
        str(ShardReader(tmp_path / name / made.facts.shards[0].name).codec)
        for name in ("best", "usual")
    ]
    assert codecs == ["zlib:6", USUAL_CODEC]
    assert Corpus.open(tmp_path / "best").verify() == []


def test_a_choice_is_made_once(tmp_path, trials):
    tokenizer = train_tokenizer([TEXT], 300)
    file = CodecFile(tmp_path / "codec.json", "auto:100")
    assert not file.is_done()
    file.decide(tokenizer, [TEXT, TEXT])
    first = file.read()
    assert len(trials) == 2
    CodecFile(tmp_path / "codec.json", "auto:100").decide(tokenizer, [TEXT])
    assert (file.is_done(), file.read(), len(trials)) == (True, first, 2)
    (tmp_path / "codec.json").write_bytes(b"{")
    with pytest.raises(CorruptData):
        file.read()
    named = CodecFile(tmp_path / "none.json", "bz2")
    named.decide(tokenizer, [])
    assert named.read().name == "bz2:9"
    assert not Path(tmp_path / "none.json").exists()


def test_another_codec_is_another_ingestion(tmp_path):
    specs = [
        spec_of([tmp_path], tmp_path / "out", IngestOptions(codec=text), "", "")
        for text in ("none", "bz2", "auto")
    ]
    assert len({spec.codec for spec in specs}) == 3
    assert spec_from(specs[2].plain()) == specs[2]


def test_shards_that_name_no_codec_lie_in_the_first():
    assert str(FIRST_CODEC) == "blosc2-zstd:5"
