"""Engine: the torch side of a trainer or spare. One piece of work at a time, in the order asked.

Promises, held by one conformance suite. Each piece of work ends in exactly one event. Whatever ends
`JoinGroup` or `RunStep` early says what is held: the state of `state_step`, and whether the reduced
gradient of that step is there to be applied. Nobody votes before holding the reduced gradient, and
nobody applies before all have voted. An abort condemns the joins and steps asked for before it, not
those after: work that has not begun changes nothing, work that only waits ends within a moment, a
step that all have voted for is applied. Profiles are not condemned, nor are snapshots which a
member takes by itself; those which a group takes together are.

Where lanes keep something between steps, a member holds that of the lanes which it computes, and
says which. A join brings it to who computes them next. A group whose members do not hold it of all
lanes between them is never asked to go on from a living state.

Where teams share out moments a member holds two portions of those of its position, and says which.
A join brings all to the division of their number. A step that all have voted for is applied to what
each holds; one that is cut off before it had the weights of the others still holds the step's
gradient, and the next join ends the step.

A step that finds no memory for its lanes ends early, says so, and leaves the state as it was; it
may be asked for again, with smaller microbatches or not. What a step is trained with, the size of
microbatches included, comes with the step.

A join whose own machine has no room for a connection ends early, says so, and may be asked for
again.

An evaluation reads the weights of its step and changes none; an abort condemns it like a step. What
members measure adds up to the same, however many share it.

A profile changes no weights; it ends once its steps are applied, whatever was done in between, or
when another is asked for.

Whoever waits for a peer that has died may notice, or wait on until an abort. Work that raises ends
in `WorkCrashed`, and the next still runs. Equal blocks give equal weights, on any number of members
and whatever was broken off in between.
"""

from collections.abc import Callable
from typing import Protocol

from qmpi.ports.base import Effect, Event, Reply
from qmpi.ports.data import Block
from qmpi.protocol.evaluation import Marks
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.portions import WHOLE, Portions, Spans
from qmpi.protocol.progress import UNDEFINED, ExpertLoads, SourceLoss, StepTimes
from qmpi.units import Digest, Generation, Step

Condemned = Callable[[], str | None]
"""Says why the work in hand shall end, or None; looked at while it waits."""


class EngineWork(Effect, frozen=True):
    """Work for the engine; it ends in an event."""


class PrepareEngine(EngineWork, frozen=True):
    """Load torch, build the model, open the rendezvous store; ends in `EngineReady`."""


class JoinGroup(EngineWork, frozen=True):
    """Join the group and reach the state of `step`; ends in `GroupJoined` or `EngineAborted`.

    Attributes:
        team, position: this rank's seat among `teams` teams.
        is_lead: this rank's own store is the rendezvous.
        finish: first apply the reduced gradient held (of step - 1).
        root: team whose rank at this position gives the state.
        transfer: somebody at this position receives the state, so everybody there takes part.
        receives: this rank does.
        origin: "live", "initial", or a snapshot's path; read only by the root.
        origin_digest: digest of that snapshot; "" otherwise.
        lanes: that this rank computes.
    """

    generation: Generation
    team: int
    teams: int
    position: int
    is_lead: bool
    store_address: str
    step: Step
    finish: bool
    root: int
    transfer: bool
    receives: bool
    origin: str
    origin_digest: Digest
    lanes: tuple[int, ...] = ()


class RunStep(EngineWork, frozen=True):
    """Compute the lanes, reduce, vote, apply; ends in `StepApplied` or `EngineAborted`.

    Attributes:
        lanes: lanes of this member, ascending.
        blocks: one a lane, in that order; their frames were verified on receipt.
        digest_due: report the weight digest after the step.
        hyperparameters: what the step is trained with; None: what the job says.
    """

    generation: Generation
    step: Step
    lanes: tuple[int, ...]
    blocks: tuple[Block, ...]
    digest_due: bool
    hyperparameters: Hyperparameters | None = None

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Return the digests of the blocks' ids, in the order of the lanes."""
        return tuple(block.digest for block in self.blocks)


class TakeSnapshot(EngineWork, frozen=True):
    """Copy the state of `step` to a RAM file; ends in `SnapshotTaken` or `SnapshotBroken`.

    Where teams share out moments, or lanes keep something, it may end in `CopyCutOff`, too; and if
    the RAM file is refused, the copy goes to disk in any case.

    Attributes:
        to_disk: a checkpoint is due: if the RAM file is refused, write to disk instead.
        branch: that it is made on, as in `SnapshotFact`.
        generation: of the group whose other members give what this one lacks, as they are asked by
            `GiveMoments`; 0: this one has all.
    """

    step: Step
    to_disk: bool
    branch: int = 0
    generation: Generation = Generation(0)


