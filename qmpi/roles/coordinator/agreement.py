"""Do the ranks, and the run's past, agree on data and arithmetic? Checked before the first group.

What a lane computes must not depend on who computes it, and step s must see the same rows in every
incarnation. A run that cannot promise both does not start.
"""

from collections.abc import Sequence

from qmpi.config.settings import Settings
from qmpi.policy.added_sources import with_added
from qmpi.policy.hyperparameters import Log, carried_on, first_hyperparameters
from qmpi.policy.recipes import (
    Recipes,
    begun_recipes,
    course_of,
    moved,
    passed_over,
    went_back,
)
from qmpi.policy.reshaping import since_reshaped
from qmpi.policy.roll_back import rolled_back
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.journal import JournalRecord, RunOpened
from qmpi.protocol.replay import Replay
from qmpi.protocol.roll_back import RollBack
from qmpi.roles.coordinator.additions import added_before
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.record import Record
from qmpi.roles.roster import Roster
from qmpi.units import Seconds


def identities(roster: Roster) -> list[str]:
    """Return the distinct arithmetic identities of trainers and spares, sorted.

    Args:
        roster: who is there.

    Returns:
        One entry when all agree.
    """
    torch_ranks = roster.hellos(RoleName.TRAINER) + roster.hellos(RoleName.SPARE)
    return sorted({hello.identity for hello in torch_ranks})


def disagreement(roster: Roster, history: Sequence[JournalRecord]) -> str:
    """Say how ranks contradict each other or the journal.

    Args:
        roster: who is there.
        history: records of earlier incarnations.

    Returns:
        A sentence that says what to do; "" if all agree.
    """
    claims = roster.source_claims()
    if len(claims) > 1:
        return f"ranks disagree on the data sources: {sorted(map(str, claims))}"
    kinds = identities(roster)
    if len(kinds) > 1:
        return f"trainers compute differently, so results would depend on the deal: {kinds}"
    openings = [record for record in history if isinstance(record, RunOpened)]
    for opened in openings:
        if opened.sources and claims and opened.sources != roster.sources():
            return "the data sources changed since the run began; restore them, or start a new run"
    for opened in since_reshaped(history):
        if opened.identity and kinds and opened.identity != kinds[0]:
            return (
                f"the arithmetic changed since the run began ({opened.identity} became "
                f"{kinds[0]}); resume where it began, or start a new run"
            )
    return ""


def unlike_replayed(roster: Roster, replayed: Replay | None) -> str:
    """Say why a run cannot be replayed by these ranks.

    Args:
        roster: who is there.
        replayed: what is replayed; None: nothing.

    Returns:
        A sentence; "" if they can.
    """
    if replayed is None:
        return ""
    if replayed.sources and replayed.sources != roster.sources():
        return f"the data sources are not those of {replayed.run}; restore them to replay it"
    kinds = identities(roster)
    if replayed.identity and kinds and kinds != [replayed.identity]:
        return (
            f"{replayed.run} was trained with the arithmetic {replayed.identity}; that of these "
            f"ranks, {kinds[0]}, may give other bits, so that nothing could be proven: replay it "
            "where it was trained"
        )
    return ""


def contradiction(roster: Roster, run: RunFacts) -> str:
    """Say why these ranks cannot go on with the run, or replay another one.

    Args:
        roster: who is there.
        run: the run so far.

    Returns:
        A sentence; "" if they can.
    """
    fault = disagreement(roster, run.history)
    return fault or unlike_replayed(roster, run.replayed)


def log_before(run: RunFacts, settings: Settings) -> Log:
    """Return the hyperparameter log of the starts before.

    Args:
        run: the run so far.
        settings: the job, which a run without a log is begun with.
    """
    return run.hyperparameters or (first_hyperparameters(settings),)


def opening(
    run: RunFacts,
    roster: Roster,
    record: Record,
    settings: Settings,
    now: Seconds,
    roll_back: RollBack | None = None,
) -> RunOpened:
    """Return the record that opens an incarnation.

    Args:
        run: the run so far.
        roster: who is there.
        record: knows the incarnations before.
        settings: the job as it goes on.
        now: clock.
        roll_back: where the run goes by itself, if it does.

    Returns:
        The record to append.

    Raises:
        ConfigError: the hyperparameters cannot go on so; whoever starts a run has checked this.
    """
    step = run.back_to if run.back_to >= 0 else record.committed
    log = log_before(run, settings)
    if run.replayed is not None:
        longer = run.replayed.log
    elif roll_back is not None:
        longer = rolled_back(log, settings, roll_back)
    else:
        on = run.back_to < 0
        longer = carried_on(log, settings, step, replanned=run.replan, keeps_later=on)
    added = added_before(run)
    return RunOpened(
        time=now,
        run_id=run.run_id,
        incarnation=record.incarnation + 1,
        settings_digest=run.settings_digest,
        sources=roster.sources(),
        recipes=_recipes(run, with_added(settings, added), longer, step, roll_back),
        identity="".join(identities(roster)),
        lanes=settings.train.lanes,
        ranks=len(roster.heard),
        hyperparameters=longer,
        back_to=roll_back.back_to if roll_back is not None else run.back_to,
        roll_back=roll_back,
        added=added,
    )


def _recipes(
    run: RunFacts, settings: Settings, log: Log, step: int, roll_back: RollBack | None
) -> Recipes:
    """Return the recipe log of a run that goes on at a step under a hyperparameter log."""
    course = course_of(settings, log)
    held = run.recipes or begun_recipes(settings, course)
    if run.replayed is not None:
        return run.replayed.recipes or held
    if roll_back is not None:
        return passed_over(held, settings, course, roll_back)
    if run.back_to >= 0:
        return went_back(held, settings, course, run.back_to)
    return moved(held, settings, course, step)
