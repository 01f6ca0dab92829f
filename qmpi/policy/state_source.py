"""Where the state of a seated group comes from: who has it, who finishes a step, who receives.

Theory of operation. The seats are given; a rank's state is of use at its own position only. Each
way to a state (a living one, snapshots, the initial weights) yields the step, the team that gives
it at each position, and a sentence that says why.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.policy.candidates import Candidate
from qmpi.policy.library import Library
from qmpi.policy.seating import Seating
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Digest, Rank, Step

LIVE = "live"
INITIAL = "initial"
"""Origins of the state that are not a path."""

NAMED_RANKS = 8
"""Ranks that a sentence names before it says how many more there are."""


class Origin(Struct, frozen=True):
    """Where one position's part of the state comes from.

    Attributes:
        origin: "live", "initial", or the path of the snapshot that the root reads.
        digest: digest of that snapshot; "" otherwise.
    """

    origin: str
    digest: Digest = Digest("")


class Source(Struct, frozen=True, kw_only=True):
    """Where the state comes from; the part of a plan that does not depend on lanes and lead.

    Attributes:
        step: step the group starts with.
        roots: team whose rank has or reads the state, for each position.
        finish: members that first apply the gradient they hold.
        needy: members that receive the state.
        origins: where each position's part comes from.
        why: in words.
    """

    step: Step
    roots: tuple[int, ...]
    finish: tuple[Rank, ...] = ()
    needy: tuple[Rank, ...] = ()
    origins: tuple[Origin, ...]
    why: str


def holds(c: Candidate, position: int, live: int, team_size: int) -> bool:
    """Say whether a rank has, or can finish, a living state at a position.

    Args:
        c: the rank.
        position: where it sits.
        live: the step of the state, >= 0.
        team_size: ranks of a team.

    Returns:
        True if it is at `live`, or a step behind with the reduced gradient.
    """
    step = c.state_step
    at_hand = step == live or (step == live - 1 and c.reduced)
    return step >= 0 and at_hand and 0 <= position == c.place(team_size)


def from_live(seating: Seating, live: int) -> Source:
    """Go on from a living state.

    Args:
        seating: the seats; each position has a holder.
        live: the newest step that a member's state is at, or could be at.

    Returns:
        The source.
    """
    size = seating.team_size
    holders = [c for c, position in seating.members() if holds(c, position, live, size)]
    newest = [c for c in holders if c.state_step == live]
    behind = [c.rank for c in holders if c.state_step < live]
    step, finish = live, behind
    if newest and not behind and all(c.reduced for c in newest):
        step, finish = live + 1, [c.rank for c in newest]
    have = {*finish, *(c.rank for c in newest)}
    return Source(
        step=Step(step),
        roots=_first_teams(seating, lambda c, _: c.rank in have),
        finish=tuple(finish),
        needy=tuple(c.rank for c, _ in seating.members() if c.rank not in have),
        origins=(Origin(LIVE),) * size,
        why=_finished(finish, [c.rank for c in newest if step == live], step),
    )


def from_library(seating: Seating, library: Library, step: Step, lost: str) -> Source:
    """Go back to snapshots.

    Args:
        seating: the seats; each position has a rank that can read its part.
        library: the snapshots.
        step: whose.
        lost: why no living state is used, in words.

    Returns:
        The source.
    """
    roots = _first_teams(seating, lambda c, position: library.read(c, step, position) is not None)
    readers = [seating.teams[team][position] for position, team in enumerate(roots)]
    parts = [library.read(c, step, position) for position, c in enumerate(readers)]
    facts = [fact for fact in parts if fact is not None]
    reading = {c.rank for c in readers}
    return Source(
        step=step,
        roots=roots,
        needy=tuple(c.rank for c, _ in seating.members() if c.rank not in reading),
        origins=tuple(Origin(fact.path, fact.digest) for fact in facts),
        why=f"{lost}: {_reading(readers, facts)}",
    )


def from_nothing(seating: Seating, lost: str) -> Source:
    """Begin from the initial weights, which each rank computes from the seed.

    Args:
        seating: the seats.
        lost: why no living state is used, in words.

    Returns:
        The source.
    """
    size = seating.team_size
    return Source(
        step=Step(0),
        roots=(0,) * size,
        origins=(Origin(INITIAL),) * size,
        why=f"{lost} and there is no snapshot: the run begins from the initial weights",
    )


def in_words(ranks: Sequence[Rank]) -> str:
    """Name ranks.

    Args:
        ranks: at least one.

    Returns:
        All of them if they are few.
    """
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    named = ", ".join(map(str, sorted(ranks)[:NAMED_RANKS]))
    more = len(ranks) - NAMED_RANKS
    return f"ranks {named} and {more} more" if more > 0 else f"ranks {named}"


def _first_teams(seating: Seating, gives: Callable[[Candidate, int], bool]) -> tuple[int, ...]:
    return tuple(
        next(number for number, team in enumerate(seating.teams) if gives(team[position], position))
        for position in range(seating.team_size)
    )


def _finished(finish: Sequence[Rank], applied: Sequence[Rank], step: int) -> str:
    if not finish:
        return f"{in_words(applied)} had not reduced step {step}: it is done again"
    hold = "holds" if len(finish) == 1 else "hold"
    if not applied:
        return f"{in_words(finish)} {hold} the reduced gradient of step {step - 1}: it is finished"
    return (
        f"step {step - 1} was applied by {in_words(applied)}; {in_words(finish)} {hold} its "
        "gradient: it is finished"
    )


def _reading(readers: Sequence[Candidate], facts: Sequence[SnapshotFact]) -> str:
    media = ["on disk" for fact in facts if fact.place == "disk"]
    media += [
        f"in RAM of host {c.host or '?'}"
        for c, fact in zip(readers, facts, strict=True)
        if fact.place != "disk"
    ]
    where = " and ".join(sorted(set(media))[:NAMED_RANKS])
    verb = "reads the snapshot" if len(readers) == 1 else "read the snapshots"
    return f"{in_words([c.rank for c in readers])} {verb} of step {facts[0].step} {where}"
