"""Rows that training never takes: which they are, and which rows are left to it.

Theory of operation. Neighbouring rows of a corpus are held out together, in stretches, so that most
documents lie in one set alone. A permutation with a fixed key numbers the stretches; the first ones
of that order are held out, the others are what training counts through. So training's arithmetic is
a bijection onto the other rows: it has no number that leads to a held-out row. The key does not
depend on the seed, so a run that goes on from another's weights holds the same rows out; a larger
share holds out what a smaller one did, and more. A hash of each row against a threshold was
rejected: the rows left could not be counted without a table as long as the corpus.

Sources that are made without end have no share. Their rows from `HELD_OUT_ROWS` on are held out,
beyond anything that training can count to, and are written with a key of their own.

Invariants: `held_out` of a fact is a multiple of its `stretch`, and less than its `rows`.
"""

from fractions import Fraction

from qmpi.errors import InputError, InvariantError
from qmpi.policy.shuffle import permute, unpermute
from qmpi.protocol.membership import SourceFact
from qmpi.units import Digest, Tokens

HELD_OUT_ROWS = 1 << 62
"""Training reads at most 2**63 tokens in rows of 8 and more, so its rows end at 2**60."""

STRETCH_TOKENS = Tokens(4096)
"""Longer than most documents; short enough that a small share is still many stretches."""

LEAST_STRETCHES = 64
"""Of a corpus: a short one is held out in shorter stretches."""

_KEY = b"qmpi held out 01"


def split(name: str, rows: int, digest: str, share: float, sequence_tokens: int) -> SourceFact:
    """Return the facts of a corpus of which a share is held out.

    Args:
        name: of the source.
        rows: of the corpus, >= 1.
        digest: identity of the content.
        share: held out, 0 to 1; above 0 at least one stretch is.
        sequence_tokens: tokens of a sequence, >= 1.

    Returns:
        Facts with the rows held out.

    Raises:
        InputError: nothing would be left to train on.
    """
    if share <= 0:
        return SourceFact(name, rows, Digest(digest))
    stretch = max(1, STRETCH_TOKENS // sequence_tokens)
    while stretch > 1 and rows // stretch < LEAST_STRETCHES:
        stretch //= 2
    units = rows // stretch
    held = max(1, int(Fraction(share) * units))
    if held >= units:
        raise InputError(
            f"source {name!r} is {rows} sequences long: with evaluation.held_out = {share:g} "
            "nothing is left to train on; ingest more text, or set it to 0"
        )
    return SourceFact(name, rows, Digest(digest), held * stretch, stretch)


def trained_rows(fact: SourceFact) -> int:
    """Return the rows of one epoch of a corpus.

    Args:
        fact: of the source.

    Returns:
        Rows that are not held out.
    """
    return fact.rows - fact.held_out


def trained_row(fact: SourceFact, place: int) -> int:
    """Return the row at a place of training's order, before it is shuffled.

    Args:
        fact: of a corpus.
        place: 0 <= place < `trained_rows`.

    Returns:
        A row that is not held out; each is returned for exactly one place.
    """
    if not fact.held_out:
        return place
    units, held = _units(fact)
    unit, within = divmod(place, fact.stretch)
    if held + unit >= units:
        # The rows after the last whole stretch are never held out.
        return place + fact.held_out
    return permute(held + unit, units, _KEY) * fact.stretch + within


def place_of(fact: SourceFact, row: int) -> int:
    """Return the place of a row in training's order; the inverse of `trained_row`.

    Args:
        fact: of a corpus.
        row: 0 <= row < its rows.

    Returns:
        The place.

    Raises:
        InvariantError: the row is held out.
    """
    place = _place(fact, row)
    if place is None:
        raise InvariantError(f"row {row} of {fact.name!r} is held out: nobody trains on it")
    return place


def held_out_row(fact: SourceFact, number: int) -> int:
    """Return a held-out row; consecutive numbers go round the stretches.

    Args:
        fact: of a source.
        number: 0 <= number, for a corpus < its `held_out`.

    Returns:
        The row.

    Raises:
        InvariantError: the source has not so many.
    """
    if fact.rows == 0:
        return HELD_OUT_ROWS + number
    if not 0 <= number < fact.held_out:
        raise InvariantError(f"source {fact.name!r} holds {fact.held_out} rows out, not {number}")
    units, held = _units(fact)
    within, unit = divmod(number, held)
    return permute(unit, units, _KEY) * fact.stretch + within


def is_held_out(fact: SourceFact, row: int) -> bool:
    """Return whether training may never take a row.

    Args:
        fact: of its source.
        row: >= 0, of the source.
    """
    if fact.rows == 0:
        return row >= HELD_OUT_ROWS
    return _place(fact, row) is None


def _place(fact: SourceFact, row: int) -> int | None:
    if not fact.held_out:
        return row
    units, held = _units(fact)
    unit, within = divmod(row, fact.stretch)
    if unit >= units:
        return row - fact.held_out
    at = unpermute(unit, units, _KEY)
    return None if at < held else (at - held) * fact.stretch + within


def _units(fact: SourceFact) -> tuple[int, int]:
    return fact.rows // fact.stretch, fact.held_out // fact.stretch
