"""Layers that keep less for their backward pass, and compute again what they did not keep.

Theory of operation. torch's checkpoint runs a layer as ever, but lets go of what autograd would
save; when the backward pass comes to the layer it runs the layer once more, from its input, and
hands out what is saved then. Same function, same input, same kernels: the same bits, so the choice
is no part of a run's identity. The layer draws no random numbers, so there is no state of a
generator to restore.

"full" keeps the input alone. "selective" keeps the results of the matrix products too, so that only
what lies between them is computed again: norms, heads, the chances of attention, gates. It sees one
operation after the other, which a compiled layer hides; such a layer is run again as a whole or not
at all, so a job that is selective computes eagerly (`qmpi.config.compiling`).

Around a compiled layer both runs are of the same compiled graph. torch's checkpoint imports its
compiler even where nothing is compiled: 2 s of CPU at a rank's start.

The second run ends as soon as the last saved tensor is there: the last product of a layer is not
done again.

Source: torch/utils/checkpoint.py of torch 2.13, `_checkpoint_without_reentrant_generator`,
`create_selective_checkpoint_contexts`.
"""

from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from qmpi.config.train import TrainSettings
from qmpi.model.layer import Layer, Layers, LayerWeights
from qmpi.model.plain import Positions

KEPT_OPERATIONS = frozenset(
    {
        torch.ops.aten.mm.default,
        torch.ops.aten.addmm.default,
        torch.ops.aten._grouped_mm.default,  # noqa: SLF001
        torch.ops.aten._scaled_mm.default,  # noqa: SLF001
    }
)
"""Products with weights. Batched ones are attention's, whose results are what takes the memory."""


def with_checkpoints(layers: Layers, train: TrainSettings) -> Layers:
    """Let layers keep what the job says.

    Args:
        layers: function of each layer.
        train: `checkpointing`, and `checkpoint_every`.

    Returns:
        As many; those that keep all are the ones that were given.
    """
    if train.checkpointing == "none":
        return layers
    run = _selectively if train.checkpointing == "selective" else _run_again
    return tuple(
        layer if number % train.checkpoint_every else partial(run, layer)
        for number, layer in enumerate(layers)
    )


def _run_again(layer: Layer, x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
    return checkpoint(layer, x, at, weights, use_reentrant=False, preserve_rng_state=False)


def _selectively(layer: Layer, x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
    return checkpoint(
        layer,
        x,
        at,
        weights,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=partial(create_selective_checkpoint_contexts, _policy),
    )


def _policy(
    context: object, operation: object, *given: object, **named: object
) -> CheckpointPolicy:
    del context, given, named
    keep = operation in KEPT_OPERATIONS
    return CheckpointPolicy.MUST_SAVE if keep else CheckpointPolicy.PREFER_RECOMPUTE
