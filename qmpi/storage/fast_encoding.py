"""A faster encoder for the tokenizer files whose ids it provably shares with `tokenizers`.

Theory of operation. `tokenizers` is the reference. tiktoken is four to six times as fast and keeps
no cache, but it merges any two neighbours whose bytes together are a token, where the reference
merges listed pairs only. The two agree if (a) every merge joins bytes or results of earlier merges,
(b) ids of results rise in the order of the merges, and (c) each result, encoded alone, is itself.
Then two neighbours X, Y with XY = T a token: nothing has crossed T's ends so far, so T alone would
have come to X, Y too; by (c) that is the pair that the reference lists for T. All three are checked
when a tokenizer is loaded, with a text of many scripts for how text is cut into words; a file that
fails keeps the reference, and the log says why.

gigatoken is twice as fast again on words it has seen. It is refused: its ids differ where a token
holds the end of one character and the start of another, and its cache has no bound.
"""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import tokenizers
from tokenizers import pre_tokenizers

from qmpi.errors import InputError

Encode = Callable[[str], list[int]]

logger = logging.getLogger(__name__)

_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How the ByteLevel step cuts text into words."""
_BLANK_RUN = 1 << 16
_BLANKS = re.compile(rf"\s{{{_BLANK_RUN}}}")
"""tiktoken's search gives up between half a million and a million blanks in a row."""

PROBE = (
    "It's we'll THEY'RE I'd don't\u2019s 'tis x'S\t\ttab  two   three \r\n\r\n  end \n\n\n"
    "v1.2.3 0x1F 1,000.50 \u0663\u0664 \u00bd \u2163 x\u00b2 snake_case camelCase --a=<|endoftext|>"
    " straße naïve cafe\u0301 İstanbul Ελληνικά Привет, "
    "\u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947 "
    "こんにちは。你好\uff0c世界\uff01 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 한국어 \U0001d54f "
    "\U0001f469\u200d\U0001f680\U0001f1e9\U0001f1ea \u00a0nbsp\u2028\u3000wide\u0085next\u200bzero"
    "\ufeff\x00\x01\x1b[0m\x7f\ufffd\U0010ffff " + "ab" * 300
)
"""Every kind of word, blank, digit and mark that cutting tells apart."""


class _UnlikeReferenceError(Exception):
    """This tokenizer can be encoded with the reference only; the text says why."""


def encoder(reference: tokenizers.Tokenizer, form: dict[str, Any]) -> Encode:
    """Return the fastest encoder whose ids are equal to the reference's.

    Args:
        reference: the tokenizer, with truncation and padding off.
        form: the JSON that it was read from.

    Returns:
        A function from text to ids, on the calling thread. It raises InputError for text that the
        tokenizer has no ids for.
    """

    def exact(text: str) -> list[int]:
        try:
            return reference.encode(text, add_special_tokens=False).ids
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # the library raises bare Exception, and panics beyond it
            raise InputError(
                f"the tokenizer cannot encode all text ({error}); take one that has bytes, or a "
                "token for what is unknown"
            ) from error

    try:
        return _fast(reference, form, exact)
    except _UnlikeReferenceError as reason:
        logger.warning("this tokenizer is encoded by the slow library: %s", reason)
        return exact


def _fast(reference: tokenizers.Tokenizer, form: dict[str, Any], exact: Encode) -> Encode:
    try:
        import tiktoken
    except ImportError as error:
        raise _UnlikeReferenceError("tiktoken is not installed") from error
    _check_form(form)
    ranks = dict(_ranks(form["model"], reference))
    inner = tiktoken.Encoding(
        "qmpi", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens={}
    ).encode_ordinary

    def encode(text: str) -> list[int]:
        if len(text) >= _BLANK_RUN and _BLANKS.search(text):
            return exact(text)
        return inner(text)

    if encode(PROBE) != exact(PROBE):
        raise _UnlikeReferenceError("it cuts text into other words")
    return encode


def _check_form(form: dict[str, Any]) -> None:
    model, cutting = form["model"], form.get("pre_tokenizer") or {}
    wanted = {
        "model": model.get("type") == "BPE",
        "normalizer": not form.get("normalizer"),
        "pre_tokenizer": cutting.get("type") == "ByteLevel"
        and not cutting.get("add_prefix_space")
        and cutting.get("use_regex", True),
        # Special ones are spelled out when they stand in text; others would be found there.
        "added_tokens": all(token["special"] for token in form.get("added_tokens", ())),
    }
    for name in ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"):
        wanted[name] = not model.get(name)
    for name in ("byte_fallback", "ignore_merges"):
        wanted[name] = not model.get(name)
    for name, good in wanted.items():
        if not good:
            raise _UnlikeReferenceError(f"its {name} is not plain byte-level BPE")


def _ranks(model: dict[str, Any], reference: tokenizers.Tokenizer) -> Iterator[tuple[bytes, int]]:
    # Bytes and id of each token that text can come to; (a), (b) and (c) are checked on the way.
    vocabulary: dict[str, int] = model["vocab"]
    value = _byte_values()
    if not value.keys() <= vocabulary.keys():
        raise _UnlikeReferenceError("it has no token for some byte")
    known = set(value)
    for character, byte in value.items():
        yield bytes([byte]), vocabulary[character]
    last = -1
    for merge in model["merges"]:
        first, second = merge.split(" ") if isinstance(merge, str) else merge
        token = first + second
        number = vocabulary[token]
        if first not in known or second not in known:
            raise _UnlikeReferenceError(f"the parts of {token!r} are made after it")
        if number <= last:
            raise _UnlikeReferenceError(f"the id of {token!r} is out of order")
        if len(reference.model.tokenize(token)) != 1:
            raise _UnlikeReferenceError(f"{token!r} alone does not come to itself")
        known.add(token)
        last = number
        yield bytes(map(value.__getitem__, token)), number


def _byte_values() -> dict[str, int]:
    # The file spells each byte as one printable character: itself if it is one, else one from
    # U+0100 on.
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    value = {chr(byte): byte for byte in range(256) if chr(byte) in alphabet}
    rest = (byte for byte in range(256) if chr(byte) not in alphabet)
    value.update({chr(256 + place): byte for place, byte in enumerate(rest)})
    return value
