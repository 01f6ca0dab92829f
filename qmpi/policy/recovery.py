"""The next trainer group: who is in it, what each holds, and where lost state comes from.

Theory of operation. Nobody applies step s before everyone in the group has voted, and nobody votes
before holding the reduced gradient of s. So after any failure one of three things is true of the
survivors:

- some have applied s: all others hold its reduced gradient, and finish s by themselves;
- all hold the reduced gradient of s, none has applied it: all finish it, which saves a redo;
- some do not hold it: nobody has applied it, and s is done again, to the same bits.

The state lies in parts, one a position of the team, and every team holds all of them. A living
state counts if each position's part lives somewhere; a rank that would sit nowhere and holds the
last one takes a seat. A member that neither has its part nor can finish it receives it from the
same position of another team.

Where teams share out moments, each rank of a position holds two portions of them. A living state
then counts only if those who would sit there hold all portions between them: after any single
death they do, and after that of two neighbours they do not. Where lanes keep something between
steps, each rank of a position holds that of the lanes which it computed last, and nobody else does:
a death takes it along, and the newest copy has it.

The journal must learn of every step. A state ahead of it counts only if a member can still report
what is missing; one that received its state knows no outcome of the steps before.

When no living state counts, or all are behind verified snapshots that members can read, the group
goes back to the newest step of which every part can be read, all parts of one step. Without one the
run begins from the initial weights, which everybody computes from the seed.

Rejected: to roll everyone back to the last snapshot whatever they hold (simple, but each failure
would cost a snapshot interval), to trust the rank with the most advanced report beyond what the
vote implies, and to mix parts of different steps (no such state was ever trained).

Invariants of a plan: each member either has the state of `step`, or finishes the step before, or is
needy; no root is needy; the lanes are dealt to exactly the teams; the order of the input changes
nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import InvariantError
from qmpi.policy.candidates import Candidate, KeptCopy
from qmpi.policy.group_plan import GroupPlan, reason_of
from qmpi.policy.held_parts import HeldPart, held_share, hold_all, in_words
from qmpi.policy.lanes import deal_lanes
from qmpi.policy.library import Library
from qmpi.policy.seating import Seating, seat
from qmpi.policy.state_source import (
    INITIAL,
    LIVE,
    Origin,
    Source,
    from_library,
    from_live,
    from_nothing,
    holds,
)
from qmpi.units import Rank, Step

__all__ = [
    "INITIAL",
    "LIVE",
    "Candidate",
    "GroupPlan",
    "KeptCopy",
    "Origin",
    "plan_group",
]


class _Problem(Struct, frozen=True, kw_only=True):
    """What is to be decided."""

    candidates: Sequence[Candidate]
    library: Library
    wanted: int
    lanes: int
    team_size: int
    committed: int
    kept_lanes: int

    def is_whole(self, parts: set[HeldPart]) -> bool:
        """Return whether ranks of a position hold all of it between them."""
        return hold_all(parts, self.kept_lanes)


def plan_group(  # noqa: PLR0913 - facts of the job, given by name
    candidates: Sequence[Candidate],
    copies: Sequence[KeptCopy],
    *,
    wanted_teams: int,
    lanes: int,
    team_size: int = 1,
    committed: int,
    lanes_keep: bool = False,
) -> GroupPlan | None:
    """Decide the next trainer group.

    Args:
        candidates: live trainers and spares, in any order, each rank once.
        copies: snapshots that replicas reported, in any order.
        wanted_teams: broken teams are repaired and spares make new ones up to this number, >= 1.
        lanes: lanes of a step, >= 1; never more teams than that.
        team_size: ranks of a team, >= 1.
        committed: steps in the journal, >= 0; snapshots of later ones are not used.
        lanes_keep: lanes keep something between steps, which is part of the state.

    Returns:
        The plan, or None if there are too few candidates for one team.

    Raises:
        InvariantError: a rank is given twice.
    """
    if len({c.rank for c in candidates}) != len(candidates):
        raise InvariantError(f"a rank is twice a candidate: {sorted(c.rank for c in candidates)}")
    if len(candidates) < team_size:
        return None
    problem = _Problem(
        candidates=candidates,
        library=Library(candidates, copies, committed, team_size),
        wanted=max(1, min(wanted_teams, lanes)),
        lanes=lanes,
        team_size=team_size,
        committed=committed,
        kept_lanes=lanes if lanes_keep else 0,
    )
    seating, source = _decide(problem)
    members = [c for c, _ in seating.members()]
    plan = GroupPlan(
        teams=tuple(tuple(c.rank for c in team) for team in seating.teams),
        lead=_lead(members),
        lanes=deal_lanes(lanes, len(seating.teams)),
        step=source.step,
        finish=source.finish,
        roots=source.roots,
        needy=source.needy,
        origins=source.origins,
        reporter=_reporter(members, source, committed),
        promoted=tuple(c.rank for c in members if c.is_spare),
        demoted=tuple(sorted(c.rank for c in seating.idle if not c.is_spare)),
        reason="",
    )
    return replace(plan, reason=reason_of(plan, source.why, wanted_teams))


def _decide(problem: _Problem) -> tuple[Seating, Source]:
    """Return the newest state within reach, living if equal, and the ranks seated for it."""
    live = _newest_living(problem)
    seated = _seat_holders(problem, live) if live >= 0 else None
    if seated is None:
        live = -1
    for step in problem.library.steps:
        # A gradient that is held may still carry the living state one step further.
        if live >= 0 and step <= live + 1:
            break
        seating = _seat_readers(problem, step)
        if seating is not None:
            return seating, from_library(seating, problem.library, step, _lost(problem, step))
    if seated is None:
        seating = _seat(problem, live, {})
        seating.settle()
        return seating, from_nothing(seating, _lost(problem, 0))
    seating = seated
    source = from_live(seating, live)
    for step in problem.library.steps:
        if step > source.step and _can_read(seating, problem.library, step):
            return seating, from_library(seating, problem.library, step, _lost(problem, step))
    return seating, source


def _newest_living(problem: _Problem) -> int:
    """Return the newest step whose state lives whole and can be reported; -1 if none does."""
    parts: dict[int, dict[int, set[HeldPart]]] = {}
    told: dict[int, int] = {}
    steps = {c.state_step for c in problem.candidates if c.state_step >= 0}
    for c in problem.candidates:
        position = c.place(problem.team_size)
        for live in (c.state_step, c.state_step + 1):
            if live in steps and holds(c, position, live, problem.team_size):
                parts.setdefault(live, {}).setdefault(position, set()).add(c.part)
                told[live] = min(c.knows_from, told.get(live, c.knows_from))
    return max(
        (
            live
            for live, found in parts.items()
            if len(found) == problem.team_size
            and all(map(problem.is_whole, found.values()))
            and (live <= problem.committed or told[live] <= problem.committed)
        ),
        default=-1,
    )


def _seat(problem: _Problem, live: int, readable: Mapping[Rank, int]) -> Seating:
    """Return seats, given first to whose state, or else whose snapshot, is the newest."""

    def worth(c: Candidate) -> tuple[bool, int, int, Rank]:
        # A spare with state is what is left of a group, hence as good as a survivor.
        waits = c.is_spare and c.state_step < 0
        state = c.state_step if c.state_step <= live else -1
        return (waits, -state, -readable.get(c.rank, -1), c.rank)

    return seat(
        sorted(problem.candidates, key=worth),
        team_size=problem.team_size,
        wanted=problem.wanted,
        lanes=problem.lanes,
    )


def _seat_holders(problem: _Problem, live: int) -> Seating | None:
    """Return seats such that a living state is kept whole, and can be reported.

    None: those who can sit down together do not hold it whole.
    """
    seating = _seat(problem, live, {})
    for position in range(problem.team_size):
        _fetch(problem, seating, live, lambda c, at=position: c.place(problem.team_size) == at)
        _fetch_parts(problem, seating, live, position)
    if live > problem.committed:
        _fetch(problem, seating, live, lambda c: c.knows_from <= problem.committed)
    if not all(
        problem.is_whole(_held(problem, seating, live, position))
        for position in range(problem.team_size)
    ):
        return None
    seating.settle()
    return seating


def _held(
    problem: _Problem, seating: Seating, live: int, position: int, besides: int = -1
) -> set[HeldPart]:
    """Return what the ranks seated at a position hold, those of a team left out."""
    at = (team[position] for number, team in enumerate(seating.teams) if number != besides)
    return {c.part for c in at if holds(c, position, live, problem.team_size)}


def _fetch_parts(problem: _Problem, seating: Seating, live: int, position: int) -> None:
    """Seat ranks without a seat that hold what nobody seated at a position holds.

    A greedy choice, which may give up where another would not: a copy is then read.
    """
    for c in [c for c in seating.idle if holds(c, position, live, problem.team_size)]:
        held = _held(problem, seating, live, position)
        if problem.is_whole(held):
            return
        before = held_share(held, problem.kept_lanes)

        def with_it(number: int, c: Candidate = c) -> Fraction:
            others = _held(problem, seating, live, position, besides=number)
            return held_share({*others, c.part}, problem.kept_lanes)

        if max(map(with_it, range(len(seating.teams)))) > before:
            seating.bring(c, position, lambda _, number: (-with_it(number), -number))


def _fetch(
    problem: _Problem, seating: Seating, live: int, fits: Callable[[Candidate], bool]
) -> None:
    """See to it that a holder who fits sits at its own position."""
    size = problem.team_size
    if any(fits(c) and holds(c, position, live, size) for c, position in seating.members()):
        return
    able = [c for c in problem.candidates if fits(c) and holds(c, c.place(size), live, size)]
    found = min(able, key=lambda c: (-c.state_step, c.rank))
    position = found.place(size)

    def worth(c: Candidate, number: int) -> tuple[int, ...]:
        return (holds(c, position, live, size), not c.is_spare, -number)

    seating.bring(found, position, worth)


def _seat_readers(problem: _Problem, step: Step) -> Seating | None:
    """Return seats such that each part of a snapshot can be read; None if there are none."""
    library = problem.library
    newest = max(c.state_step for c in problem.candidates)
    seating = _seat(problem, newest, library.newest_steps(problem.candidates, step))

    def readers(position: int) -> Iterator[Candidate]:
        yield from (team[position] for team in seating.teams)
        yield from seating.idle
        yield from (c for c, seat_of_c in seating.members() if seat_of_c != position)

    matched = library.match(step, readers)
    if matched is None:
        return None
    strays = {p: c for p, c in enumerate(matched) if all(c != team[p] for team in seating.teams)}
    idle = {p: c for p, c in strays.items() if c in seating.idle}
    if idle and len(seating.teams) < problem.lanes and len(seating.idle) >= problem.team_size:
        # The newest snapshot lies in the RAM of a host that only spares live on: they join.
        seating.add_team(idle)
        strays = {p: c for p, c in strays.items() if p not in idle}
    for position, c in strays.items():
        seating.bring(c, position, lambda _, number: (-number,))
    seating.settle()
    return seating


def _can_read(seating: Seating, library: Library, step: Step) -> bool:
    return all(
        any(library.read(team[position], step, position) is not None for team in seating.teams)
        for position in range(seating.team_size)
    )


# The first member that can tell the outcome of all that the journal lacks.
def _reporter(members: Sequence[Candidate], source: Source, committed: int) -> Rank:
    needy = set(source.needy)
    for c in members:
        if source.step <= committed or (c.knows_from <= committed and c.rank not in needy):
            return c.rank
    raise InvariantError(
        f"nobody can report the steps from {committed} on, but the group starts at {source.step}"
    )


def _lead(members: Sequence[Candidate]) -> Rank:
    # A rank that has just been promoted is the last choice: it may still be warming up.
    return min(members, key=lambda c: (not c.store_address, c.is_spare, c.rank)).rank


def _lost(problem: _Problem, step: int) -> str:
    """Return why no living state is used."""
    newest = max(c.state_step for c in problem.candidates)
    if newest < 0:
        return "no trainer has state" if step else "nobody has state"
    if newest < step:
        return f"what is alive is older, of step {newest}"
    size = problem.team_size
    alive = {c.place(size) for c in problem.candidates if holds(c, c.place(size), newest, size)}
    gone = [position for position in range(size) if position not in alive]
    if gone:
        return f"nobody holds the state of step {newest} at {_positions(gone)}"
    alive_at = [_alive(problem, position) for position in range(size)]
    torn = [position for position in range(size) if not problem.is_whole(alive_at[position])]
    if torn:
        where = f" at {_positions(torn)}" if size > 1 else ""
        told = in_words(list(alive_at[torn[0]]), problem.kept_lanes, newest)
        return f"{told}{where}"
    is_shared = any(not c.portions.is_whole for c in problem.candidates)
    if is_shared or (problem.kept_lanes and _is_told(problem, newest)):
        what = "the moments" if is_shared else "what lanes keep"
        return f"those who can sit together lack a part of {what} of step {newest}"
    return f"nobody alive can report the steps from {problem.committed} on"


def _is_told(problem: _Problem, newest: int) -> bool:
    """Return whether somebody alive can report all that the journal lacks of a state."""
    known = (c.knows_from for c in problem.candidates if c.state_step == newest)
    return newest <= problem.committed or min(known) <= problem.committed


def _alive(problem: _Problem, position: int) -> set[HeldPart]:
    """Return what of a position's newest state lives anywhere."""
    newest = max(c.state_step for c in problem.candidates)
    found = (c for c in problem.candidates if holds(c, position, newest, problem.team_size))
    return {c.part for c in found}


def _positions(positions: Sequence[int]) -> str:
    noun = "position" if len(positions) == 1 else "positions"
    return f"{noun} {', '.join(map(str, positions))}"