class GiveMoments(EngineWork, frozen=True):
    """Give what others lack of `step` to who copies it; ends in `MomentsGiven` or `CopyCutOff`.

    Every member of a line is asked for this or for `TakeSnapshot`, once a step.
    """

    generation: Generation
    step: Step


class Evaluate(EngineWork, frozen=True):
    """Measure a share of the held-out text and problems; ends in `Evaluated` or `EngineAborted`.

    Attributes:
        step: the weights are those before it.
        part: 0 <= part < parts.
        parts: members that share the evaluation.
    """

    generation: Generation
    step: Step
    part: int
    parts: int


class ProfileSteps(EngineWork, frozen=True):
    """Record what the engine does in its next steps; ends in `ProfileWritten` after them.

    Attributes:
        name: of the profile.
        steps: how many, >= 1; steps that end early do not count.
    """

    name: str
    steps: int


class AbortEngine(Effect, frozen=True):
    """End the engine's polled waits at once. The work in hand ends in its own event."""

    reason: str


class EngineReady(Event, frozen=True):
    """Result of `PrepareEngine`: torch is loaded, the store is open, snapshots were looked up.

    Attributes:
        peak_flops: FLOP/s that its matrix products reach at most; 0: not measured.
    """

    identity: str
    store_address: str
    snapshots: tuple[SnapshotFact, ...]
    peak_flops: float = 0.0


class StepApplied(Event, frozen=True):
    """Result of `RunStep`; fields as in `qmpi.protocol.progress.StepReport`.

    Its `times` leave out what the engine cannot see: waiting for blocks and for grants.
    """

    generation: Generation
    step: Step
    lane_losses: tuple[float, ...]
    block_digests: tuple[Digest, ...]
    gradient_norm: float
    learning_rate: float
    weight_digest: Digest
    seconds: float
    redone: int
    updates: int = -1
    times: StepTimes = StepTimes()
    loss_scale: float = 1.0
    spike: str = ""
    halts: bool = False
    lane_square: float = UNDEFINED
    experts: ExpertLoads | None = None
    ahead_losses: tuple[float, ...] = ()
    sources: tuple[SourceLoss, ...] = ()


class GroupJoined(Event, frozen=True):
    """Result of `JoinGroup`: connected, and the weights are those before `step`.

    Attributes:
        finished: the step that `finish` applied, if any.
        position: whose part of the state it is.
        portions: of the moments of its position that are held.
        kept: lanes whose kept part is held, that counts for `step`; empty where lanes keep nothing.
    """

    generation: Generation
    step: Step
    finished: StepApplied | None = None
    position: int = 0
    portions: Portions = WHOLE
    kept: Spans = ()


class Evaluated(Event, frozen=True):
    """Result of `Evaluate`; fields as in `qmpi.protocol.evaluation.EvaluationPart`."""

    generation: Generation
    step: Step
    part: int
    parts: int
    marks: tuple[Marks, ...]
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    fault: str = ""


class EngineAborted(Event, frozen=True):
    """`JoinGroup`, `RunStep` or `Evaluate` ended early (a peer is gone, or `AbortEngine`).

    Attributes:
        generation: of the work that ended.
        state_step: weights are those before this step; -1: no state.
        reduced: the reduced gradient of `state_step` is held, ready to apply.
        finished: the step that `JoinGroup.finish` had applied before the end; nobody else may know
            of it.
        position: whose part of the state it is: that of the seat before, while nothing was
            received at the new one.
        out_of_memory: `RunStep` had no memory for its lanes; it may have for smaller microbatches.
        own_fault: `JoinGroup` was refused a connection by this rank's own machine, not by a peer.
        portions: of the moments of its position that are held: those of the group before, or of
            this one already.
        kept: lanes whose kept part is held, whether the gradient is applied or not.
    """

    generation: Generation
    state_step: int
    reduced: bool
    reason: str
    finished: StepApplied | None = None
    position: int = 0
    out_of_memory: bool = False
    own_fault: bool = False
    portions: Portions = WHOLE
    kept: Spans = ()


class MomentsGiven(Event, frozen=True):
    """Result of `GiveMoments`."""

    step: Step


class CopyCutOff(Event, frozen=True):
    """`TakeSnapshot` or `GiveMoments` ended early: a peer is gone, or `AbortEngine`."""

    generation: Generation
    step: Step
    reason: str


class ProfileWritten(Event, frozen=True):
    """Result of `ProfileSteps`.

    Attributes:
        path: the trace; "" if none was written.
        fault: why none was, in words.
    """

    name: str
    path: str
    fault: str = ""


class Engine(Protocol):
    """The engine of one process; a promoted spare keeps it."""

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            condemned: says why this very piece shall end early, or None.
            reply: takes its event.
        """
        ...

    def nudge(self) -> None:
        """Let work that only waits look at `condemned` soon."""
        ...
