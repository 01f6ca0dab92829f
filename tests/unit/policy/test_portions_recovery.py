"""Recovery where teams share out moments: never a living state that its members lack a part of."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.policy.candidates import Candidate, KeptCopy
from qmpi.policy.recovery import INITIAL, LIVE, plan_group
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.portions import Portions, are_covered

LANES = 8


@st.composite
def survivors(draw):
    """What is left of a group: some have applied step 6, or all are before it; some are dead.

    A join may have been cut off, which leaves two divisions.
    """
    size = draw(st.sampled_from([1, 1, 2]))
    teams = draw(st.integers(1, 6))
    other = draw(st.sampled_from([teams, teams + 1]))
    applied = draw(st.booleans())
    alive, spares = [], draw(st.integers(0, 3))
    for rank in range(teams * size):
        team, position = divmod(rank, size)
        if draw(st.integers(0, 3)) == 0:
            continue
        count = draw(st.sampled_from([teams, other]))
        has_applied = applied and draw(st.booleans())
        alive.append(
            Candidate(
                rank=rank,
                host="h",
                is_spare=False,
                team=team,
                position=position,
                state_step=6 if has_applied else 5,
                reduced=not has_applied and (applied or draw(st.booleans())),
                reports_from=0,
                store_address="x:1",
                portions=Portions(team, count),
            )
        )
    waiting = Candidate(100, "h", True, -1, -1, -1, False, -1, "x:1")
    alive += [replace(waiting, rank=100 + number) for number in range(spares)]
    return size, teams, alive


@settings(max_examples=300, deadline=None)
@given(survivors(), st.booleans())
def test_a_living_state_is_whole_among_those_who_go_on(world, has_copy):
    size, teams, alive = world
    copies = [
        KeptCopy(50, "h", SnapshotFact(4, "d", "disk", f"/{position}", position))
        for position in range(size)
        if has_copy
    ]
    plan = plan_group(alive, copies, wanted_teams=teams, lanes=LANES, team_size=size, committed=5)
    if plan is None:
        assert len(alive) < size
        return
    by_rank = {c.rank: c for c in alive}
    origin = plan.origins[0].origin
    held = [
        {by_rank[team[p]].portions for team in plan.teams if team[p] not in plan.needy}
        for p in range(size)
    ]
    if origin == LIVE:
        assert all(map(are_covered, held))
    else:
        assert origin == ("/0" if has_copy else INITIAL)
        assert "moments" in plan.reason or not all(
            any(c.position == p and c.state_step >= 0 for c in alive) for p in range(size)
        )
    if size == 1:
        found = {c.portions for c in alive if c.state_step >= 0}
        assert (origin == LIVE) == are_covered(found)


def test_who_lost_a_team_may_still_give_its_portion_to_the_position():
    """Six teams of two; position 0 lives on in three of them, which suffice, position 1 in four."""

    def trains(team, position):
        rank = 2 * team + position
        return Candidate(
            rank=rank, host="h", is_spare=False, team=team, position=position, state_step=3,
            reduced=False, reports_from=0, store_address="x:1", portions=Portions(team, 6),
        )  # fmt: skip

    alive = [trains(team, 0) for team in (0, 2, 4)] + [trains(team, 1) for team in (0, 1, 3, 5)]
    plan = plan_group(alive, [], wanted_teams=6, lanes=LANES, team_size=2, committed=3)
    seated = {alive_rank // 2 for team in plan.teams for alive_rank in team[1:]}
    assert plan.origins[0].origin == LIVE
    assert are_covered(Portions(team, 6) for team in seated)
