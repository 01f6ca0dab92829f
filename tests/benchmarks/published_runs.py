"""Published runs that `qmpi plan`'s model of time is checked against: layout, figure, source.

What a source does not say is taken from its authors' defaults and marked "assumed". Each source
counts operations in its own way; `seconds` turns its figure into the time of a step by that way, so
that times are compared and no convention is mixed with another.
"""

from dataclasses import dataclass

from qmpi.planning.layout import Layout
from qmpi.planning.shape import Experts, Latent, Shape, parameters

TERA = 1e12
OVERLAPPED = frozenset({"data", "pipeline", "context", "tensor"})
PLAIN = frozenset({"data", "pipeline", "context"})
NOTHING = frozenset[str]()


@dataclass(frozen=True)
class Run:
    """A published run.

    Attributes:
        family: rows of one source; leave-one-out leaves out a family.
        name: for the table.
        machine: of `qmpi.config.machines`.
        shape: of the model.
        layout: over the GPUs.
        seconds: of a step, from the published figure.
        published: that figure, as printed.
        peak: TFLOP/s that the source divides by for its utilisation; 0: it gives none.
        convention: operations of a step as the source counts them.
    """

    family: str
    name: str
    machine: str
    shape: Shape
    layout: Layout
    seconds: float
    published: str
    peak: float
    convention: float


def _llama(layers: int, width: int, hidden: int, heads: int) -> Shape:
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=8,
        head_dim=128,
        ffn_width=hidden,
        vocab_size=128_256,
    )


LLAMA_8B = _llama(32, 4096, 14_336, 32)
LLAMA_70B = _llama(80, 8192, 28_672, 64)
LLAMA_405B = _llama(126, 16_384, 53_248, 128)


def _gpt(layers: int, width: int, heads: int, vocabulary: int, tokens: int, *, tied: bool) -> Shape:
    # Biases of four products and two norms with bias: 13 vectors of the width a layer.
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        ffn_width=4 * width,
        vocab_size=vocabulary,
        tied_head=tied,
        gated=False,
        plain_vectors=13,
        positions=tokens,
    )


def _tokens(layout: Layout) -> float:
    return float(layout.sequences * layout.sequence_tokens)


def _megatron_2021() -> list[Run]:
    """Narayanan et al., SC21 (arXiv 2104.04473), table 1; the README's cases_april2021.png.

    Interleaved schedule with scatter/gather, full recomputation (section 5.1). Its operations count
    the recomputation and the whole square of scores. Layers a group: one or two (assumed), as the
    interleaved schedule needs; microbatch 1 to 4 (assumed, the best of section 3.4).
    """
    rows = [
        # layers, width, heads, tensor, pipeline, interleaved, GPUs, batch, microbatch, TFLOP/s
        (24, 2304, 24, 1, 1, 1, 32, 512, 4, 137),
        (30, 3072, 32, 2, 1, 1, 64, 512, 4, 138),
        (36, 4096, 32, 4, 1, 1, 128, 512, 4, 142),
        (40, 6144, 48, 8, 1, 1, 256, 1024, 4, 135),
        (48, 8192, 64, 8, 2, 2, 512, 1536, 2, 138),
        (60, 10_240, 80, 8, 4, 3, 1024, 1792, 2, 140),
        (80, 12_288, 96, 8, 8, 5, 1536, 2304, 1, 148),
        (96, 16_384, 128, 8, 16, 3, 1920, 2160, 1, 155),
        (105, 20_480, 128, 8, 35, 3, 2520, 2520, 1, 163),
        (128, 25_600, 160, 8, 64, 2, 3072, 3072, 1, 163),
    ]
    runs: list[Run] = []
    for layers, width, heads, tensor, pipe, groups, gpus, batch, micro, teraflops in rows:
        shape = _gpt(layers, width, heads, 51_200, 2048, tied=True)
        layout = Layout(
            data=gpus // (tensor * pipe),
            tensor=tensor,
            pipeline=pipe,
            interleaved=groups,
            sequences=batch,
            sequence_tokens=2048,
            microbatch=micro,
            recompute="full",
            sharded="none",
            flash=False,
            dropout=True,
            hides=NOTHING,
        )
        square = 96.0 * _tokens(layout) * layers * width**2
        count = square * (1 + 2048 / (6 * width) + 51_200 / (16 * layers * width))
        seconds = count / (gpus * teraflops * TERA)
        runs.append(
            Run(
                "Megatron-LM, A100",
                f"GPT {_size(shape)}, {gpus:,} A100",
                "a100",
                shape,
                layout,
                seconds,
                f"{teraflops} TFLOP/s",
                312.0,
                count,
            )
        )
    return runs


