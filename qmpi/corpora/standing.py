"""Which steps of a journal stand, and whether they were trained as their settings say.

Theory of operation. The records are replayed in order. A step counts by its last execution; what
was done again must name the same blocks and losses, and what the run went back from is given up.
"""

from collections.abc import Iterable, Mapping
from math import isclose
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from qmpi.corpora.roll_backs import roll_back_fault
from qmpi.policy.hyperparameters import Log, hyperparameters_at, rate_at
from qmpi.policy.recipes import Recipes, changed_log
from qmpi.protocol.added import AddedSource
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.journal import (
    EvaluationDone,
    GenerationOpened,
    HyperparametersChanged,
    JournalRecord,
    RecipesChanged,
    RunOpened,
    RunReshaped,
    StepCommitted,
)
from qmpi.protocol.progress import is_skipped
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.spikes import NO_LEVELS, judged

RATE_TOLERANCE = 1e-9
"""A rate may be off in its last bits where another machine's cosine rounds differently."""


class Drawn(NamedTuple):
    """A recipe log, as a record told it.

    Attributes:
        before: the log until then; empty: there was none.
        after: the log.
        log: the hyperparameter log then.
        steps: that stood then.
        added: sources that the run had besides those of the job file.
    """

    before: Recipes
    after: Recipes
    log: Log
    steps: int
    added: tuple[AddedSource, ...]


class StandingSteps(Struct):
    """The journal, replayed.

    Attributes:
        steps: record of each standing step.
        opened: newest opening of the run.
        fault: first contradiction, "" if none.
        redone: steps that were committed more than once, net of voids.
        went_back: steps that the user went back to, in order.
        log: the hyperparameter log as it stands; empty in journals of old versions.
        roll_backs: each time that the run went back by itself, in order.
        reshaped: each time that its state was cut for another layout, in order.
        recipes: the recipe log as it stands.
        drawn: each time that it was told.
        added: sources that the run has besides those of the job file.
    """

    steps: dict[int, StepCommitted]
    opened: RunOpened | None
    fault: str
    redone: int
    went_back: tuple[int, ...] = ()
    log: Log = ()
    roll_backs: tuple[RollBack, ...] = ()
    reshaped: tuple[RunReshaped, ...] = ()
    recipes: Recipes = ()
    drawn: tuple[Drawn, ...] = ()
    added: tuple[AddedSource, ...] = ()


def check_training(steps: Mapping[int, StepCommitted], log: Log, *, is_logged: bool) -> str:
    """Derive the learning rate of each step anew, judge it again, and count the updates.

    Args:
        steps: those that stand, from 0 on.
        log: the hyperparameter log.
        is_logged: the journal itself holds the log.

    Returns:
        The first fault in words; "" if there is none.
    """
    updates, levels = 0, NO_LEVELS
    for number, record in sorted(steps.items()):
        guard = hyperparameters_at(log, number).guard
        spike, levels = judged(guard, levels, record.lane_losses, record.gradient_norm)
        if record.spike != spike:
            told = f"its {record.spike} stood out" if record.spike else "nothing stood out"
            return f"step {number} tells that {told}, but by its guard {_judgement(spike)}"
        updates += not is_skipped(record.gradient_norm) and not spike
        if record.updates not in (-1, updates):
            return f"step {number} tells of {record.updates} updates, but {updates} were applied"
        if not is_logged:  # rates of old versions may follow from other formulas
            continue
        rate = rate_at(log, number)
        if not isclose(record.learning_rate, rate, rel_tol=RATE_TOLERANCE):
            return (
                f"step {number} was trained at the learning rate {record.learning_rate:.6g}, where "
                f"{rate:.6g} held"
            )
    return ""


def _judgement(spike: str) -> str:
    return f"its {spike} did" if spike else "nothing did"


def replay(records: Iterable[JournalRecord]) -> StandingSteps:
    """Replay a journal.

    Args:
        records: the records in order.

    Returns:
        Which steps stand.
    """
    standing = StandingSteps({}, None, "", 0)
    void: dict[int, StepCommitted] = {}
    for record in records:
        match record:
            case RunOpened():
                standing.fault = _open(standing, void, record)
            case RecipesChanged():
                _draw(standing, record)
            case HyperparametersChanged() | RunReshaped():
                _change(standing, void, record)
            case GenerationOpened():
                for step in [s for s in standing.steps if s >= record.step]:
                    void[step] = standing.steps.pop(step)
            case StepCommitted():
                standing.fault = _commit(standing, void, record)
            case _:
                pass
        if standing.fault:
            break
    return standing


