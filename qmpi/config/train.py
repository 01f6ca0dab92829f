"""[train]: the batch and the arithmetic."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from qmpi.config.bounds import PositiveInt


class TrainSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[train]: the batch and the arithmetic. A step has lanes x microbatches x sequences."""

    steps: Annotated[
        int, Meta(ge=1, le=10**12, description="Length of the run, in optimizer steps.")
    ] = 200
    lanes: Annotated[
        PositiveInt,
        Meta(
            le=4096,
            description=(
                "Fixed shares of the global batch; dealt to the live trainers. The "
                "result never depends on the deal."
            ),
        ),
    ] = 8
    microbatches: Annotated[
        PositiveInt,
        Meta(
            le=65_536, description="Microbatches of a lane, accumulated in fixed order in float32."
        ),
    ] = 1
    sequences: Annotated[PositiveInt, Meta(le=65_536, description="Sequences of a microbatch.")] = 4
    sequence_tokens: Annotated[
        int, Meta(ge=8, le=1_048_576, description="Tokens of a sequence.")
    ] = 128
    reduction: Annotated[
        Literal["exact", "fast"],
        Meta(
            description=(
                '"exact": integer sum, the same bits on any number of trainers. "fast": float sum.'
            )
        ),
    ] = "exact"
    reduction_bits: Annotated[
        Literal[32, 16],
        Meta(
            description=(
                "Bits of an element on its way between trainers. 16: half the bytes; what rounding "
                "leaves of a lane's gradient is added to its next one."
            )
        ),
    ] = 32
    compression: Annotated[
        Literal["none", "topk", "powersgd"],
        Meta(
            description=(
                'What lanes send of their gradients; the rest is added to their next ones. "none": '
                'all. "topk": the largest elements. "powersgd": products of two narrow matrices.'
            )
        ),
    ] = "none"
    compression_share: Annotated[
        float,
        Meta(
            gt=0.0,
            le=0.5,
            description='Share of the elements of a matrix that a lane sends with "topk".',
        ),
    ] = 0.045
    compression_warmup: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description=(
                'Updates over which that share falls to its value, from 0.25 at first; with "topk".'
            ),
        ),
    ] = 0
    compression_rank: Annotated[
        int,
        Meta(ge=1, le=256, description='Columns of the narrow matrices of "powersgd".'),
    ] = 4
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16", "float8"],
        Meta(
            description=(
                'Type that matrices are multiplied in. "auto": bfloat16 where the device '
                'computes it natively. "float16": with a loss scale that follows the gradients. '
                '"float8": products of layers in eight bits, on GPUs from Ada and Hopper on.'
            )
        ),
    ] = "auto"
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Meta(description="Where trainers compute.")
    ] = "auto"
    threads: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description=(
                "CPU threads of a trainer; part of the run's identity, since sums depend on it."
            ),
        ),
    ] = 1
    compile: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description=(
                'Compile the layers (needs a C++ compiler; on a GPU, Triton). "auto": where a '
                "step is large enough to pay for it, and a compiler is there."
            )
        ),
    ] = "auto"
    digest_every: Annotated[PositiveInt, Meta(description="Steps between two weight digests.")] = 10
    checkpointing: Annotated[
        Literal["none", "selective", "full"],
        Meta(
            description=(
                "What a layer keeps for its backward pass. "
                '"full": its input, and it runs again; "selective": also the results of matrix '
                "products, and what lies between them is computed again (never compiled); "
                '"none": all. The weights are the same bits.'
            )
        ),
    ] = "none"
    checkpoint_every: Annotated[
        PositiveInt,
        Meta(description="Of so many layers one is checkpointed: 1: all, 2: every second."),
    ] = 1
    ahead_weight: Annotated[
        float,
        Meta(
            gt=0.0,
            le=16.0,
            description=(
                "Weight of the mean loss of model.predict_ahead's tokens in what is minimised, "
                "beside the loss of the next token."
            ),
        ),
    ] = 0.3
    offload: Annotated[
        Literal["none", "optimizer", "activations", "all"],
        Meta(
            description=(
                "What of a GPU's memory waits in the host's until it is needed. "
                '"optimizer": moments; "activations": what layers keep for their backward pass; '
                '"all": both. No effect on a CPU. The weights are the same bits.'
            )
        ),
    ] = "none"
    masters: Annotated[
        Literal["float32", "bfloat16"],
        Meta(
            description=(
                'Type of the weights in the state. "bfloat16": two bytes less a parameter; '
                "updates are rounded up or down by a hash of seed, step and element."
            )
        ),
    ] = "float32"
