"""Recovery of teams: the right thing in known cases, and quickly."""

from timeit import repeat

import pytest
from msgspec.structs import replace

from qmpi.errors import InvariantError
from qmpi.policy.recovery import Candidate, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.teams import Seat


def member(rank, team, position, state=-1, **held):
    host = held.get("host", "a")
    return Candidate(
        rank=rank,
        host=host,
        is_spare=False,
        team=team,
        position=position,
        state_step=state,
        reduced=held.get("reduced", False),
        reports_from=held.get("told", 0),
        store_address=f"{host}:{rank}",
    )


def spare(rank, *, host="a"):
    return replace(member(rank, -1, -1, host=host), is_spare=True)


def ram(step, position, host="a"):
    path = f"/ram/{host}/{step}.{position}"
    return KeptCopy(99, host, SnapshotFact(step, f"d{step}.{position}", "ram", path, position))


def disk(step, position):
    path = f"/disk/{step}.{position}"
    return KeptCopy(99, "z", SnapshotFact(step, f"d{step}.{position}", "disk", path, position))


def plan(*candidates, copies=(), wanted=2, lanes=8, size=2, committed=10):
    made = plan_group(
        candidates, copies, wanted_teams=wanted, lanes=lanes, team_size=size, committed=committed
    )
    assert made is not None
    return made


def paths(made):
    return [origin.origin for origin in made.origins]


def test_a_spare_takes_the_dead_ranks_seat_and_its_positions_state():
    made = plan(member(3, 0, 0, 10), member(5, 1, 0, 10), member(6, 1, 1, 10), spare(7))
    assert made.teams == ((3, 7), (5, 6))
    assert (made.roots, made.needy, made.promoted, made.demoted) == ((0, 1), (7,), (7,), ())
    assert made.reason == (
        "ranks 3, 5, 6 had not reduced step 10: it is done again; rank 7 joins from the spares; "
        "rank 7 receives the state from rank 6; ranks 3, 5, 6, 7 go on at step 10"
    )


def test_without_a_spare_the_team_is_dissolved_and_its_rank_waits():
    made = plan(member(3, 0, 0, 10), member(5, 1, 0, 10), member(6, 1, 1, 10))
    assert (made.teams, made.demoted, made.needy) == (((5, 6),), (3,), ())
    assert made.lanes == (tuple(range(8)),)
    assert (
        "no spare is left: 1 of 2 teams of 2 share 8 lanes; rank 3 becomes a spare" in made.reason
    )


def test_two_half_teams_make_a_whole_one_without_a_transfer():
    made = plan(member(3, 0, 0, 10), member(6, 1, 1, 10))
    assert (made.teams, made.needy, made.roots, made.demoted) == (((3, 6),), (), (0, 0), ())


def test_two_halves_of_one_position_cannot_save_the_state():
    made = plan(member(3, 0, 0, 10), member(5, 1, 0, 10), copies=[disk(5, 0), disk(5, 1)])
    assert (made.teams, made.step, paths(made)) == (((3, 5),), 5, ["/disk/5.0", "/disk/5.1"])
    assert "nobody holds the state of step 10 at position 1" in made.reason
    assert "ranks 3, 5 read the snapshots of step 5 on disk" in made.reason


def test_parts_of_different_steps_are_never_mixed():
    copies = [disk(4, 0), disk(4, 1), disk(6, 0), ram(8, 1)]
    made = plan(member(3, 0, 0), member(4, 0, 1), copies=copies, wanted=1)
    assert (made.step, paths(made)) == (4, ["/disk/4.0", "/disk/4.1"])


def test_a_holder_takes_a_seat_of_a_whole_team_before_the_state_is_lost():
    # Rank 8 was promoted into team 0 and had received nothing when team 1 broke.
    made = plan(member(3, 0, 0, 10), member(8, 0, 1), member(6, 1, 1, 10))
    assert (made.teams, made.demoted, made.needy, made.step) == (((3, 6),), (8,), (), 10)


