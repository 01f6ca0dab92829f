"""Torch work of a trainer or spare, on the engine thread; aborted from the loop's thread.

Theory of operation. Each piece of engine work has a ticket. `abort` condemns every ticket issued so
far, so an abort that arrives before the thread picks the work up is not lost, and one that arrives
too late does not strike the next group's work. Groups that a dead peer has left stuck go to a
graveyard inside `Comm`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec.structs

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError, PeerLost
from qmpi.ports.base import Frame
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    EngineAborted,
    EngineReady,
    GroupJoined,
    JoinGroup,
    RunStep,
    StepApplied,
)
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Digest, Generation, Step

if TYPE_CHECKING:
    from qmpi.training.comm import Comm, Store
    from qmpi.training.engine import Engine, StepOutcome

JOIN_SECONDS = 60.0
"""Time-out of a rendezvous: the last resort, since a dead member is heard of and aborts it."""

Taken = Callable[[Step, Digest, Sequence[Frame]], SnapshotTaken | SnapshotBroken]


class EngineService:
    """The engine of one process; a promoted spare keeps it."""

    def __init__(
        self,
        settings: Settings,
        host: str,
        clock: Callable[[], float],
        payload: Callable[[str], memoryview],
    ) -> None:
        """Load nothing yet.

        Args:
            settings: the job.
            host: address under which other ranks reach this host.
            clock: seconds; used for step times only.
            payload: reads the verified payload of a snapshot file.
        """
        self._settings = settings
        self._host = host
        self._clock = clock
        self._payload = payload
        self._issued = 0
        self._current = 0
        self._condemned = 0
        self._reason = ""
        self._engine: Engine | None = None
        self._store: Store | None = None
        self._address = ""
        self._identity = ""

    def ticket(self) -> int:
        """Issue the ticket of the next piece of work.

        Returns:
            Its number.
        """
        self._issued += 1
        return self._issued

    def abort(self, reason: str) -> None:
        """Condemn all work issued so far.

        Args:
            reason: why, in words.
        """
        self._reason = reason
        self._condemned = self._issued

    def aborted(self) -> str | None:
        """Return why the work in hand shall end, or None."""
        return self._reason if self._current <= self._condemned else None

    def prepare(self, find: Callable[[], tuple[SnapshotFact, ...]]) -> EngineReady:
        """Load torch, build the model and open the rendezvous store, once a process.

        Args:
            find: looks up the snapshots within reach.

        Returns:
            What the rank brings as a trainer.
        """
        if self._engine is None:
            from qmpi.training.comm import open_store
            from qmpi.training.engine import Engine

            self._engine = Engine(self._settings, self._clock, self.aborted)
            self._identity = self._engine.identity()
            self._store, self._address = open_store(self._host)
            self._engine.warm_up()
        return EngineReady(self._identity, self._address, find())

    def join(self, work: JoinGroup, ticket: int) -> GroupJoined | EngineAborted:
        """Connect to the group and reach its state.

        Args:
            work: the group, and what this member does first.
            ticket: for `abort`.

        Returns:
            Joined, or what is held after giving up.

        Raises:
            InvariantError: the group did not bring this member to its step.
        """
        engine = self._ready(ticket)
        finished = None
        try:
            engine.leave()
            if work.finish:
                finished = self._outcome(work.generation, engine.apply_held())
            self._reach(engine, work)
            engine.join(self._connect(work))
            if work.needy:
                engine.sync_state(work.state_root, work.needy)
        except PeerLost as error:
            aborted = self._aborted(engine, work.generation, str(error))
            return msgspec.structs.replace(aborted, finished=finished)
        if engine.state_step != work.step:
            raise InvariantError(
                f"generation {work.generation} starts with step {work.step}, "
                f"but this member holds step {engine.state_step}"
            )
        return GroupJoined(work.generation, work.step, finished)

    def run(self, work: RunStep, ticket: int) -> StepApplied | EngineAborted:
        """Compute, reduce, vote, apply.

        Args:
            work: step, lanes and blocks.
            ticket: for `abort`.

        Returns:
            The step, or what is held after giving up.
        """
        engine = self._ready(ticket)
        try:
            outcome = engine.run_step(
                work.step, work.lanes, work.blocks, work.digests, digest_due=work.digest_due
            )
        except PeerLost as error:
            return self._aborted(engine, work.generation, str(error))
        return self._outcome(work.generation, outcome)

    def copy(self, step: Step, take: Taken) -> SnapshotTaken | SnapshotBroken:
        """Copy the state and hand it on.

        Args:
            step: the state must be that before this step.
            take: writes the copy.

        Returns:
            What `take` says.
        """
        engine = self._engine
        if engine is None or engine.state_step != step:
            return SnapshotBroken(step, "the engine has moved on")
        digest, parts = engine.snapshot()
        return take(step, digest, parts)

    def _ready(self, ticket: int) -> "Engine":
        self._current = ticket
        if self._engine is None:
            raise InvariantError("engine work before PrepareEngine")
        return self._engine

    def _connect(self, work: JoinGroup) -> "Comm":
        from qmpi.training.comm import Comm, connect_store

        store = self._store
        if not work.is_lead and work.size > 1:
            store = connect_store(work.store_address, JOIN_SECONDS, self.aborted)
        return Comm(
            store=store,
            generation=int(work.generation),
            index=work.index,
            size=work.size,
            timeout_seconds=JOIN_SECONDS,
            aborted=self.aborted,
        )

    def _reach(self, engine: "Engine", work: JoinGroup) -> None:
        if work.origin == "initial":
            engine.initialise()
        elif work.origin != "live" and work.index == work.state_root:
            engine.load_snapshot(work.step, self._payload(work.origin))

    def _outcome(self, generation: Generation, outcome: "StepOutcome") -> StepApplied:
        return StepApplied(
            generation=generation,
            step=Step(outcome.step),
            lane_losses=tuple(outcome.lane_losses),
            block_digests=tuple(Digest(digest) for digest in outcome.block_digests),
            gradient_norm=outcome.gradient_norm,
            learning_rate=outcome.learning_rate,
            weight_digest=Digest(outcome.weight_digest),
            seconds=outcome.seconds,
            redone=outcome.redone,
        )

    @staticmethod
    def _aborted(engine: "Engine", generation: Generation, reason: str) -> EngineAborted:
        return EngineAborted(generation, engine.state_step, engine.holds_reduced, reason)
