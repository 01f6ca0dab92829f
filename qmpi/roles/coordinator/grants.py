"""Which steps trainers may apply, and which of them are copied. Part of the coordinator.

Theory of operation. Steps are granted ahead of the last commit, which hides the trip to the
coordinator; how far ahead bounds what a stop must wait for. A grant names the snapshot and
checkpoint steps in it, so that trainers need no schedule of their own and a stop can add one.

Invariants: `granted` <= `end`; `end` only falls.
"""

from collections.abc import Iterable

from qmpi.config.batch import LEAD_STEPS
from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.hyperparameters import Log
from qmpi.policy.snapshot_schedule import is_checkpoint, snapshot_steps
from qmpi.ports.base import Effect
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address
from qmpi.protocol.progress import Grant
from qmpi.units import Generation, Step

GRANT_STEPS = LEAD_STEPS
"""Steps granted ahead of the last commit; what changes on the way changes no earlier than these."""


class Grants:
    """The window of granted steps.

    Attributes:
        changed: the hyperparameter log, if it has changed since the group was formed; else empty.
        furthest: first step that no group was granted.
        revision: of the directory that has the recipes of what is granted.
    """

    def __init__(self, settings: Settings) -> None:
        """Start with nothing granted.

        Args:
            settings: the job.
        """
        self.snapshot = settings.snapshot
        self.end = Step(settings.train.steps)
        self.granted = self.furthest = Step(0)
        self.changed: Log = ()
        self.revision = 0

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        if self.granted > self.end:
            raise InvariantError(f"granted {self.granted} beyond the end {self.end}")

    def stop(self, committed: Step) -> Step:
        """Let the run end as soon as what is granted is done.

        Args:
            committed: steps in the weights.

        Returns:
            The step at which it ends.
        """
        self.end = Step(min(self.end, max(self.granted, committed)))
        self.granted = Step(0)
        return self.end

    def halt(self, committed: Step) -> None:
        """Let the run end with what is committed: no member goes on.

        Args:
            committed: steps in the weights.
        """
        self.end = Step(min(self.end, committed))
        self.granted = Step(0)

    def first(
        self, generation: Generation, members: Iterable[Address], committed: Step
    ) -> list[Effect]:
        """Grant a new group its first steps.

        Args:
            generation: the group.
            members: its trainers.
            committed: steps in the weights.

        Returns:
            A message for each member.
        """
        self.granted, self.changed = Step(0), ()
        return self.extend(generation, members, committed)

    def extend(
        self, generation: Generation, members: Iterable[Address], committed: Step
    ) -> list[Effect]:
        """Move the window on, half of it at a time: few messages, never an idle trainer.

        Args:
            generation: the group.
            members: its trainers.
            committed: steps in the weights.

        Returns:
            A message for each member, or nothing.
        """
        until = Step(min(committed + GRANT_STEPS, self.end))
        fresh = until - self.granted
        if fresh <= 0 or (until < self.end and fresh < GRANT_STEPS // 2):
            return []
        self.granted = until
        self.furthest = max(self.furthest, until)
        due = snapshot_steps(committed, until, self.snapshot.every_steps, self.end)
        every = self.snapshot.disk_every_steps
        to_disk = tuple(s for s in due if is_checkpoint(Step(s), every, self.end))
        grant = Grant(generation, until, due, to_disk, self.changed, self.revision)
        return [Send(member, grant) for member in members]
