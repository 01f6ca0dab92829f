"""The recipe log: which weights hold from which step on, and what becomes of it as a run goes on.

Theory of operation. Weights may change at a step, by the job file or by request. A record says from
which sequence of the stream on it holds, and with which row each source goes on; both follow from
the records before and from the batch. So the log grows along the stream: where a run goes back past
data, the records of what is passed over stay, and what holds at the step is written behind them. No
row that was trained on, or passed over, comes again.

A record of later steps may still be moved: another one is put before it, or the batch grows. Then
all records behind are derived anew, from what each asked for. What was handed out never moves.

Invariants of a log: the first record begins at sequence 0; first sequences ascend; `starts` of each
are the counters that the ones before have reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.config.warmup import first_weights
from qmpi.policy.added_sources import with_added
from qmpi.policy.hyperparameters import Log, hyperparameters_at, lanes_of
from qmpi.policy.stream import first_recipe, next_recipe
from qmpi.protocol.batch import first_block
from qmpi.protocol.journal import JournalRecord, RecipesChanged, RunOpened, RunReshaped
from qmpi.protocol.recipe import MIXTURE_PERIOD, Recipe, RecipeReport
from qmpi.protocol.roll_back import RollBack

Recipes = tuple[Recipe, ...]
Asked = tuple[tuple[str, float], ...]

FROM_JOB = "the job file says so"
"""Reason of a record that the job was begun with."""

WARMED_UP = "the warm-up is over: what the job file says"
"""Reason of the record that ends it."""


class Course(Struct, frozen=True):
    """Where the steps of a run lie in the stream.

    Attributes:
        log: the hyperparameter log; empty: each step has all lanes.
        lanes: of the job.
        rows: sequences of a lane.
    """

    log: Log
    lanes: int
    rows: int

    def begins(self, step: int) -> int:
        """Return the first sequence of a step.

        Args:
            step: >= 0.
        """
        batch = hyperparameters_at(self.log, step).batch if self.log else None
        return first_block(batch, step, self.lanes) * self.rows

    def ends(self, step: int) -> int:
        """Return the first sequence behind a step; the next one may begin later, past data.

        Args:
            step: >= 0.
        """
        lanes = lanes_of(self.log, step, self.lanes) if self.log else self.lanes
        return self.begins(step) + lanes * self.rows


class Plan(NamedTuple):
    """Weights that shall hold from a step on."""

    step: int
    asked: Asked
    reason: str
    window: int = -1


def course_of(settings: Settings, log: Log) -> Course:
    """Return where the steps of a job lie.

    Args:
        settings: the job.
        log: its hyperparameter log.
    """
    train = settings.train
    return Course(log, train.lanes, train.microbatches * train.sequences)


def begun_recipes(settings: Settings, course: Course) -> Recipes:
    """Return the log that a run is begun with.

    Args:
        settings: the job.
        course: where its steps lie.

    Returns:
        A record from step 0 on, one behind a warm-up, and one for each of `data.recipes`.
    """
    first = first_recipe(first_weights(settings), settings.job.seed)
    return _built((first,), _from_file(settings, 0), course, settings)


def recipes_of(history: Iterable[JournalRecord], settings: Settings) -> Recipes:
    """Return the log of a run as its journal has it.

    Args:
        history: the journal, or what of it names a log.
        settings: the job, as its file has it.

    Returns:
        Nothing if the journal does not tell of a start.
    """
    log: Recipes = ()
    job = settings
    for record in history:
        if isinstance(record, RunOpened | RecipesChanged) and record.recipes:
            log = changed_log(log, record)
            settings = with_added(job, record.added)
        elif isinstance(record, RunReshaped) and log:
            course = course_of(settings, record.hyperparameters)
            log = went_back(log, settings, course, record.step)
    if log and not log[0].shares:
        # A version that wrote down no shares had one recipe, that of the job file.
        shares = tuple(source.weight for source in settings.data.sources)
        log = (replace(log[0], shares=shares), *log[1:])
    return log


def changed_log(before: Recipes, record: RunOpened | RecipesChanged) -> Recipes:
    """Return the log that a record tells of.

    Args:
        before: the log before it.
        record: of the journal.
    """
    return record.recipes if isinstance(record, RunOpened) else record.log_after(before)


def standing(recipes: Recipes) -> Recipes:
    """Return the records that hold by step, as the run stands.

    Args:
        recipes: the log.

    Returns:
        Those that no later one of the same step or an earlier one has taken the place of; ascending
        by `first_step`.
    """
    held: list[Recipe] = []
    for recipe in recipes:
        while held and held[-1].first_step >= recipe.first_step:
            held.pop()
        held.append(recipe)
    return tuple(held)


def in_force(recipes: Recipes, step: int) -> Recipe:
    """Return the record that holds for a step.

    Args:
        recipes: the log.
        step: >= 0.
    """
    return [recipe for recipe in standing(recipes) if recipe.first_step <= max(step, 0)][-1]


def reweighed(
    recipes: Recipes, settings: Settings, course: Course, at: int, asked: Asked, reason: str
) -> Recipes:
    """Return the log with other weights from a step on.

    Args:
        recipes: the log.
        settings: the job.
        course: where its steps lie.
        at: first step with them, > 0, of which nothing is handed out yet.
        asked: relative shares of some sources; the others keep theirs.
        reason: in words.

    Returns:
        The log; records of later steps set what they set before.

    Raises:
        ConfigError: no source has a share from some step on.
    """
    held = standing(recipes)
    same = [recipe for recipe in held if recipe.first_step == at]
    merged = {name: share for recipe in same for name, share in recipe.asked}
    plan = Plan(at, tuple({**merged, **dict(asked)}.items()), reason)
    kept = tuple(recipe for recipe in recipes if recipe.first_sequence < course.begins(at))
    return _built(kept, [plan, *_later(held, at)], course, settings)


def moved(recipes: Recipes, settings: Settings, course: Course, step: int) -> Recipes:
    """Return the log of a run whose later steps may lie elsewhere in the stream.

    Args:
        recipes: the log.
        settings: the job.
        course: where its steps lie now.
        step: steps up to this one lie where they did.
    """
    kept = tuple(recipe for recipe in recipes if recipe.first_sequence <= course.begins(step))
    return _built(kept, _later(standing(recipes), step), course, settings)


def went_back(recipes: Recipes, settings: Settings, course: Course, step: int) -> Recipes:
    """Return the log of a run whose user goes back to a step.

    Args:
        recipes: the log.
        settings: the job.
        course: where its steps lie now.
        step: first step that is done again.

    Returns:
        The log; what was asked for from that step on falls away with the steps, what the job file
        says holds.
    """
    begin = max(1, course.begins(step))
    kept = tuple(recipe for recipe in recipes if recipe.first_sequence < begin)
    before = in_force(recipes, step - 1)
    plans = [*_returning(kept[-1], before, step, settings), *_from_file(settings, step)]
    return _built(kept, plans, course, settings)


def passed_over(
    recipes: Recipes, settings: Settings, course: Course, roll_back: RollBack
) -> Recipes:
    """Return the log of a run that goes back by itself, past data.

    Args:
        recipes: the log.
        settings: the job.
        course: where its steps lie now.
        roll_back: from where to where.

    Returns:
        The log; each step has the weights that it had, but for those that a curriculum set by the
        losses of steps that are given up.
    """
    step, held = roll_back.back_to, standing(recipes)
    begin = course.begins(step)
    kept = tuple(recipe for recipe in recipes if recipe.first_sequence < begin)
    back = _returning(kept[-1], in_force(recipes, step), step, settings)
    asked = [plan for plan in _later(held, step) if plan.window < 0]
    return _built(kept, [*back, *asked], course, settings)


def decided_on(recipes: Recipes, settings: Settings, course: Course, plan: Plan) -> Recipes:
    """Return the log with what a curriculum has decided.

    Args:
        recipes: the log; nothing is planned behind the plan's step.
        settings: the job.
        course: where its steps lie.
        plan: shares of all sources, from a step on of which nothing is handed out yet.
    """
    return _built(recipes, [plan], course, settings)


def contents(recipe: Recipe, names: Sequence[str]) -> RecipeReport:
    """Return a record for people.

    Args:
        recipe: the record.
        names: of the sources, in the order of the job file, added ones last.
    """
    weights = {n: w / MIXTURE_PERIOD for n, w in zip(names, recipe.weights, strict=True)}
    return RecipeReport(recipe.first_step, weights, recipe.reason or FROM_JOB)


def reset_shares(shares: Mapping[str, float], asked: Asked) -> list[float]:
    """Return shares after some of them were set.

    Args:
        shares: of all sources by name, in the order of the job file.
        asked: those that are set; of what is no source nothing is.
    """
    return list({**shares, **{name: share for name, share in asked if name in shares}}.values())


def _from_file(settings: Settings, least: int) -> list[Plan]:
    data, warmed_up = settings.data, settings.curriculum.warmup_steps
    usual = tuple((source.name, source.weight) for source in data.sources)
    ends = [Plan(warmed_up, usual, WARMED_UP)] if warmed_up else []
    told = [Plan(told.at, tuple(told.weights.items()), FROM_JOB) for told in data.recipes]
    return [plan for plan in (*ends, *told) if plan.step >= least]


def _returning(last: Recipe, before: Recipe, step: int, settings: Settings) -> list[Plan]:
    """Return what a step needs to have the weights that it had, where another recipe came last."""
    if last == before:
        return []
    names = (source.name for source in settings.data.sources)
    asked = tuple(zip(names, before.shares, strict=True))
    return [Plan(step, asked, f"the run went back to step {step}, which had these")]


def _later(held: Recipes, step: int) -> list[Plan]:
    return [Plan(r.first_step, r.asked, r.reason, r.window) for r in held if r.first_step > step]


def _built(kept: Recipes, plans: Iterable[Plan], course: Course, settings: Settings) -> Recipes:
    names = [source.name for source in settings.data.sources]
    returned = -1
    for step, asked, reason, window in plans:
        last = kept[-1]
        shares = reset_shares(dict(zip(names, last.shares, strict=True)), asked)
        if step == returned:
            # What the job file says of the step that a run goes back to is set behind the return.
            kept, asked = kept[:-1], (*last.asked, *asked)
        new = next_recipe(kept[-1], step, course.begins(step), shares)
        told = replace(new, asked=asked, reason=reason, window=window)
        kept, returned = (*kept, told), step
    return kept
