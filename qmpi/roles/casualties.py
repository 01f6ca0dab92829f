"""Failures as they are noted and answered. Part of the coordinator.

Invariants: every failure that is answered stands in the journal with what was done about it.
"""

from typing import Literal

from qmpi.policy.recovery import INITIAL, GroupPlan
from qmpi.protocol.envelope import RoleName
from qmpi.roles.crew import Crew
from qmpi.roles.interface import AppendJournal, Effect
from qmpi.roles.ledger import Ledger, ranks_text
from qmpi.roles.run_facts import RunFacts
from qmpi.units import Rank, Seconds, Step

LAST_COPY_TRIES = 3
"""How often the last checkpoint may fail before the run does."""

Verdict = Literal["go on", "again", "stop"]

ACTIONS: dict[Verdict, str] = {
    "go on": "go on without it",
    "again": "copy it again",
    "stop": "stop: the last checkpoint cannot be written",
}


class Casualties:
    """What failed so far, as far as later decisions hang on it."""

    def __init__(self, ledger: Ledger, crew: Crew) -> None:
        """Nothing has failed yet.

        Args:
            ledger: takes the records.
            crew: knows the cures.
        """
        self.ledger = ledger
        self.crew = crew
        self.last_copies_failed = 0

    def died(self, rank: Rank, roles: list[RoleName], reason: str, now: Seconds) -> list[Effect]:
        """Note a death.

        Args:
            rank: who.
            roles: what it played.
            reason: how it is known.
            now: clock.

        Returns:
            The record.
        """
        what = f"{ranks_text([rank])} ({', '.join(roles)}) died"
        return self.note(now, (rank,), what, self.crew.cure(roles), reason)

    def copy_failed(
        self, rank: Rank, step: Step, reason: str, now: Seconds, *, is_last: bool
    ) -> tuple[Verdict, list[Effect]]:
        """Note a copy that could not be kept.

        Args:
            rank: who could not keep it.
            step: of the copy.
            reason: why.
            now: clock.
            is_last: the run has ended but for this copy; an older one nobody needs.

        Returns:
            What to do, and the record.
        """
        self.last_copies_failed += is_last
        again: Verdict = "again" if self.last_copies_failed < LAST_COPY_TRIES else "stop"
        verdict: Verdict = again if is_last else "go on"
        what = f"the copy of step {step} on {ranks_text([rank])} failed"
        return verdict, self.note(now, (rank,), what, ACTIONS[verdict], reason)

    def state_lost(self, run: RunFacts, plan: GroupPlan, now: Seconds) -> tuple[str, list[Effect]]:
        """Judge a plan that begins from the initial weights although steps are committed.

        Copies in RAM may go with their hosts; a checkpoint that was on disk is not given up
        silently.

        Args:
            run: the run so far.
            plan: of the next group.
            now: clock.

        Returns:
            Why the run must not go on so, "" if it may; and the record.
        """
        steps = self.ledger.committed
        if plan.origin != INITIAL or not steps:
            return "", []
        lost = f"the run has {steps} committed steps, but none of its snapshots can be read"
        if self.ledger.checkpointed and not run.from_scratch:
            named = ", ".join(run.checkpoints)
            files = f"damaged: {named}" if named else "there is no checkpoint any more"
            return (
                f"{lost} ({files}); put whole ones into its checkpoints/, or begin again at step 0 "
                "with `qmpi train --resume RUN --from-scratch`",
                [],
            )
        wanted = "as the user insists" if run.from_scratch else "no checkpoint was written yet"
        return "", self.note(now, (), lost, "begin again at step 0", wanted)

    def note(
        self, now: Seconds, ranks: tuple[Rank, ...], what: str, action: str, reason: str
    ) -> list[Effect]:
        """Note a failure.

        Args:
            now: clock.
            ranks: whose.
            what: in words.
            action: what is done about it.
            reason: how it is known.

        Returns:
            The record.
        """
        return [AppendJournal((self.ledger.fail(now, ranks, what, action, reason),))]
