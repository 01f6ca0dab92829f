"""Find documents that equal or nearly equal an earlier one, across all units, in bounded memory.

Theory of operation: a document's set of word 5-grams is sketched by MinHash: 128 numbers of which
two documents share a fraction that estimates the Jaccard similarity of their sets. The sketch is
cut into bands; documents that agree in a whole band are candidates. Each band is searched by itself
(another rank may do another band), over files in which each unit's keys of one band lie together,
and in passes over a part of the keys if there are very many. Candidates are then compared by their
whole sketches.

A document is left out if a document before it is similar enough, kept or not: so the answer depends
on the input order alone, not on who searched what first. In a crowd that shares a band, each is
compared with the first few only; otherwise a million copies of one page would take their square.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from math import log
from typing import Any, NamedTuple, Protocol

import numpy as np

from qmpi.errors import InvariantError
from qmpi.ingest.word_hashes import Hashes, ngrams

RMinHash: Any = import_module("rensa").RMinHash  # it has no type stubs
PERMUTATIONS = 128
SHINGLE_WORDS = 5
ALGORITHM = 2
"""Version of rensa's sketches that this was tested with; others give other numbers."""
_SEED = 20_261_124
_HEADS = 4
"""Documents of a crowd that each other one is compared with."""
_MISSED = 0.001
"""Chance that a pair just at the threshold shares no band."""
_PAIRS_AT_ONCE = 1 << 17
KEYS_AT_ONCE = 1 << 23
"""Keys of a band that are sorted in one pass: 128 MiB."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Sketches = np.ndarray[Any, np.dtype[np.uint16]]


class Bands(NamedTuple):
    """How sketches are cut: bands of some numbers each."""

    number: int
    width: int


class KeyFiles(Protocol):
    """Where the units' keys and sketches are."""

    def counts(self) -> Sequence[int]:
        """Return the number of documents of each unit."""
        ...

    def keys(self, unit: int, row: int) -> Hashes:
        """Return one row of a unit's keys: 0 and 1 of the exact hash, then the bands.

        Args:
            unit: number of the unit.
            row: number of the row.
        """
        ...

    def sketches(self, unit: int) -> Sketches:
        """Return the sketches of a unit's documents, [documents, PERMUTATIONS].

        Args:
            unit: number of the unit.
        """
        ...


def bands_for(threshold: float) -> Bands:
    """Bands that find nearly all pairs at or over a similarity.

    Args:
        threshold: Jaccard similarity, 0.5 to 1.

    Returns:
        The widest bands, so the fewest false candidates, that miss one pair in a thousand there.
    """
    for width in range(16, 1, -1):
        count = PERMUTATIONS // width
        if threshold >= 1 or count * log(max(1e-300, 1 - threshold**width)) <= log(_MISSED):
            return Bands(count, width)
    return Bands(PERMUTATIONS, 1)


def shingles(hashes: Hashes) -> Hashes:
    """The set that a document is sketched from; a short document is one shingle.

    Args:
        hashes: numbers of its words; at least one.

    Returns:
        Numbers of its word n-grams, repeats included.
    """
    return ngrams(hashes, min(SHINGLE_WORDS, hashes.size))


def sketch(documents: Sequence[Hashes], bands: Bands) -> tuple[Sketches, Hashes]:
    """Sketch documents.

    Args:
        documents: shingles of each; none empty.
        bands: how to cut.

    Returns:
        Low 16 bits of the numbers of each document, and its band keys, [bands, documents].

    Raises:
        InvariantError: another version of rensa is installed than its pin allows.
    """
    if RMinHash.ALGORITHM_VERSION != ALGORITHM:
        raise InvariantError(f"rensa sketches of version {RMinHash.ALGORITHM_VERSION}")
    offsets = np.zeros(len(documents) + 1, np.uint64)
    np.cumsum([item.size for item in documents], out=offsets[1:])
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(documents), offsets, PERMUTATIONS, _SEED
    )
    numbers = np.asarray(matrix.to_rows(), np.uint32).reshape(len(documents), PERMUTATIONS)
    # 16 bits of each are enough to compare, and halve the files.
    low = (numbers & np.uint32(0xFFFF)).astype(np.uint16)
    used = numbers[:, : bands.number * bands.width].astype(np.uint64)
    cut = used.reshape(len(documents), bands.number, bands.width)
    keys = np.zeros((bands.number, len(documents)), np.uint64)
    for step in range(bands.width):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + cut[:, :, step].T
    return low, keys ^ (keys >> np.uint64(29))


class Pairs(NamedTuple):
    """Documents to leave out, each with the earlier one it resembles, sorted by the later."""

    later: Numbers
    earlier: Numbers


