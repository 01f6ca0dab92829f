"""Does what a curriculum has decided follow from the losses? Asked by the audit."""

from collections.abc import Mapping

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.windows import begin_of
from qmpi.policy.hyperparameters import Log, hyperparameters_at
from qmpi.policy.mixture import integer_weights
from qmpi.policy.recipes import Recipes, in_force
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.staged import staged_of


def curriculum_fault(
    steps: Mapping[int, StepCommitted], recipes: Recipes, log: Log, settings: Settings
) -> str:
    """Derive weights and stages of all windows anew.

    Args:
        steps: that stand, by number.
        recipes: the log, as the run stands.
        log: that of the hyperparameters, likewise.
        settings: the job, with its arms.

    Returns:
        The first fault in words; "" if there is none, or no curriculum.
    """
    if settings.curriculum.kind == "static" or not recipes:
        return ""
    knowledge = Knowledge(settings, ())
    # Of the first two windows, and of a warm-up, nothing is known before they begin.
    stages = {0: 1, 1: 1}
    for step in sorted(steps):
        try:
            decision = knowledge.note(steps[step])
        except InvariantError as error:
            return str(error)
        at = begin_of(settings, decision.window) if decision is not None else len(steps)
        if decision is None or at >= len(steps):
            continue
        stages[decision.window] = decision.stage
        if in_force(recipes, at).weights != integer_weights(decision.shares):
            return (
                f"the weights from step {at} on are not what follows from the losses of the "
                f"{step + 1} steps before"
            )
    return _stage_fault(steps, stages, log, settings)


def _stage_fault(
    steps: Mapping[int, StepCommitted], stages: Mapping[int, int], log: Log, settings: Settings
) -> str:
    wanted = {number: staged_of(settings, number) for number in set(stages.values())}
    begin, every = begin_of(settings, 0), settings.curriculum.every_steps
    for step in sorted(steps):
        stage = stages[max(0, step - begin) // every]
        if hyperparameters_at(log, step).staged != wanted[stage]:
            return (
                f"step {step} was trained with other settings than those of stage {stage}, at "
                "which the run stood by the losses of the windows before"
            )
    return ""
