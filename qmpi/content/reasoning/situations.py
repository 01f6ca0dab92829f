"""Families beyond plain mathematics: plans, places, causes, minds, times, machines, games."""

from qmpi.content.reasoning import (
    causal_devices,
    causal_runs,
    deduction,
    evidence,
    games,
    institutions,
    minds,
    planning_moves,
    planning_routes,
    planning_schedules,
    relations,
    spatial_layouts,
    spatial_moves,
    state_machines,
    temporal,
    text_machines,
)
from qmpi.content.reasoning.problem import Family

FAMILIES: dict[str, Family] = {
    **planning_moves.FAMILIES,
    **planning_schedules.FAMILIES,
    **planning_routes.FAMILIES,
    **spatial_moves.FAMILIES,
    **spatial_layouts.FAMILIES,
    **causal_devices.FAMILIES,
    **causal_runs.FAMILIES,
    **minds.FAMILIES,
    **temporal.FAMILIES,
    **relations.FAMILIES,
    **text_machines.FAMILIES,
    **state_machines.FAMILIES,
    **games.FAMILIES,
    **institutions.FAMILIES,
    **evidence.FAMILIES,
    **deduction.FAMILIES,
}
"""Families by name."""
