"""Recovery of teams: what holds of a plan for any holdings that can arise."""

from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.policy.team_world import World

from qmpi.policy.recovery import INITIAL, LIVE, Candidate, plan_group
from qmpi.protocol.membership import SnapshotFact

TEAM_SIZES = (1, 2, 4, 8, 16)
SPARES = st.sampled_from([0, 1, 2, 3, 6, 20])


def has(c, position, step):
    """Say whether a rank is at a step, or has the gradient that leads there."""
    at_hand = c.state_step == step or (c.state_step == step - 1 and c.reduced)
    return c.state_step >= 0 and c.position == position and at_hand


def reads(c, copies, position, step):
    """Return the snapshots of a position's part at a step that a rank can read."""
    return [
        copy.fact
        for copy in copies
        if (copy.fact.position, copy.fact.step) == (position, step)
        and (copy.fact.place == "disk" or copy.host == c.host)
    ]


def seatable(candidates, copies, step, size):
    """Say whether different ranks can read each position's part: as a flow of size units."""
    able = [{c.rank for c in candidates if reads(c, copies, p, step)} for p in range(size)]
    taken = {}
    for position in range(size):
        came, queue = {}, [position]
        for at in queue:
            for rank in able[at] - set(came):
                came[rank] = at
                if rank not in taken:
                    while rank is not None:
                        before = next((r for r, p in taken.items() if p == came[rank]), None)
                        taken[rank], rank = came[rank], before
                    break
                queue.append(taken[rank])
            else:
                continue
            break
        else:
            return False
    return True


def living_steps(candidates, committed, size):
    """Return the steps of states that live whole and can be reported."""
    for step in {c.state_step for c in candidates if c.state_step >= 0}:
        holders = [(c, p) for c, p in product(candidates, range(size)) if has(c, p, step)]
        told = any(c.reports_from <= committed for c, _ in holders)
        if {p for _, p in holders} == set(range(size)) and (step <= committed or told):
            yield step


def check(world, plan, candidates):
    by_rank = {c.rank: c for c in candidates}
    check_seats(world, plan, by_rank)
    check_state(world, plan, by_rank)
    check_nothing_wasted(world, plan, candidates)
    check_whole_teams_stay(world, plan, by_rank)


def check_seats(world, plan, by_rank):
    size = world.team_size
    assert {len(team) for team in plan.teams} == {size}
    assert len(set(plan.members)) == len(plan.members) == len(plan.teams) * size
    assert set(plan.members) <= set(by_rank)
    assert plan.members == tuple(rank for team in plan.teams for rank in team)
    for number, team in enumerate(plan.teams):
        for position, rank in enumerate(team):
            assert (plan.seat(rank).team, plan.seat(rank).position) == (number, position)
    assert [lane for share in plan.lanes for lane in share] == list(range(world.lanes))
    assert len(plan.lanes) == len(plan.teams)
    assert plan.lead in plan.members
    assert plan.promoted == tuple(r for r in plan.members if by_rank[r].is_spare)
    idle = set(by_rank) - set(plan.members)
    assert plan.demoted == tuple(sorted(r for r in idle if not by_rank[r].is_spare))
    assert ("team" in plan.reason) <= (size > 1)


def check_state(world, plan, by_rank):
    size, step = world.team_size, plan.step
    roots = [plan.teams[team][position] for position, team in enumerate(plan.roots)]
    assert len(roots) == len(plan.origins) == size
    assert not set(plan.needy) & {*roots, *plan.finish}
    assert {*plan.needy, *plan.finish} <= set(plan.members)
    for rank in plan.finish:
        assert by_rank[rank].reduced
        assert by_rank[rank].state_step == step - 1
    origins = {origin.origin for origin in plan.origins}
    if origins == {INITIAL}:
        assert (step, plan.needy, plan.finish) == (0, (), ())
    elif origins == {LIVE}:
        for rank in set(plan.members) - set(plan.needy):
            c = by_rank[rank]
            assert c.position == plan.seat(rank).position
            assert c.state_step == step or rank in plan.finish
    else:
        assert step <= world.committed
        assert plan.finish == ()
        assert set(plan.needy) == set(plan.members) - set(roots)
        for position, rank in enumerate(roots):
            found = reads(by_rank[rank], world.copies, position, step)
            assert (plan.origins[position].origin, plan.origins[position].digest) in [
                (fact.path, fact.digest) for fact in found
            ]
    if step > world.committed:
        assert plan.reporter not in plan.needy
        assert by_rank[plan.reporter].reports_from <= world.committed
    else:
        assert plan.reporter == plan.teams[0][0]


