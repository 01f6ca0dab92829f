"""What quality rules measure of a document, each taken once and only if a rule asks.

Theory of operation: shares follow Gopher, C4 and FineWeb, but are counted on word hashes and byte
tables instead of by scanning characters, which is an order of magnitude faster. A repeated run of n
words holds repeated runs of any fewer, so one look for repeated runs of five settles the longer
ones for nearly every document.
"""

import re
from collections import Counter
from functools import cached_property

import numpy as np

from qmpi.ingest.word_hashes import Hashes, ngrams

_DIGITS = b"0123456789"
_BLANKS = b" \t\r\n\v\f"
_LETTERS = bytes(byte for byte in range(128) if chr(byte).isalpha())
_ASCII = re.compile(r"[\x00-\x7f]+")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_BULLETS = ("-", "*", "\u2022", "\u2023", "\u25e6", "\u00b7")
_ELLIPSES = ("...", "\u2026")
_PARAGRAPHS = re.compile(r"\n[ \t\r]*\n\s*")

_FUNCTION_WORDS = (
    "the be to of and that have with is in for it on as are was this at by from not or an you "
    "der die das und ist nicht ein eine mit auf den von zu im sich des dem f\u00fcr auch "
    "le la les de des et est un une pour dans que qui pas sur au avec ce il ne "
    "el los las y en por con para una del se al como su es "
    "o os da do em um uma no na n\u00e3o com mais as dos il di che e per non sono della con "
    "het een van op te dat niet zijn voor met "
    "och att det som p\u00e5 f\u00f6r inte med av til ikke og "
    "i w z na si\u0119 nie do jest \u017ce a je se v na to "
    "ve bir bu i\u00e7in da ile olarak "
    "\u0438 \u0432 \u043d\u0435 \u043d\u0430 \u0447\u0442\u043e \u0441 \u043a\u0430\u043a "
    "\u044d\u0442\u043e \u043f\u043e \u0430 \u043a \u0437 \u0442\u0430 "
    "\u03ba\u03b1\u03b9 \u03c4\u03bf \u03bd\u03b1 \u03c4\u03b7\u03c2 \u03bf \u03b7 "
    "\u0645\u0646 \u0641\u064a \u0639\u0644\u0649 \u0623\u0646 \u0625\u0644\u0649 "
    "\u0935 \u0939\u0948 \u0915\u0947 \u092e\u0947\u0902 \u0915\u0940 \u0915\u093e "
    "\u05e9\u05dc \u05d0\u05ea \u05e2\u05dc \u05dc\u05d0 "
)
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Function words of about twenty languages: real prose in any of them has some."""

_SPACED_WORD = 1.5
"""Mean characters of a word below which a text is in a script without spaces."""

_BOILERPLATE = (
    *("cookie", "privacy policy", "terms of use", "terms of service", "all rights reserved"),
    *("enable javascript", "javascript is disabled", "javascript is required", "lorem ipsum"),
    *("subscribe to our", "sign up for", "sign in", "login", "log in", "click here", "share this"),
    *("share on", "follow us", "read more", "skip to content", "powered by", "back to top"),
)
"""Plain phrases: searching for each is many times faster than one pattern of all."""
_BOILERPLATE_LINE = 200
"""Longest line, in characters, that counts as one: in longer ones, somebody writes about it."""


class Measures:
    """Lazy measures of one document."""

    def __init__(self, text: str, words: list[str], hashes: Hashes) -> None:
        """Take a document.

        Args:
            text: the document.
            words: of the text, by `words_of`.
            hashes: of these words.
        """
        self.text = text
        self.words = words
        self.hashes = hashes

    @cached_property
    def _data(self) -> bytes:
        return self.text.encode("utf-8", "surrogatepass")

    @cached_property
    def _dark(self) -> int:
        # Bytes that are not blank.
        return len(self._data.translate(None, _BLANKS))

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines that are not blank, stripped."""
        return [line for line in map(str.strip, self.text.split("\n")) if line]

    @cached_property
    def paragraphs(self) -> list[str]:
        """Return the parts between blank lines."""
        return [part for part in map(str.strip, _PARAGRAPHS.split(self.text)) if part]

    @cached_property
    def _lengths(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.fromiter(map(len, self.words), np.int64, len(self.words))

    def characters(self) -> float:
        """Return the number of characters of the document."""
        return len(self.text)

    def word_count(self) -> float:
        """Return the number of words of the document."""
        return len(self.words)

    def mean_word(self) -> float:
        """Return the mean characters of a word."""
        return float(self._lengths.sum()) / max(1, len(self.words))

    def symbols(self) -> float:
        """Return the number of hash marks and ellipses for each word."""
        count = self.text.count("#") + self.text.count("...") + self.text.count("\u2026")
        return count / max(1, len(self.words))

    def digits(self) -> float:
        """Return the share of ASCII digits in what is not blank."""
        return 1 - len(self._data.translate(None, _DIGITS + _BLANKS)) / max(1, self._dark)

    def letters(self) -> float:
        """Return the share of letters of any script in what is not blank."""
        if self.text.isascii():
            return 1 - len(self._data.translate(None, _LETTERS + _BLANKS)) / max(1, self._dark)
        dark = len("".join(self.text.split()))
        plain = self.text.encode("ascii", "ignore")
        letters = len(plain) - len(plain.translate(None, _LETTERS))
        letters += len(_NO_LETTERS.sub("", _ASCII.sub("", self.text)))
        return letters / max(1, dark)

    def mean_line(self) -> float:
        """Return the mean characters of a line that is not blank."""
        return sum(map(len, self.lines)) / max(1, len(self.lines))

    def bullet_lines(self) -> float:
        """Return the share of lines that begin with a bullet."""
        return sum(line.startswith(_BULLETS) for line in self.lines) / max(1, len(self.lines))

    def ellipsis_lines(self) -> float:
        """Return the share of lines that end with an ellipsis."""
        return sum(line.endswith(_ELLIPSES) for line in self.lines) / max(1, len(self.lines))

    def unended_lines(self) -> float:
        """Return the share of lines that do not end a sentence."""
        ends = (".", "!", "?", '"', "'", "\u3002", "\uff01", "\uff1f", "\u201d", "\u0964", "\u061f")
        return sum(not line.endswith(ends) for line in self.lines) / max(1, len(self.lines))

    def boilerplate_lines(self) -> float:
        """Return the share of short lines of cookie notices, log-in links and the like."""
        text = self.text.lower()
        phrases = [phrase for phrase in _BOILERPLATE if phrase in text]
        if not phrases:
            return 0.0
        short = (line.lower() for line in self.lines if len(line) <= _BOILERPLATE_LINE)
        found = sum(any(phrase in line for phrase in phrases) for line in short)
        return found / len(self.lines)

    def repeated_lines(self) -> float:
        """Return the share of lines that stood before."""
        return _repeated(self.lines)

    def repeated_line_characters(self) -> float:
        """Return the share of characters in lines that stood before."""
        return _repeated_characters(self.lines)

    def repeated_paragraphs(self) -> float:
        """Return the share of paragraphs that stood before."""
        return _repeated(self.paragraphs)

    def repeated_paragraph_characters(self) -> float:
        """Return the share of characters in paragraphs that stood before."""
        return _repeated_characters(self.paragraphs)

    def stop_words(self) -> float:
        """Return the number of function words; infinite where words cannot be told apart."""
        if len(self.words) < 1 or self.mean_word() < _SPACED_WORD:
            return float("inf")
        return sum(map(STOP_WORDS.__contains__, self.words))

    def top_ngram(self, length: int) -> float:
        """Share of characters in the commonest run of words.

        Args:
            length: words of a run, >= 1.

        Returns:
            0 to 1; 0 if no run comes twice.
        """
        runs = ngrams(self.hashes, length)
        if not runs.size:
            return 0.0
        values, firsts, counts = np.unique(runs, return_index=True, return_counts=True)
        best = int(counts.argmax())
        if not values.size or counts[best] < 2:
            return 0.0
        first = int(firsts[best])
        size = int(self._lengths[first : first + length].sum())
        return min(1.0, float(counts[best]) * size / max(1, int(self._lengths.sum())))

    @cached_property
    def _repeats_five(self) -> bool:
        runs = ngrams(self.hashes, 5)
        return bool(runs.size) and np.unique(runs).size < runs.size

    def repeated_ngrams(self, length: int) -> float:
        """Share of characters in runs of words that stood before.

        Args:
            length: words of a run, >= 5.

        Returns:
            0 to 1.
        """
        if not self._repeats_five:
            return 0.0
        runs = ngrams(self.hashes, length)
        _, firsts = np.unique(runs, return_index=True)
        again = np.ones(runs.size, np.bool_)
        again[firsts] = False
        edges = np.zeros(self.hashes.size + 1, np.int64)
        starts = np.flatnonzero(again)
        np.add.at(edges, starts, 1)
        np.add.at(edges, starts + length, -1)
        covered = np.cumsum(edges[:-1]) > 0
        return float(self._lengths[covered].sum()) / max(1, int(self._lengths.sum()))


def _repeated(parts: list[str]) -> float:
    return 1 - len(set(parts)) / len(parts) if parts else 0.0


def _repeated_characters(parts: list[str]) -> float:
    counts = Counter(parts)
    if len(counts) == len(parts):
        return 0.0
    again = sum(len(part) * (count - 1) for part, count in counts.items())
    return again / max(1, sum(map(len, parts)))
