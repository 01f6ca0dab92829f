"""A tokenizer's file as it is used on text: nothing of it reads text as anything else.

Theory of operation. A `tokenizer.json` from elsewhere is made for asking a model, not for preparing
text. What is in it falls in three kinds. Switched off, since ids would be lost, added or random:
truncation, padding, what a post-processor adds, BPE dropout and Unigram sampling. Kept, since the
ids mean something else without it: normalizer, pre-tokenizer, blank before the first word, byte
fallback, unknown token; `remarks` tells of those that lose text. And marks: tokens that steer a
model. A special token is a mark, as is the end token, the unknown token, and whatever is spelled
`<|like this|>`; other added tokens (runs of blanks, words) are text, as their maker has said.

A single character, blanks and the token of a byte are no marks, whatever the file says: some text
cannot do without.

Text that spells a mark must not become it. The library can pass over special tokens that were
added, but a model that holds the mark as a word of its own (Unigram, WordLevel, WordPiece, BPE with
merges that lead to it) finds it all the same. So the marks are renamed, for encoding alone, to what
no text spells: a number drawn anew by each process. The ids are the same.
"""

import re
import secrets
from collections.abc import Iterator
from typing import Any

from qmpi.storage.end_token import PART_OF_TEXT

Form = dict[str, Any]
"""A `tokenizer.json`, decoded."""

_MARK = re.compile(r"<\|.*\|>|<\uff5c.*\uff5c>", re.DOTALL)
_USUAL_MARKS = """
<s> </s> <unk> <pad> <mask> <bos> <eos> <eod> <sep> <cls> <BOS> <EOS> <PAD> <UNK> [BOS] [EOS] [CLS]
[SEP] [PAD] [UNK] [MASK] <end_of_text> <start_of_turn> <end_of_turn>
"""
_SPELLED_MARKS = frozenset(_USUAL_MARKS.split())
_CUT_BYTES = {
    "type": "Split",
    "pattern": {"Regex": "<(?=0x[0-9A-Fa-f]{2}>)"},
    "behavior": "Isolated",
    "invert": False,
}
_RANDOM = ("dropout", "alpha", "nbest_size")


def marks_of(form: Form, end_token: str) -> set[str]:
    """Return the tokens that text must not become, however it is spelled.

    Args:
        form: the tokenizer.
        end_token: what ends a document.
    """
    marks = {end_token}
    for token in form.get("added_tokens") or ():
        text: str = token["content"]
        if PART_OF_TEXT.fullmatch(text):
            continue
        if token["special"] or _MARK.fullmatch(text) or text in _SPELLED_MARKS:
            marks.add(text)
    return marks | set(_unknown(form["model"]))


def _unknown(model: Form) -> Iterator[str]:
    # A byte-level model that names one never needs it; text that spells it is encoded as it is.
    if model.get("unk_token"):
        yield model["unk_token"]
    if isinstance(model.get("vocab"), list) and isinstance(model.get("unk_id"), int):
        yield model["vocab"][model["unk_id"]][0]


def text_form(form: Form, marks: set[str]) -> Form | None:
    """Return the form that encodes text, if it is another than the file's.

    Args:
        form: the tokenizer.
        marks: of `marks_of`.

    Returns:
        A form with the same ids; None if the tokenizer as it is does the same, once truncation,
        padding and post-processor are off and special tokens are passed over.
    """
    model = form["model"]
    added: list[Form] = form.get("added_tokens") or []
    merges = list(_text_merges(model, marks))
    passed_over = all(token["special"] for token in added if token["content"] in marks)
    listed = "merges" in model and not model.get("ignore_merges") and not model.get("dropout")
    if listed and passed_over and len(merges) == len(model["merges"]):
        return None
    drawn = secrets.token_hex(16)
    hidden = {mark: f"<{drawn}-{place}>" for place, mark in enumerate(sorted(marks))}
    made = {name: value for name, value in model.items() if name not in _RANDOM}
    made["vocab"] = _renamed(model["vocab"], hidden)
    if "merges" in model:
        made["merges"] = merges
    if model.get("unk_token"):
        made["unk_token"] = hidden[model["unk_token"]]
    tokens = [_hidden_token(token, hidden) for token in added]
    off = {"truncation": None, "padding": None, "post_processor": None}
    cut = {"pre_tokenizer": _cutting(form)}
    return {**form, **off, **cut, "added_tokens": tokens, "model": made}


def plain_form(form: Form) -> Form | None:
    """Return the form without what cuts, fills, adds or draws; for other programs, marks stay.

    Args:
        form: the tokenizer.

    Returns:
        A form with the same ids; None if the tokenizer does none of these.
    """
    off: Form = {name: None for name in ("truncation", "padding") if form.get(name)}
    if any(_added_by(form.get("post_processor") or {})):
        off["post_processor"] = None
    model: Form = form["model"]
    drawn = {name: None for name in _RANDOM if model.get(name)}
    if drawn:
        off["model"] = {**model, **drawn}
    return {**form, **off} if off else None


def _cutting(form: Form) -> Form | None:
    # Tokens that stand for bytes are looked up by their names, which must stay; text that spells
    # one is cut inside it.
    own: Form | None = form.get("pre_tokenizer")
    if not form["model"].get("byte_fallback"):
        return own
    return {"type": "Sequence", "pretokenizers": [*([own] if own else []), _CUT_BYTES]}


def _text_merges(model: Form, marks: set[str]) -> Iterator[Any]:
    # Without those that come to a mark, or go on from one.
    skipped = len(model.get("continuing_subword_prefix") or "")
    for merge in model.get("merges") or ():
        first, second = merge.split(" ", 1) if isinstance(merge, str) else merge
        if marks.isdisjoint((first, second, first + second[skipped:])):
            yield merge


def _renamed(vocabulary: Any, hidden: dict[str, str]) -> Any:  # noqa: ANN401 - one or the other
    if isinstance(vocabulary, list):
        return [[hidden.get(text, text), score] for text, score in vocabulary]
    return {hidden.get(text, text): number for text, number in vocabulary.items()}


def _hidden_token(token: Form, hidden: dict[str, str]) -> Form:
    if token["content"] not in hidden:
        return token
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {**token, **plain, "content": hidden[token["content"]], "special": True}


def remarks(form: Form) -> list[str]:
    """Tell what of a tokenizer is switched off, and what is kept that changes text.

    Args:
        form: the tokenizer.

    Returns:
        A sentence each.
    """
    said: list[str] = []
    model = form["model"]
    if form.get("truncation"):
        said.append(f"its truncation to {form['truncation'].get('max_length')} ids is off")
    if form.get("padding"):
        said.append("its padding is off")
    added = sorted(set(_added_by(form.get("post_processor") or {})))
    if added:
        said.append(f"what it adds to each text is left out: {', '.join(added)}")
    if any(model.get(name) for name in _RANDOM):
        said.append("its random choice of ids is off")
    kinds = ", ".join(_kinds(form.get("normalizer") or {}))
    if kinds:
        said.append(f"its normalizer ({kinds}) stays: text is changed before it is encoded")
    return said


def _added_by(processor: Form) -> Iterator[str]:
    for inner in processor.get("processors") or ():
        yield from _added_by(inner)
    for piece in processor.get("single") or ():
        if "SpecialToken" in piece:
            yield piece["SpecialToken"]["id"]
    for name in ("cls", "sep"):
        if processor.get(name):
            yield processor[name][0]


def _kinds(normalizer: Form) -> list[str]:
    inner = normalizer.get("normalizers")
    if inner:
        return [name for each in inner for name in _kinds(each)]
    return [normalizer["type"]] if "type" in normalizer else []
