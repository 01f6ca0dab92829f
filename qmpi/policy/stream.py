"""The stream as an address: which row of which source is sequence n, for any n of the stream.

Theory of operation. The recipe log is the only state. Step s has lanes x rows_per_block sequences,
numbered through: n = (s * lanes + lane) * rows_per_block + row; where the number of lanes changes
on the way, the block's own number takes the place of s * lanes + lane (`qmpi.protocol.batch`).
Which recipe covers n is asked of the log by n, for a run that goes back and passes over data comes
to a step twice, but to a sequence once. Within its recipe, n falls into a period of
`MIXTURE_PERIOD` sequences and a slot of it; the slot names the source and how many of the source's
rows came before (`mixture`). That gives a counter per source that grows by one from row to row,
over recipes too. An endless source is read in the order of its counter; a finite one is read epoch
by epoch, each in its own shuffled order (`shuffle`) of the rows that are not held out (`held_out`).
All of it is arithmetic: the far end costs what the start costs, and anyone can make any block
again. Loader state was rejected: it must be saved, moved and trusted after each failure.

Invariants: `starts` of each recipe are the counters that the recipes before have reached; so no
counter is used twice, and within an epoch each row of a source that is not held out is used exactly
once.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from qmpi.config.memory import id_bytes
from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.held_out import is_held_out, place_of, trained_row, trained_rows
from qmpi.policy.mixture import integer_weights, period_of
from qmpi.policy.shuffle import permute, shuffle_key, unpermute
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import MIXTURE_PERIOD, Recipe, RowAddress
from qmpi.units import Lane, Step


def block_bytes(settings: Settings) -> int:
    """Return the bytes of a block's ids.

    Args:
        settings: a job.
    """
    train = settings.train
    row_bytes = (train.sequence_tokens + 1) * id_bytes(settings.model.vocab_size)
    return train.microbatches * train.sequences * row_bytes


class TokenPlace(NamedTuple):
    """Where one token of the stream is trained on.

    Attributes:
        step: step.
        lane: lane.
        row_in_block: row of the block.
        address: source and row.
        offset: token of that row.
    """

    step: Step
    lane: Lane
    row_in_block: int
    address: RowAddress
    offset: int


def first_recipe(weights: Sequence[float], seed: int) -> Recipe:
    """Open a recipe log.

    Args:
        weights: relative shares of the sources, >= 0, in the order of the job file.
        seed: seed of the row order.

    Returns:
        The recipe that covers every step from 0.
    """
    counts = integer_weights(weights)
    return Recipe(Step(0), 0, counts, (0,) * len(counts), seed, tuple(map(float, weights)))


def next_recipe(
    last: Recipe, first_step: int, first_sequence: int, shares: Sequence[float]
) -> Recipe:
    """Append to a recipe log: from `first_sequence` on other weights hold.

    Args:
        last: newest recipe of the log.
        first_step: first step of the new recipe.
        first_sequence: its first sequence, after that of `last`.
        shares: relative shares of the same sources, >= 0.

    Returns:
        The new recipe; each source goes on at the row that `last` would have used next.

    Raises:
        InvariantError: the sequence does not come after `last`, or the number of sources changed.
        ConfigError: no source has a share.
    """
    if first_sequence <= last.first_sequence or len(shares) != len(last.weights):
        raise InvariantError(
            f"a recipe from sequence {first_sequence} with {len(shares)} sources cannot follow the "
            f"one from sequence {last.first_sequence} with {len(last.weights)}"
        )
    periods, slot = divmod(first_sequence - last.first_sequence, MIXTURE_PERIOD)
    slots = period_of(last.weights).slots
    starts = tuple(
        start + periods * weight + bisect_right(mine, slot - 1)
        for start, weight, mine in zip(last.starts, last.weights, slots, strict=True)
    )
    counts, exact = integer_weights(shares), tuple(map(float, shares))
    return Recipe(Step(first_step), first_sequence, counts, starts, last.seed, exact)


def recipe_of(recipes: Sequence[Recipe], sequence: int) -> tuple[int, Recipe]:
    """Find the recipe that covers a sequence.

    Args:
        recipes: the log, ascending by `first_sequence`.
        sequence: its global number.

    Returns:
        Number of the recipe in the log, and the recipe.

    Raises:
        InvariantError: no recipe covers it.
    """
    number = bisect_right(recipes, sequence, key=lambda recipe: recipe.first_sequence) - 1
    if number < 0:
        raise InvariantError(
            f"no recipe covers sequence {sequence}; the log has {len(recipes)} recipes"
        )
    return number, recipes[number]


def rows_of_block(
    recipes: Sequence[Recipe],
    facts: Sequence[SourceFact],
    step: Step,
    lane: Lane,
    *,
    lanes: int,
    rows_per_block: int,
) -> tuple[RowAddress, ...]:
    """Return the rows of the block of (step, lane), in order.

    Args:
        recipes: the log, ascending by `first_sequence`.
        facts: the sources, in the order of the job file.
        step: step >= 0.
        lane: 0 <= lane < lanes.
        lanes: lanes of a step.
        rows_per_block: microbatches x sequences of a lane.

    Returns:
        `rows_per_block` addresses.

    Raises:
        InvariantError: the lane is out of range, or recipe and facts name different sources.
    """
    if not 0 <= lane < lanes:
        raise InvariantError(f"lane {lane} is not one of {lanes} lanes")
    return numbered_rows(recipes, facts, step * lanes + lane, rows_per_block)


def numbered_rows(
    recipes: Sequence[Recipe],
    facts: Sequence[SourceFact],
    block: int,
    rows_per_block: int,
) -> tuple[RowAddress, ...]:
    """Return the rows of a block that is given by its number, in order.

    Args:
        recipes: the log, ascending by `first_sequence`.
        facts: the sources, in the order of the job file.
        block: its number in the stream, >= 0.
        rows_per_block: microbatches x sequences of a lane.

    Returns:
        `rows_per_block` addresses.

    Raises:
        InvariantError: recipe and facts name different sources.
    """
    recipe = _checked(recipes, facts, block * rows_per_block)
    first = block * rows_per_block - recipe.first_sequence
    return tuple(_address(recipe, facts, m) for m in range(first, first + rows_per_block))


def locate_token(
    recipes: Sequence[Recipe],
    facts: Sequence[SourceFact],
    token: int,
    lanes: int,
    rows_per_block: int,
    sequence_tokens: int,
) -> TokenPlace:
    """Find where token number `token` of the run is trained on.

    Args:
        recipes: the log, ascending by `first_sequence`.
        facts: the sources, in the order of the job file.
        token: 0 <= token, in the order of training.
        lanes: lanes of a step.
        rows_per_block: microbatches x sequences of a lane.
        sequence_tokens: tokens of a sequence.

    Returns:
        Step, lane, row of the block, address and offset.
    """
    sequence, offset = divmod(token, sequence_tokens)
    block, row = divmod(sequence, rows_per_block)
    step, lane = divmod(block, lanes)
    recipe = _checked(recipes, facts, sequence)
    address = _address(recipe, facts, sequence - recipe.first_sequence)
    return TokenPlace(Step(step), Lane(lane), row, address, offset)


def sequence_of(
    recipes: Sequence[Recipe], facts: Sequence[SourceFact], address: RowAddress, epoch: int = 0
) -> int:
    """Find the sequence that trains on a row; the inverse of the addressing.

    Args:
        recipes: the log, ascending by `first_sequence`.
        facts: the sources, in the order of the job file.
        address: source and row.
        epoch: which pass over a finite source; endless sources have one.

    Returns:
        Global number of the sequence.

    Raises:
        InvariantError: no sequence trains on the row, since it is held out or its source dropped.
    """
    source, counter, fact = address.source, address.row, facts[address.source]
    if fact.rows:
        # Every recipe of one log has the same seed, so the key does not depend on which one it is.
        key, rows = shuffle_key(recipes[0].seed, source, epoch), trained_rows(fact)
        counter = epoch * rows + unpermute(place_of(fact, address.row), rows, key)
    elif is_held_out(fact, address.row):
        raise InvariantError(f"row {address.row} of {fact.name!r} is held out: nobody trains on it")
    recipe = recipes[bisect_right(recipes, counter, key=lambda r: r.starts[source]) - 1]
    if not recipe.weights[source]:
        raise InvariantError(f"{fact.name!r} is dropped before row {address.row} of it comes")
    periods, rank = divmod(counter - recipe.starts[source], recipe.weights[source])
    slot = period_of(recipe.weights).slots[source][rank]
    return recipe.first_sequence + periods * MIXTURE_PERIOD + slot


def _checked(recipes: Sequence[Recipe], facts: Sequence[SourceFact], sequence: int) -> Recipe:
    _, recipe = recipe_of(recipes, sequence)
    if len(facts) != len(recipe.weights):
        raise InvariantError(
            f"the recipe from step {recipe.first_step} mixes {len(recipe.weights)} sources, but "
            f"{len(facts)} are open"
        )
    return recipe


def _address(recipe: Recipe, facts: Sequence[SourceFact], m: int) -> RowAddress:
    periods, slot = divmod(m, MIXTURE_PERIOD)
    period = period_of(recipe.weights)
    source = period.sources[slot]
    counter = recipe.starts[source] + periods * recipe.weights[source] + period.ranks[slot]
    fact = facts[source]
    if fact.rows == 0:
        return RowAddress(source, counter)
    rows = trained_rows(fact)
    epoch, index = divmod(counter, rows)
    place = permute(index, rows, shuffle_key(recipe.seed, source, epoch))
    return RowAddress(source, trained_row(fact, place))
