"""The reductions that the settings name."""

import torch

from qmpi.training.flat_state import Layout
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.fast import FastSum
from qmpi.training.reduction.tail import FACTS, MEASURED

Sum = ExactSum | FastSum


def make_sum(
    kind: str,
    layout: Layout,
    lanes: int,
    device: torch.device,
    counts: int = 0,
    *,
    measures: bool = False,
) -> Sum:
    """Make the reduction that the settings name.

    Args:
        kind: "exact" or "fast".
        layout: of the parameters.
        lanes: lanes of the global batch.
        device: where gradients live.
        counts: integers that are summed beside the gradient.
        measures: each lane tells the squared norm of its gradient.

    Returns:
        The reduction.
    """
    facts = FACTS + MEASURED if measures else FACTS
    return (ExactSum if kind == "exact" else FastSum)(layout, lanes, device, facts, counts)
