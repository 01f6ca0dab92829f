"""Which steps are evaluated, and who of a group measures what of it."""

from collections.abc import Iterator


def is_evaluated(step: int, every_steps: int, end: int) -> bool:
    """Return whether the weights before a step are measured.

    Args:
        step: 0 <= step <= end.
        every_steps: steps between two evaluations; 0: there are none.
        end: length of the run.
    """
    return every_steps > 0 and step > 0 and (step % every_steps == 0 or step == end)


def evaluated_steps(after: int, to: int, every_steps: int, end: int) -> Iterator[int]:
    """Yield the evaluated steps of a stretch.

    Args:
        after: steps up to this one are left out.
        to: last step looked at.
        every_steps: steps between two evaluations; 0: there are none.
        end: length of the run.

    Yields:
        Steps, ascending.
    """
    if every_steps < 1:
        return
    first = (max(after, 0) // every_steps + 1) * every_steps
    yield from range(first, min(to, end) + 1, every_steps)
    if after < end <= to and end % every_steps:
        yield end


def own_share(count: int, part: int, parts: int) -> range:
    """Return what of an evaluation's pieces of work one member does.

    Args:
        count: pieces, numbered from 0.
        part: 0 <= part < parts.
        parts: members that share the work.

    Returns:
        Numbers of pieces.
    """
    return range(part, count, parts)
