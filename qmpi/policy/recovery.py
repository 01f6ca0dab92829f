"""The next trainer group: who is in it, what each holds, and where lost state comes from.

Theory of operation. Nobody applies step s before everyone in the group has voted, and nobody votes
before holding the reduced gradient of s. So after any failure one of three things is true of the
survivors:

- some have applied s: all others hold its reduced gradient, and finish s by themselves;
- all hold the reduced gradient of s, none has applied it: all finish it, which saves a redo;
- some do not hold it: nobody has applied it, and s is done again, to the same bits.

A member that is neither there nor able to finish receives the state from one that has it. Only when
no member has state, or every one is behind a verified snapshot that a member can read, does the
group go back to that snapshot; a snapshot in RAM can be read on its own host only, one on disk by
everyone. Without one the run begins from the initial weights, which everybody computes from the
seed.

Rejected: to roll everyone back to the last snapshot whatever they hold (simple, but each failure
would cost a snapshot interval), and to trust the rank with the most advanced report beyond what the
vote implies.

Invariants of a plan: each member either has the state of `step`, or finishes the step before, or is
needy; the root is not needy; the lanes are dealt to exactly the members; the order of the input
changes nothing.
"""

from collections.abc import Sequence

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.policy.lanes import deal_lanes
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Digest, Rank, Step

LIVE = "live"
INITIAL = "initial"
"""Origins of the state that are not a path."""

NAMED_RANKS = 8
"""Ranks that a reason names before it says how many more there are."""


class Candidate(Struct, frozen=True):
    """A live rank that can train.

    Attributes:
        rank: which rank.
        host: its machine; "" while unknown.
        is_spare: it waits for a place.
        state_step: its weights are those before this step; -1: it has none.
        reduced: it also holds the reduced gradient of `state_step`.
        store_address: rendezvous store that it would serve as lead; "" if it has none.
        snapshots: verified snapshots within its reach.
    """

    rank: Rank
    host: str
    is_spare: bool
    state_step: int
    reduced: bool
    store_address: str
    snapshots: tuple[SnapshotFact, ...] = ()


class ReplicaCopy(Struct, frozen=True):
    """A verified snapshot that a replica reported; in RAM it outlives the replica.

    Attributes:
        rank: the replica.
        host: its machine; "" while unknown.
        fact: the snapshot.
    """

    rank: Rank
    host: str
    fact: SnapshotFact


class GroupPlan(Struct, frozen=True, kw_only=True):
    """The next group; fields as in `qmpi.protocol.membership.FormGroup`.

    Attributes:
        members: ranks in group order, ascending.
        lead: member whose store is used for the rendezvous.
        lanes: lanes of each member.
        step: step the group starts with.
        finish: members that first apply the gradient they hold, of `step - 1`.
        state_root: member that has the state of `step` once it has finished.
        needy: members that receive the state from the root.
        origin: "live", "initial", or the path of the snapshot that the root reads.
        origin_digest: digest of that snapshot; "" otherwise.
        promoted: members that were spares.
        reason: why, in words.
    """

    members: tuple[Rank, ...]
    lead: Rank
    lanes: tuple[tuple[int, ...], ...]
    step: Step
    finish: tuple[Rank, ...]
    state_root: Rank
    needy: tuple[Rank, ...]
    origin: str
    origin_digest: Digest
    promoted: tuple[Rank, ...]
    reason: str


class _Source(Struct, frozen=True, kw_only=True):
    """Where the state comes from; the part of a plan that does not depend on lanes and lead."""

    step: int
    root: Rank
    finish: tuple[Rank, ...] = ()
    needy: tuple[Rank, ...] = ()
    origin: str = LIVE
    digest: Digest = Digest("")
    why: str


