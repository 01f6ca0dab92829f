"""What evaluations inside a run cost a trainer: the time that training waits, and memory.

Theory of operation. A trainer does its share of the pieces of a paper: rows that are computed
together, forward alone, in float32; and batches of problems, decoded token by token, where kernels
are so small that their number counts. Constants that cannot be counted over the code were measured
once, on the job of `jobs/demo.toml` (docs/evaluation.md); what was measured is said at each.

Not counted: the paper itself is made on another thread, once after each start (a few seconds of a
core). Answers are taken to run to the end of their budget, as those of a model that knows little
do.
"""

from math import ceil

from msgspec.structs import replace

from qmpi.config.data import WARMUP, ContentSource
from qmpi.config.ladder import generated_sources
from qmpi.planning.shape import attention_flops, matrices_a_token
from qmpi.planning.sweeps import layer_sweeps
from qmpi.planning.workload import CORE_CALL_SECONDS, Speeds, Workload

FLOAT = 4

LOGITS, BATCH = 1 << 22, 16
"""Logits that the engine computes at a time, and problems of a piece; a test holds them equal."""

LOGIT_BYTES = 16
"""Written by the product, read, and a logarithm of the softmax written and read."""

LOGIT_COPIES = 2
"""The logits and the logarithm of their softmax."""

FORWARD = 1 / 3
"""Of the sweeps of a layer's both ways."""

FLOAT_SHARE = 0.455
"""Rate of products in float32 as a share of that in bfloat16 on a core with units for these:
measured 84.8 and 186.5 GFLOP/s at the sizes of the demo's job (AMD EPYC, AVX512_BF16)."""

GPU_FLOAT_SHARE = 0.5
"""The same on a GPU: TF32, as `gpu_speeds` has it."""

PROMPT_TOKENS, ANSWER_TOKENS = 64, 77
"""Of a problem, and of the longest answer of a piece: means of the demo's 48 problems."""

DECODE_CALLS = 190
"""Kernels that do nothing, whose time is that of one layer for one token of a batch: the demo's 230
tokens through 3 layers took 0.85 s beside their products, a kernel 5.4 us."""

PAPER_BYTES = 94 * 2**20
"""Resident: the code and words of generated text, the tokenizer, the readers of shards. Measured:
367 MiB before the demo's paper was made, 466 after; 486 and 574 with 6 layers of 256."""

KERNEL_BYTES = 43 * 2**20
"""Resident: kernels of products in float32 and of decoding. Measured: 71 MiB at the first
evaluation of the demo's job, less two copies of its logits."""


def evaluations(job: Workload) -> int:
    """Return how many evaluations a run makes; the last step always gets one."""
    every = job.settings.evaluation.every_steps
    return ceil(job.steps / every) if every else 0


def evaluation_seconds(job: Workload, speeds: Speeds) -> float:
    """Return the time that training waits for one evaluation, trainers alone on their cores.

    Args:
        job: the job on its machine.
        speeds: of a trainer.

    Returns:
        Seconds of the trainer with the most pieces.
    """
    # What predicts further tokens is left out.
    job = replace(job, shape=replace(job.shape, further_heads=0))
    products = speeds.products * _float_share(job, speeds)
    call = max(speeds.call, CORE_CALL_SECONDS)
    together, rows = _rows_together(job), _rows(job)
    mine = min(rows, together * _dealt(job, rows, together))
    # A team fills the last piece up, and its stages wait until the first one has passed them.
    if job.settings.parallel.team_size > 1:
        mine = together * (_dealt(job, rows, together) + job.settings.parallel.pipeline - 1)
    batches = _dealt(job, _problems(job), BATCH)
    answers = _answer_seconds(job, products, call, speeds.sweeps)
    return mine * _row_seconds(job, speeds, products) + batches * answers


def evaluation_bytes(job: Workload) -> int:
    """Return the memory that evaluations take beside training, where a trainer computes.

    Args:
        job: the job.

    Returns:
        Bytes. On a GPU none: what a step has freed is more.
    """
    if not evaluations(job) or job.on_gpus or not (_rows(job) or _problems(job)):
        return 0
    rows = min(_rows(job), _rows_together(job))
    logits = rows * job.settings.train.sequence_tokens * job.shape.vocab_size
    if job.settings.parallel.team_size > 1:
        logits = min(job.rows * job.shape.vocab_size, LOGITS) if job.shape.has_head else 0
    return PAPER_BYTES + KERNEL_BYTES + LOGIT_COPIES * FLOAT * logits


def _float_share(job: Workload, speeds: Speeds) -> float:
    if not speeds.half:
        return 1.0
    return GPU_FLOAT_SHARE if job.on_gpus else FLOAT_SHARE


def _rows_together(job: Workload) -> int:
    if job.settings.parallel.team_size > 1:
        return job.settings.train.sequences
    columns = job.settings.train.sequence_tokens + 1
    return max(1, LOGITS // (job.shape.vocab_size * columns))


def _rows(job: Workload) -> int:
    """Return the rows of a paper: as many of each source, none of one that holds nothing out."""
    settings = job.settings
    share = settings.evaluation.held_out
    sources = [source for source in settings.data.sources if source.name != WARMUP]
    giving = sum(isinstance(source, ContentSource) or share > 0 for source in sources)
    tokens = settings.train.sequence_tokens * len(sources)
    return giving * ceil(settings.evaluation.tokens / tokens)


def _problems(job: Workload) -> int:
    setting = len(generated_sources(job.settings.data))
    return setting * ceil(job.settings.evaluation.problems / setting) if setting else 0


def _dealt(job: Workload, count: int, size: int) -> int:
    """Return the pieces that the busiest trainer does."""
    return ceil(ceil(count / size) / job.teams)


def _row_seconds(job: Workload, speeds: Speeds, products: float) -> float:
    parallel = job.settings.parallel
    # Of a row that ranks share out by tokens or with their neighbours', each computes its own.
    shape = job.shape
    tokens = job.settings.train.sequence_tokens // (parallel.context * parallel.expert)
    swept = layer_sweeps(shape, tokens, half=False, compiled=False).bytes * FORWARD * shape.layers
    swept += LOGIT_BYTES * shape.vocab_size * tokens
    scores = shape.layers * attention_flops(shape, tokens)
    each = 2 * matrices_a_token(shape) / products + scores / speeds.attention
    return tokens * each + swept / speeds.sweeps


def _answer_seconds(job: Workload, products: float, call: float, sweeps: float) -> float:
    shape, most = job.shape, job.settings.train.sequence_tokens
    prompt, answer = min(PROMPT_TOKENS, most), min(ANSWER_TOKENS, most)
    flops = 2 * matrices_a_token(shape) * BATCH * (prompt + answer)
    calls = DECODE_CALLS * shape.layers * answer
    # Small batches read each weight for a few tokens.
    moved = FLOAT * matrices_a_token(shape) * answer
    return flops / products + calls * call + moved / sweeps
