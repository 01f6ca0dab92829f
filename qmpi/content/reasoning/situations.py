"""Families beyond plain mathematics: plans, places, causes, minds, times, machines, games."""

from qmpi.content.reasoning import planning_moves
from qmpi.content.reasoning.scene_words import Family

FAMILIES: dict[str, Family] = {
    **planning_moves.FAMILIES,
}
"""Families by name."""
