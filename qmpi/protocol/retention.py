"""Which copies of the state stay when a new one is written. One rule for files, roles, simulator.

Theory of operation. The newest few stay. A run that diverges goes on for a while, skipping updates,
and would soon have pushed out every state from before its trouble. So a copy says how many steps
were skipped in a row before it: the trouble began at the step of the copy less these, and the state
before that very step is suspect too, since its own gradient was not finite. The newest copy of an
earlier step stays whatever comes after; if there is none, the one of that step.
"""

from collections.abc import Iterable


def kept_steps(steps: Iterable[int], keep: int, skipped: int, newest: int) -> set[int]:
    """Return the steps whose copies stay.

    Args:
        steps: of the copies there are, besides the newest.
        keep: how many of them stay for being the newest, >= 0.
        skipped: steps skipped in a row before the newest copy, >= 0.
        newest: step of the newest copy: the one that is being written.

    Returns:
        Some of `steps`.
    """
    ordered = sorted(set(steps), reverse=True)
    kept = set(ordered[:keep])
    if skipped > 0:
        trouble = newest - skipped
        before = [step for step in ordered if step < trouble] or [
            step for step in ordered if step == trouble
        ]
        kept.update(before[:1])
    return kept
