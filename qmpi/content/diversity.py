"""How varied a sample of documents is, and the gates that generated text must pass.

Theory of operation. No single figure works: a random list of words has perfect novelty, a template
with rare names has many words. So a sample is judged by all of them at once: how the vocabulary
grows (Heaps' law), how many runs of eight words are new, how far general compressors get, how many
documents repeat an earlier one, and how many begin alike. The bounds were set between real text of
many kinds and template text; `tests/benchmarks/bench_diversity.py` prints both beside ours.

A word is a run of letters with their signs, digits and underscores. In Chinese, Japanese and Thai,
where no blank parts words, each character counts as one.
"""

import hashlib
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from math import log, log2

import numpy as np
from msgspec import Struct

from qmpi.content.likeness import U64, hashed_runs, repeated, signature

NOVEL_WORDS = 8
FIRST_WORDS = 100_000
OPENING_WORDS = 5
NEAR_DOCUMENTS = 4000
_POINTS = 24
"""Sizes of the growing sample at which the vocabulary is counted, for the fit."""
_SMALLEST_POINT = 1000
_BLOCKS = 12
"""Blocks of a document whose order counts."""

_UNPARTED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARKS = "\u0300-\u036f\u064b-\u0652\u0900-\u0963\u0966-\u0dff"
"""Signs that belong to a letter: without them a word of Hindi would fall to pieces."""
_WORD = re.compile(rf"[{_UNPARTED}]|(?:[^\W{_UNPARTED}]|[{_MARKS}])+")
_BLOCK = re.compile(r"\n\s*\n")


class Diversity(Struct, frozen=True):
    """Figures of a sample.

    Attributes:
        documents: how many.
        words: how many.
        types: share of different words among the first 100,000.
        heaps: exponent b of types = a * words**b, fitted up to the whole sample.
        novel: share of the runs of eight words that did not come before.
        zlib: bytes of text a byte of zlib at level 6.
        lzma: the same of LZMA.
        near: share of documents similar to an earlier one, of the first 4,000.
        repeats: share of documents equal to an earlier one.
        opening: share of documents that begin with the commonest five words; 0 if no two do.
        orders: entropy in bits of the order of the blocks of a document.
    """

    documents: int
    words: int
    types: float
    heaps: float
    novel: float
    zlib: float
    lzma: float
    near: float
    repeats: float
    opening: float
    orders: float


Gate = tuple[str, float]
"""">=" or "<=", and the bound."""

GATES: dict[str, Gate] = {
    "heaps": (">=", 0.55),
    "novel": (">=", 0.70),
    "zlib": ("<=", 4.0),
    "lzma": ("<=", 5.5),
    "near": ("<=", 0.02),
    "repeats": ("<=", 0.0),
    "opening": ("<=", 0.01),
}
"""Bounds for 3 MB of one type and level band."""


def failures(found: Diversity, gates: dict[str, Gate] = GATES) -> list[str]:
    """Return the gates that a sample does not pass.

    Args:
        found: its figures.
        gates: bound of each figure.

    Returns:
        In words, one a failure; empty if all is well.
    """
    failed: list[str] = []
    for name, (side, bound) in gates.items():
        value: float = getattr(found, name)
        if value < bound if side == ">=" else value > bound:
            failed.append(f"{name} is {value:.4g}, not {side} {bound:g}")
    return failed


def measure(texts: Sequence[str]) -> Diversity:
    """Measure a sample.

    Args:
        texts: documents in the order they were made; at least one with a word.

    Returns:
        Its figures.
    """
    parts = [word_hashes(text) for text in texts]
    hashes = np.concatenate(parts)
    near = repeated([signature(part) for part in parts[:NEAR_DOCUMENTS]])
    data = "".join(texts).encode()
    return Diversity(
        documents=len(texts),
        words=hashes.size,
        types=np.unique(hashes[:FIRST_WORDS]).size / min(FIRST_WORDS, hashes.size),
        heaps=heaps_exponent(growth(hashes)),
        novel=_novel(parts),
        zlib=len(data) / len(zlib.compress(data, 6)),
        lzma=len(data) / len(lzma.compress(data)),
        near=sum(near) / len(near),
        repeats=1 - len(set(texts)) / len(texts),
        opening=_commonest(tuple(part[:OPENING_WORDS].tolist()) for part in parts),
        orders=_entropy(map(layout, texts)),
    )


