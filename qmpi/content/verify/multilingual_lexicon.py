"""Reading words back: every inflected form of a language, and which cells of its table it fills.

Theory of operation. The data files are read here once more, by code of the checkers' own. A reading
of a form is (number of the word, field of its row). At a place in a text all words that begin there
are offered, the longest first; where blanks part words, a word must end where letters end.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import zstandard

from qmpi.content.address import LANGUAGES

Reading = tuple[int, int]
Row = list[str]
UNPARTED = frozenset(("ja", "zh"))
_MOST = 1 << 24
_SIGNS = frozenset("\u0901\u0902\u0903\u093c\u093e\u093f\u0940\u0941\u0942\u0943\u0945\u0947\u0948"
                   "\u0949\u094b\u094c\u094d\u064b")  # fmt: skip


class Index:
    """Forms of one kind of words."""

    __slots__ = ("_forms", "_lengths", "_parted")

    def __init__(self, *, parted: bool) -> None:
        """Start empty.

        Args:
            parted: blanks part words.
        """
        self._forms: dict[str, list[Reading]] = {}
        self._lengths: dict[str, list[int]] = {}
        self._parted = parted

    def add(self, form: str, number: int, field: int) -> None:
        """Add a form.

        Args:
            form: as written.
            number: of the word.
            field: of its row.
        """
        if not form or form == "-":
            return
        self._forms.setdefault(form, []).append((number, field))
        lengths = self._lengths.setdefault(form[0], [])
        if len(form) not in lengths:
            lengths.append(len(form))
            lengths.sort(reverse=True)

    def at(self, text: str, place: int) -> Iterator[tuple[int, list[Reading]]]:
        """Offer the words that begin at a place.

        Args:
            text: any.
            place: in it.

        Yields:
            End of the word, and its readings.
        """
        for length in self._lengths.get(text[place : place + 1], ()):
            end = place + length
            readings = self._forms.get(text[place:end])
            if readings and not (self._parted and _goes_on(text, end)):
                yield end, readings


def _goes_on(text: str, place: int) -> bool:
    return place < len(text) and (text[place].isalpha() or text[place] in _SIGNS)


class Tongue:
    """All words of a language."""

    __slots__ = (
        "adjectives", "cities", "code", "men", "nouns", "places", "rows", "surnames", "times",
        "units", "verbs", "women",
    )  # fmt: skip

    def __init__(self, code: str) -> None:
        """Read the data file.

        Args:
            code: of the language.
        """
        packed = (files("qmpi.content") / "data" / f"forms-{code}.tsv.zst").read_bytes()
        text = zstandard.ZstdDecompressor().decompress(packed, _MOST).decode()
        self.code = code
        self.rows: dict[str, list[Row]] = {kind: [] for kind in "navtypqmdwfcrlh"}
        for line in text.splitlines():
            self.rows[line[0]].append(line.split("\t")[1:])
        parted = code not in UNPARTED
        self.nouns, self.adjectives, self.verbs = (
            self._filled(kind, first, parted=parted)
            for kind, first in (("n", 2), ("a", 1), ("v", 3))
        )
        self.places = [(at, row) for at, row in enumerate(self.rows["n"]) if row[0] == "l"]
        self.units = sorted({row[3] for row in self.rows["n"]}) if code in UNPARTED else []
        self.times = self._filled("t", 1, parted=parted)
        self.cities = self._filled("y", 0, parted=parted)
        self.surnames = self._filled("q", 0, parted=parted)
        self.men, self.women = Index(parted=parted), Index(parted=parted)
        numbers = {"m": 0, "f": 0}
        for sex, name in self.rows["p"]:
            (self.men if sex == "m" else self.women).add(name, numbers[sex], 0)
            numbers[sex] += 1

    def _filled(self, kind: str, first: int, *, parted: bool) -> Index:
        index = Index(parted=parted)
        for number, row in enumerate(self.rows[kind]):
            for field in range(first, len(row)):
                index.add(row[field], number, field)
        return index


@cache
def tongue(code: str) -> Tongue:
    """Return a language.

    Args:
        code: one of the twelve.

    Returns:
        Its words, read once.

    Raises:
        ValueError: there is no such language.
    """
    if code not in LANGUAGES:
        raise ValueError(f"no language {code!r}")
    return Tongue(code)