def test_a_rank_of_another_position_may_fill_a_gap_and_receives():
    team = [member(n, 0, n, 10) for n in range(4)]
    made = plan(*team, member(4, 1, 0, 10), member(6, 2, 0, 10), spare(9), size=4, wanted=3)
    assert (made.teams, made.demoted) == (((0, 1, 2, 3),), (4, 6))
    made = plan(*team, member(4, 1, 0, 10), member(6, 2, 0, 10), spare(8), spare(9), size=4)
    assert made.teams == ((0, 1, 2, 3), (4, 8, 9, 6))
    assert (made.needy, made.promoted) == ((8, 9, 6), (8, 9))


def test_who_brings_a_positions_state_goes_there_and_the_spare_elsewhere():
    whole = [member(10 + n, 2, n, 10) for n in range(4)]
    half = [member(2, 0, 2, 10), member(3, 0, 3, 10)]
    made = plan(*whole, *half, member(5, 1, 0, 10), spare(9), size=4)
    assert (made.teams, made.needy) == (((5, 9, 2, 3), (10, 11, 12, 13)), (9,))


def test_spares_with_old_state_make_no_team_beyond_those_wanted():
    idle = [replace(member(6 + n, -1, n, 10), is_spare=True) for n in range(2)]
    made = plan(member(3, 0, 0, 10), member(4, 0, 1, 10), *idle, wanted=1)
    assert (made.teams, made.demoted) == (((3, 4),), ())


def test_spares_on_the_teams_host_come_first():
    made = plan(
        member(3, 0, 0, 10, host="a"),
        member(5, 1, 0, 10, host="b"),
        member(6, 1, 1, 10, host="b"),
        spare(7, host="b"),
        spare(8, host="a"),
    )
    assert made.teams == ((3, 8), (5, 6))


def test_the_team_that_misses_least_is_repaired_first():
    two = [member(n, 0, n, 10) for n in range(2)]
    three = [member(4 + n, 1, n, 10) for n in range(3)]
    made = plan(*two, *three, spare(9), size=4)
    assert (made.teams, made.demoted) == (((4, 5, 6, 9),), (0, 1))


def test_snapshots_in_ram_send_ranks_where_they_can_be_read():
    # Each rank sits at the position whose part lies on the other's host.
    copies = [ram(8, 0, "b"), ram(8, 1, "a")]
    made = plan(member(3, 0, 0, host="a"), member(4, 0, 1, host="b"), copies=copies, wanted=1)
    assert (made.teams, made.step, made.needy) == (((4, 3),), 8, ())
    assert paths(made) == ["/ram/b/8.0", "/ram/a/8.1"]
    assert "in RAM of host a and in RAM of host b" in made.reason


def test_one_rank_does_not_read_two_parts():
    copies = [ram(8, 0, "b"), ram(8, 1, "b"), disk(5, 0), disk(5, 1)]
    made = plan(member(3, 0, 0, host="a"), member(4, 0, 1, host="b"), copies=copies, wanted=1)
    assert (made.step, paths(made)) == (5, ["/disk/5.0", "/disk/5.1"])
    spared = plan(
        member(3, 0, 0, host="a"),
        member(4, 0, 1, host="b"),
        spare(7, host="b"),
        copies=copies,
        wanted=1,
    )
    assert (spared.teams, spared.step, spared.demoted) == (((7, 4),), 8, (3,))


def test_a_team_of_spares_joins_if_only_they_can_read_the_newest_copy():
    copies = [ram(8, 0, "b"), ram(8, 1, "b")]
    pair = [member(3, 0, 0), member(4, 0, 1)]
    made = plan(*pair, spare(7, host="b"), spare(8, host="b"), copies=copies, wanted=1)
    assert (made.teams, made.roots, made.needy) == (((3, 4), (7, 8)), (1, 1), (3, 4))


def test_a_reader_leaves_a_part_to_another_who_can_read_it():
    copies = [ram(8, 0, "a"), ram(8, 0, "b"), ram(8, 1, "a")]
    pair = [member(3, 0, 0, host="a"), member(4, 0, 1, host="c")]
    made = plan(*pair, spare(8, host="b"), copies=copies, wanted=1)
    assert (made.teams, made.step, made.demoted) == (((8, 3),), 8, (4,))


