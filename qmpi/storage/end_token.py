"""Which token of a tokenizer ends a document.

Theory of operation. A `tokenizer.json` does not say it: the tools that write one keep it in a file
beside. So it is, in this order: what the user names; what a file beside declares; the first of the
usual names that the vocabulary has. A tokenizer that is kept with another end token than
`<|endoftext|>` gets such a file, which Hugging Face tools read as well.
"""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tokenizers

from qmpi.errors import InputError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained

END_OF_TEXT = "<|endoftext|>"
"""Stands after each document, unless the tokenizer is from elsewhere and has another."""
DECLARATION_NAME = "tokenizer_config.json"
"""File beside a `tokenizer.json` that declares its end token."""

_BY_TEXT = (DECLARATION_NAME, "special_tokens_map.json")
_BY_NUMBER = ("generation_config.json", "config.json")
_USUAL = (
    *(END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "<EOS>", "[EOS]", "<|eod|>"),
    *("<eod>", "<|end_of_document|>", "<|endofdocument|>", "<end_of_text>", "<|eot|>", "<|end|>"),
    *("<\uff5cend\u2581of\u2581sentence\uff5c>", "<|im_end|>"),
)
PART_OF_TEXT = re.compile(r".|\s+|<0x[0-9A-Fa-f]{2}>", re.DOTALL)
"""A token without which some text could not be encoded."""

logger = logging.getLogger(__name__)


class Declared(NamedTuple):
    """What a file beside a tokenizer says: the end token's text or id, and the file's name."""

    token: str | int
    file: str


class EndToken(NamedTuple):
    """The token that ends a document: its text, its id, and how it is known."""

    text: str
    number: int
    source: str


def declarations(path: Path) -> list[Declared]:
    """Read what the files beside a tokenizer say of its end token.

    Args:
        path: the `tokenizer.json`.

    Returns:
        What they declare, the most telling file first.

    Raises:
        StorageError: one of them cannot be read.
    """
    found = [Declared(token, name) for name in _BY_TEXT if (token := _text_in(path, name))]
    numbers = [(number, name) for name in _BY_NUMBER for number in _numbers_in(path, name)]
    return [*found, *(Declared(number, name) for number, name in numbers)]


def _text_in(path: Path, name: str) -> str:
    value = _fields_of(path.with_name(name)).get("eos_token")
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _numbers_in(path: Path, name: str) -> list[int]:
    value = _fields_of(path.with_name(name)).get("eos_token_id")
    values = value if isinstance(value, list) else [value]
    # Where there are several, the first ends a text and the others a turn of talk.
    return [n for n in values if type(n) is int and 0 <= n < 1 << 32][:1]


def _fields_of(path: Path) -> dict[str, Any]:
    with explained("read", path):
        if not path.is_file():
            return {}
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        logger.warning("%s is no JSON object; the end token is looked for elsewhere", path)
        return {}


def declare(path: Path, token: str) -> None:
    """Write down the end token of a tokenizer, beside it.

    Args:
        path: the `tokenizer.json`.
        token: its end token.

    Raises:
        StorageError: it cannot be written.
    """
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": token}
    write_atomic(path.with_name(DECLARATION_NAME), msgspec.json.encode(said) + b"\n")


def find_end_token(
    inner: tokenizers.Tokenizer, named: str, declared: Iterable[Declared]
) -> EndToken:
    """Find the token that ends a document.

    Args:
        inner: the tokenizer.
        named: by the user; "": look for it.
        declared: by files beside the tokenizer.

    Returns:
        The token.

    Raises:
        InputError: what is named is no token or part of ordinary text, or nothing was found.
    """
    if named:
        return _named(inner, named)
    for token, file in declared:
        text = token if isinstance(token, str) else inner.id_to_token(token)
        number = inner.token_to_id(text) if text else None
        if text and number is not None and not PART_OF_TEXT.fullmatch(text):
            return EndToken(text, number, f"declared in {file}")
        logger.warning("%s declares the end token %r, which is none of this file", file, token)
    for text in _USUAL:
        number = inner.token_to_id(text)
        if number is not None:
            return EndToken(text, number, "a usual name")
    raise InputError(
        f"the tokenizer has no {END_OF_TEXT} token, nor another usual one, and no file beside it "
        f"declares its end token; name it with `qmpi ingest --end-token TEXT`, or write "
        f'{{"eos_token": "TEXT"}} to a {DECLARATION_NAME} beside it{_specials(inner)}'
    )


def _named(inner: tokenizers.Tokenizer, text: str) -> EndToken:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"the end token {text!r} is not UTF-8; choose another")
    number = inner.token_to_id(text)
    if number is None:
        raise InputError(f"the tokenizer has no token {text!r}{_specials(inner)}")
    if PART_OF_TEXT.fullmatch(text):
        raise InputError(f"{text!r} is a part of ordinary text and cannot end a document")
    return EndToken(text, number, "named")


def _specials(inner: tokenizers.Tokenizer) -> str:
    added = inner.get_added_tokens_decoder().values()
    shown = [token.content for token in added if token.special][:8]
    return f"; its special tokens are {', '.join(shown)}" if shown else ""
