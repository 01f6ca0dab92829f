"""Solvers of the families beyond plain mathematics, by family."""

from qmpi.content.verify import (
    causal_device_checks,
    causal_run_checks,
    crossing_checks,
    deduction_checks,
    evidence_checks,
    game_checks,
    institution_checks,
    mind_checks,
    planning_move_checks,
    planning_route_checks,
    planning_schedule_checks,
    relation_checks,
    spatial_layout_checks,
    spatial_move_checks,
    state_machine_checks,
    temporal_checks,
    text_machine_checks,
)
from qmpi.content.verify.reading import Check

CHECKS: dict[str, Check] = {
    **crossing_checks.CHECKS,
    **planning_move_checks.CHECKS,
    **planning_schedule_checks.CHECKS,
    **planning_route_checks.CHECKS,
    **spatial_move_checks.CHECKS,
    **spatial_layout_checks.CHECKS,
    **causal_device_checks.CHECKS,
    **causal_run_checks.CHECKS,
    **mind_checks.CHECKS,
    **temporal_checks.CHECKS,
    **relation_checks.CHECKS,
    **text_machine_checks.CHECKS,
    **state_machine_checks.CHECKS,
    **game_checks.CHECKS,
    **institution_checks.CHECKS,
    **evidence_checks.CHECKS,
    **deduction_checks.CHECKS,
}
"""Solvers by family."""
