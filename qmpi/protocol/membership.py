"""Who takes part: join, signs of life, roles, trainer groups, leaving."""

from msgspec import Struct

from qmpi.protocol.envelope import RoleName
from qmpi.units import Digest, Generation, Rank, Seconds, Step


class SnapshotFact(Struct, frozen=True):
    """A verified snapshot that a rank can read.

    Attributes:
        step: weights are those before this step.
        digest: SHA-256 of the payload.
        place: "ram" for a node-local RAM file, "disk" for a checkpoint.
        path: file on the host of the rank that reports it.
        position: whose part of the state it is, 0 <= position < team size.
    """

    step: Step
    digest: Digest
    place: str
    path: str
    position: int = 0


class SourceFact(Struct, frozen=True):
    """What a data source holds.

    Attributes:
        name: name of the source in the job file.
        rows: rows of one epoch (a row is sequence_tokens + 1 tokens, overlapping by one); 0:
            endless.
        digest: identity of the content: corpus digest, or generator version.
    """

    name: str
    rows: int
    digest: Digest


class Hello(Struct, frozen=True, tag="hello"):
    """A rank is up: what it hosts and what it brings.

    Attributes:
        host: name of the machine.
        pid: process id on that machine.
        roles: roles it was built with.
        identity: what a trainer's arithmetic depends on (threads, dtype, kernels, versions); "" if
            no torch.
        store_address: "host:port" of the rendezvous store this rank would serve as lead; "" if no
            torch.
        snapshots: verified snapshots within its reach, newest first.
        sources: facts of the data sources, from ranks that opened them.
    """

    host: str
    pid: int
    roles: tuple[RoleName, ...]
    identity: str = ""
    store_address: str = ""
    snapshots: tuple[SnapshotFact, ...] = ()
    sources: tuple[SourceFact, ...] = ()


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """Sign of life; `activity` says in a few words what the rank does."""

    activity: str = ""


class Directory(Struct, frozen=True, tag="directory"):
    """Which live ranks play which role; the coordinator alone writes it.

    Attributes:
        revision: raised with each change; older ones are ignored.
        generators, memories, replicas: live ranks, ascending.
        sources: facts of all data sources, in the order of the job file.
        reason: why it changed, in words.
    """

    revision: int
    generators: tuple[Rank, ...]
    memories: tuple[Rank, ...]
    replicas: tuple[Rank, ...]
    sources: tuple[SourceFact, ...]
    reason: str = ""


class Assign(Struct, frozen=True, tag="assign"):
    """The receiving rank takes on `role` from now on; `reason` says why, in words."""

    role: RoleName
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
        snapshots: verified snapshots within its reach.
    """

    generation: Generation
    state_step: int
    reduced: bool
    snapshots: tuple[SnapshotFact, ...] = ()


class FormGroup(Struct, frozen=True, tag="form_group"):
    """Members of the new generation and what each does first.

    Attributes:
        generation: number of the group.
        members: ranks in group order.
        lead: member whose store is used for the rendezvous.
        store_address: "host:port" of that store.
        lanes: lanes of each member, in the order of `members`.
        step: step the group starts with.
        finish: members whose state is at `step - 1` and who first apply the gradient they hold.
        state_root: member that has the state of `step`; the others in `needy` receive it from
            there.
        needy: members that receive the state.
        origin: where `state_root` takes the state from: "live", "initial", or a snapshot's path.
        origin_digest: digest of that snapshot; "" otherwise.
        reason: why, in words.
    """

    generation: Generation
    members: tuple[Rank, ...]
    lead: Rank
    store_address: str
    lanes: tuple[tuple[int, ...], ...]
    step: Step
    finish: tuple[Rank, ...]
    state_root: Rank
    needy: tuple[Rank, ...]
    origin: str
    origin_digest: Digest
    reason: str


class GroupReady(Struct, frozen=True, tag="group_ready"):
    """A member is connected and holds the state of `step`."""

    generation: Generation
    step: Step


class GroupBroken(Struct, frozen=True, tag="group_broken"):
    """A member cannot go on in `generation`; the coordinator must regroup."""

    generation: Generation
    reason: str


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
    """The job ends: flush and exit with `exit_code`."""

    exit_code: int
    reason: str


class Left(Struct, frozen=True, tag="left"):
    """A rank has flushed and is about to exit."""

    seconds: Seconds = Seconds(0.0)
