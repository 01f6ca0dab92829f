"""The tokenizer of generated text: what it is trained on, and that it is made once."""

from collections import Counter

import pytest

from qmpi.content.address import LANGUAGES, SHARES, TYPES
from qmpi.content.document import Document
from qmpi.content.level import LEVELS, Budget
from qmpi.corpora import content_tokenizer as subject
from qmpi.corpora.content_tokenizer import content_tokenizer, sample_address, training_texts
from qmpi.storage.tokenizer import Tokenizer


def _write(_key, stream, place):
    text = f"{stream} {place.block} " + "wörter und mehr " * 30 + "\n"
    budget = Budget(1, 1, 1, 1, 1, 1)
    return Document(
        stream.type, stream.level, stream.variety, "fake", budget, text, {}, (), ()
    )  # fmt: skip


def test_types_have_their_shares():
    size = Counter()
    for text in training_texts(_write, 400_000):
        size[text.partition("/")[0]] += len(text)
    assert set(size) == set(TYPES)
    for name, share in SHARES.items():
        assert size[name] == pytest.approx(4_000 * share, abs=600)


def test_levels_and_languages_take_turns():
    streams = [sample_address("multilingual", number)[0] for number in range(1200)]
    assert len(set(streams)) == LEVELS * len(LANGUAGES)
    levels = Counter(sample_address("code", number)[0].level for number in range(LEVELS))
    assert set(levels.values()) == {1}
    assert {sample_address("code", number)[0].variety for number in range(30)} == {"en"}


def test_no_address_comes_twice():
    assert len({sample_address("code", number) for number in range(3000)}) == 3000


def test_no_other_python_gives_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "training_texts", lambda: training_texts(_write, 100_000))
    path = content_tokenizer(tmp_path, lambda _: None)
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert content_tokenizer(tmp_path, lambda _: None) == path
    made = {text.partition("/")[0] for text in training_texts(_write, 100_000)}
    assert made == set(TYPES)  # documents alone: no file of the library


def test_it_is_made_once_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "training_texts", lambda: training_texts(_write, 600_000))
    told = []
    path = content_tokenizer(tmp_path, told.append)
    assert told
    assert {item.stage for item in told} == {"tokenizer"}
    tokenizer = Tokenizer.load(path)
    assert 300 < tokenizer.size <= subject.VOCABULARY
    monkeypatch.setattr(subject, "training_texts", lambda: 1 / 0)
    assert content_tokenizer(tmp_path, told.append) == path
    assert not list(tmp_path.glob("*.partial"))


def test_equal_samples_give_equal_files(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "training_texts", lambda: training_texts(_write, 250_000))
    paths = [content_tokenizer(tmp_path / name, lambda _: None) for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
