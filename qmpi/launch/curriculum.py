"""`qmpi curriculum --run`: the path that the curriculum of a run has taken, from its journal."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct
from msgspec.structs import astuple

from qmpi.config.arms import level_band
from qmpi.config.data import ContentSource
from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.standing import evaluations_of, replay
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.rule import Means
from qmpi.policy.curriculum.windows import advantages, arms_of
from qmpi.policy.hyperparameters import Log
from qmpi.policy.recipes import FROM_JOB, in_force, standing
from qmpi.policy.scoring import LevelScore, by_tens
from qmpi.policy.source_losses import ADDED
from qmpi.protocol.batch import lanes_at
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
        solved: share of the newest problems; None: too few were seen.
    """

    name: str
    type: str
    band: str
    share: float
    weight: float
    loss: float | None
    answer_loss: float | None
    solved: float | None


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


class StageLine(Struct, frozen=True, kw_only=True):
    """What the stages set from a step on.

    Attributes:
        first_step: that it holds for.
        rate: what the learning rate is multiplied with.
        lanes: of a step.
        tokens: of the sequences that rows are cut into.
    """

    first_step: int
    rate: float
    lanes: int
    tokens: int


class Story(Struct, frozen=True, kw_only=True):
    """What `qmpi curriculum --run RUN --json` prints.

    Attributes:
        kind: of the curriculum.
        step: steps that stand.
        every_steps: of a window.
        stage: at which it stands, of the hundred the first that is not mastered; 0: there are
            none, 101: all are.
        band: of that stage; "" if there is none.
        arms: in the order of the sources.
        path: in the order of steps.
        probes: windows that drew what the job says, and were compared with those beside them.
        advantage: by how much the loss fell further in those beside them, nats a token a window;
            None: none was compared.
        off: why the curriculum is over, in words; "": it is not.
        sets: what stages set.
        staged: rate, lanes and lengths that they have set, in the order of steps; empty: none.
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
    sets: tuple[str, ...]
    staged: tuple[StageLine, ...]
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
    history = tuple(read_journal(directory.journal))
    told = replay(history)
    steps = [told.steps[step] for step in sorted(told.steps)]
    knowledge = Knowledge(settings, steps)
    known, names = knowledge.known, [source.name for source in settings.data.sources]
    adapts = settings.curriculum.kind != "static"
    gains = advantages(known.falls) if adapts else []
    stages = knowledge.standing.stages
    log = standing(told.recipes)
    return Story(
        kind=settings.curriculum.kind,
        step=len(steps),
        every_steps=settings.curriculum.every_steps,
        stage=known.stage,
        band=stages[min(known.stage, len(stages)) - 1].band if stages else "",
        arms=_arms(settings, known.means, in_force(log, len(steps)) if log else None),
        path=tuple(_line(recipe, names) for recipe in log),
        probes=len(gains),
        advantage=fmean(gains) if gains else None,
        off=known.off if adapts else "",
        sets=settings.curriculum.sets,
        staged=tuple(_staged(told.log, settings.train)),
        solved=_solved(history),
    )


def _staged(log: Log, train: TrainSettings) -> Iterator[StageLine]:
    before = None
    for held in log:
        if held.staged is not None and held.staged != before:
            rate, lanes, tokens = astuple(held.staged)
            yield StageLine(
                first_step=held.first_step,
                rate=rate,
                lanes=lanes or lanes_at(held.batch, held.first_step, train.lanes),
                tokens=tokens or train.sequence_tokens,
            )
        before = held.staged


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
        known = means.get(arm.source)
        weight = recipe.weights[arm.source] / MIXTURE_PERIOD if recipe is not None else arm.share
        told.append(
            ArmLine(
                name=source.name,
                type=source.type if isinstance(source, ContentSource) else "",
                band=level_band(source) if isinstance(source, ContentSource) else "",
                share=arm.share,
                weight=weight,
                loss=known.fast if known is not None else None,
                answer_loss=known.answer_loss if known is not None else None,
                solved=known.share_solved if known is not None else None,
            )
        )
    if recipe is not None and len(recipe.weights) > len(told):
        weight = sum(recipe.weights[len(told) :]) / MIXTURE_PERIOD
        last = ArmLine(
            name=ADDED, type="", band="", share=0.0, weight=weight, loss=None, answer_loss=None,
            solved=None,
        )  # fmt: skip
        told.append(last)
    return tuple(told)
