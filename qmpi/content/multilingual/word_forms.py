"""Inflected words of a language, read from its data file on first use.

Theory of operation. `docs/make_lexicons.py` writes one file a language; its rows are a kind and
fields. The first nouns, adjectives, verbs, times and cities are concepts: the same number means the
same thing in all languages. Later ones are the frequent words of that language alone, whose gender
or class is certain. A field `-` says that the language has no such word.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files

import zstandard
from msgspec import Struct

from qmpi.content.address import LANGUAGES
from qmpi.units import Digest

Row = tuple[str, ...]
_LARGEST = 1 << 24


class Lexis(Struct, frozen=True):
    """Words of a language.

    Attributes:
        language: code.
        nouns: class, odd preposition of place, then forms.
        adjectives: class, then forms.
        verbs: frame, classes of agent, classes of patient, then forms.
        times: tense, then the adverb.
        cities: name, and its locative where it differs.
        men: first names.
        women: first names.
        surnames: family names.
        months: in the form that stands in a date.
        weekdays: from Monday.
        numbers: 0 to 999 in words; empty where they are not certain.
        marks: decimal sign, group sign, size of the higher groups, currency pattern.
        currencies: code, name.
        regions: code, name.
        tongues: code, name.
        headings: phrases by key, each in several wordings.
    """

    language: str
    nouns: list[Row]
    adjectives: list[Row]
    verbs: list[Row]
    times: list[Row]
    cities: list[Row]
    men: list[str]
    women: list[str]
    surnames: list[str]
    months: list[str]
    weekdays: list[str]
    numbers: list[str]
    marks: Row
    currencies: list[Row]
    regions: list[Row]
    tongues: list[Row]
    headings: dict[str, list[str]]


def _data(name: str) -> bytes:
    return (files("qmpi.content") / "data" / name).read_bytes()


def _name(language: str) -> str:
    return f"forms-{language}.tsv.zst"


@cache
def lexis(language: str) -> Lexis:
    """Return the words of a language.

    Args:
        language: one of `address.LANGUAGES`.

    Returns:
        The tables, read once.
    """
    text = zstandard.ZstdDecompressor().decompress(_data(_name(language)), _LARGEST).decode()
    kinds: dict[str, list[Row]] = {}
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        kinds.setdefault(kind, []).append(tuple(fields))
    people = kinds["p"]
    return Lexis(
        language,
        kinds["n"],
        kinds["a"],
        kinds["v"],
        kinds["t"],
        kinds["y"],
        [row[1] for row in people if row[0] == "m"],
        [row[1] for row in people if row[0] == "f"],
        [row[0] for row in kinds["q"]],
        [row[0] for row in kinds["m"]],
        [row[0] for row in kinds["d"]],
        [row[0] for row in kinds.get("w", ())],
        kinds["f"][0],
        kinds["c"],
        kinds["r"],
        kinds["l"],
        {row[0]: row[1].split("/") for row in kinds["h"]},
    )


@cache
def multilingual_digest() -> Digest:
    """Return the identity of the words of all languages.

    Returns:
        SHA-256 over the files in the order of `address.LANGUAGES`.
    """
    state = sha256()
    for language in LANGUAGES:
        state.update(sha256(_data(_name(language))).digest())
    return Digest(state.hexdigest())
