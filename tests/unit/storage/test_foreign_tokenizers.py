"""A tokenizer from elsewhere is used on text alone: nothing of it loses, adds or ends text."""

import json
import random

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from qmpi.corpora.verify import verify_directory
from qmpi.errors import CorruptData, InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus, prepare_ingest
from qmpi.storage.corpus import Corpus
from qmpi.storage.end_token import DECLARATION_NAME
from qmpi.storage.shard_encoder import pieces_of
from qmpi.storage.tokenizer import END_OF_TEXT, Tokenizer, is_tokenizer_of

WORDS = ["alpha", "beta", "gamma", "delta", "lantern", "copper", "river", "stone"]
DRAW = random.Random(3)
TEXTS = [" ".join(DRAW.choices(WORDS, k=30)) for _ in range(60)]
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def _bpe(**model):
    made = tokenizers.Tokenizer(models.BPE(**model))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made, trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=ALPHABET, special_tokens=[], show_progress=False
    )


def _split_bpe():
    """A model whose merges, trained on text that spells the mark, lead to it."""
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made, trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>"], show_progress=False)


def _unigram():
    made = tokenizers.Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    return made, trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )


def _word_piece():
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.decoder = decoders.WordPiece()
    return made, trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=["[UNK]"], show_progress=False
    )


def _word_level():
    made = tokenizers.Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made, trainers.WordLevelTrainer(special_tokens=["[UNK]"], show_progress=False)


KINDS = {
    "bpe": _bpe,
    "split bpe": _split_bpe,
    "unigram": _unigram,
    "word piece": _word_piece,
    "word level": _word_level,
}


def _trained(kind, marks, *, added=True):
    """A tokenizer trained on text that spells the marks, as crawled text does."""
    made, trainer = KINDS[kind]()
    trainer.special_tokens = [*trainer.special_tokens, *marks]
    spelled = [f"{text} {mark} {text}" for text in TEXTS for mark in marks]
    made.train_from_iterator([*TEXTS, *spelled], trainer)
    form = json.loads(made.to_str())
    if not added:
        form["added_tokens"] = [t for t in form["added_tokens"] if t["content"] not in marks]
    return form


def _data(form):
    return json.dumps(form).encode()


def _inner(form):
    return tokenizers.Tokenizer.from_str(json.dumps(form))


def _not_special(form):
    for token in form["added_tokens"]:
        token["special"] = False


MARKS = [END_OF_TEXT, "<|tool|>", "</s>"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["special", "not special", "not added"])
def test_text_that_spells_a_mark_is_text(kind, how):
    form = _trained(kind, MARKS, added=how != "not added")
    if how == "not special":
        _not_special(form)
    tokenizer = Tokenizer(_data(form))
    inner = _inner(form)
    assert tokenizer.end_of_text == inner.token_to_id(END_OF_TEXT)
    # What is neither added nor the end token is a word of the vocabulary like any other.
    marks = MARKS if how != "not added" else MARKS[:1]
    numbers = {inner.token_to_id(mark) for mark in marks}
    for mark in marks:
        for text in (mark, f"alpha {mark} beta", f"alpha{mark}", f"{mark}{mark} {mark}\n{mark}"):
            assert numbers.isdisjoint(tokenizer.encode(text)), text


@pytest.mark.parametrize("kind", KINDS)
def test_text_without_marks_has_the_ids_of_the_library(kind):
    form = _trained(kind, MARKS)
    tokenizer, inner = Tokenizer(_data(form)), _inner(form)
    for text in [*TEXTS, "unseen: zebra \U0001f680", "a<b", "<|", ""]:
        assert tokenizer.encode(text) == inner.encode(text, add_special_tokens=False).ids
    assert tokenizer.size == 1 + max(inner.get_vocab().values())
    assert tokenizer.decode([tokenizer.end_of_text]) == END_OF_TEXT


def test_a_mark_is_text_also_where_merges_are_passed_over():
    form = _trained("bpe", [END_OF_TEXT])
    form["pre_tokenizer"]["use_regex"] = False
    form["model"]["ignore_merges"] = True
    tokenizer = Tokenizer(_data(form))
    assert _inner(form).model.tokenize(END_OF_TEXT)[0].id == tokenizer.end_of_text
    assert tokenizer.decode(tokenizer.encode(END_OF_TEXT)) == END_OF_TEXT
    assert tokenizer.end_of_text not in tokenizer.encode(END_OF_TEXT)


def test_a_mark_that_comes_about_by_normalizing_is_text():
    form = _trained("unigram", [END_OF_TEXT])
    form["normalizer"] = {"type": "NFKC"}
    tokenizer = Tokenizer(_data(form))
    assert tokenizer.end_of_text not in tokenizer.encode("\uff1c|endoftext|\uff1e")