class _Library:
    """Which snapshots a candidate can read."""

    def __init__(self, candidates: Sequence[Candidate], copies: Sequence[ReplicaCopy]) -> None:
        found = [(c.host, fact) for c in candidates for fact in c.snapshots]
        found += [(copy.host, copy.fact) for copy in copies]
        # Only the best of each place is kept: thousands of ranks report the same files on disk.
        self._disk: SnapshotFact | None = None
        self._ram: dict[str, SnapshotFact] = {}
        for host, fact in found:
            if fact.place == "disk":
                self._disk = _newer(fact, self._disk)
            elif host:
                self._ram[host] = _newer(fact, self._ram.get(host))

    def newest(self, reader: Candidate) -> SnapshotFact | None:
        """Return the newest snapshot in reach; RAM before disk, then by path."""
        # A rank reaches its own RAM files even while nobody knows the name of its host.
        own = () if reader.host else reader.snapshots
        best = self._disk
        for fact in (self._ram.get(reader.host), *own):
            best = best if fact is None else _newer(fact, best)
        return best

    def newest_step(self, reader: Candidate) -> int:
        """Return the step of the newest snapshot in reach; -1 if there is none."""
        fact = self.newest(reader)
        return -1 if fact is None else fact.step


def _newer(fact: SnapshotFact, other: SnapshotFact | None) -> SnapshotFact:
    def age(f: SnapshotFact) -> tuple[int, bool, str]:
        return (-f.step, f.place == "disk", f.path)

    return fact if other is None else min(fact, other, key=age)


def plan_group(
    candidates: Sequence[Candidate],
    copies: Sequence[ReplicaCopy],
    *,
    wanted_trainers: int,
    lanes: int,
) -> GroupPlan | None:
    """Decide the next trainer group.

    Args:
        candidates: live trainers and spares, in any order, each rank once.
        copies: snapshots that replicas reported, in any order.
        wanted_trainers: spares fill the group up to this number, >= 1.
        lanes: lanes of a step, >= 1; never more members than that.

    Returns:
        The plan, or None if there are no candidates.

    Raises:
        InvariantError: a rank is given twice.
    """
    if not candidates:
        return None
    if len({c.rank for c in candidates}) != len(candidates):
        raise InvariantError(f"a rank is twice a candidate: {sorted(c.rank for c in candidates)}")
    library = _Library(candidates, copies)
    members = _choose(candidates, library, max(1, min(wanted_trainers, lanes)), lanes)
    source = _source(members, library)
    ranks = tuple(c.rank for c in members)
    promoted = tuple(c.rank for c in members if c.is_spare)
    return GroupPlan(
        members=ranks,
        lead=_lead(members),
        lanes=deal_lanes(lanes, ranks),
        step=Step(source.step),
        finish=source.finish,
        state_root=source.root,
        needy=source.needy,
        origin=source.origin,
        origin_digest=source.digest,
        promoted=promoted,
        reason=_reason(source, ranks, promoted, wanted_trainers, lanes),
    )


def _choose(
    candidates: Sequence[Candidate], library: _Library, seats: int, lanes: int
) -> list[Candidate]:
    """Return the members: survivors first, then spares, ascending by rank."""
    live = max(c.state_step for c in candidates)
    readable = max(library.newest_step(c) for c in candidates)
    # A gradient that is held may still carry the live state one step further.
    goes_back = readable > live + 1

    def worth(c: Candidate) -> tuple[bool, int, int, Rank]:
        # A spare with state is what is left of a group, hence as good as a survivor.
        waits = c.is_spare and c.state_step < 0
        return (waits, -c.state_step, -library.newest_step(c) if goes_back else 0, c.rank)

    ordered = sorted(candidates, key=worth)
    survivors = sum(not worth(c)[0] for c in ordered)
    chosen = ordered[: min(lanes, max(survivors, seats))]
    if goes_back and all(library.newest_step(c) < readable for c in chosen):
        # The newest snapshot lies in the RAM of a host that only a spare lives on.
        reader = next(c for c in ordered if library.newest_step(c) == readable)
        chosen = [*chosen[: lanes - 1], reader]
    return sorted(chosen, key=lambda c: c.rank)


