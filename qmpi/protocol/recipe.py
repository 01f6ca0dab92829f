"""A recipe: what a window of steps draws from. Recipes are the only state of the data stream."""

from msgspec import Struct

from qmpi.units import Step

MIXTURE_PERIOD = 4096
"""Weights of a recipe are integers that sum to this; one period of sequences holds them exactly."""


class Recipe(Struct, frozen=True):
    """One record of the append-only recipe log; valid from `first_step` to the next record.

    Attributes:
        first_step: first step that it covers.
        first_sequence: global number of the first sequence that it covers.
        weights: sequences of each source in one period, in the order of the job file; sum
            `MIXTURE_PERIOD`.
        starts: row of each source at which this recipe begins, so that no earlier row repeats.
        seed: seed of the row order.
    """

    first_step: Step
    first_sequence: int
    weights: tuple[int, ...]
    starts: tuple[int, ...]
    seed: int


class RowAddress(Struct, frozen=True):
    """Where a row comes from: row `row` of source number `source` (order of the job file)."""

    source: int
    row: int


class ComingReads(Struct, frozen=True):
    """What a memory rank will read.

    Attributes:
        is_anew: what was told before does not hold any more.
        passed: place of the first block that may still be asked for.
        blocks: place and rows of each block that is told, by rising place.
    """

    is_anew: bool
    passed: int
    blocks: tuple[tuple[int, tuple[RowAddress, ...]], ...]
