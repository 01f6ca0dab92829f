"""How well a run predicts the tokens beyond the next, in words."""

from collections.abc import Sequence


def ahead_facts(losses: Sequence[float]) -> list[tuple[str, str]]:
    """Return the last losses of the tokens beyond the next.

    Args:
        losses: of the last step, as in `qmpi.protocol.journal.StepCommitted`; empty: none.
    """
    if not losses:
        return []
    told = ", ".join(f"{loss:.4f}" if loss >= 0.0 else "not finite" for loss in losses)
    return [("loss of tokens beyond the next", f"{told} in the last step, the nearest first")]
