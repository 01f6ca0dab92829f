"""Ids of the fast encoder are those of the reference, or the reference encodes."""

import json
import logging
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.corpora.builtin import library_files
from qmpi.storage import fast_encoding
from qmpi.storage.fast_encoding import PROBE, encoder
from qmpi.storage.tokenizer import END_OF_TEXT, Tokenizer, train_tokenizer

LIBRARY = Path(sysconfig.get_path("stdlib"))
LETTERS = "aAzßéжЖяדسحि語あ한ǅ\U0001d54f\u0345"
OTHERS = (
    " \t\n\r\x0b\x85\xa0\u2028\u3000\u200b\ufeff\x00\x1b٣½Ⅳ²0123'\u2019.,-_<|>"
    "🚀🇩\u0301\u200d\U0010ffff"
)
PARTS = [
    "'s",
    "'ll",
    "'RE",
    END_OF_TEXT,
    "<|endof",
    "text|>",
    "  ",
    "\r\n",
    "ab" * 40,
    "aaaa",
    " the",
]


def _reference(data):
    reference = tokenizers.Tokenizer.from_str(data.decode())
    reference.encode_special_tokens = True
    return reference


def _documents(count):
    """Texts of the library and of the documents of the machine, as many as there are."""
    texts = [path.read_text(errors="replace") for path in library_files(LIBRARY)]
    for path in sorted(Path("/usr/share/doc").rglob("*")):
        if len(texts) >= count:
            break
        if path.is_file() and path.stat().st_size < 100_000 and path.suffix != ".gz":
            texts.append(path.read_bytes().decode(errors="replace"))
    return texts


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    sample = [path.read_text(errors="replace") for path in library_files(LIBRARY)[:120]]
    train_tokenizer([*sample, PROBE * 3], 6000).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def both(data):
    """The reference's encoder, and the fast one, which must not be the reference's."""
    reference = _reference(data)
    return lambda text: reference.encode(text).ids, encoder(reference, json.loads(data))


def test_the_fast_library_is_used(both):
    assert "_fast" in both[1].__qualname__


def test_real_documents_have_equal_ids(both):
    for text in _documents(600):
        assert both[0](text) == both[1](text)


@pytest.mark.slow
def test_two_thousand_documents_have_equal_ids(both):
    for text in _documents(2000):
        assert both[0](text) == both[1](text)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["a{}b", "1{}2", "  {}  ", ".{},"])
def test_every_character_has_equal_ids(both, form):
    for code in (*range(0xD800), *range(0xE000, 0x110000)):
        text = form.format(chr(code))
        assert both[0](text) == both[1](text), hex(code)


def _same(both, text):
    assert both[0](text) == both[1](text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_has_equal_ids(both, text):
    _same(both, text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*LETTERS, *OTHERS, *PARTS]), max_size=60))
def test_awkward_text_has_equal_ids(both, parts):
    _same(both, "".join(parts))


@settings(max_examples=300, deadline=None)
@given(st.text("ab \n", max_size=80))
def test_runs_have_equal_ids(both, text):
    _same(both, text)


@pytest.mark.parametrize("text", ["", "a" * 10**5, "é" * 10**5, " " * 10**6, "x" + "\n" * 10**6])
def test_endless_words_and_blanks_have_equal_ids(both, text):
    _same(both, text)


def test_text_that_spells_the_end_of_a_document_does_not_end_one(data):
    tokenizer = Tokenizer(data)
    ids = tokenizer.encode(f"a{END_OF_TEXT}b")
    assert tokenizer.end_of_text not in ids
    assert tokenizer.decode(ids) == f"a{END_OF_TEXT}b"


def test_flat_ids_are_those_of_the_texts_each_closed(data):
    tokenizer = Tokenizer(data)
    texts = ["one two", "", "three\n"]
    ids, bounds = tokenizer.encode_flat(texts)
    assert ids.dtype == np.uint32
    assert bounds.dtype == np.int64
    for place, (text, each) in enumerate(zip(texts, tokenizer.encode_batch(texts), strict=True)):
        assert ids[bounds[place] : bounds[place + 1]].tolist() == [*each, tokenizer.end_of_text]
        assert each == tokenizer.encode(text)
    assert tokenizer.encode_flat([])[1].tolist() == [0]


def _changed(data, change):
    form = json.loads(data)
    change(form)
    return json.dumps(form).encode()


def _swap_merges(form):
    merges, vocabulary = form["model"]["merges"], form["model"]["vocab"]
    first, second = ("".join(pair) for pair in merges[:2])
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]


def _unreachable(form):
    """Add "zqj" from "zq" and "j", though "qj" is joined before "zq" is: it never comes about."""
    model = form["model"]
    for pair in (["q", "j"], ["z", "q"], ["zq", "j"]):
        model["merges"].append(pair)
        model["vocab"]["".join(pair)] = len(model["vocab"])


CHANGES = {
    "its normalizer": lambda form: form.update(normalizer={"type": "NFC"}),
    "its pre_tokenizer": lambda form: form["pre_tokenizer"].update(add_prefix_space=True),
    "its model": lambda form: form.update(
        model={"type": "WordLevel", "vocab": form["model"]["vocab"], "unk_token": "a"}
    ),
    "its ignore_merges": lambda form: form["model"].update(ignore_merges=True),
    "its added_tokens": lambda form: form["added_tokens"].append(
        {**form["added_tokens"][0], "id": 1, "content": "!", "special": False}
    ),
    "out of order": _swap_merges,
    "does not come to itself": _unreachable,
}


@pytest.mark.parametrize("reason", CHANGES)
def test_other_tokenizers_are_encoded_by_the_reference(data, reason, caplog):
    other = _changed(data, CHANGES[reason])
    with caplog.at_level(logging.WARNING):
        tokenizer = Tokenizer(other)
    assert reason in caplog.text
    reference = _reference(other)
    for text in (PROBE, "a zqj qj zq!"):
        assert tokenizer.encode(text) == reference.encode(text, add_special_tokens=False).ids


def test_a_library_that_cuts_otherwise_is_not_used(data, caplog, monkeypatch):
    monkeypatch.setattr(fast_encoding, "_WORDS", r"\w+|\W+")
    tokenizer = Tokenizer(data)
    assert "cuts text into other words" in caplog.text
    assert tokenizer.encode(PROBE) == _reference(data).encode(PROBE).ids


def test_without_the_fast_library_ids_are_the_same(data, caplog, monkeypatch):
    fast = Tokenizer(data).encode(PROBE)
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    slow = Tokenizer(data)
    assert "not installed" in caplog.text
    assert slow.encode(PROBE) == fast


ENDLESS = """
import random, resource, sys
from pathlib import Path
from qmpi.storage.tokenizer import Tokenizer

def words(count):
    made = random.Random(count)
    return " ".join("".join(made.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(count))

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

tokenizer = Tokenizer.load(Path(sys.argv[1]))
for size in range(2000, 2020):
    tokenizer.encode(words(size))
before = most()
for size in range(2100, 2600):
    tokenizer.encode(words(size))
print(most() - before)
"""


@pytest.mark.slow
def test_a_million_different_words_take_no_memory(data, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, path],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    # In KiB. gigatoken, which keeps every word, took 86 MiB.
    assert int(done.stdout) < 4096