@pytest.mark.parametrize("cut", [{"type": "Metaspace", "replacement": "\u2581"}, None])
def test_text_that_spells_the_token_of_a_byte_is_text(cut):
    form = _trained("unigram", [END_OF_TEXT])
    form["pre_tokenizer"] = cut
    form["model"]["byte_fallback"] = True
    form["model"]["vocab"] += [[f"<0x{byte:02X}>", 0.0] for byte in range(256)]
    steps = [{"type": "ByteFallback"}, {"type": "Fuse"}, form["decoder"]]
    form["decoder"] = {"type": "Sequence", "decoders": steps}
    tokenizer, inner = Tokenizer(_data(form)), _inner(form)
    assert inner.decode(inner.encode("a <0x41> b").ids) != "a <0x41> b"
    assert "<0x41>" in tokenizer.decode(tokenizer.encode("a <0x41> b"))
    assert tokenizer.encode("alpha \U0001f680") == inner.encode("alpha \U0001f680").ids


def test_a_mark_with_blanks_is_text_across_the_cuts_of_a_long_document():
    mark = "<|end of the text|>"
    form = _trained("unigram", [END_OF_TEXT, mark])
    tokenizer = Tokenizer(_data(form))
    number = _inner(form).token_to_id(mark)
    text = f"alpha {mark} beta " * 20
    for size in range(3, 60, 7):
        for piece in pieces_of(text, size):
            assert number not in tokenizer.encode(piece.text)


def test_added_tokens_that_are_text_stay():
    made, trainer = _bpe()
    trainer.special_tokens = [END_OF_TEXT]
    made.train_from_iterator(TEXTS, trainer)
    made.add_tokens(["        ", "<br>"])
    form = json.loads(made.to_str())
    tokenizer = Tokenizer(_data(form))
    ids = tokenizer.encode("a        b<br>")
    assert made.token_to_id("        ") in ids
    assert made.token_to_id("<br>") in ids


def test_a_special_token_that_text_needs_is_no_mark():
    form = _trained("unigram", [END_OF_TEXT, " ", "a", "<0x41>"])
    tokenizer = Tokenizer(_data(form))
    numbers = {_inner(form).token_to_id("a")}
    assert not numbers.isdisjoint(tokenizer.encode("a"))


