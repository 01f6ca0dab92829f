"""Recovery where lanes keep something: never a living state whose lanes nobody holds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.policy.candidates import Candidate, KeptCopy
from qmpi.policy.held_parts import HeldPart, hold_all, in_words, missing_lanes
from qmpi.policy.lanes import deal_lanes
from qmpi.policy.recovery import INITIAL, LIVE, plan_group
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.portions import Portions, runs_of

LANES = 8


@st.composite
def survivors(draw):
    """What is left of a group: some have applied step 6, or all are before it; some are dead.

    A join may have been cut off: some hold the lanes of the group before, some those of both.
    """
    size = draw(st.sampled_from([1, 1, 2]))
    teams = draw(st.integers(1, 5))
    other = draw(st.integers(1, 5))
    applied = draw(st.booleans())
    alive = []
    for rank in range(teams * size):
        team, position = divmod(rank, size)
        if draw(st.integers(0, 4)) == 0:
            continue
        lanes = set(deal_lanes(LANES, teams)[team])
        if team < other and draw(st.booleans()):
            lanes |= set(deal_lanes(LANES, other)[team])
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
                kept=runs_of(sorted(lanes)),
            )
        )
    spares = range(100, 100 + draw(st.integers(0, 3)))
    alive += [Candidate(rank, "h", True, -1, -1, -1, False, -1, "x:1") for rank in spares]
    return size, teams, alive


@settings(max_examples=60, deadline=None)
@given(survivors(), st.booleans())
def test_a_living_state_has_what_all_lanes_keep(world, has_copy):
    size, teams, alive = world
    copies = [
        KeptCopy(50, "h", SnapshotFact(4, "d", "disk", f"/{position}", position))
        for position in range(size)
        if has_copy
    ]
    plan = plan_group(
        alive,
        copies,
        wanted_teams=teams,
        lanes=LANES,
        team_size=size,
        committed=5,
        lanes_keep=True,
    )
    if plan is None:
        assert len(alive) < size
        return
    by_rank, origin = {c.rank: c for c in alive}, plan.origins[0].origin
    held = [
        [by_rank[team[p]].part for team in plan.teams if team[p] not in plan.needy]
        for p in range(size)
    ]
    if origin == LIVE:
        assert all(hold_all(parts, LANES) for parts in held)
    else:
        assert origin == ("/0" if has_copy else INITIAL)
    if size == 1:
        found = [c.part for c in alive if c.state_step >= 0]
        assert (origin == LIVE) == hold_all(found, LANES)
        if found and origin != LIVE:
            assert "nobody holds what lane" in plan.reason


def test_what_is_missing_is_named():
    parts = [HeldPart(kept=((0, 2),)), HeldPart(kept=((1, 3), (6, 8)))]
    assert missing_lanes(parts, LANES) == ((3, 6),)
    assert in_words(parts, LANES, 9) == "nobody holds what lanes 3 to 5 keep at step 9"
    more = [*parts, HeldPart(kept=((4, 8),))]
    assert in_words(more, LANES, 9) == "nobody holds what lane 3 keeps at step 9"
    assert in_words(parts, 10, 9) == "nobody holds what lanes 3 to 5 and 2 more keep at step 9"
    assert in_words(parts, 0, 9) == ""
    moments = [HeldPart(Portions(0, 4), ((0, 8),))]
    assert in_words(moments, LANES, 9) == "nobody holds a part of the moments of step 9"


def test_where_lanes_keep_nothing_any_rank_holds_all():
    assert hold_all([HeldPart()], 0)
    assert not hold_all([], 0)
    assert not hold_all([HeldPart()], LANES)