def _megatron_2024() -> list[Run]:
    """README of NVIDIA/Megatron-LM since July 2024, images/model_table.png.

    Data-, tensor- and pipeline-parallel communication is overlapped; microbatch 1 to 4 and one
    layer a group (assumed). Its operations count the whole square of scores.
    """
    rows = [
        (24, 2048, 16, 1, 1, 1, 48, 192, 4, 408.8),
        (30, 4096, 32, 2, 1, 1, 96, 192, 4, 465.9),
        (32, 6144, 48, 4, 1, 1, 192, 192, 4, 489.1),
        (48, 7168, 56, 8, 1, 1, 384, 192, 4, 459.6),
        (84, 8192, 64, 8, 2, 42, 768, 384, 1, 419.7),
        (92, 10_240, 80, 8, 4, 23, 1536, 768, 1, 420.5),
        (96, 12_288, 96, 8, 6, 16, 2304, 1152, 1, 432.8),
        (96, 16_384, 128, 8, 8, 12, 3072, 1536, 1, 474.4),
        (112, 18_432, 144, 8, 16, 7, 6144, 3072, 1, 459.9),
    ]
    runs: list[Run] = []
    for layers, width, heads, tensor, pipe, groups, gpus, batch, micro, teraflops in rows:
        shape = _gpt(layers, width, heads, 131_072, 4096, tied=False)
        layout = Layout(
            data=gpus // (tensor * pipe),
            tensor=tensor,
            pipeline=pipe,
            interleaved=groups,
            sequences=batch,
            sequence_tokens=4096,
            microbatch=micro,
            hides=OVERLAPPED,
        )
        square = 72.0 * _tokens(layout) * layers * width**2
        count = square * (1 + 4096 / (6 * width) + 131_072 / (12 * layers * width))
        runs.append(
            Run(
                "Megatron-LM, H100",
                f"GPT {_size(shape)}, {gpus:,} H100",
                "h100",
                shape,
                layout,
                count / (gpus * teraflops * TERA),
                f"{teraflops:.0f} TFLOP/s",
                989.0,
                count,
            )
        )
    return runs


def _llama_3() -> list[Run]:
    """Grattafiori et al., "The Llama 3 Herd of Models" (arXiv 2407.21783), table 4.

    No recomputation at 8K (section 3.3.2). 126 layers, so that the first and the last of 16 stages
    have one less; a group of one layer (assumed: it gives bubbles of 6 % and 12 %). How it counts
    operations is not said; taken as 6 a parameter and the causal half of the scores, since the
    whole square would make the third row slower than any of its parts.
    """
    rows = [
        (8192, 8192, 1, 64, 2048, 430),
        (16_384, 8192, 1, 128, 2048, 400),
        (16_384, 131_072, 16, 8, 128, 380),
    ]
    runs: list[Run] = []
    for gpus, tokens, context, data, batch, teraflops in rows:
        layout = Layout(
            data=data,
            tensor=8,
            pipeline=16,
            interleaved=8,
            context=context,
            sequences=batch,
            sequence_tokens=tokens,
            hides=PLAIN,
        )
        scores = 6.0 * LLAMA_405B.layers * LLAMA_405B.query * tokens
        count = _tokens(layout) * (6 * 405.0e9 + scores)
        runs.append(
            Run(
                "Llama 3 405B",
                f"405B, {gpus:,} H100, {tokens // 1024}K",
                "h100",
                LLAMA_405B,
                layout,
                count / (gpus * teraflops * TERA),
                f"{teraflops} TFLOP/s",
                989.0,
                count,
            )
        )
    return runs