def test_spares_join_for_one_part_while_a_member_moves_for_the_other():
    copies = [ram(8, 0, "c"), ram(8, 1, "a")]
    pair = [member(3, 0, 0, host="a"), member(4, 0, 1, host="b")]
    made = plan(*pair, spare(8, host="c"), spare(9, host="c"), copies=copies, wanted=1)
    assert (made.teams, made.roots, made.needy) == (((4, 3), (8, 9)), (1, 0), (4, 9))


def test_a_state_that_nobody_can_report_is_given_up():
    late = [member(3, 0, 0, 12, told=12), member(4, 0, 1, 12, told=12)]
    made = plan(*late, copies=[disk(10, 0), disk(10, 1), disk(11, 0), disk(11, 1)], wanted=1)
    assert (made.step, paths(made)) == (10, ["/disk/10.0", "/disk/10.1"])
    assert "nobody alive can report the steps from 10 on" in made.reason
    assert plan(*late, wanted=1).step == 0
    assert plan(*late, wanted=1, committed=12).step == 12


def test_a_rank_that_can_report_what_the_journal_lacks_takes_a_seat():
    late = [member(3, 0, 0, 12, told=12), member(4, 0, 1, 12, told=12)]
    made = plan(*late, member(5, 1, 0, 12, told=9))
    assert (made.teams, made.step, made.reporter, made.demoted) == (((5, 4),), 12, 5, (3,))


def test_a_receiver_does_not_report():
    made = plan(
        member(3, 0, 0),
        member(4, 0, 1, 12, told=10),
        member(5, 1, 0, 12, told=12),
        member(6, 1, 1, 12, told=12),
    )
    assert (made.step, made.needy, made.reporter) == (12, (3,), 4)


def test_who_finishes_can_report_what_it_finishes():
    made = plan(member(3, 0, 0, 10, reduced=True, told=10), member(4, 0, 1, 11, told=10), wanted=1)
    assert (made.step, made.finish, made.reporter) == (11, (3,), 3)


def test_snapshots_ahead_of_the_journal_are_not_read():
    copies = [disk(11, 0), disk(11, 1)]
    made = plan(member(3, 0, 0), member(4, 0, 1), copies=copies, wanted=1)
    assert (made.step, paths(made)) == (0, ["initial", "initial"])


def test_a_whole_step_is_finished_only_if_every_position_can():
    held = [member(n, n // 2, n % 2, 10, reduced=n != 3) for n in range(4)]
    assert (plan(*held).step, plan(*held).finish) == (10, ())
    assert (plan(*held[:3]).step, plan(*held[:3]).finish) == (11, (0, 1))


def test_too_few_ranks_for_one_team_are_no_group():
    assert (
        plan_group([member(3, 0, 0, 5)], [], wanted_teams=2, lanes=8, team_size=2, committed=0)
        is None
    )


def test_a_seat_is_asked_of_members_only():
    made = plan(member(3, 0, 0), member(4, 0, 1), wanted=1)
    assert made.seat(4) == Seat(0, 1)
    with pytest.raises(InvariantError, match="rank 5 is not a member"):
        made.seat(5)


@pytest.mark.parametrize("size", [1, 8])
def test_eight_thousand_ranks_are_planned_in_a_moment(size):
    held = [
        member(r, r // size, r % size, 50, reduced=r != 7, host=f"h{r // 8}") for r in range(8000)
    ]
    broken = [c for c in held if c.rank % 640 != 5]
    spares = [spare(9000 + n, host=f"h{n}") for n in range(8)]
    copies = [ram(step, p, f"h{p}") for step in (30, 40, 50) for p in range(size)]

    def decide(ranks):
        return plan_group(
            ranks, copies, wanted_teams=8000 // size, lanes=8192, team_size=size, committed=50
        )

    fresh = [replace(c, state_step=-1) for c in broken]
    for ranks in (held, broken + spares, fresh + spares):
        # Measured: 0.05 s; the bound leaves room for a slow and busy machine.
        assert min(repeat(lambda given=ranks: decide(given), number=1, repeat=3)) < 1.0
    assert len(decide(broken + spares).teams) == (8000 - 5) // size
