"""What ranks of a position hold that not all of them have, and whether it is all between them.

Theory of operation. Two things of a state may be with some ranks only: portions of the moments, and
what lanes keep between steps. A rank holds the second of the lanes that it computes, and nobody
else does. The share of each that ranks hold between them is a fraction; only where both are 1 can a
group go on from what lives.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from msgspec import Struct

from qmpi.protocol.portions import WHOLE, Portions, Spans, are_covered, cover, merged


class HeldPart(Struct, frozen=True):
    """What a rank holds of the state of its position.

    Attributes:
        portions: of the moments.
        kept: runs of lanes whose kept part it holds.
    """

    portions: Portions = WHOLE
    kept: Spans = ()


def held_share(parts: Iterable[HeldPart], lanes: int) -> Fraction:
    """Return how much of what ranks of a position need they hold between them.

    Args:
        parts: what each holds.
        lanes: that keep something between steps, 0: none does.

    Returns:
        0 to 2; 2: nothing is missing.
    """
    found = list(parts)
    share = Fraction(kept_lanes(found), lanes) if lanes else Fraction(bool(found))
    return cover(part.portions for part in found) + share


def hold_all(parts: Iterable[HeldPart], lanes: int) -> bool:
    """Say whether ranks of a position hold all of it between them.

    Args:
        parts: what each holds.
        lanes: that keep something between steps, 0: none does.

    Returns:
        False if there are none.
    """
    return held_share(parts, lanes) == 2


def kept_lanes(parts: Iterable[HeldPart]) -> int:
    """Return of how many lanes some ranks hold the kept part.

    Args:
        parts: what each holds.
    """
    return sum(end - first for first, end in merged(span for part in parts for span in part.kept))


def missing_lanes(parts: Iterable[HeldPart], lanes: int) -> Spans:
    """Return the lanes whose kept part nobody holds.

    Args:
        parts: what each holds.
        lanes: that keep something between steps.
    """
    held = merged(span for part in parts for span in part.kept)
    firsts = (0, *(end for _, end in held))
    ends = (*(first for first, _ in held), lanes)
    return merged(zip(firsts, ends, strict=True))


def in_words(parts: Sequence[HeldPart], lanes: int, step: int) -> str:
    """Say what of a state nobody holds.

    Args:
        parts: what each rank of a position holds.
        lanes: that keep something between steps, 0: none does.
        step: of the state.

    Returns:
        "" if nothing is missing.
    """
    if not are_covered(part.portions for part in parts):
        return f"nobody holds a part of the moments of step {step}"
    missing = missing_lanes(parts, lanes) if lanes else ()
    if not missing:
        return ""
    count = sum(end - first for first, end in missing)
    first, end = missing[0]
    named = f"{first}" if end == first + 1 else f"{first} to {end - 1}"
    more = count - (end - first)
    others = f" and {more} more" * (more > 0)
    noun, verb = ("lane", "keeps") if count == 1 else ("lanes", "keep")
    return f"nobody holds what {noun} {named}{others} {verb} at step {step}"
