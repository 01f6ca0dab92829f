"""Ingest, corpora, tokenizer, blocks: from files to the bytes that a lane trains on."""

import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.corpora.builtin import library_files, resolve_corpus
from qmpi.errors import CorruptData, InputError, InvariantError, ProtocolError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.ingest.read import source as text_source
from qmpi.ingest.read.source import TextSource
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.block_builder import BlockBuilder
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import read_corpus_facts
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

_SAMPLE = ["the cat sat on the mat and the dog sat too\n" * 30, "caf\u00e9 \u4f60\u597d"]


def _ignore(_progress):
    return None


@pytest.fixture
def texts(tmp_path):
    root = tmp_path / "texts"
    root.mkdir()
    (root / "a.txt").write_text(_SAMPLE[0])
    (root / "b.md").write_text("# title\r\n" + _SAMPLE[0])
    with gzip.open(root / "c.txt.gz", "wb") as file:
        file.write(b"packed " + _SAMPLE[0].encode())
    lines = [json.dumps({"text": f"line {n} of the mat"}) for n in range(5)]
    lines += ["{", json.dumps({"other": 1}), json.dumps({"text": " "}), lines[0], "7"]
    data = "\n".join(lines).encode()
    (root / "d.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(data))
    return root


def _ingest(texts, out, **options):
    options = {"vocab_size": 300, **options}
    return ingest_corpus([texts], out, IngestOptions(**options), _ignore)


def _all_text(path):
    corpus = Corpus.open(path)
    return Tokenizer.load(corpus.tokenizer_path).decode(corpus.read(0, corpus.tokens).tolist())


def test_all_documents_come_back_in_order_and_the_rest_is_counted(texts, tmp_path):
    (texts / "e.bin").write_bytes(b"a\0b")
    (texts / "f.txt").write_bytes(b"good\n" + b"\xff\xfe")
    (texts / "g.txt").write_text(_SAMPLE[0])
    (texts / "h.txt").write_text(" \n")
    (texts / "i.txt.gz").write_bytes(b"not gzip")
    (texts / "j").symlink_to(texts / "j")
    (texts / "k").symlink_to(texts, target_is_directory=True)
    (texts / ".hidden").write_text("secret")
    report = _ingest(texts, tmp_path / "out")
    assert report.facts.documents == 8
    assert report.facts.left_out == {
        "binary": 1,
        "damaged": 1,
        "duplicate": 2,
        "empty": 2,
        "no text field 'text'": 2,
        "not JSON": 1,
        "not UTF-8": 1,
        "linked directory": 1,
        "not a file": 1,
    }
    documents = _all_text(tmp_path / "out").split("<|endoftext|>")
    assert documents[:2] == [_SAMPLE[0], "# title\r\n" + _SAMPLE[0]]
    assert documents[3:8] == [f"line {n} of the mat" for n in range(5)]
    assert Corpus.open(tmp_path / "out").verify() == []


def test_equal_content_has_an_equal_digest_whatever_shards_and_name(texts, tmp_path):
    one = _ingest(texts, tmp_path / "one").facts
    two = _ingest(texts, tmp_path / "two", shard_tokens=100).facts
    assert len(two.shards) > 2
    assert one.digest == two.digest
    assert _all_text(tmp_path / "one") == _all_text(tmp_path / "two")
    (texts / "a.txt").write_text(_SAMPLE[0] + "!")
    assert _ingest(texts, tmp_path / "three").facts.digest != one.digest


def test_rows_overlap_by_one_and_cross_shards(texts, tmp_path):
    _ingest(texts, tmp_path / "c", shard_tokens=100)
    corpus = Corpus.open(tmp_path / "c")
    flat = corpus.read(0, corpus.tokens)
    for length in (1, 7, 64, 250):
        assert corpus.rows(length) == (corpus.tokens - 1) // length
        for row in (0, corpus.rows(length) // 2, corpus.rows(length) - 1):
            expected = flat[row * length : row * length + length + 1]
            assert np.array_equal(corpus.read_row(row, length), expected)
        with pytest.raises(InputError):
            corpus.read_row(corpus.rows(length), length)


def test_nothing_usable_leaves_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        _ingest(tmp_path / "in", tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        _ingest(tmp_path / "none", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_existing_corpus_is_replaced_only_by_force(texts, tmp_path):
    (tmp_path / "out.partial").mkdir()
    _ingest(texts, tmp_path / "out")
    with pytest.raises(InputError, match="force"):
        _ingest(texts, tmp_path / "out")
    _ingest(texts, tmp_path / "out", force=True, name="second")
    assert read_corpus_facts(tmp_path / "out").name == "second"
    assert not (tmp_path / "out.partial").exists()


def test_a_corpus_behind_a_link_is_replaced_where_it_lies(texts, tmp_path):
    _ingest(texts, tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    _ingest(texts, tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert Corpus.open(tmp_path / "real").verify() == []


def test_force_never_removes_what_is_no_corpus(texts, tmp_path):
    for name in ("mine", "corpus.partial"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "thesis.txt").write_text("years of work")
        with pytest.raises(InputError, match=r"thesis\.txt"):
            _ingest(texts, tmp_path / name.removesuffix(".partial"), force=True)
        assert (folder / "thesis.txt").read_text() == "years of work"
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError, match="is a file"):
        _ingest(texts, tmp_path / "file", force=True)


def test_the_directory_of_out_may_be_named_by_a_dot(texts, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(InputError, match="exists"):
        _ingest(texts, Path())
    for out in ("..", "/"):
        for force in (False, True):
            with pytest.raises(InputError, match="not a corpus"):
                _ingest(texts, Path(out), force=force)
    assert _ingest(texts, Path(), force=True).facts.name == "out"


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a file or a directory"):
        TextSource([tmp_path / "pipe"], "text")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_left_out(texts, tmp_path):
    (texts / "a.txt").chmod(0)
    assert _ingest(texts, tmp_path / "out").facts.left_out["unreadable"] == 1


def test_long_line_is_cut_in_pieces_that_join_again(tmp_path, monkeypatch):
    monkeypatch.setattr(text_source, "PIECE_CHARACTERS", 100)
    text = "word " * 200 + "x" * 1000
    (tmp_path / "a.txt").write_text(text)
    pieces = list(TextSource([tmp_path / "a.txt"], "text").pieces())
    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text) for piece in pieces) <= 300
    assert [piece.first for piece in pieces].count(True) == 1
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_damage_is_named(texts, tmp_path):
    with pytest.raises(InputError, match="qmpi ingest"):
        Corpus.open(texts)
    _ingest(texts, tmp_path / "c")
    shard = tmp_path / "c" / "shard-000000.h5"
    shard.write_bytes(shard.read_bytes()[:-200])
    with pytest.raises(CorruptData, match="shard-000000"):
        Corpus.open(tmp_path / "c").read_row(0, 8)
    assert len(Corpus.open(tmp_path / "c").verify()) == 1
    (tmp_path / "c" / "index.json").write_text("{}")
    with pytest.raises(CorruptData, match="index"):
        read_corpus_facts(tmp_path / "c")


@given(text=st.text(max_size=80))
@settings(max_examples=40, deadline=None)
def test_tokenizer_gives_any_text_back(text):
    assert _TOKENIZER.decode(_TOKENIZER.encode(text)) == text
    assert _TOKENIZER.encode_batch([text]) == [_TOKENIZER.encode(text)]


_TOKENIZER = train_tokenizer(_SAMPLE, 300)


def test_tokenizer_is_deterministic_and_keeps_its_end_token_apart(tmp_path):
    again = train_tokenizer(list(_SAMPLE), 300)
    assert again.digest == _TOKENIZER.digest
    again.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json").digest == again.digest
    assert again.end_of_text not in again.encode("a <|endoftext|> b")
    assert again.size <= 300
    with pytest.raises(InputError):
        train_tokenizer(_SAMPLE, 256)
    with pytest.raises(CorruptData):
        Tokenizer(b"{}")


def test_block_joins_rows_in_order(texts, tmp_path):
    _ingest(texts, tmp_path / "c")
    corpus = Corpus.open(tmp_path / "c")
    made = np.arange(2 * 9, dtype="<u2")
    builder = BlockBuilder(300, {0: corpus}, 8)
    rows = [RowAddress(1, 5), RowAddress(0, 3), RowAddress(1, 6)]
    digest, data = builder.build(rows, [(1, made.tobytes())])
    expected = np.concatenate([made[:9], corpus.read_row(3, 8), made[9:]]).astype("<u2").tobytes()
    assert data == expected
    assert digest == hashlib.blake2b(expected, digest_size=16).hexdigest()
    with pytest.raises(ProtocolError, match="fewer"):
        builder.build(rows, [(1, made[:9].tobytes())])
    with pytest.raises(ProtocolError, match="more"):
        builder.build(rows[:2], [(1, made.tobytes())])
    with pytest.raises(ProtocolError, match="whole number"):
        builder.build(rows, [(1, b"abc")])
    with pytest.raises(InputError, match="vocab_size"):
        builder.build(rows, [(1, (made + 400).astype("<u2").tobytes())])
    with pytest.raises(InvariantError):
        builder.build([RowAddress(7, 0)], [])


def test_wide_vocabulary_makes_wide_blocks(texts, tmp_path):
    _ingest(texts, tmp_path / "c")
    corpus = Corpus.open(tmp_path / "c")
    _, data = BlockBuilder(70_000, {0: corpus}, 8).build([RowAddress(0, 0)], [])
    assert np.array_equal(np.frombuffer(data, "<u4"), corpus.read_row(0, 8))


def test_cache_place_and_names(tmp_path):
    assert default_cache({"QMPI_CACHE": "/a", "HOME": "/h"}).as_posix() == "/a"
    assert default_cache({"XDG_CACHE_HOME": "/x", "HOME": "/h"}).as_posix() == "/x/qmpi"
    assert default_cache({"HOME": "/h"}).as_posix() == "/h/.cache/qmpi"
    with pytest.raises(InputError, match="builtin:python"):
        resolve_corpus("builtin:latin", tmp_path, _ignore)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("2")
    assert [path.name for path in library_files(tmp_path)] == ["b.py"]


@pytest.mark.parametrize("size", [256, (1 << 20) + 1, 1 << 31, 10**30])
def test_a_vocabulary_that_no_model_takes_is_refused(size):
    with pytest.raises(InputError, match="vocab_size"):
        train_tokenizer(_SAMPLE, size)


@pytest.mark.timeout(20)
def test_training_on_one_endless_word_does_not_take_its_square():
    plain = train_tokenizer(_SAMPLE, 300)
    text = "x" * 1_000_000
    assert train_tokenizer([*_SAMPLE, text, " " * 1_000_000], 300).size == 300
    assert plain.decode(plain.encode(text)) == text


def _two_tokens_of_one_id(form):
    form["model"]["vocab"]["a"] = form["model"]["vocab"]["b"]


def _a_prefix_that_no_token_has(form):
    form["model"]["continuing_subword_prefix"] = "##########"


@pytest.mark.parametrize("harm", [dict.clear, _two_tokens_of_one_id, _a_prefix_that_no_token_has])
def test_a_damaged_tokenizer_is_named(tmp_path, harm):
    path = tmp_path / "tokenizer.json"
    _TOKENIZER.save(path)
    form = json.loads(path.read_bytes())
    harm(form)
    path.write_text(json.dumps(form))
    with pytest.raises(CorruptData, match=r"tokenizer\.json"):
        Tokenizer.load(path)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        Tokenizer.given(path)


def test_ids_that_a_tokenizer_skips_count(tmp_path):
    path = tmp_path / "tokenizer.json"
    _TOKENIZER.save(path)
    form = json.loads(path.read_bytes())
    form["model"]["vocab"]["q"] = 70_000
    path.write_text(json.dumps(form))
    tokenizer = Tokenizer.load(path)
    assert max(tokenizer.encode("qq")) == 70_000
    assert tokenizer.size == 70_001, "two bytes an id would not do"


@pytest.mark.parametrize("number", [1 << 20, 4294967294, 4294967295])
@pytest.mark.parametrize("added", [True, False])
def test_ids_above_those_of_any_model_are_refused(number, added):
    form = json.loads(train_tokenizer(["some text"] * 9, 300)._data)
    mark = {"id": number, "content": "<x>", "special": True, "normalized": False}
    if added:
        form["added_tokens"].append(
            {**mark, **dict.fromkeys(("single_word", "lstrip", "rstrip"), False)}
        )
    else:
        form["model"]["vocab"]["<x>"] = number
    with pytest.raises(InputError, match=rf"'<x>' has the id {number}.*below 1048576"):
        Tokenizer(json.dumps(form).encode())


@pytest.mark.parametrize("table", ["////", "AAAAAAAA"])
def test_where_the_tokenizer_library_panics_words_are_shown_alone(table, capfd):
    form = json.loads(train_tokenizer(["some text"] * 9, 300)._data)
    form["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": table}
    with pytest.raises((CorruptData, InputError)):
        Tokenizer(json.dumps(form).encode())
    said = capfd.readouterr().err
    assert "panicked" not in said
    assert "backtrace" not in said
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_a_damaged_built_in_corpus_is_made_again_once_it_is_removed(texts, tmp_path):
    for name, advice in (("builtin-python-3", "remove {}, it is made again"), ("mine", "ingest")):
        out = tmp_path / name
        _ingest(texts, out)
        (out / "index.json").write_bytes(b"{")
        with pytest.raises(CorruptData) as told:
            read_corpus_facts(out)
        assert advice.format(out) in str(told.value)
        if name != "mine":
            assert "ingest" not in str(told.value)