def check_nothing_wasted(world, plan, candidates):
    size = world.team_size
    live = max(living_steps(candidates, world.committed, size), default=-1)
    assert plan.step >= live
    steps = {copy.fact.step for copy in world.copies if copy.fact.step <= world.committed}
    readable = [s for s in steps if seatable(candidates, world.copies, s, size)]
    # One step is done again rather than read, moved and received.
    assert plan.step >= max(readable, default=-1) - (live >= 0)
    from_live = plan.origins[0].origin == LIVE
    assert from_live or live < 0 or plan.step > live
    assert (plan.origins[0].origin == INITIAL) == (live < 0 and not readable)


def check_whole_teams_stay(world, plan, by_rank):
    size, committed = world.team_size, world.committed
    rows = {}
    for c in by_rank.values():
        if not c.is_spare:
            rows.setdefault(c.team, {})[c.position] = c
    whole = [row for row in rows.values() if len(row) == size]
    hands = len(by_rank) // size
    most = max(len(whole), min(world.wanted, hands))
    # A team of spares joins beyond what is wanted if only they can read the newest copy.
    joins = plan.promoted and plan.origins[0].origin not in {LIVE, INITIAL}
    assert len(plan.teams) in {most, most + 1} if joins else len(plan.teams) == most
    stay = [c for row in whole for c in row.values()]
    step = plan.step
    if plan.origins[0].origin == LIVE:
        enough = all(any(has(c, p, step) for c in stay) for p in range(size))
        told = [c for c in stay if has(c, c.position, step) and c.reports_from <= committed]
        enough = enough and (step <= committed or bool(told))
    else:
        enough = all(
            any(c.position == p and reads(c, world.copies, p, step) for c in stay)
            for p in range(size)
        )
    if enough or plan.origins[0].origin == INITIAL:
        for row in whole:
            assert tuple(row[p].rank for p in range(size)) in plan.teams
    # Otherwise single ranks move, one for each part that would be lost, and one who reports.
    moved = [c for c in stay if c.rank not in plan.members]
    assert len(moved) <= size + 1


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TEAM_SIZES), st.integers(1, 4), SPARES, st.integers(0, 2**32))
def test_a_plan_keeps_its_invariants_whatever_dies(team_size, teams, spares, seed):
    world = World(Random(seed), team_size, teams, spares)
    for _ in range(6):
        candidates = list(world.ranks.values())
        copies = list(world.copies)
        plan = world.decide(candidates, copies)
        if plan is None:
            assert len(candidates) < team_size
            return
        check(world, plan, candidates)
        world.random.shuffle(candidates)
        world.random.shuffle(copies)
        assert world.decide(candidates, copies) == plan
        whole = world.random.random() < 0.6
        world.carry_out(plan, whole=whole)
        if whole:
            world.train(world.random.randint(0, 4))
            world.break_off()
        world.kill()


claims = st.builds(
    Candidate,
    rank=st.integers(0, 30),
    host=st.sampled_from(["", "a", "b"]),
    is_spare=st.booleans(),
    team=st.integers(-1, 2),
    position=st.integers(-1, 4),
    state_step=st.sampled_from([-1, 0, 3, 4, 5]),
    reduced=st.booleans(),
    reports_from=st.integers(-1, 6),
    store_address=st.sampled_from(["", "x:1"]),
    snapshots=st.lists(
        st.builds(
            SnapshotFact,
            step=st.integers(1, 6),
            digest=st.just("d"),
            place=st.sampled_from(["ram", "disk"]),
            path=st.sampled_from(["/one", "/other"]),
            position=st.integers(-1, 4),
        ),
        max_size=3,
    ).map(tuple),
)


@settings(max_examples=400)
@given(
    st.lists(claims, max_size=12, unique_by=lambda c: c.rank),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 7),
)
def test_claims_that_cannot_be_true_still_give_a_sound_group(ranks, size, wanted, committed):
    made = plan_group(ranks, [], wanted_teams=wanted, lanes=4, team_size=size, committed=committed)
    if made is None:
        assert len(ranks) < size
        return
    world = World(Random(0), size, wanted, 0)
    world.lanes = 4
    check_seats(world, made, {c.rank: c for c in ranks})
    roots = {made.teams[team][position] for position, team in enumerate(made.roots)}
    assert not set(made.needy) & {*roots, *made.finish}
    assert made.origins[0].origin != INITIAL or made.step == 0
    assert len(made.teams) >= min(wanted, len(ranks) // size)
