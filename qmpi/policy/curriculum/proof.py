"""Does what a curriculum has decided follow from the losses? Asked by the audit."""

from collections.abc import Mapping

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.windows import begin_of
from qmpi.policy.mixture import integer_weights
from qmpi.policy.recipes import Recipes, in_force
from qmpi.protocol.journal import StepCommitted


def curriculum_fault(
    steps: Mapping[int, StepCommitted], recipes: Recipes, settings: Settings
) -> str:
    """Derive the weights of all windows anew.

    Args:
        steps: that stand, by number.
        recipes: the log, as the run stands.
        settings: the job, with its arms.

    Returns:
        The first fault in words; "" if there is none, or no curriculum.
    """
    if settings.curriculum.kind == "static" or not recipes:
        return ""
    knowledge = Knowledge(settings, ())
    for step in sorted(steps):
        try:
            decision = knowledge.note(steps[step])
        except InvariantError as error:
            return str(error)
        at = begin_of(settings, decision.window) if decision is not None else len(steps)
        if decision is None or at >= len(steps):
            continue
        if in_force(recipes, at).weights != integer_weights(decision.shares):
            return (
                f"the weights from step {at} on are not what follows from the losses of the "
                f"{step + 1} steps before"
            )
    return ""
