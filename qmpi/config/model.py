"""[model]: the shape of the model."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from qmpi.config.bounds import PositiveInt


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[model]: shape of the decoder-only transformer (RMSNorm, RoPE, GQA, SwiGLU or experts)."""

    vocab_size: Annotated[
        int,
        Meta(
            ge=256,
            le=1_048_576,
            description="Rows of the embedding; at least the size of the tokenizer's vocabulary.",
        ),
    ] = 4096
    layers: Annotated[PositiveInt, Meta(le=10_000, description="Transformer blocks.")] = 4
    width: Annotated[
        PositiveInt, Meta(le=1_048_576, description="Size of the residual stream.")
    ] = 128
    heads: Annotated[
        PositiveInt,
        Meta(le=65_536, description="Query heads; must divide width, unless head_dim is given."),
    ] = 4
    kv_heads: Annotated[
        PositiveInt,
        Meta(
            le=65_536,
            description="Key and value heads (grouped-query attention); must divide heads.",
        ),
    ] = 2
    head_dim: Annotated[
        int,
        Meta(ge=0, le=65_536, description="Features of a head, even; 0: width / heads."),
    ] = 0
    ffn_width: Annotated[
        int,
        Meta(
            ge=0,
            le=4_194_304,
            description="Hidden size of SwiGLU; 0: 8/3 of width, rounded up to a multiple of 64.",
        ),
    ] = 0
    tied_head: Annotated[bool, Meta(description="Output head shares the embedding's weights.")] = (
        True
    )
    qk_norm: Annotated[bool, Meta(description="RMSNorm on queries and keys.")] = True
    qk_norm_over: Annotated[
        Literal["head", "projection"],
        Meta(
            description=(
                "What it is taken over: each head by itself, or the whole projection, all heads "
                "together, as in OLMo 2."
            )
        ),
    ] = "head"
    norm_place: Annotated[
        Literal["pre", "post"],
        Meta(
            description=(
                'Where the norms of attention and feed-forward stand. "pre": before them. "post": '
                "behind them, before their result is added to the residual stream, as in OLMo 2."
            )
        ),
    ] = "pre"
    rope_theta: Annotated[
        float, Meta(gt=1.0, description="Base of the rotary position embedding.")
    ] = 10000.0
    norm_eps: Annotated[float, Meta(gt=0.0, description="Epsilon of RMSNorm.")] = 1e-6
    init_std: Annotated[
        float, Meta(gt=0.0, description="Standard deviation of the initial weights.")
    ] = 0.02
    window: Annotated[
        int,
        Meta(
            ge=0,
            le=1_048_576,
            description=(
                "Tokens that a windowed layer sees, the token itself included; 0: no layer has a "
                "window. One as long as the sequence hides nothing."
            ),
        ),
    ] = 0
    window_pattern: Annotated[
        str,
        Meta(
            pattern=r"^[wf]{0,1000}$",
            description=(
                'Which layers have the window, "w", and which see all, "f": repeated over the '
                'layers, as "wwwf". Empty: all have it.'
            ),
        ),
    ] = ""
    sinks: Annotated[
        int,
        Meta(
            ge=0,
            le=65_536,
            description=(
                "First tokens of the sequence, or of the document where documents are masked, "
                "that windowed layers always see."
            ),
        ),
    ] = 0
    logit_softcap: Annotated[
        float,
        Meta(ge=0.0, description="Output logits stay within this, by tanh; 0: no bound."),
    ] = 0.0
    rope_scaling: Annotated[
        Literal["none", "linear", "llama3", "yarn"],
        Meta(description="How positions reach beyond the length that weights were trained on."),
    ] = "none"
    rope_factor: Annotated[
        float, Meta(ge=1.0, le=1024.0, description="By how much further they reach.")
    ] = 1.0
    rope_original_tokens: Annotated[
        int,
        Meta(ge=0, le=1_048_576, description="Length of sequences that they were trained on."),
    ] = 0
    experts: Annotated[
        int,
        Meta(
            ge=0,
            le=4096,
            description="Experts of a layer, each a SwiGLU of its own; 0: a dense model.",
        ),
    ] = 0
    experts_per_token: Annotated[
        PositiveInt, Meta(le=256, description="Experts that a token passes through.")
    ] = 2
    shared_experts: Annotated[
        int, Meta(ge=0, le=256, description="Experts beside these that every token passes through.")
    ] = 0
    expert_width: Annotated[
        int,
        Meta(
            ge=0,
            le=4_194_304,
            description=(
                "Hidden size of an expert; 0: ffn_width / (experts_per_token + shared_experts), "
                "rounded up to a multiple of 32, so that a token meets as much as in a dense layer."
            ),
        ),
    ] = 0
    dense_layers: Annotated[
        int, Meta(ge=0, le=10_000, description="First layers, which stay without experts.")
    ] = 0
    router: Annotated[
        Literal["softmax", "sigmoid"],
        Meta(
            description=(
                'Scores of experts. "softmax": as Qwen3-MoE. "sigmoid": each by itself, as '
                "DeepSeek-V3; with shared_experts, to export as dots1."
            )
        ),
    ] = "softmax"
    capacity_factor: Annotated[
        float,
        Meta(
            ge=0.0,
            le=4096.0,
            description=(
                "Tokens that an expert takes of a microbatch at most, in mean loads; those after "
                "them are dropped there while training. 0: none is."
            ),
        ),
    ] = 0.0
    balance_rate: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description=(
                "What an update adds to the bias of an expert with less than the mean load, and "
                "takes from one with more, at the peak of the learning rate. The bias counts in "
                "the choice alone. 0: no balance."
            ),
        ),
    ] = 0.01
    router_z_loss: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description=(
                "Weight of the mean square of the router's log-sum-exp in what is minimised; "
                "0: none."
            ),
        ),
    ] = 0.0
    predict_ahead: Annotated[
        int,
        Meta(
            ge=0,
            le=16,
            description=(
                "Tokens beyond the next that training predicts too, each by a block of its own "
                "behind the last layer (multi-token prediction). What samples, evaluates and "
                "exports leaves these blocks out. 0: none."
            ),
        ),
    ] = 0
