"""Recovery: invariants of a plan for any holdings, and the right thing in known cases."""

from timeit import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.errors import InvariantError
from qmpi.policy.recovery import Candidate, GroupPlan, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact


def ram(step, path="/ram/s"):
    return SnapshotFact(step, f"digest{step}", "ram", path)


def disk(step):
    return SnapshotFact(step, f"digest{step}", "disk", f"/disk/{step}")


def trainer(rank, state=-1, *, reduced=False, host="a", snapshots=(), store=True):
    address = f"{host}:{rank}" if store else ""
    return Candidate(
        rank=rank,
        host=host,
        is_spare=False,
        team=rank,
        position=0,
        state_step=state,
        reduced=reduced,
        reports_from=0,
        store_address=address,
        snapshots=snapshots,
    )


def spare(rank, *, host="a", snapshots=()):
    made = trainer(rank, host=host, snapshots=snapshots)
    return replace(made, is_spare=True, team=-1, position=-1)


def plan(*candidates, copies=(), wanted=2, lanes=8, committed=100) -> GroupPlan:
    made = plan_group(candidates, copies, wanted_teams=wanted, lanes=lanes, committed=committed)
    assert made is not None
    return made


def origin(made):
    (only,) = made.origins
    return only.origin


def root(made):
    (team,) = made.roots
    return made.teams[team][0]


facts = st.builds(
    lambda step, on_disk, copy: disk(step) if on_disk else ram(step, f"/ram/{copy}"),
    st.integers(1, 8),
    st.booleans(),
    st.integers(0, 2),
)
fact_lists = st.lists(facts, max_size=2).map(tuple)
host_names = st.sampled_from(["", "a", "b", "c"])
candidate_lists = st.lists(
    st.builds(
        Candidate,
        rank=st.integers(0, 30),
        host=host_names,
        is_spare=st.booleans(),
        team=st.integers(-1, 3),
        position=st.integers(-1, 0),
        state_step=st.sampled_from([-1, -1, 0, 3, 4, 5]),
        reduced=st.booleans(),
        reports_from=st.just(0),
        store_address=st.sampled_from(["", "x:1"]),
        snapshots=fact_lists,
    ),
    max_size=9,
    unique_by=lambda c: c.rank,
)
copy_lists = st.lists(st.builds(KeptCopy, st.integers(31, 35), host_names, facts), max_size=4)


@settings(max_examples=400)
@given(candidate_lists, copy_lists, st.integers(1, 6), st.integers(1, 12), st.randoms())
def test_a_plan_keeps_its_invariants(candidates, copies, wanted, lanes, random):
    made = plan_group(candidates, copies, wanted_teams=wanted, lanes=lanes, committed=100)
    if not candidates:
        assert made is None
        return
    by_rank = {c.rank: c for c in candidates}
    assert list(made.members) == sorted(set(made.members))
    assert set(made.members) <= set(by_rank)
    assert made.lead in made.members
    assert root(made) in made.members
    assert root(made) not in made.needy
    assert not set(made.finish) & set(made.needy)
    assert set(made.finish) | set(made.needy) <= set(made.members)
    assert [lane for share in made.lanes for lane in share] == list(range(lanes))
    assert len(made.lanes) == len(made.members)
    assert made.promoted == tuple(r for r in made.members if by_rank[r].is_spare)
    assert made.reason
    check_states(made, by_rank, copies)
    check_size(made, candidates, wanted, lanes)
    random.shuffle(candidates)
    random.shuffle(copies)
    assert plan_group(candidates, copies, wanted_teams=wanted, lanes=lanes, committed=100) == made


def check_states(made, by_rank, copies):
    holders = [by_rank[r] for r in made.members if r not in made.needy]
    for rank in made.finish:
        assert by_rank[rank].reduced
        assert by_rank[rank].state_step == made.step - 1
    if origin(made) == "live":
        for c in holders:
            assert c.state_step == made.step or c.rank in made.finish
        assert made.step >= max(by_rank[r].state_step for r in made.members)
        assert made.origins[0].digest == ""
    elif origin(made) == "initial":
        assert (made.step, made.needy, made.finish) == (0, (), ())
        assert all(by_rank[r].state_step == -1 for r in made.members)
    else:
        reader = by_rank[root(made)]
        known = [(c.host, c.rank, f) for c in by_rank.values() for f in c.snapshots]
        known += [(copy.host, copy.rank, copy.fact) for copy in copies]
        in_reach = {
            (f.step, f.path, f.digest)
            for host, rank, f in known
            if f.place == "disk" or (host and host == reader.host) or rank == reader.rank
        }
        assert (made.step, origin(made), made.origins[0].digest) in in_reach
        assert made.step == max(step for step, _, _ in in_reach)
        assert set(made.needy) == set(made.members) - {root(made)}
        assert made.step > max(by_rank[r].state_step for r in made.members)


def check_size(made, candidates, wanted, lanes):
    assert len(made.members) <= lanes
    survivors = [c for c in candidates if not c.is_spare]
    kept = [c for c in survivors if c.rank in made.members]
    if len(candidates) <= lanes:
        assert len(kept) == len(survivors)
    assert len(made.members) >= min(wanted, lanes, len(candidates))


def test_start_from_nothing():
    made = plan(trainer(3), trainer(4), spare(6))
    assert (made.members, origin(made), made.step) == ((3, 4), "initial", 0)
    assert (made.needy, made.finish, made.promoted, made.lead) == ((), (), (), 3)


