"""Copies of the state that the lead team takes and offers; part of the trainer's state machine.

Theory of operation. At a snapshot step each rank of one team copies its part of the state to a
node-local RAM file and offers it to every replica, which pulls it. When a checkpoint is due and no
replica lives, the rank writes it to disk itself; so it does when RAM refuses the copy. That is
slower for the step, but a checkpoint is never silently left out.

Invariants: `on_disk_wanted` is the newest checkpoint step that nobody has confirmed yet;
`_meant_for_disk` is about the copy of step `taken`.
"""

from collections.abc import Callable, Sequence

from qmpi.config.settings import Settings
from qmpi.ports.base import Effect, Event
from qmpi.ports.copies import (
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    SnapshotTaken,
    StoreSnapshot,
)
from qmpi.ports.engine import GiveMoments, TakeSnapshot
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import FormGroup, SnapshotFact
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import Grant
from qmpi.protocol.snapshots import (
    SnapshotFailed,
    SnapshotGone,
    SnapshotHeld,
    SnapshotOffer,
    SnapshotPart,
    SnapshotPull,
)
from qmpi.units import Bytes, Generation, Rank, Step

PART_BYTES = Bytes(8 << 20)
"""A part costs far more to move than to ask for, and two of them bound a receiver."""


class Copies:
    """What a trainer knows of copies of its state."""

    def __init__(self, settings: Settings) -> None:
        """Start with none.

        Args:
            settings: the job.
        """
        self.most_known = 2 * settings.snapshot.keep * settings.parallel.team_size
        self.known: tuple[SnapshotFact, ...] = ()
        self.taken: Step | None = None
        self.on_disk_wanted: Step | None = None
        self.sizes: dict[Step, Bytes] = {}
        self._checkpoints: tuple[int, ...] = ()
        self._meant_for_disk = False
        self._together: tuple[int, int] = (0, -1)

    def due(
        self,
        step: Step,
        grant: Grant,
        generation: Generation,
        branch: int = 0,
        replicas: Sequence[Rank] = (),
    ) -> list[Effect]:
        """Take a snapshot if one is due at `step`.

        Args:
            step: the state is that before this step.
            grant: the grant in force.
            generation: the group's generation; a grant of another one is not followed.
            branch: the group's.
            replicas: live replicas.

        Returns:
            `TakeSnapshot`, once a step. Of a copy that a later grant makes a checkpoint, as a stop
            does, the way to disk.
        """
        if grant.generation != generation or step not in grant.snapshot_steps:
            return []
        self._checkpoints = grant.checkpoint_steps
        if self.taken == step and any(f.step == step for f in self.known):
            return self._now_to_disk(step, replicas)
        self.taken, self._meant_for_disk = step, step in grant.checkpoint_steps
        return [TakeSnapshot(step, to_disk=step in grant.checkpoint_steps, branch=branch)]

    def due_together(
        self,
        step: Step,
        grant: Grant,
        form: FormGroup,
        replicas: Sequence[Rank],
    ) -> list[Effect]:
        """Take part in a snapshot that the members of a line take together, if one is due.

        A snapshot step is named by the grant of every member that comes to it, so all take part;
        once in a generation, whatever became of it.

        Args:
            step: the state is that before this step.
            grant: the grant in force.
            form: the group; a grant of another one is not followed. One of its members at a
                position keeps the copy, the others give what it lacks.
            replicas: live replicas.

        Returns:
            The work, once a step of a generation; later, as of `due`, the way to disk.
        """
        generation = form.generation
        if grant.generation != generation or step not in grant.snapshot_steps:
            return []
        self._checkpoints = grant.checkpoint_steps
        if self._together == (generation, step):
            is_kept = self.taken == step and any(f.step == step for f in self.known)
            return self._now_to_disk(step, replicas) if is_kept else []
        self._together = generation, step
        if not form.keeps_copy:
            return [GiveMoments(generation, step)]
        self.taken, self._meant_for_disk = step, step in grant.checkpoint_steps
        return [TakeSnapshot(step, self._meant_for_disk, form.branch, generation)]

    def _now_to_disk(self, step: Step, replicas: Sequence[Rank]) -> list[Effect]:
        if self._meant_for_disk or step not in self._checkpoints:
            return []
        self._meant_for_disk, self.on_disk_wanted = True, step
        return self.retarget(replicas)

    def on_event(
        self,
        event: Event,
        replicas: Sequence[Rank],
        tell: Callable[[Message], Effect],
    ) -> list[Effect]:
        """Follow up on copying work.

        Args:
            event: result of `TakeSnapshot`, `StoreSnapshot` or `ReadSnapshotPart`.
            replicas: live replicas.
            tell: makes a message to the coordinator.

        Returns:
            Reports, offers, parts.
        """
        match event:
            case SnapshotTaken(fact, size, fault):
                return [*_told(tell, fact, fault), *self._taken(fact, size, replicas, tell)]
            case SnapshotStored(facts, fault):
                self._remember(facts)
                self.held_elsewhere(facts)
                return [*_told(tell, facts[0], fault), tell(SnapshotHeld(facts))]
            case SnapshotRead(requester, step, part, frame, position):
                return [Send(requester, SnapshotPart(step, part, position), (frame,))]
            case SnapshotBroken(step, reason, position, place):
                self.forget(step)
                # A replica that pulls it would wait for the next part for ever.
                gone = SnapshotGone(step, position)
                lost = [Send(Address(rank, RoleName.REPLICA), gone) for rank in replicas]
                return [tell(SnapshotFailed(step, reason, position, place)), *lost]
            case _:
                return []

    def _taken(
        self,
        fact: SnapshotFact,
        size: Bytes,
        replicas: Sequence[Rank],
        tell: Callable[[Message], Effect],
    ) -> list[Effect]:
        self.sizes[fact.step] = size
        self._remember((fact,))
        if fact.step in self._checkpoints and fact.place == "ram":
            self.on_disk_wanted = fact.step
        return [tell(SnapshotHeld((fact,))), *self._offer(fact, replicas)]

    def pulled(self, by: Address, pull: SnapshotPull) -> list[Effect]:
        """Serve one part.

        Args:
            by: the replica.
            pull: which part of which snapshot.

        Returns:
            The read, or word that the snapshot is gone.
        """
        step, part, position = pull.step, pull.part, pull.position
        for fact in self.known:
            if (fact.step, fact.position) == (step, position) and step in self.sizes:
                return [ReadSnapshotPart(by, step, part, PART_BYTES, fact.path, position)]
        return [Send(by, SnapshotGone(step, position))]

    def held_elsewhere(self, facts: Sequence[SnapshotFact]) -> None:
        """Note that somebody has copies.

        Args:
            facts: verified copies.
        """
        if any(f.place == "disk" and f.step == self.on_disk_wanted for f in facts):
            self.on_disk_wanted = None

    def forget(self, step: Step) -> None:
        """Give up our own copy of a step: it cannot be read, or is not what its digest says.

        Args:
            step: of the snapshot; it is taken again if a later grant names it.
        """
        self.taken = None
        self.known = tuple(f for f in self.known if f.step != step or f.place == "disk")
        if self.on_disk_wanted == step:
            self.on_disk_wanted = None

    def retarget(self, replicas: Sequence[Rank]) -> list[Effect]:
        """Offer the checkpoint that nobody has confirmed to the replicas that live now.

        Args:
            replicas: live replicas.

        Returns:
            Offers, or a write of our own.
        """
        for fact in self.known:
            if fact.step == self.on_disk_wanted and fact.place == "ram" and fact.step in self.sizes:
                return self._offer(fact, replicas)
        return []

    def _offer(self, fact: SnapshotFact, replicas: Sequence[Rank]) -> list[Effect]:
        to_disk = self.on_disk_wanted == fact.step
        if not replicas:
            if not to_disk:
                return []
            return [_to_disk(fact)]
        # One replica writes to disk; all keep a RAM copy.
        return [
            Send(
                Address(rank, RoleName.REPLICA),
                SnapshotOffer(
                    fact.step,
                    fact.digest,
                    self.sizes[fact.step],
                    PART_BYTES,
                    to_disk=to_disk and rank == replicas[0],
                    position=fact.position,
                    branch=fact.branch,
                    skipped=fact.skipped,
                ),
            )
            for rank in replicas
        ]

    def _remember(self, facts: Sequence[SnapshotFact]) -> None:
        fresh = {(f.step, f.place, f.position): f for f in (*self.known, *facts)}
        # What a branch that was given up has left may be of later steps.
        newest = sorted(fresh.values(), key=lambda f: (f.branch, f.step), reverse=True)
        self.known = tuple(newest[: self.most_known])
        steps = {f.step for f in self.known}
        self.sizes = {s: size for s, size in self.sizes.items() if s in steps}


def _told(tell: Callable[[Message], Effect], fact: SnapshotFact, fault: str) -> list[Effect]:
    """Return word of a place that refused, although another has taken the copy."""
    if not fault:
        return []
    place = "ram" if fact.place == "disk" else ""
    return [tell(SnapshotFailed(fact.step, fault, fact.position, place))]


def _to_disk(fact: SnapshotFact) -> Effect:
    return StoreSnapshot(
        fact.step,
        fact.digest,
        (),
        fact.path,
        to_ram=False,
        to_disk=True,
        position=fact.position,
        branch=fact.branch,
        skipped=fact.skipped,
    )
