"""What a curriculum did, and what a run lost by type and band, as the report draws it.

Theory of operation. Steps that stand are cut into even stretches; what each type lost in one is the
mean over its sources by the shares that the job gives them, so that a curve does not move because
other levels were drawn. The rest is what `qmpi.policy.curriculum` makes of the same steps.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from qmpi.config.arms import level_band
from qmpi.config.bands import BANDS, band_of
from qmpi.config.data import ContentSource
from qmpi.config.ladder import generated_sources
from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.config.stages import Stage, stages_of
from qmpi.corpora.standing import StandingSteps, replay
from qmpi.errors import UserError
from qmpi.monitor.curves import Curves, Marked, Points
from qmpi.policy.curriculum.by_type import (
    Weights,
    cells,
    parts_of,
    type_losses,
    weights_like,
)
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.rule import LEAST_ANSWERS
from qmpi.policy.curriculum.windows import begin_of, is_probe
from qmpi.policy.recipes import standing
from qmpi.policy.throughput import thin
from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.protocol.recipe import MIXTURE_PERIOD, Recipe
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory

logger = logging.getLogger(__name__)

STRETCHES = 120
"""Points of a curve of losses."""

LOOKS = 200
"""Windows behind which it is looked where the model stands, at most."""

MOST_RECIPES = 300


class CurriculumStory(Struct, frozen=True, kw_only=True):
    """What the report draws of a run with generated sources.

    Attributes:
        types: loss by type, nats a token.
        bands: loss by band of levels, of sources that lie within one.
        answers: loss of the answers by type.
        weights: by type, of several sources of one each by itself, and by band: times what the job
            gives the arm; of an adaptive curriculum.
        stages: first stage of the hundred that is not mastered, window by window.
        ladder: band of stages: its name, first and last stage.
        marked: probes, and the end of the curriculum.
    """

    types: Curves
    bands: Curves
    answers: Curves
    weights: Mapping[str, Curves]
    stages: Points
    ladder: tuple[tuple[str, int, int], ...]
    marked: Marked


def curriculum_story(settings: Settings, told: StandingSteps) -> CurriculumStory | None:
    """Return what the report draws of a curriculum.

    Args:
        settings: the job as it was begun, with its arms.
        told: the journal, replayed.

    Returns:
        None: no source is generated, or the journal does not tell losses by source.
    """
    steps = [told.steps[step].sources for step in range(len(told.steps))]
    if not generated_sources(settings.data) or not any(steps):
        return None
    ends = _ends(len(steps))
    found = cells(((step + 1, each) for step, each in enumerate(steps)), ends)
    parts = parts_of(settings)
    types, bands = weights_like(parts, parts), _bands(settings)
    stages, marked = _course(settings, told)
    kinds = dict.fromkeys(source.type for source in generated_sources(settings.data))
    return CurriculumStory(
        types=_curves(ends, [type_losses(cell, types, is_whole=False) for cell in found]),
        bands=_curves(ends, [type_losses(cell, bands, is_whole=False) for cell in found]),
        answers=_answers(ends, found, {name: types[name] for name in kinds if name in types}),
        weights=_weights(settings, standing(told.recipes), len(steps)),
        stages=stages,
        ladder=tuple(_ladder(stages_of(settings))),
        marked=marked,
    )


def read_curriculum(run: Path) -> CurriculumStory | None:
    """Read what the report draws of a curriculum.

    Args:
        run: directory of a run.

    Returns:
        As of `curriculum_story`; None also of a run whose job cannot be read any more.

    Raises:
        StorageError: its journal cannot be read, or is damaged.
    """
    directory = RunDirectory(run)
    try:
        job = directory.require_job()
        settings = load_job(directory.begun if directory.begun.exists() else job)
    except UserError as error:
        logger.warning("no curriculum is drawn: %s", error)
        return None
    return curriculum_story(settings, replay(read_journal(directory.journal)))


def _ends(steps: int) -> list[int]:
    stretches = min(STRETCHES, steps)
    return [steps * number // stretches for number in range(1, stretches + 1)]


def _curves(ends: Sequence[int], losses: Sequence[Mapping[str, float]]) -> Curves:
    names = dict.fromkeys(name for each in losses for name in each)
    return {
        name: [(end, each[name]) for end, each in zip(ends, losses, strict=True) if name in each]
        for name in names
    }


def _answers(ends: Sequence[int], found: Sequence[Sequence[SourceLoss]], types: Weights) -> Curves:
    """Return the loss of answers, over as many stretches as it takes to have enough of them."""
    curves: dict[str, Points] = {}
    for name, sources in types.items():
        points: list[tuple[int, float]] = []
        many = loss = 0
        for end, cell in zip(ends, found, strict=True):
            own = [told for told in cell if told.source in sources]
            many += sum(told.answers for told in own)
            loss += sum(told.answer_loss for told in own)
            if many >= LEAST_ANSWERS:
                points.append((end, loss / (LOSS_GRID * many)))
                many = loss = 0
        if points:
            curves[name] = points
    return curves


def _bands(settings: Settings) -> Weights:
    """Return the sources of each band by their shares."""
    shares: dict[str, dict[int, float]] = {name: {} for name, _, _ in BANDS}
    for number, source in enumerate(settings.data.sources):
        if isinstance(source, ContentSource) and band_of(source.min_level) == level_band(source):
            shares[level_band(source)][number] = source.weight
    return {name: told for name, told in shares.items() if any(told.values())}


def _weights(settings: Settings, log: Sequence[Recipe], steps: int) -> Mapping[str, Curves]:
    """Return what arms got, as steps: a value holds up to where the next one begins."""
    if settings.curriculum.kind == "static":
        return {}
    kept = [recipe for _, recipe in thin([(r.first_step, r) for r in log], MOST_RECIPES)]
    firsts = [recipe.first_step for recipe in kept]
    until = [*firsts[1:], max(steps, firsts[-1])]
    bases: dict[str, set[str]] = {}
    for source in generated_sources(settings.data):
        bases.setdefault(source.type, set()).add(_base(source))
    weights: dict[str, dict[str, Points]] = {}
    for number, (part, source) in enumerate(
        zip(parts_of(settings), settings.data.sources, strict=True)
    ):
        if not isinstance(source, ContentSource) or not part.share:
            continue
        times = [recipe.weights[number] / MIXTURE_PERIOD / part.share for recipe in kept]
        points = [
            point
            for first, last, value in zip(firsts, until, times, strict=True)
            for point in ((first, value), (last, value))
        ]
        # Bands of several sources would stand for one another.
        chart = part.type if len(bases[source.type]) == 1 else f"{part.type}, {_base(source)}"
        weights.setdefault(chart, {})[level_band(source)] = points
    return weights


def _base(source: ContentSource) -> str:
    """Return the name of the source that an arm is of."""
    return source.name.removesuffix(f"-{level_band(source)}")


def _course(settings: Settings, told: StandingSteps) -> tuple[Points, Marked]:
    """Return where the model stood behind windows, and what the curriculum did."""
    knowledge, every = Knowledge(settings, ()), settings.curriculum.every_steps
    begin = begin_of(settings, 0)
    adapts, windows = settings.curriculum.kind != "static", len(told.steps) // every
    look = 1 + windows // LOOKS
    points: list[tuple[int, float]] = []
    probes: list[tuple[int, int]] = []
    off, why = -1, ""
    for step in range(len(told.steps)):
        knowledge.note(told.steps[step])
        window, behind = divmod(step + 1 - begin, every)
        if behind or window < 1:
            continue
        known = knowledge.known
        if known.off and off < 0 and adapts:
            # What holds from the next window but one on.
            off, why = step + 1 + every, known.off
        elif adapts and not known.off and is_probe(settings.job.seed, window - 1):
            probes.append((step + 1 - every, step + 1))
        if window % look == 0:
            points.append((step + 1, float(known.stage)))
    return points, Marked(tuple(probes), off, why)


def _ladder(stages: Sequence[Stage]) -> Iterator[tuple[str, int, int]]:
    first = 0
    for number, stage in enumerate(stages):
        if number + 1 == len(stages) or stages[number + 1].band != stage.band:
            yield stage.band, stages[first].stage, stage.stage
            first = number + 1