def test_one_applied_the_others_finish_and_the_spare_receives():
    made = plan(trainer(3, 11), trainer(4, 10, reduced=True), spare(6), wanted=3)
    assert (made.step, made.finish, made.needy) == (11, (4,), (6,))
    assert (root(made), made.promoted, made.lead) == (3, (6,), 3)
    assert made.reason == (
        "step 10 was applied by rank 3; rank 4 holds its gradient: it is finished; rank 6 joins "
        "from the spares; rank 6 receives the state from rank 3; ranks 3, 4, 6 go on at step 11"
    )


def test_all_hold_the_gradient_so_nothing_is_done_again():
    made = plan(trainer(3, 10, reduced=True), trainer(4, 10, reduced=True))
    assert (made.step, made.finish, made.needy, origin(made)) == (11, (3, 4), (), "live")


def test_a_half_reduced_step_is_done_again():
    made = plan(trainer(3, 10, reduced=True), trainer(4, 10))
    assert (made.step, made.finish, made.needy) == (10, (), ())
    assert "done again" in made.reason


def test_behind_without_the_gradient_is_needy():
    made = plan(trainer(3, 10), trainer(4, 11), trainer(5, 10, reduced=True))
    assert (made.step, made.finish, made.needy, root(made)) == (11, (5,), (3,), 4)


def test_a_survivor_promoted_but_never_filled_receives():
    made = plan(trainer(3), trainer(4, 10, reduced=True))
    assert (made.step, made.finish, made.needy, root(made)) == (11, (4,), (3,), 4)


def test_without_spares_the_lanes_go_to_who_is_left():
    made = plan(trainer(4, 10), lanes=4)
    assert made.lanes == ((0, 1, 2, 3),)
    assert "no spare is left: 1 of 2 trainers share 4 lanes" in made.reason


def test_a_copy_in_ram_counts_on_its_own_host_only():
    copies = [KeptCopy(9, "b", ram(40)), KeptCopy(9, "b", disk(30))]
    far = plan(trainer(3, host="a"), copies=copies)
    assert (far.step, origin(far), root(far)) == (30, "/disk/30", 3)
    near = plan(trainer(3, host="a"), trainer(4, host="b"), copies=copies)
    assert (near.step, origin(near), root(near), near.needy) == (40, "/ram/s", 4, (3,))
    assert near.origins[0].digest == "digest40"
    assert "rank 4 reads the snapshot of step 40 in RAM of host b" in near.reason


def test_a_spare_joins_if_it_alone_can_read_the_newest_copy():
    copies = [KeptCopy(9, "b", ram(40))]
    team = [trainer(3), trainer(4), spare(6), spare(7, host="b")]
    assert plan(*team, copies=copies, wanted=2).members == (3, 4, 7)
    assert plan(*team, copies=copies, wanted=3).members == (3, 4, 7)
    full = plan(*team, copies=copies, wanted=2, lanes=2)
    assert (full.members, root(full), full.step) == ((3, 7), 7, 40)


def test_an_idle_rank_with_old_state_does_not_throw_the_run_back():
    made = plan(trainer(3, 10), spare(6), copies=[KeptCopy(9, "a", ram(90))])
    assert (made.step, origin(made), made.needy) == (90, "/ram/s", (6,))


def test_a_snapshot_no_newer_than_what_can_be_finished_is_not_read():
    made = plan(trainer(3, 10, reduced=True), copies=[KeptCopy(9, "a", ram(11))])
    assert (made.step, origin(made), made.finish) == (11, "live", (3,))


def test_a_snapshot_one_step_ahead_is_read_by_members_only():
    copies = [KeptCopy(9, "b", ram(11))]
    made = plan(trainer(3, 10), trainer(4, 10, host="b"), copies=copies)
    assert (made.step, origin(made), made.needy) == (11, "/ram/s", (3,))
    made = plan(trainer(3, 10), trainer(4, 10), spare(6, host="b"), copies=copies)
    assert (made.step, origin(made), made.members) == (10, "live", (3, 4))


def test_ram_is_read_before_disk_at_the_same_step():
    made = plan(trainer(3, snapshots=(disk(20), ram(20))))
    assert origin(made) == "/ram/s"


def test_the_lead_has_a_store_and_is_not_fresh_if_possible():
    assert plan(spare(1), trainer(3, 5)).lead == 3
    assert plan(trainer(1, 5, store=False), spare(3)).lead == 3
    assert plan(trainer(1, store=False), trainer(2, store=False)).lead == 1


def test_more_trainers_than_lanes_keep_the_newest_state():
    made = plan(trainer(1), trainer(2, 4), trainer(3, 5), lanes=2)
    assert (made.members, made.step, made.needy) == ((2, 3), 5, (2,))


def test_nobody_left_and_nobody_twice():
    assert plan_group([], [KeptCopy(1, "a", disk(3))], wanted_teams=2, lanes=8, committed=9) is None
    with pytest.raises(InvariantError, match="twice"):
        plan(trainer(3), spare(3))


def test_eight_thousand_ranks_are_planned_in_a_moment():
    held = tuple(disk(step) for step in (10, 20))
    team = [
        trainer(r, 50 + (r == 7), reduced=r != 7, host=f"h{r // 8}", snapshots=held)
        for r in range(8000)
    ]
    seconds = min(repeat(lambda: plan(*team, wanted=8000, lanes=8192), number=1, repeat=2))
    assert seconds < 2.0
    made = plan(*team, wanted=8000, lanes=8192)
    assert len(made.finish) == 7999
    assert len(made.reason) < 400
