"""One number to a whole job: shape from depth, and steps, batch and rate from the shape.

Theory of operation. Rules that others fitted, in the order in which they are applied;
docs/scaling.md tells how far they were checked here.

- Width 64 a layer, heads of 64 features, of 128 from width 1,024 on; four query heads or more to a
  key head (nanochat's depth dial; Ainslie et al., arXiv 2305.13245).
- 20 tokens a parameter (Hoffmann et al., "Chinchilla", arXiv 2203.15556).
- With C the operations of the whole run: 0.2920 C^0.3271 tokens a step, and a peak rate of
  0.3118 C^-0.1250 (DeepSeek LLM, arXiv 2401.02954). Both were fitted for AdamW; Muon's updates have
  AdamW's size, so its rate is the same (Liu et al., arXiv 2502.16982).
"""

from math import log2

from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource, DataSettings, Source
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import LARGE_STEP_TOKENS, LARGE_STEPS, OptimizerSettings
from qmpi.config.settings import JobSettings, RoleSettings, Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.planning.shape import flops_per_token, parameters, shape_of
from qmpi.planning.sizes import LARGE, MIDDLE, SMALL

DEEPEST = 400
WIDTH_A_LAYER = 64
TOKENS_A_PARAMETER = 20
MICROBATCH_TOKENS = 4096
MOST_LANES, LEAST_LANES = 4096, 8
LONGEST_SEQUENCE = 4096
FASTEST = 6e-3
"""Peak rate at most: the fit was not made for the smallest models."""

_TYPES = (
    "technical",
    "scientific",
    "code",
    "mathematics",
    "philosophy",
    "creative",
    "conversation",
    "multilingual",
)


def model_of_depth(depth: int) -> ModelSettings:
    """Return the shape of a depth.

    Args:
        depth: layers, 1 to `DEEPEST`.
    """
    wide = depth * WIDTH_A_LAYER >= 1024
    head = 128 if wide else 64
    heads = -(-depth * WIDTH_A_LAYER // head)
    least = max(1, heads // 4)
    return ModelSettings(
        layers=depth,
        width=heads * head,
        heads=heads,
        kv_heads=max(n for n in range(1, least + 1) if heads % n == 0),
        vocab_size=SMALL if depth <= 8 else MIDDLE if depth < 24 else LARGE,
        tied_head=heads * head <= 2048,
    )


def scaled_job(name: str, model: ModelSettings) -> Settings:
    """Return a job that trains a shape as the rules say.

    Args:
        name: of the job.
        model: its shape.

    Returns:
        The job; legal as it is.
    """
    shape = shape_of(model)
    count, length = parameters(shape), sequence_tokens(model.width)
    tokens = TOKENS_A_PARAMETER * count
    operations = flops_per_token(shape, length) * tokens
    train = batch(step_tokens(operations), length)
    step = train.lanes * train.microbatches * train.sequences * length
    large = model.vocab_size >= LARGE
    return Settings(
        job=JobSettings(name=name),
        roles=roles(count),
        model=model,
        train=TrainSettings(
            steps=max(1, round(tokens / step)),
            lanes=train.lanes,
            microbatches=train.microbatches,
            sequences=train.sequences,
            sequence_tokens=length,
        ),
        optimizer=replace(
            OptimizerSettings(learning_rate=rate(operations)),
            **(LARGE_STEPS if step >= LARGE_STEP_TOKENS else {}),
        ),
        data=DataSettings(sources=sources(model.vocab_size)),
        snapshot=SnapshotSettings(
            every_steps=20 if large else 10, disk_every_steps=200 if large else 100
        ),
    )


def sequence_tokens(width: int) -> int:
    """Return the length of a sequence: as the width, a power of two from 256 to 4,096."""
    return min(LONGEST_SEQUENCE, max(256, 2 ** round(log2(width))))


def step_tokens(operations: float) -> float:
    """Return the tokens of a step for the operations of a run, before they are dealt."""
    return 0.2920 * operations**0.3271


def batch(tokens: float, length: int) -> TrainSettings:
    """Deal the tokens of a step to lanes, microbatches and sequences, all powers of two.

    Args:
        tokens: wanted for a step.
        length: of a sequence.

    Returns:
        Settings of which these three and the length count.
    """
    sequences = max(LEAST_LANES, 2 ** round(log2(max(tokens / length, 1.0))))
    together = max(1, min(MICROBATCH_TOKENS // length, sequences // LEAST_LANES))
    lanes = min(MOST_LANES, sequences // together)
    return TrainSettings(
        lanes=lanes,
        microbatches=sequences // (together * lanes),
        sequences=together,
        sequence_tokens=length,
    )


def rate(operations: float) -> float:
    """Return the peak learning rate for the operations of a run, to two digits."""
    return float(f"{min(FASTEST, 0.3118 * operations**-0.1250):.2g}")


def roles(count: int) -> RoleSettings:
    """Return who does what: a few cores, a node, or shares of any number of ranks.

    Args:
        count: parameters.
    """
    if count < 50_000_000:
        return RoleSettings(trainer=2, spare=1)
    if count < 900_000_000:
        return RoleSettings(generator=2, memory=2, trainer=8, spare=1)
    return RoleSettings(generator="5%", memory="5%", trainer="50%", replica="2%", spare="2%")


def sources(rows: int) -> tuple[Source, ...]:
    """Return what is read until the user names corpora: the built-in one, or all generated types.

    Args:
        rows: of the embedding; the built-in tokenizers need 4,096 and 32,768.
    """
    if rows < MIDDLE:
        return (
            CorpusSource(name="python", path="builtin:python", weight=3.0),
            ContentSource(name="mathematics", type="mathematics", weight=1.0, max_level=20),
        )
    return tuple(ContentSource(name=name, type=name) for name in _TYPES)
