"""Parts of a layer where ranks share it: what crosses from rank to rank lies between the rest."""

from typing import NamedTuple

from qmpi.model.fused.by_piece import attend_by_piece
from qmpi.model.layer import Kernels
from qmpi.model.partition import Partition
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
    if part.experts > 1:
        kernels = kernels._replace(exchange=TokenExchange(sequences, part.expert))
    if part.shares > 1:
        kernels = kernels._replace(gather=uncompiled(rows.gather), scatter=uncompiled(rows.scatter))
    if part.contexts > 1:
        kernels = kernels._replace(whole=tokens.whole, attend=attend_by_piece)
    return kernels
