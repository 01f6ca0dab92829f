"""Roll backs in words, the same wherever they are told."""

from collections.abc import Sequence

from qmpi.protocol.roll_back import RollBack

SHOWN = 3
"""Roll backs that a line names; the newest ones."""


def rolled_back_text(back: RollBack) -> str:
    """Tell one roll back.

    Args:
        back: from where to where.

    Returns:
        Text such as "rolled back from the spike of step 74 to step 66".
    """
    return f"rolled back from the spike of step {back.spike} to step {back.back_to}"


def roll_backs_text(backs: Sequence[RollBack]) -> str:
    """Count roll backs and name the newest.

    Args:
        backs: in order, at least one.

    Returns:
        Text such as "2: from step 74 to 66, from step 90 to 82".
    """
    named = ", ".join(f"from step {back.spike} to {back.back_to}" for back in backs[-SHOWN:])
    return f"{len(backs)}: {named if len(backs) <= SHOWN else f'..., {named}'}"