def evaluations_of(records: Iterable[JournalRecord]) -> tuple[Evaluation, ...]:
    """Return what a run has measured of itself.

    Args:
        records: of its journal, in order.

    Returns:
        The evaluations that stand, by step.
    """
    found: dict[int, Evaluation] = {}
    for record in records:
        match record:
            case EvaluationDone():
                found[record.step] = record.result
            case GenerationOpened():
                void_evaluations(found, record.step)
            case RunOpened() | RunReshaped() if record.back_to >= 0:
                void_evaluations(found, record.back_to)
            case _:
                pass
    return tuple(found[step] for step in sorted(found))


def void_evaluations(found: dict[int, Evaluation], step: int) -> None:
    """Forget what was measured of weights that are lost.

    Args:
        found: evaluations by step.
        step: first one that is done again; weights before it stand.
    """
    for later in [number for number in found if number > step]:
        del found[later]


def _open(standing: StandingSteps, void: dict[int, StepCommitted], record: RunOpened) -> str:
    told = record.roll_back
    fault = _roll_back(standing, record, told) if told is not None else ""
    standing.opened, standing.log = record, record.hyperparameters
    if record.back_to >= 0:
        _give_up(standing, void, record.back_to)
        standing.went_back += () if told else (record.back_to,)
    _draw(standing, record)
    return fault


def _change(
    standing: StandingSteps,
    void: dict[int, StepCommitted],
    record: HyperparametersChanged | RunReshaped,
) -> None:
    standing.log = record.hyperparameters
    if isinstance(record, RunReshaped):
        standing.fault = _reshape(standing, record)
    if any(step >= record.back_to >= 0 for step in (*standing.steps, *void)):
        _give_up(standing, void, record.back_to)
        standing.went_back += (record.back_to,)


def _draw(standing: StandingSteps, record: RunOpened | RecipesChanged) -> None:
    before, steps = standing.recipes, len(standing.steps)
    after = changed_log(before, record)
    drawn = Drawn(before, after, standing.log, steps, record.added)
    standing.recipes, standing.drawn = after, (*standing.drawn, drawn)
    standing.added = record.added


def _reshape(standing: StandingSteps, record: RunReshaped) -> str:
    opened, standing.reshaped = standing.opened, (*standing.reshaped, record)
    if opened is None or record.step > len(standing.steps):
        return f"the run was reshaped at step {record.step}, but so many were not trained"
    told = record.settings_digest
    standing.opened = replace(opened, run_id=record.run_id, settings_digest=told)
    return ""


def _roll_back(standing: StandingSteps, opened: RunOpened, told: RollBack) -> str:
    # What is given up is judged here, for the last time.
    fault = check_training(standing.steps, standing.log, is_logged=True) if standing.log else ""
    standing.roll_backs = (*standing.roll_backs, told)
    return fault or roll_back_fault(standing.steps, standing.log, opened, told)


def _give_up(standing: StandingSteps, void: dict[int, StepCommitted], step: int) -> None:
    for steps in (standing.steps, void):
        for number in [number for number in steps if number >= step]:
            del steps[number]


def _commit(standing: StandingSteps, void: dict[int, StepCommitted], record: StepCommitted) -> str:
    step = record.step
    if step != len(standing.steps):
        return f"step {step} was committed where step {len(standing.steps)} was due"
    before = void.pop(step, None)
    if before is not None:
        standing.redone += 1
        if before.block_digests != record.block_digests:
            return f"step {step} was done again with other blocks"
        if before.lane_losses != record.lane_losses:
            return f"step {step} was done again with other losses"
        # A run that was given another length has its last digest due elsewhere.
        told = {before.weight_digest, record.weight_digest} - {""}
        if len(told) > 1:
            return f"step {step} was done again to other weights"
    standing.steps[step] = record
    return ""
