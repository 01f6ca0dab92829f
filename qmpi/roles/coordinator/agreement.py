"""Do the ranks, and the run's past, agree on data and arithmetic? Checked before the first group.

What a lane computes must not depend on who computes it, and step s must see the same rows in every
incarnation. A run that cannot promise both does not start.
"""

from collections.abc import Sequence

from qmpi.config.settings import Settings
from qmpi.policy.hyperparameters import carried_on, first_hyperparameters
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.journal import JournalRecord, RunOpened
from qmpi.protocol.replay import Replay
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
    for opened in history:
        if not isinstance(opened, RunOpened):
            continue
        if opened.sources and claims and opened.sources != roster.sources():
            return "the data sources changed since the run began; restore them, or start a new run"
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


def opening(
    run: RunFacts, roster: Roster, record: Record, settings: Settings, now: Seconds
) -> RunOpened:
    """Return the record that opens an incarnation.

    Args:
        run: the run so far.
        roster: who is there.
        record: knows the incarnations before.
        settings: the job as it goes on.
        now: clock.

    Returns:
        The record to append.

    Raises:
        ConfigError: the hyperparameters cannot go on so; whoever starts a run has checked this.
    """
    step = run.back_to if run.back_to >= 0 else record.committed
    log = run.hyperparameters or (first_hyperparameters(settings),)
    return RunOpened(
        time=now,
        run_id=run.run_id,
        incarnation=record.incarnation + 1,
        settings_digest=run.settings_digest,
        sources=roster.sources(),
        recipes=run.recipes,
        identity="".join(identities(roster)),
        lanes=settings.train.lanes,
        ranks=len(roster.heard),
        hyperparameters=carried_on(log, settings, step, replanned=run.replan)
        if run.replayed is None
        else run.replayed.log,
        back_to=run.back_to,
    )
