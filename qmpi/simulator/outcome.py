"""How a simulated run ended."""

from msgspec import Struct

from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.status import EndMarker, StatusReport


class Outcome(Struct, frozen=True, kw_only=True):
    """How a simulated run ended.

    Attributes:
        state: "finished", "stopped" or "failed" as in the end marker; "given up" when no relaunch
        is
            allowed; "violated" when an invariant broke; "unfinished" when time or events ran out.
        violation: what broke, and the story; "" otherwise.
        expected_digest: final weight digest of an undisturbed run.
        trace_digest: of all events.
        redone: committed steps that were done again.
        evaluations: that were made and stand.
        evaluations_missed: that were due and are missing.
        skipped: committed steps whose update was skipped.
        changes: of what steps are trained with, made while a job ran.
        spikes: committed steps whose update was left out as a spike.
        roll_backs: times that the run went back by itself.
        recipes: records of the recipe log in the end.
        time: virtual seconds.
        events: actions of the agenda.
    """

    state: str
    end: EndMarker | None
    journal: tuple[JournalRecord, ...]
    status: StatusReport | None
    violation: str
    expected_digest: str
    trace_digest: str
    committed: int
    redone: int
    generations: int
    incarnations: int
    failures: int
    skipped: int
    spikes: int
    roll_backs: int
    changes: int
    recipes: int
    evaluations: int
    evaluations_missed: int
    time: float
    events: int

    @property
    def same_weights(self) -> bool:
        """True if the run finished with the weights of an undisturbed one."""
        return self.end is not None and self.end.digest == self.expected_digest
