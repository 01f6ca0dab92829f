"""Who takes part: join, signs of life, roles, trainer groups, leaving."""

from msgspec import Struct

from qmpi.protocol.envelope import RoleName
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.portions import WHOLE, Portions, Spans
from qmpi.units import Digest, Generation, Rank, Step


class SnapshotFact(Struct, frozen=True):
    """A verified snapshot that a rank can read.

    Attributes:
        step: weights are those before this step.
        digest: SHA-256 of the payload.
        place: "ram" for a node-local RAM file, "disk" for a checkpoint.
        path: file on the host of the rank that reports it.
        position: whose part of the state it is, 0 <= position < team size.
        branch: times that the run had gone back to an earlier step when it was made.
        skipped: steps skipped in a row before it, since their gradient was not finite.
    """

    step: Step
    digest: Digest
    place: str
    path: str
    position: int = 0
    branch: int = 0
    skipped: int = 0


class SourceFact(Struct, frozen=True):
    """What a data source holds.

    Attributes:
        name: name of the source in the job file.
        rows: all rows (a row is sequence_tokens + 1 tokens); 0: endless.
        digest: identity of the content: of a corpus, of its packed rows, or generator version.
        held_out: rows of a corpus that training never takes.
        stretch: neighbouring rows that are held out together.
    """

    name: str
    rows: int
    digest: Digest
    held_out: int = 0
    stretch: int = 1


class Hello(Struct, frozen=True, tag="hello"):
    """A role instance is up: where it is and what it brings.

    Attributes:
        host: name of the machine.
        pid: process id on that machine.
        identity: what a trainer's arithmetic depends on (threads, dtype, kernels, versions); "" if
            no torch.
        store_address: "host:port" of the rendezvous store this rank would serve as lead; "" if no
            torch.
        snapshots: verified snapshots within its reach, newest first.
        sources: facts of the data sources, from ranks that opened them.
        peak_flops: FLOP/s that the matrix products of its engine reach at most; 0: not measured.
    """

    host: str
    pid: int
    identity: str = ""
    store_address: str = ""
    snapshots: tuple[SnapshotFact, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    peak_flops: float = 0.0


class Assign(Struct, frozen=True, tag="assign"):
    """The receiving rank takes on `role` from now on.

    Attributes:
        instead_of: role that it gives up for it; "" if none.
        reason: why, in words.
    """

    role: RoleName
    instead_of: str
    reason: str


class Regroup(Struct, frozen=True, tag="regroup"):
    """Stop at once, whatever the wait; report what you hold. Opens `generation`."""

    generation: Generation
    reason: str


class Holding(Struct, frozen=True, tag="holding"):
    """A trainer's answer to `Regroup`.

    Attributes:
        generation: that of the `Regroup` it answers.
        state_step: its weights are those before this step; -1: it has no state.
        reduced: True if it also holds the reduced gradient of step `state_step`, ready to apply.
        position: whose part of the state it holds; -1: nobody's.
        reports_from: first step whose outcome it can still report, on to `state_step`; equal to
            that if none.
        snapshots: verified snapshots within its reach.
        portions: of the moments of its position that it holds; all, unless teams share them out.
        kept: runs of the lanes whose kept part it holds, which counts for `state_step`, and for the
            step behind it if `reduced`; empty where lanes keep nothing.
    """

    generation: Generation
    state_step: int
    reduced: bool
    position: int
    reports_from: int
    snapshots: tuple[SnapshotFact, ...] = ()
    portions: Portions = WHOLE
    kept: Spans = ()


class FormGroup(Struct, frozen=True, tag="form_group"):
    """A member's seat in the new generation, and what it does first.

    Each member is told its own part only: what all are told would grow with the square of them.

    Attributes:
        generation: number of the group.
        team: team of this member, 0 <= team < teams.
        teams: number of teams.
        position: seat within the team.
        lanes: lanes of its team.
        lead: member whose store is used for the rendezvous.
        store_address: "host:port" of that store.
        step: step the group starts with.
        finish: first apply the gradient held, of `step - 1`.
        root: team whose rank at this position gives the state of `step`.
        transfer: somebody at this position receives it, so all there take part.
        receives: this member does.
        origin: where the root takes the state from: "live", "initial", or a snapshot's path.
        origin_digest: digest of that snapshot; "" otherwise.
        reports_from: this member reports steps, first those from this one on; -1: another does.
        keeps_copy: this member takes the snapshots of its position.
        reason: why, in words.
        hyperparameters: the hyperparameter log; empty: what the job says holds for all steps.
        branch: times that the run has gone back to an earlier step.
        evaluated: evaluations due before steps up to this one are done, or given up.
        replays: the run goes by the records of another one: no spike stops it, and microbatches are
            as that run had them.
        revision: of the oldest directory that has the recipes of the first steps.
    """

    generation: Generation
    team: int
    teams: int
    position: int
    lanes: tuple[int, ...]
    lead: Rank
    store_address: str
    step: Step
    finish: bool
    root: int
    transfer: bool
    receives: bool
    origin: str
    origin_digest: Digest
    reports_from: int
    keeps_copy: bool
    reason: str
    hyperparameters: tuple[Hyperparameters, ...] = ()
    branch: int = 0
    evaluated: int = 0
    replays: bool = False
    revision: int = 0


class GroupReady(Struct, frozen=True, tag="group_ready"):
    """A member is connected and holds the state of `step`."""

    generation: Generation
    step: Step


class GroupBroken(Struct, frozen=True, tag="group_broken"):
    """A member cannot go on in `generation`; the coordinator must regroup.

    Attributes:
        out_of_memory: for want of memory; it may go on with smaller microbatches.
        own_fault: its own machine refuses it a connection to the others.
    """

    generation: Generation
    reason: str
    out_of_memory: bool = False
    own_fault: bool = False


class Fence(Struct, frozen=True, tag="fence"):
    """Kill process `pid` on the receiver's host: it is alive but silent."""

    pid: int
    reason: str


class Crashed(Struct, frozen=True, tag="crashed"):
    """Work failed here. A machine's fault is healed; a user's or ours ends the run."""

    what: str
    reason: str
    exit_code: int


class Leave(Struct, frozen=True, tag="leave"):
    """The job ends: flush and exit with `exit_code`.

    Attributes:
        forget_copies: it has ended well, so the RAM copies of this host are of no use any more.
    """

    exit_code: int
    reason: str
    forget_copies: bool = False


class Left(Struct, frozen=True, tag="left"):
    """A rank is about to exit, as it was told."""
