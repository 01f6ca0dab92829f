"""Failures as they are noted and answered. Part of the coordinator.

Invariants: every failure that is answered stands in the journal with what was done about it; a
place that refuses copies again and again is named once, until it takes one.
"""

from collections.abc import Sequence
from shlex import quote

from qmpi.config.settings import Settings
from qmpi.errors import OutOfMemory
from qmpi.policy.hyperparameters import Log, bends
from qmpi.ports.base import Effect
from qmpi.ports.books import AppendJournal
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.journal import (
    FailureSeen,
    JournalRecord,
    RunEnded,
    RunOpened,
    RunReshaped,
)
from qmpi.protocol.snapshots import SnapshotFailed
from qmpi.roles.coordinator.crew import Crew
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.record import Record
from qmpi.roles.reports import ranks_text
from qmpi.units import Rank, Seconds, Step

LEAVE_AGAIN = "leave, to be started again"
"""What is done where the coordinator itself gives a start up."""

STARVED = "stop, since another start would end alike"

NOBODY = "no rank is left that can train"

LAST_COPY_TRIES = 3
"""How often the last checkpoint may fail before the run does."""


class Failures:
    """What failed so far, as far as later decisions hang on it.

    Attributes:
        is_leaving: a death that was noted says already that this start is over.
    """

    def __init__(self, record: Record, crew: Crew) -> None:
        """Nothing has failed yet.

        Args:
            record: takes them in.
            crew: knows the cures.
        """
        self.record = record
        self.crew = crew
        self.is_leaving = False
        self.last_copies_failed = 0
        self._refusing: set[Rank] = set()
        self._begun_at, self._last_death = record.committed, ""

    def died(
        self, rank: Rank, roles: list[RoleName], reason: str, now: Seconds, *, was_last: bool
    ) -> list[Effect]:
        """Note a death.

        Args:
            rank: who.
            roles: what it played.
            reason: how it is known.
            now: clock.
            was_last: too few ranks are left that can train, so this start is over.

        Returns:
            The record.
        """
        self._last_death = reason
        what = f"{ranks_text([rank])} ({', '.join(roles)}) died"
        action = self.crew.cure(roles)
        if was_last:
            self.is_leaving = not self.starved
            action = f"{STARVED if self.starved else LEAVE_AGAIN}: {NOBODY}"
        return self.note(now, (rank,), what, action, reason)

    @property
    def starved(self) -> str:
        """Why another start would end as this one does: "" if it may not.

        The last rank to die had no memory for a step, and no step was committed in this start.
        """
        stands_still = self.record.committed <= self._begun_at
        out_of_memory = self._last_death.startswith(f"{OutOfMemory.__name__}: ")
        return self._last_death if stands_still and out_of_memory else ""

    def left_out(self, run: RunFacts, now: Seconds) -> list[Effect]:
        """Note the hosts that this start had to do without.

        Args:
            run: which, and why.
            now: clock.

        Returns:
            One record for each reason.
        """
        action = f"start {self.record.incarnation} goes on with {len(run.hosts)} ranks elsewhere"
        parted = (told.partition(": ") for told in run.left_out)
        records = [
            self.note(now, (), what, action, reason or "it did not answer")
            for what, _, reason in parted
        ]
        return [effect for record in records for effect in record]

    def copy_missing(self, rank: Rank, failed: SnapshotFailed, now: Seconds) -> list[Effect]:
        """Note a copy that could not be kept, and without which the run goes on.

        Args:
            rank: who could not keep it.
            failed: which copy, and why.
            now: clock.

        Returns:
            The record; nothing if only its place in RAM refused, as it did before.
        """
        in_ram = failed.place == "ram"
        if in_ram and rank in self._refusing:
            return []
        what = f"the copy of step {failed.step} on {ranks_text([rank])} failed"
        action = "go on without it"
        if in_ram:
            self._refusing.add(rank)
            what = f"{ranks_text([rank])} cannot keep copies in RAM"
            action = "checkpoints go to disk all the same; a relaunch has those alone"
        return self.note(now, (rank,), what, action, failed.reason)

    def last_copy_failed(
        self, rank: Rank, failed: SnapshotFailed, now: Seconds
    ) -> tuple[bool, list[Effect]]:
        """Note that the one copy failed that the end of the run waits for.

        Args:
            rank: who could not keep it.
            failed: which copy, and why.
            now: clock.

        Returns:
            Whether to try again, and the record.
        """
        self.last_copies_failed += 1
        again = self.last_copies_failed < LAST_COPY_TRIES
        what = f"the copy of step {failed.step} on {ranks_text([rank])} failed"
        action = "copy it again" if again else "stop: the last checkpoint cannot be written"
        return again, self.note(now, (rank,), what, action, failed.reason)

    def nothing_readable(self, run: RunFacts, ahead: Sequence[Step] = ()) -> str:
        """Say that a run with checkpoints would begin anew.

        Args:
            run: names the checkpoints that are there, whole or not.
            ahead: steps of whole snapshots that the journal does not reach.

        Returns:
            Text for people; names the files, and what can be done.
        """
        again = "or begin again at step 0 with `qmpi train --resume RUN --from-scratch`"
        if ahead:
            steps = ", ".join(map(str, ahead))
            return (
                f"the journal ends at step {self.record.committed}, but whole snapshots are of "
                f"step {steps}: it has lost its end, and nothing tells how they came about; bring "
                f"the whole journal back, {again}"
            )
        files = "; ".join(run.checkpoints) or "there is no checkpoint any more"
        return (
            f"{self._lost()} ({files}; the newest that was written is of step "
            f"{self.record.checkpointed}); put whole ones into its checkpoints/, {again}"
        )

    def begun_anew(self, run: RunFacts, now: Seconds) -> list[Effect]:
        """Note that a run begins from the initial weights although steps are committed.

        Args:
            run: says whether the user insists.
            now: clock.

        Returns:
            The record; none where the run has just gone back by itself to a step from before any
            copy, which its opening tells.
        """
        backs = self.record.roll_backs
        if backs and backs[-1].back_to == self.record.committed:
            return []
        insists = run.from_scratch and self.record.checkpointed
        why = "as the user insists" if insists else "no checkpoint was written yet"
        return self.note(now, (), self._lost(), "begin again at step 0", why)

    def no_way_back(self, run: RunFacts, steps: Sequence[Step]) -> str:
        """Say that no state is left from before the step that the user goes back to.

        Args:
            run: which step.
            steps: of the whole snapshots that are there.

        Returns:
            Text for people.
        """
        there = ", ".join(map(str, sorted(set(steps)))) or "none"
        return (
            f"--back-to {run.back_to}: there is no snapshot of that step or an earlier one; there "
            f"are snapshots of steps: {there}. Go back to one of these, or to 0"
        )

    def left_out_updates(
        self, run: RunFacts, settings: Settings, log: Log, steps: Sequence[Step]
    ) -> list[str]:
        """Say at the end which updates were left out, and how a run is rescued by it.

        Args:
            run: as in `rescue`, and all others too.
            settings: of the job.
            log: the hyperparameter log.
            steps: of the snapshots that are there.

        Returns:
            Clauses for people.
        """
        record = self.record
        spikes = len(record.outcomes.spikes)
        told = [f"{spikes} of {record.committed} updates were left out as spikes"] if spikes else []
        if not record.skips:
            return told
        skipped = f"{len(record.skips)} of {record.committed} updates were skipped"
        return [skipped, *told, *filter(None, [self.rescue(run, settings, log, steps)])]

    def rescue(self, run: RunFacts, settings: Settings, log: Log, steps: Sequence[Step]) -> str:
        """Say how a run is rescued whose last updates were all skipped.

        Args:
            run: its directory.
            settings: of the job, with the learning rate that it was trained with.
            log: the hyperparameter log; empty: nothing has changed yet.
            steps: of the snapshots that are there.

        Returns:
            Text for people; "" if the last update was not skipped.
        """
        row = self.record.skipped_in_a_row
        if not row:
            return ""
        trouble = self.record.committed - row
        sound = [step for step in steps if step < trouble] or [s for s in steps if s == trouble]
        back = max(sound, default=Step(0))
        anew = " --replan" if bends(log, settings, back) else ""
        return (
            f"the last {row} updates were skipped, from step {trouble} on; go back to before that "
            f"with `qmpi train --resume {quote(run.directory)} --back-to {back}{anew} "
            f"--set optimizer.learning_rate={0.5 * settings.optimizer.learning_rate:.3g}`"
        )

    def died_before(self, run: RunFacts, now: Seconds) -> list[Effect]:
        """Note that the start before this one died, if it has not said itself why it left.

        Args:
            run: its history, and what the supervisor knows.
            now: clock.

        Returns:
            The record, or nothing.
        """
        if not _broke_off(run.history):
            return []
        before = self.record.incarnation - 1
        what = f"start {before} of the job died after step {self.record.committed}"
        action = (
            f"the job was started again, as start {before + 1}; it goes on from the newest "
            "snapshot that is whole"
        )
        why = run.died or "it left no end marker: its coordinator, mpirun or its host went down"
        return self.note(now, (), what, action, why)

    def _lost(self) -> str:
        steps = self.record.committed
        return f"the run has {steps} committed steps, but no snapshot of them can be read"

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
        return [AppendJournal((self.record.fail(now, ranks, what, action, reason),))]


def _broke_off(history: Sequence[JournalRecord]) -> bool:
    """Return whether the newest incarnation has said nothing of its end."""
    for record in reversed(history):
        match record:
            case RunEnded() | RunReshaped():
                return False
            case FailureSeen(action=action) if _leaves(action):
                return False
            case RunOpened():
                return True
            case _:
                continue
    return False


def _leaves(action: str) -> bool:
    return action == LEAVE_AGAIN or action.startswith(f"{LEAVE_AGAIN}: ")
