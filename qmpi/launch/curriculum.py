"""`qmpi curriculum --run`: the path that the curriculum of a run has taken, from its journal."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct

from qmpi.config.arms import level_band, pool_of
from qmpi.config.data import ContentSource
from qmpi.config.ladder import generated_sources
from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.corpora.standing import evaluations_of, replay
from qmpi.planning.stages import first_left, stages_of
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.rule import Means, answer_loss
from qmpi.policy.curriculum.windows import advantages, arms_of
from qmpi.policy.recipes import FROM_JOB, in_force, standing
from qmpi.policy.scoring import LevelScore, by_tens
from qmpi.policy.source_losses import ADDED
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.recipe import MIXTURE_PERIOD, Recipe
from qmpi.protocol.specialisation import Specialisation
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory


class ArmLine(Struct, frozen=True, kw_only=True):
    """An arm: what it was given, and what it costs.

    Attributes:
        name: of the source.
        type: of its text; "" of a corpus.
        band: of its levels; "" of a corpus.
        share: of all sequences, that the job gives it.
        weight: that it has at the step reached.
        loss: mean of the newest sequences, nats a token; None: nothing was measured.
        answer_loss: of the answers alone; None: too few were seen.
    """

    name: str
    type: str
    band: str
    share: float
    weight: float
    loss: float | None
    answer_loss: float | None


class PathLine(Struct, frozen=True, kw_only=True):
    """Weights of the sources from a step on.

    Attributes:
        first_step: that they hold for.
        window: whose weights they are; -1: the job's.
        weights: share of the sequences by source.
        reason: in words.
    """

    first_step: int
    window: int
    weights: dict[str, float]
    reason: str


class Story(Struct, frozen=True, kw_only=True):
    """What `qmpi curriculum --run RUN --json` prints.

    Attributes:
        kind: of the curriculum.
        step: steps that stand.
        every_steps: of a window.
        stage: the first of the hundred that is not mastered; 0: there are none, 101: all are.
        band: of that stage; "" if there is none.
        arms: in the order of the sources.
        path: in the order of steps.
        probes: windows that drew what the job says, and were compared with those beside them.
        advantage: by how much the loss fell further in those beside them, nats a token a window;
            None: none was compared.
        off: why the curriculum is over, in words; "": it is not.
        solved: of the newest evaluation that set problems: how many were solved, by ten levels.
        specialisation: how the run stands beside a reference; None: it was held against none.
    """

    kind: str
    step: int
    every_steps: int
    stage: int
    band: str
    arms: tuple[ArmLine, ...]
    path: tuple[PathLine, ...]
    probes: int
    advantage: float | None
    off: str
    solved: tuple[LevelScore, ...] = ()
    specialisation: Specialisation | None = None


def story_of(run: Path) -> Story:
    """Read the path of a run.

    Args:
        run: its directory.

    Returns:
        The path, and what is known of each arm.

    Raises:
        InputError: there is no run.
        StorageError: its journal cannot be read, or is damaged.
    """
    directory = RunDirectory(run)
    # As the run was begun: what is changed in its file later has not been followed.
    job = directory.require_job()
    settings = load_job(directory.begun if directory.begun.exists() else job)
    told = replay(read_journal(directory.journal))
    steps = [told.steps[step] for step in sorted(told.steps)]
    knowledge = Knowledge(settings, steps)
    known, names = knowledge.known, [source.name for source in settings.data.sources]
    adapts = settings.curriculum.kind != "static"
    gains = advantages(known.falls) if adapts else []
    stage, band = _standing(settings, known.means)
    log = standing(told.recipes)
    return Story(
        kind=settings.curriculum.kind,
        step=len(steps),
        every_steps=settings.curriculum.every_steps,
        stage=stage,
        band=band,
        arms=_arms(settings, known.means, in_force(log, len(steps)) if log else None),
        path=tuple(_line(recipe, names) for recipe in log),
        probes=len(gains),
        advantage=fmean(gains) if gains else None,
        off=known.off if adapts else "",
        solved=_solved(read_journal(directory.journal)),
    )


def _solved(history: Iterable[JournalRecord]) -> tuple[LevelScore, ...]:
    told = [by_tens(each.levels) for each in evaluations_of(history) if each.levels]
    return told[-1] if told else ()


def _line(recipe: Recipe, names: Sequence[str]) -> PathLine:
    weights = {n: w / MIXTURE_PERIOD for n, w in zip(names, recipe.weights, strict=False)}
    if len(recipe.weights) > len(names):
        weights[ADDED] = sum(recipe.weights[len(names) :]) / MIXTURE_PERIOD
    return PathLine(
        first_step=recipe.first_step,
        window=recipe.window,
        weights=weights,
        reason=recipe.reason or FROM_JOB,
    )


def _arms(
    settings: Settings, means: dict[int, Means], recipe: Recipe | None
) -> tuple[ArmLine, ...]:
    told: list[ArmLine] = []
    for arm, source in zip(arms_of(settings), settings.data.sources, strict=True):
        known, is_generated = means.get(arm.source), isinstance(source, ContentSource)
        weight = recipe.weights[arm.source] / MIXTURE_PERIOD if recipe is not None else arm.share
        told.append(
            ArmLine(
                name=source.name,
                type=pool_of(source) if is_generated else "",
                band=level_band(source) if isinstance(source, ContentSource) else "",
                share=arm.share,
                weight=weight,
                loss=known.fast if known is not None else None,
                answer_loss=answer_loss(known),
            )
        )
    if recipe is not None and len(recipe.weights) > len(told):
        weight = sum(recipe.weights[len(told) :]) / MIXTURE_PERIOD
        told.append(
            ArmLine(
                name=ADDED, type="", band="", share=0.0, weight=weight, loss=None, answer_loss=None
            )
        )
    return tuple(told)


def _standing(settings: Settings, means: Mapping[int, Means]) -> tuple[int, str]:
    """Return the first stage that is not mastered by the loss of its answers, and its band."""
    if not generated_sources(settings.data):
        return 0, ""
    losses = {n: told for n in means if (told := answer_loss(means[n])) is not None}
    return first_left(stages_of(settings), settings.data.sources, losses)
