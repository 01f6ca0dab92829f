"""Families beyond plain mathematics: plans, places, causes, minds, times, machines, games."""

from qmpi.content.reasoning import (
    planning_moves,
    planning_routes,
    planning_schedules,
)
from qmpi.content.reasoning.scene_words import Family

FAMILIES: dict[str, Family] = {
    **planning_moves.FAMILIES,
    **planning_schedules.FAMILIES,
    **planning_routes.FAMILIES,
}
"""Families by name."""