def _torchtitan() -> list[Run]:
    """benchmarks/llama3_h100_202412_torchtitan.md of pytorch/torchtitan, rows with torch.compile.

    The figure is tokens a second and GPU. Microbatch of the pipelined rows: 1 (assumed); groups of
    the interleaved schedule: 2 (assumed). No utilisation is published beyond the 8B rows.
    """
    full = {"recompute": "full", "sharded": "all", "sequence_tokens": 8192}
    half = {"recompute": "half", "sharded": "all", "sequence_tokens": 8192, "microbatch": 2}
    asynchronous = {**full, "precision": "fp8", "hides": OVERLAPPED}
    pipelined = {**asynchronous, "sharded": "optimizer", "data": 8, "tensor": 8, "pipeline": 8}
    rows: list[tuple[str, Shape, dict[str, object], float]] = [
        ("8B, 8 H100", LLAMA_8B, {**half, "data": 8, "sequences": 16}, 6667),
        (
            "8B, 8 H100, FP8",
            LLAMA_8B,
            {**half, "data": 8, "sequences": 16, "precision": "fp8"},
            8532,
        ),
        ("8B, 128 H100", LLAMA_8B, {**half, "data": 128, "sequences": 256}, 6514),
        (
            "8B, 128 H100, FP8",
            LLAMA_8B,
            {**half, "data": 128, "sequences": 256, "precision": "fp8"},
            8380,
        ),
        (
            "70B, 256 H100, FP8",
            LLAMA_70B,
            {**full, "data": 32, "tensor": 8, "sequences": 512, "microbatch": 16}
            | {"precision": "fp8"},
            829,
        ),
        (
            "the same, AsyncTP",
            LLAMA_70B,
            {**asynchronous, "data": 32, "tensor": 8, "sequences": 512, "microbatch": 16},
            876,
        ),
        ("405B, 512 H100, FP8, 1F1B", LLAMA_405B, {**pipelined, "sequences": 256}, 100),
        (
            "the same, interleaved",
            LLAMA_405B,
            {**pipelined, "sequences": 256, "interleaved": 2},
            128,
        ),
    ]
    runs: list[Run] = []
    for name, shape, settings, speed in rows:
        layout = Layout(**settings)  # pyright: ignore[reportArgumentType]
        scores = 12.0 * shape.layers * shape.query * layout.sequence_tokens
        weights = shape.layers * (shape.width * 2 * (shape.query + shape.key))
        weights += shape.layers * 3 * shape.width * shape.ffn_width
        weights += shape.vocab_size * shape.width
        runs.append(
            Run(
                "torchtitan",
                name,
                "h100-500w",
                shape,
                layout,
                _tokens(layout) / (layout.gpus * speed),
                f"{speed:,} tokens/s",
                989.0 if layout.precision == "bfloat16" else 0.0,
                _tokens(layout) * (6.0 * weights + scores),
            )
        )
    return runs


def _deepseek_v3() -> list[Run]:
    """DeepSeek-V3 Technical Report (arXiv 2412.19437), sections 3.2 and 4.2, table 1.

    180 thousand GPU hours a trillion tokens on 2,048 H800: 61 layers, 16 pipeline stages under
    DualPipe, experts over 64 ranks, optimizer state shared out, FP8; norms and the upper halves of
    latent attention are computed again, which is small. Batch 15,360 sequences of 4,096.
    """
    shape = Shape(
        layers=61,
        width=7168,
        heads=128,
        kv_heads=128,
        head_dim=192,
        ffn_width=18_432,
        vocab_size=129_280,
        experts=Experts(number=256, active=8, shared=1, width=2048, dense_layers=3, most_nodes=4),
        latent=Latent(query_rank=1536, key_rank=512, rotary=64, value=128),
        further_heads=1,
    )
    layout = Layout(
        data=128,
        pipeline=16,
        expert=64,
        sequences=15_360,
        sequence_tokens=4096,
        precision="fp8",
        schedule="dualpipe",
    )
    seconds = _tokens(layout) / (1e12 / (180e3 * 3600)) / layout.gpus
    return [
        Run(
            "DeepSeek-V3",
            "671B (37B active), 2,048 H800",
            "h800",
            shape,
            layout,
            seconds,
            "180 k GPU hours/T",
            0.0,
            0.0,
        )
    ]


def _size(shape: Shape) -> str:
    return f"{parameters(shape) / 1e9:.1f}B"


RUNS = [*_llama_3(), *_torchtitan(), *_megatron_2021(), *_megatron_2024(), *_deepseek_v3()]
