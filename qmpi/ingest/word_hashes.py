"""Words of a text as 64-bit numbers, and its word n-grams as numbers made of these.

Theory of operation: repetition rules, near-duplicates and screening all ask the same of a text:
which runs of n words does it have? Each word is hashed once (keyless BLAKE2b, so the number is the
same on every machine and in every version), known words through a table, and a run of n words is a
polynomial of their numbers, made for a whole text with n array operations. Case and punctuation do
not count. A script without spaces between words has each character as a word.
"""

import hashlib
import re
from typing import Any

import numpy as np

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_KNOWN_WORDS = 1 << 20
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)

_PLAIN = bytes(
    (byte | 0x20 if chr(byte).isupper() else byte) if chr(byte).isalnum() or byte == 0x5F else 0x20
    for byte in range(128)
) + bytes(range(128, 256))
"""For bytes of UTF-8: lower case for ASCII letters, a blank for ASCII that separates words."""

# Thai, Lao, Myanmar, Khmer, kana, Han, Yi and the compatibility forms: written without spaces.
_CROWDED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\ua000-\ua4cf\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
# \w lacks the vowel signs of Hebrew, Arabic and Indic scripts and would cut words at each.
_SIGNS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_WORDS = re.compile(rf"[{_CROWDED}]|(?:[^\W{_CROWDED}]|[{_SIGNS}])+")


class _Known(dict[str, int]):
    def __missing__(self, word: str) -> int:
        data = word.encode("utf-8", "surrogatepass")
        value = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
        if len(self) < _KNOWN_WORDS:
            self[word] = value
        return value


def words_of(text: str) -> list[str]:
    """Words in lower case, without punctuation.

    Args:
        text: any text.

    Returns:
        Its words in order.
    """
    # ASCII is settled with a table of bytes; the pattern, a tenth as fast, sees only the rest.
    plain = text.encode("utf-8", "surrogatepass").translate(_PLAIN).decode("utf-8", "surrogatepass")
    parts = plain.split()
    if plain.isascii():
        return parts
    words: list[str] = []
    for part in parts:
        if part.isascii():
            words.append(part)
        else:
            words += _WORDS.findall(part.lower())
    return words


class WordHasher:
    """Numbers of words; remembers up to a million words."""

    def __init__(self) -> None:
        """Start without memory; the numbers do not depend on it."""
        self._known = _Known()

    def hashes(self, words: list[str]) -> Hashes:
        """Numbers of words.

        Args:
            words: as `words_of` gives them.

        Returns:
            One number each.
        """
        return np.fromiter(map(self._known.__getitem__, words), np.uint64, len(words))


def ngrams(hashes: Hashes, length: int) -> Hashes:
    """Numbers of all runs of words.

    Args:
        hashes: numbers of the words.
        length: words of a run, >= 1.

    Returns:
        One number for each place where a run begins; empty if the text is shorter.
    """
    count = hashes.size - length + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    run = hashes[:count].copy()
    for step in range(1, length):
        run *= _FACTOR
        run += hashes[step : step + count]
    run ^= run >> _SHIFT
    run *= _MIX
    run ^= run >> _SHIFT
    return run