def equal_pairs(files: KeyFiles, share: int, shares: int) -> Pairs:
    """Documents whose text equals an earlier one's.

    Args:
        files: keys of all units.
        share: which part of the keys to search, 0 <= share < shares.
        shares: into how many parts keys are dealt.

    Returns:
        Pairs.
    """
    numbers, low = _gather(files, 0, share, shares)
    high = _high_keys(files, numbers)
    order = np.lexsort((numbers, high, low))
    numbers, low, high = numbers[order], low[order], high[order]
    fresh = np.ones(numbers.size, np.bool_)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first = _first_of_group(fresh)
    again = np.flatnonzero(~fresh)
    return _sorted(numbers[again], numbers[first[again]])


def near_pairs(files: KeyFiles, band: int, part: tuple[int, int], threshold: float) -> Pairs:
    """Documents that share a band with an earlier one and resemble it.

    Args:
        files: keys of all units.
        band: number of the band.
        part: share and shares, as for `equal_pairs`.
        threshold: least share of equal numbers in the sketches.

    Returns:
        Pairs; each document once, with the first that it was found to resemble.
    """
    numbers, keys = _gather(files, 2 + band, *part)
    order = np.lexsort((numbers, keys))
    numbers, keys = numbers[order], keys[order]
    fresh = np.ones(numbers.size, np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    first = _first_of_group(fresh)
    place = np.arange(numbers.size) - first
    alike = partial(_alike, files, threshold)
    found_later: list[Any] = []
    found_earlier: list[Any] = []
    open_ = np.flatnonzero(place > 0)
    for head in range(_HEADS):
        open_ = open_[place[open_] > head]
        later, earlier = numbers[open_], numbers[first[open_] + head]
        similar = np.concatenate(
            [
                np.zeros(0, np.bool_),
                *(alike(later[part_], earlier[part_]) for part_ in _chunks(later.size)),
            ]
        )
        found_later.append(later[similar])
        found_earlier.append(earlier[similar])
        open_ = open_[~similar]
    return _sorted(np.concatenate(found_later), np.concatenate(found_earlier))


def merged(parts: Sequence[Pairs]) -> Pairs:
    """Join pairs; of several about one document, the first counts.

    Args:
        parts: in order of rank: equal pairs before near ones.

    Returns:
        Pairs, sorted, each later document once.
    """
    later = np.concatenate([part.later for part in parts])
    earlier = np.concatenate([part.earlier for part in parts])
    order = np.argsort(later, kind="stable")
    later, earlier = later[order], earlier[order]
    fresh = np.ones(later.size, np.bool_)
    fresh[1:] = later[1:] != later[:-1]
    return Pairs(later[fresh], earlier[fresh])


def _chunks(size: int) -> Iterator[slice]:
    for start in range(0, size, _PAIRS_AT_ONCE):
        yield slice(start, start + _PAIRS_AT_ONCE)


def _gather(files: KeyFiles, row: int, share: int, shares: int) -> tuple[Numbers, Hashes]:
    numbers: list[Any] = [np.zeros(0, np.int64)]
    keys: list[Any] = [np.zeros(0, np.uint64)]
    base = 0
    for unit, count in enumerate(files.counts()):
        found = files.keys(unit, row)
        mine = np.flatnonzero(found % np.uint64(shares) == share)
        numbers.append(mine + base)
        keys.append(found[mine])
        base += count
    return np.concatenate(numbers), np.concatenate(keys)


def _high_keys(files: KeyFiles, numbers: Numbers) -> Hashes:
    high: list[Any] = [np.zeros(0, np.uint64)]
    for unit, inside in _by_unit(files, numbers):
        high.append(files.keys(unit, 1)[inside])
    return np.concatenate(high)


def _by_unit(files: KeyFiles, numbers: Numbers) -> Iterator[tuple[int, Numbers]]:
    # Numbers must be sorted.
    ends = np.cumsum(np.asarray(files.counts(), np.int64))
    borders = np.searchsorted(numbers, ends)
    for unit in np.unique(np.searchsorted(ends, numbers, side="right")):
        base = int(ends[unit - 1]) if unit else 0
        start = int(borders[unit - 1]) if unit else 0
        yield int(unit), numbers[start : borders[unit]] - base


def _alike(files: KeyFiles, threshold: float, later: Numbers, earlier: Numbers) -> Flags:
    wanted, places = np.unique(np.concatenate([later, earlier]), return_inverse=True)
    rows = np.concatenate(
        [
            np.zeros((0, PERMUTATIONS), np.uint16),
            *(files.sketches(unit)[inside] for unit, inside in _by_unit(files, wanted)),
        ]
    )
    equal = (rows[places[: later.size]] == rows[places[later.size :]]).sum(axis=1)
    return equal >= threshold * PERMUTATIONS - 1e-9


def _first_of_group(fresh: Flags) -> Numbers:
    # For each place, where its group begins.
    return np.maximum.accumulate(np.where(fresh, np.arange(fresh.size), 0))


def _sorted(later: Numbers, earlier: Numbers) -> Pairs:
    order = np.argsort(later, kind="stable")
    return Pairs(later[order].astype(np.int64), earlier[order].astype(np.int64))