def _source(members: Sequence[Candidate], library: _Library) -> _Source:
    """Return the step and where its state comes from: the newest there is, live if equal."""
    newest = max(c.state_step for c in members)
    live = _from_live(members, newest) if newest >= 0 else None
    reader = min(members, key=lambda c: (-library.newest_step(c), c.rank))
    snapshot = library.newest(reader)
    if snapshot is not None and (live is None or snapshot.step > live.step):
        return _from_snapshot(members, reader, snapshot, newest)
    if live is not None:
        return live
    why = "nobody has state and there is no snapshot: the run begins from the initial weights"
    return _Source(step=0, root=members[0].rank, origin=INITIAL, why=why)


def _from_snapshot(
    members: Sequence[Candidate], reader: Candidate, snapshot: SnapshotFact, live: int
) -> _Source:
    lost = "no trainer has state" if live < 0 else f"what is alive is older, of step {live}"
    medium = "on disk" if snapshot.place == "disk" else f"in RAM of host {reader.host or '?'}"
    return _Source(
        step=snapshot.step,
        root=reader.rank,
        needy=tuple(c.rank for c in members if c.rank != reader.rank),
        origin=snapshot.path,
        digest=snapshot.digest,
        why=f"{lost}: rank {reader.rank} reads the snapshot of step {snapshot.step} {medium}",
    )


def _from_live(members: Sequence[Candidate], live: int) -> _Source:
    newest = [c for c in members if c.state_step == live]
    behind = [c.rank for c in members if c.state_step == live - 1 and c.reduced]
    if all(c.reduced for c in newest) and not behind:
        finish, step = [c.rank for c in newest], live + 1
        why = f"{_ranks(finish)} {_has(finish)} the reduced gradient of step {live}: it is finished"
    elif behind:
        finish, step = behind, live
        applied = [c.rank for c in newest]
        why = (
            f"step {live - 1} was applied by {_ranks(applied)}; {_ranks(behind)} "
            f"{_has(behind)} its gradient: it is finished"
        )
    else:
        finish, step = [], live
        why = f"{_ranks([c.rank for c in newest])} had not reduced step {live}: it is done again"
    holders = {*finish, *(c.rank for c in newest)}
    return _Source(
        step=step,
        root=min(holders),
        finish=tuple(finish),
        needy=tuple(c.rank for c in members if c.rank not in holders),
        why=why,
    )


def _lead(members: Sequence[Candidate]) -> Rank:
    # A rank that has just been promoted is the last choice: it may still be warming up.
    return min(members, key=lambda c: (not c.store_address, c.is_spare, c.rank)).rank


def _reason(
    source: _Source, members: Sequence[Rank], promoted: Sequence[Rank], wanted: int, lanes: int
) -> str:
    said = [source.why]
    if promoted:
        joins = "joins from the spares" if len(promoted) == 1 else "join from the spares"
        said.append(f"{_ranks(promoted)} {joins}")
    if source.needy:
        gets = "receives" if len(source.needy) == 1 else "receive"
        said.append(f"{_ranks(source.needy)} {gets} the state from rank {source.root}")
    if len(members) < min(wanted, lanes):
        said.append(f"no spare is left: {len(members)} of {wanted} trainers share {lanes} lanes")
    said.append(
        f"{_ranks(members)} go on at step {source.step}"
        if len(members) > 1
        else f"{_ranks(members)} goes on at step {source.step}"
    )
    return "; ".join(said)


def _ranks(ranks: Sequence[Rank]) -> str:
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    named = ", ".join(map(str, sorted(ranks)[:NAMED_RANKS]))
    more = len(ranks) - NAMED_RANKS
    return f"ranks {named} and {more} more" if more > 0 else f"ranks {named}"


def _has(ranks: Sequence[Rank]) -> str:
    return "holds" if len(ranks) == 1 else "hold"
