"""Parts of a layer where ranks share it: what crosses from rank to rank lies between the rest."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from qmpi.model.fused.by_piece import attend_by_piece
from qmpi.model.fused.heads import Heads
from qmpi.model.layer import Kernels
from qmpi.model.partition import Partition
from qmpi.model.plain import Positions, Split
from qmpi.training.compiler import uncompiled
from qmpi.training.parallel.exchange import TokenExchange
from qmpi.training.parallel.rows import Rows
from qmpi.training.parallel.sequences import Sequences
from qmpi.training.parallel.shared_tokens import SharedTokens


class Between(NamedTuple):
    """Who has the rest of what a rank computes with; they meet with the team.

    Attributes:
        rows: of the stream.
        tokens: of the sequences.
        sequences: of the microbatches.
    """

    rows: Rows
    tokens: SharedTokens
    sequences: Sequences

    @classmethod
    def of(cls, part: Partition) -> "Between":
        """Take the rank's place among them.

        Args:
            part: what it holds.

        Returns:
            The others, not met yet.
        """
        return cls(
            rows=Rows(part.share, part.shares),
            tokens=SharedTokens(part.context, part.contexts),
            sequences=Sequences(part.expert, part.experts),
        )


def _heads_over(rows: Rows) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """Return what cuts a product into heads whose norms go over those of all ranks."""

    def heads(
        merged: Tensor, q_norm: Tensor | None, k_norm: Tensor | None, at: Positions, split: Split
    ) -> tuple[Tensor, Tensor, Tensor]:
        over = split._replace(over_ranks=rows.mean_of)
        return Heads.apply(merged, q_norm, k_norm, at, over)

    return heads


def shared_kernels(kernels: Kernels, part: Partition, between: Between) -> Kernels:
    """Put what crosses from rank to rank into the parts of a layer.

    Args:
        kernels: of a rank that has whole layers.
        part: what a rank holds.
        between: who has the rest.

    Returns:
        The parts.
    """
    rows, tokens, sequences = between
    model = part.model
    if part.experts > 1:
        kernels = kernels._replace(exchange=TokenExchange(sequences, part.expert))
    if part.shares > 1:
        kernels = kernels._replace(gather=uncompiled(rows.gather), scatter=uncompiled(rows.scatter))
    if part.shares > 1 and model.qk_norm and model.qk_norm_over == "projection":
        kernels = kernels._replace(heads=uncompiled(_heads_over(rows)))
    if part.contexts > 1:
        whole, attend = uncompiled(tokens.whole), uncompiled(attend_by_piece)
        kernels = kernels._replace(whole=whole, attend=attend)
    return kernels
