"""The reductions that the settings name."""

import torch

from qmpi.training.flat_state import Layout
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.fast import FastSum
from qmpi.training.reduction.tail import PLAIN, TailForm

Sum = ExactSum | FastSum


def make_sum(
    kind: str,
    layout: Layout,
    lanes: int,
    device: torch.device,
    form: TailForm = PLAIN,
    counts: int = 0,
) -> Sum:
    """Make the reduction that the settings name.

    Args:
        kind: "exact" or "fast".
        layout: of the parameters.
        lanes: lanes of the global batch.
        device: where gradients live.
        form: of what a lane tells.
        counts: integers that are summed beside the gradient.

    Returns:
        The reduction.
    """
    return (ExactSum if kind == "exact" else FastSum)(layout, lanes, device, form, counts)
