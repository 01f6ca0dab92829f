"""The portions of a state in elements, and who gives whom what when they change hands.

Theory of operation. The border at a fraction r of a state of T elements is floor(T r), rounded down
to a block: so views stay aligned, blocks of moments in eight bits stay whole, and kernels take the
path that they take on a whole state. Muon turns whole matrices; among these a border is the start
of one. Both roundings never fall as r grows.

An exchange is a list of transfers, the same on every member: each computes it from what all hold.
"""

import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from qmpi.errors import InvariantError
from qmpi.model.shape import MOMENT_BLOCK
from qmpi.protocol.portions import Portions, Spans, merged
from qmpi.training.flat_state import Layout


class Transfer(NamedTuple):
    """Elements that one member gives another, or keeps, where both are one.

    Attributes:
        source: index of the member that has them.
        target: index of the one that needs them.
        first: element.
        end: behind the last.
    """

    source: int
    target: int
    first: int
    end: int


def border(layout: Layout, fraction: Fraction) -> int:
    """Return the first element behind a share of the state.

    Args:
        layout: of the state.
        fraction: of it, 0 to 1.
    """
    if fraction >= 1:
        return layout.total
    rough = layout.total * fraction.numerator // fraction.denominator
    if layout.uses_muon and rough < layout.hidden:
        starts = [slot.start for slot in layout.slots if slot.start < layout.hidden]
        return starts[bisect_right(starts, rough) - 1]
    return max(rough // MOMENT_BLOCK * MOMENT_BLOCK, layout.hidden if layout.uses_muon else 0)


def portion(layout: Layout, number: int, count: int) -> tuple[int, int]:
    """Return the run of one portion; it may be empty.

    Args:
        layout: of the state.
        number: of the portion, 0 <= number < count.
        count: portions of the division.
    """
    ends = (border(layout, Fraction(at, count)) for at in (number, number + 1))
    return next(ends), next(ends)


def spans_of(layout: Layout, portions: Portions) -> Spans:
    """Return the runs whose moments a member holds: one or two.

    Args:
        layout: of the state.
        portions: which it holds.
    """
    return merged(portion(layout, number, portions.count) for number in portions.held)


def without(total: int, taken: Spans) -> Spans:
    """Return what some runs leave of a state.

    Args:
        total: elements.
        taken: the runs.
    """
    firsts = (0, *(end for _, end in taken))
    ends = (*(first for first, _ in taken), total)
    return merged(zip(firsts, ends, strict=True))


def transfers(haves: Sequence[Spans], needs: Sequence[Spans]) -> tuple[Transfer, ...]:
    """Decide who gives whom what.

    Args:
        haves: what each member has, by index.
        needs: what each needs in the end; what it has itself it keeps.

    Returns:
        Transfers by first element; where several could give, who has given least so far does.

    Raises:
        InvariantError: nobody has what somebody needs.
    """
    edges = sorted({edge for spans in (*haves, *needs) for span in spans for edge in span})
    given, found = [0] * len(haves), list[Transfer]()
    holders, wanting = set[int](), set[int]()
    of_haves, of_needs = _changes(haves), _changes(needs)
    for first, end in itertools.pairwise(edges):
        # Members that are passed over once, not once a border: plans are made at every join.
        holders ^= of_haves.get(first, set())
        wanting ^= of_needs.get(first, set())
        for target in sorted(wanting):
            if not holders:
                raise InvariantError(f"nobody holds elements {first} to {end} of the state")
            source = target if target in holders else min(holders, key=lambda m: (given[m], m))
            given[source] += (end - first) * (source != target)
            found.append(Transfer(source, target, first, end))
    return tuple(found)


def rounds(planned: Sequence[Transfer], members: int, size: int | None) -> Iterator[list[Transfer]]:
    """Cut an exchange into rounds, so that little memory is under way and all send at once.

    Args:
        planned: transfers.
        members: that take part.
        size: elements that a member sends in a round at most, a multiple of a block; a longer
            transfer is cut. None: one round, nothing is cut.

    Yields:
        Transfers of each round, in order.
    """
    if size is None:
        yield from [list(planned)] if planned else []
        return
    queues: list[deque[Transfer]] = [deque() for _ in range(members)]
    for transfer in planned:
        queues[transfer.source].append(transfer)
    while any(queues):
        yield [taken for queue in queues for taken in _taken(queue, size)]


def _taken(queue: deque[Transfer], size: int) -> Iterator[Transfer]:
    while queue and size:
        whole = queue.popleft()
        end = min(whole.end, whole.first + size)
        yield whole._replace(end=end)
        size -= end - whole.first
        if end < whole.end:
            queue.appendleft(whole._replace(first=end))
        # What is left of a round is of whole blocks.
        size = size // MOMENT_BLOCK * MOMENT_BLOCK


def _changes(every: Sequence[Spans]) -> dict[int, set[int]]:
    """Return by border the members whose runs begin or end there, but not both."""
    found = dict[int, set[int]]()
    for member, spans in enumerate(every):
        for edge in itertools.chain.from_iterable(spans):
            found.setdefault(edge, set()).symmetric_difference_update({member})
    return found
