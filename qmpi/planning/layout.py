"""How a model is laid over GPUs: axes of a team, schedule, what is kept and what is done again.

This version of the system trains with teams of one rank. The other axes are here to check the
model against published runs, and to say what layout a job would need.
"""

from typing import Literal

from msgspec import Struct


class Layout(Struct, frozen=True, kw_only=True):
    """A layout over GPUs.

    Attributes:
        data: replicas of the model, or shares of the batch with `sharded` "all".
        tensor: parts of each matrix.
        pipeline: stages.
        interleaved: groups of layers that each stage holds; 1: one run of layers.
        context: parts of a sequence.
        expert: ranks that share the experts; they lie along `data`.
        sequences: sequences of a step, over all replicas.
        sequence_tokens: their length.
        microbatch: sequences of a microbatch.
        recompute: what backward computes again. "half": every second product; "attention": scores
            alone; "full": the layer.
        sharded: what the data axis shares out: nothing, optimizer state, or weights too.
        precision: type of the products of layers.
        flash: attention keeps no scores.
        dropout: masks are drawn and kept, and norms repeated on each tensor rank (2021).
        hides: what travels while products are computed.
        schedule: of the pipeline.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    interleaved: int = 1
    context: int = 1
    expert: int = 1
    sequences: int
    sequence_tokens: int
    microbatch: int = 1
    recompute: Literal["none", "half", "attention", "full"] = "none"
    sharded: Literal["none", "optimizer", "all"] = "optimizer"
    precision: Literal["bfloat16", "fp8"] = "bfloat16"
    flash: bool = True
    dropout: bool = False
    hides: frozenset[str] = frozenset({"data", "pipeline", "context"})
    schedule: Literal["1f1b", "dualpipe"] = "1f1b"

    @property
    def gpus(self) -> int:
        """GPUs of all teams."""
        return self.data * self.tensor * self.pipeline * self.context

    @property
    def microbatches(self) -> float:
        """Microbatches that one pipeline passes in a step."""
        return self.sequences / (self.data * self.microbatch)

    @property
    def microbatch_tokens(self) -> float:
        """Tokens of a microbatch on one rank of the context axis."""
        return self.microbatch * self.sequence_tokens / self.context
