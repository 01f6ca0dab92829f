"""How even the loads of experts were, in words."""

from collections.abc import Sequence

from qmpi.protocol.progress import ExpertLoads

LOAD_STEPS = 20
"""Steps at the end of a run whose loads of experts are told."""


def load_facts(told: Sequence[ExpertLoads]) -> list[tuple[str, str]]:
    """Return how even the loads of experts were in the last steps, in each in its worst layer.

    Args:
        told: of the steps that stand, in order; empty: there are no experts.
    """
    last = told[-LOAD_STEPS:]
    if not last:
        return []
    most, fewest = max(one.largest for one in last), min(one.smallest for one in last)
    words = f"{fewest:.2f} to {most:.2f} of the mean in the last {len(last)} steps"
    dropped = sum(one.dropped for one in last) / len(last)
    if dropped:
        words += f", {100 * dropped:.1f} % dropped"
    return [("loads of experts", f"{words}; least even at the end: layer {last[-1].layer}")]
