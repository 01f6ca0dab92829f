"""The hundred stages of a job's curriculum: what each has, and when it is mastered.

Theory of operation. Levels come from `config.ladder`; the band of a stage is that of its hardest
level. What a table of the job file leaves out follows from the band or from that level, by formulas
that are simple enough to be foreseen. Stages tell where a model stands; they change nothing that it
is trained on.
"""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from qmpi.config.bands import BANDS, LEVELS, band_of
from qmpi.config.curriculum import STAGES, StageSettings
from qmpi.config.curriculum_checks import NO_LEVELS, predecessors
from qmpi.config.data import ContentSource, Source
from qmpi.config.ladder import (
    Span,
    derived_spans,
    generated_sources,
    spans_of_table,
    stages_of_table,
)
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError

LENGTH_HALVINGS = 3
"""First sequences have an eighth of the tokens: easy documents are short, and attention's work
grows with the square of the length. Halves keep the number of shapes small."""

LEAST_TOKENS = 128
"""No preset trains on shorter ones."""

BATCH_HALVINGS = 2
"""First batches have a quarter of the sequences: while the loss is high, few tokens tell the
direction, and steps are worth more than their precision."""

FIRST_ACCURACY, LAST_ACCURACY = 0.9, 0.5
"""Asked of levels 1 and 100: a hard problem has more steps to go wrong in, so fewer of them solved
show as much."""


class Thresholds(Struct, frozen=True, kw_only=True):
    """What a model must reach for a stage to be mastered.

    Attributes:
        accuracy: share of its problems solved, at least; above 0, at most 1.
        loss: nats a token of the answers, at most; above 0.
    """

    accuracy: float
    loss: float


class Stage(Struct, frozen=True, kw_only=True):
    """A stage of the curriculum.

    Attributes:
        stage: 1 to 100.
        name: of its table in the job file; empty: none.
        band: of its hardest level.
        sources: names of generated sources that have one of its levels; at least one.
        levels: easiest and hardest, 1 to 100.
        sequence_tokens: length of its sequences.
        batch_factor: share of the batch of [train], above 0, at most 1.
        rate_factor: what the learning rate is multiplied with.
        after: stages that are mastered before it, ascending; all below its own number.
        thresholds: when it is mastered.
    """

    stage: int
    name: str
    band: str
    sources: tuple[str, ...]
    levels: Span
    sequence_tokens: int
    batch_factor: float
    rate_factor: float
    after: tuple[int, ...]
    thresholds: Thresholds


class Curriculum(Struct, frozen=True, kw_only=True):
    """What `qmpi curriculum --json` prints.

    Attributes:
        stages: a hundred, in order.
    """

    stages: tuple[Stage, ...]


def stages_of(settings: Settings) -> tuple[Stage, ...]:
    """Return the stages of a job.

    Args:
        settings: a checked job.

    Returns:
        A hundred, from easy to hard.

    Raises:
        ConfigError: no source of the job has levels.
    """
    if not generated_sources(settings.data):
        raise ConfigError(NO_LEVELS)
    tables = settings.curriculum.stages
    if not tables:
        chained = [_chain(stage) for stage in range(1, STAGES + 1)]
        return _filled(settings, [StageSettings()] * STAGES, derived_spans(settings), chained)
    each: list[StageSettings] = []
    spans: tuple[Span, ...] = ()
    afters: list[tuple[int, ...]] = []
    for number, table in enumerate(tables):
        stages = stages_of_table(number, len(tables))
        before = (stages_of_table(place, len(tables)) for place in predecessors(tables, number))
        # The first of a table's stages waits for other tables, the next ones for one another.
        afters += [tuple(stages[-1] for stages in before), *map(_chain, stages[1:])]
        each += [table] * len(stages)
        spans += spans_of_table(settings, number)
    return _filled(settings, each, spans, afters)


def first_left(
    stages: Sequence[Stage], sources: Sequence[Source], answer_losses: Mapping[int, float]
) -> tuple[int, str]:
    """Return where a model stands, by the loss of its answers.

    Args:
        stages: of the job.
        sources: of the job.
        answer_losses: nats a token by number of the source, where enough are known.

    Returns:
        The first stage that is not mastered, or one behind the last, and its band.
    """
    for stage in stages:
        low, high = stage.levels
        losses = [
            answer_losses[number]
            for number, source in enumerate(sources)
            if number in answer_losses
            and isinstance(source, ContentSource)
            and source.name in stage.sources
            and source.min_level <= high
            and source.max_level >= low
        ]
        if not losses or max(losses) > stage.thresholds.loss:
            return stage.stage, stage.band
    return len(stages) + 1, stages[-1].band


def _chain(stage: int) -> tuple[int, ...]:
    return (stage - 1,) if stage > 1 else ()


def _filled(
    settings: Settings,
    tables: list[StageSettings],
    spans: tuple[Span, ...],
    afters: list[tuple[int, ...]],
) -> tuple[Stage, ...]:
    present = [name for name, _, _ in BANDS if name in {band_of(top) for _, top in spans}]
    stages: list[Stage] = []
    for stage, (table, span, after) in enumerate(zip(tables, spans, afters, strict=True), 1):
        band = band_of(span[1])
        left = _left(present, band)
        stages.append(
            Stage(
                stage=stage,
                name=table.name,
                band=band,
                sources=tuple(
                    source.name
                    for source in generated_sources(settings.data, table.sources)
                    if source.min_level <= span[1] and source.max_level >= span[0]
                ),
                levels=span,
                sequence_tokens=table.sequence_tokens
                or _tokens(settings.train.sequence_tokens, left),
                batch_factor=table.batch_factor or 0.5 ** int(BATCH_HALVINGS * left),
                rate_factor=table.rate_factor,
                after=after,
                thresholds=_thresholds(table, span[1]),
            )
        )
    return tuple(stages)


def _left(present: list[str], band: str) -> float:
    """Return which share of the way through the job's bands is left behind one: 1 to 0."""
    # Of those that the job has, so that its last stages have full sequences and batches.
    last = len(present) - 1
    return (last - present.index(band)) / last if last else 0.0


def _tokens(most: int, left: float) -> int:
    possible = [n for n in range(LENGTH_HALVINGS + 1) if most >> n >= LEAST_TOKENS]
    return most >> int(max(possible, default=0) * left)


def _thresholds(table: StageSettings, hardest: int) -> Thresholds:
    way = (hardest - 1) / (LEVELS - 1)
    derived = FIRST_ACCURACY + (LAST_ACCURACY - FIRST_ACCURACY) * way
    followed = math.exp(-table.loss) if table.loss else derived
    accuracy = table.accuracy or _rounded(followed)
    # An answer is no more often right than its tokens; that of one token is as often.
    return Thresholds(accuracy=accuracy, loss=table.loss or _rounded(-math.log(accuracy)))


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
