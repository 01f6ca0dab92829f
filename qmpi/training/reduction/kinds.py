"""The reductions that the settings name."""

import torch

from qmpi.config.train import TrainSettings
from qmpi.training.flat_state import Layout
from qmpi.training.reduction.by_lane import LaneSum, Squeeze
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.fast import FastSum
from qmpi.training.reduction.low_rank import LowRank
from qmpi.training.reduction.narrow import Narrow
from qmpi.training.reduction.sparse import Sparse
from qmpi.training.reduction.tail import PLAIN, TailForm

Sum = ExactSum | FastSum | LaneSum


def make_sum(
    train: TrainSettings,
    layout: Layout,
    device: torch.device,
    form: TailForm = PLAIN,
    counts: int = 0,
    seed: int = 0,
) -> Sum:
    """Make the reduction that the settings name.

    Args:
        train: says which, and the lanes of the global batch.
        layout: of the parameters.
        device: where gradients live.
        form: of what a lane tells.
        counts: integers that are summed beside the gradient.
        seed: of the job.

    Returns:
        The reduction.
    """
    squeeze = _squeeze(train, layout, device, seed)
    if squeeze is not None:
        return LaneSum(layout, train.lanes, device, squeeze, form, counts)
    kind = ExactSum if train.reduction == "exact" else FastSum
    return kind(layout, train.lanes, device, form, counts)


def sum_name(train: TrainSettings) -> str:
    """Return what the bits of the sum depend on, as the identity of the arithmetic tells it.

    Args:
        train: the settings.
    """
    name = f"{train.reduction} sum of {train.lanes} lanes"
    if train.compression == "topk":
        warmup = f", {train.compression_warmup} updates later" * (train.compression_warmup > 0)
        return f"{name}, the largest {train.compression_share:g} of each{warmup}"
    if train.compression == "powersgd":
        return f"{name}, of rank {train.compression_rank}"
    return f"{name}, in {train.reduction_bits} bits" if train.reduction_bits < 32 else name


def _squeeze(
    train: TrainSettings, layout: Layout, device: torch.device, seed: int
) -> Squeeze | None:
    """Return how lanes send less than they have; None: they send all."""
    lanes = train.lanes
    if train.compression == "topk":
        share, warmup = train.compression_share, train.compression_warmup
        return Sparse(layout, device, share, warmup)
    if train.compression == "powersgd":
        return LowRank(layout, lanes, device, train.compression_rank, seed)
    if train.reduction_bits < 32:
        return Narrow(layout, lanes, device)
    return None