def words_of(text: str) -> list[str]:
    """Split a text into words.

    Args:
        text: in any language.

    Returns:
        Its words in order.
    """
    return _WORD.findall(text)


def word_hashes(text: str) -> U64:
    """Return a hash of each word of a text, in order.

    Args:
        text: in any language.

    Returns:
        Equal numbers for equal words, in any process.
    """
    return np.array([_hashed(word) for word in words_of(text)], np.uint64)


def growth(words: U64) -> list[tuple[int, int]]:
    """Return how the vocabulary grows with the sample.

    Args:
        words: a number for each word, equal for equal words; at least one.

    Returns:
        Words read and different words among them, at sizes in a geometric series that ends with
        the whole sample.
    """
    firsts = np.sort(np.unique(words, return_index=True)[1])
    smallest = min(_SMALLEST_POINT, words.size)
    sizes = np.unique(np.geomspace(smallest, words.size, _POINTS).astype(np.int64))
    return [(int(size), int(np.searchsorted(firsts, size))) for size in sizes]


def heaps_exponent(points: Sequence[tuple[int, int]]) -> float:
    """Fit b of types = a * words**b by least squares in logarithms.

    Args:
        points: words and different words, both >= 1.

    Returns:
        b; 0 if there is but one point.
    """
    across = [log(size) for size, _ in points]
    up = [log(types) for _, types in points]
    middle, height = sum(across) / len(across), sum(up) / len(up)
    spread = sum((x - middle) ** 2 for x in across)
    if not spread:
        return 0.0
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread


def layout(text: str) -> tuple[str, ...]:
    """Return the order of a document's blocks, which blank lines part.

    Args:
        text: of a document.

    Returns:
        Kind of each of the first twelve blocks; a row of equal ones counts once.
    """
    kinds: list[str] = []
    for block in _BLOCK.split(text.strip("\n"))[: 4 * _BLOCKS]:
        kind = next(name for name, test in _KINDS if test(block))
        if kinds[-1:] != [kind]:
            kinds.append(kind)
    return tuple(kinds[:_BLOCKS])


@lru_cache(maxsize=1 << 18)
def _hashed(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _novel(parts: Iterable[U64]) -> float:
    # No run goes from one document into the next.
    runs = [hashed_runs(part, NOVEL_WORDS) for part in parts]
    together = np.concatenate(runs)
    return len(np.unique(together)) / len(together) if together.size else 1.0


def _commonest(items: Iterable[object]) -> float:
    counts = Counter(items)
    most = max(counts.values())
    return most / counts.total() if most > 1 else 0.0


def _entropy(items: Iterable[object]) -> float:
    counts = Counter(items)
    return sum(-n / counts.total() * log2(n / counts.total()) for n in counts.values())


def _starts(pattern: str) -> Callable[[str], bool]:
    found = re.compile(pattern)
    return lambda block: found.match(block) is not None


_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("heading", _starts(r"(#+ [^\n]+|=+ [^\n]+|[^\n]+\n[=~-]{3,}|[^\W\d_a-z][^\na-z.!?]{2,60})\Z")),
    ("table", _starts(r"[^\n]*\S *\|.*\n|[+|]")),
    ("list", _starts(r" *([-*\u2022]|\d+[.)]) ")),
    ("code", _starts(r"(    |\t|```|[$>] |def |class |import |func |fn |#include)|.*[{};]\Z")),
    ("speech", _starts(r"[\"\u201c\u00ab\u2014]|[^\W\d]\w{0,20}: ")),
    ("lines", lambda block: block.count("\n") >= 2 and len(block) < 48 * (block.count("\n") + 1)),
    ("prose", lambda _: True),
)
"""Kinds of blocks, the first that fits."""