SETTINGS = {
    "truncation": lambda made: made.enable_truncation(8),
    "padding": lambda made: made.enable_padding(pad_to_multiple_of=64, pad_token=END_OF_TEXT),
    "template": lambda made: setattr(
        made,
        "post_processor",
        processors.TemplateProcessing(
            single=f"{END_OF_TEXT} $A $A {END_OF_TEXT}", special_tokens=[(END_OF_TEXT, 0)]
        ),
    ),
    "roberta": lambda made: setattr(
        made, "post_processor", processors.RobertaProcessing((END_OF_TEXT, 0), (END_OF_TEXT, 0))
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_settings_for_asking_a_model_do_not_count(kind, name):
    form = _trained(kind, [END_OF_TEXT])
    plain = Tokenizer(_data(form))
    assert not plain.remarks() or kind == "unigram"
    made = _inner(form)
    SETTINGS[name](made)
    set_so = Tokenizer(made.to_str().encode())
    assert [set_so.encode(text) for text in TEXTS] == [plain.encode(text) for text in TEXTS]
    assert len(set_so.remarks()) == len(plain.remarks()) + 1, "what is switched off is told"


def test_ids_are_not_drawn():
    form = _trained("bpe", [END_OF_TEXT])
    plain = Tokenizer(_data(form))
    form["model"]["dropout"] = 0.5
    drawn = Tokenizer(_data(form))
    assert all(drawn.encode(text) == plain.encode(text) for text in TEXTS)
    assert any("random" in remark for remark in drawn.remarks())


def test_what_is_kept_and_loses_text_is_told():
    made, trainer = _word_piece()
    made.normalizer = normalizers.BertNormalizer()
    trainer.special_tokens = ["[UNK]", END_OF_TEXT]
    made.train_from_iterator(TEXTS, trainer)
    said = " ".join(Tokenizer(made.to_str().encode()).remarks())
    assert "BertNormalizer" in said
    assert "capital letters" in said
    assert "all scripts" in said


def test_a_tokenizer_that_fails_on_unknown_text_is_refused():
    form = _trained("word level", [END_OF_TEXT])
    form["model"]["unk_token"] = "<none>"
    with pytest.raises(InputError, match="cannot encode all text"):
        Tokenizer(_data(form))


def test_an_end_token_that_unknown_text_becomes_is_refused():
    form = _trained("word level", [])
    with pytest.raises(InputError, match="unknown text"):
        Tokenizer(_data(form), "[UNK]")


# The end token.


def _kept(folder, form, **beside):
    folder.mkdir(exist_ok=True)
    path = folder / "tokenizer.json"
    path.write_bytes(_data(form))
    for name, content in beside.items():
        path.with_name(f"{name}.json").write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("mark", ["</s>", "<|end_of_text|>", "<eos>", "[EOS]"])
def test_an_end_token_of_a_usual_name_is_found(tmp_path, mark):
    form = _trained("bpe", [mark])
    assert Tokenizer.given(_kept(tmp_path, form)).end_token == mark


@pytest.mark.parametrize(
    "beside",
    [
        {"tokenizer_config": {"eos_token": "<fin>"}},
        {"tokenizer_config": {"eos_token": {"content": "<fin>", "lstrip": False}}},
        {"special_tokens_map": {"eos_token": "<fin>"}},
        {"generation_config": {"eos_token_id": [1, 0]}},
        {"config": {"eos_token_id": 1}},
        {"tokenizer_config": {"eos_token": "<gone>"}, "config": {"eos_token_id": 1}},
        {"tokenizer_config": ["no", "object"], "config": {"eos_token_id": 1}},
    ],
)
def test_an_end_token_that_a_file_beside_declares_is_found(tmp_path, beside):
    form = _trained("bpe", ["</s>", "<fin>"])
    tokenizer = Tokenizer.given(_kept(tmp_path, form, **beside))
    assert (tokenizer.end_token, tokenizer.end_of_text) == ("<fin>", 1)


def test_without_an_end_token_the_way_out_is_told(tmp_path):
    path = _kept(tmp_path, _trained("bpe", ["<fin>"]))
    with pytest.raises(InputError, match=r"--end-token.*<fin>"):
        Tokenizer.given(path)
    assert Tokenizer.given(path, "<fin>").end_of_text == 0


@pytest.mark.parametrize("named", ["<gone>", "a", "\n", "\udcff"])
def test_what_can_be_no_end_token_is_refused(named):
    with pytest.raises(InputError):
        Tokenizer(_data(_trained("bpe", ["</s>"])), named)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    texts = [f"{text} </s> {text}" for text in TEXTS]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_corpus_keeps_its_end_token(tmp_path, source, kind):
    path = _kept(tmp_path / "t", _trained(kind, ["</s>", END_OF_TEXT]))
    corpora = {}
    for end in ("", "</s>"):
        out = tmp_path / f"corpus{end.strip('</>')}"
        options = IngestOptions(tokenizer=path, end_token=end)
        ingest_corpus([source], out, options, lambda _progress: None)
        corpora[end] = corpus = Corpus.open(out)
        tokenizer = Tokenizer.given(corpus.tokenizer_path)
        assert tokenizer.end_token == (end or END_OF_TEXT)
        assert corpus.facts.tokenizer_digest == tokenizer.digest
        assert (corpus.read(0, corpus.tokens) == tokenizer.end_of_text).sum() == len(TEXTS)
        assert not verify_directory(out)
    assert corpora[""].facts.digest != corpora["</s>"].facts.digest
    assert corpora[""].facts.tokenizer_digest != corpora["</s>"].facts.tokenizer_digest
    (tmp_path / "corpuss" / DECLARATION_NAME).unlink()
    assert verify_directory(tmp_path / "corpuss"), "without it, documents have no end"


def test_an_ingestion_with_another_end_token_is_another(tmp_path, source):
    path = _kept(tmp_path / "t", _trained("bpe", ["</s>", END_OF_TEXT]))
    named = IngestOptions(tokenizer=path, end_token="</s>")
    prepare_ingest([source], tmp_path / "c", named)
    plain = IngestOptions(tokenizer=path)
    assert not prepare_ingest([source], tmp_path / "c", plain).resumed
    with pytest.raises(InputError, match="--end-token"):
        prepare_ingest([source], tmp_path / "d", IngestOptions(end_token="</s>"))


def test_the_usual_end_token_leaves_the_digest_as_it_was(tmp_path):
    form = _trained("bpe", [END_OF_TEXT])
    path = _kept(tmp_path, form, tokenizer_config={"eos_token": END_OF_TEXT})
    plain = Tokenizer(_data(form))
    assert Tokenizer.given(path).digest == plain.digest
    plain.save(tmp_path / "kept.json")
    assert is_tokenizer_of(tmp_path / "kept.json", plain.digest)
    path.write_bytes(b"{}")
    assert not is_tokenizer_of(path, plain.digest)
    with pytest.raises(CorruptData):
        Tokenizer.load(path)
