"""Placement: every job is complete, counts hold or bend as documented, copies lie apart."""

from collections import Counter
from timeit import default_timer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.settings import RoleSettings
from qmpi.errors import ConfigError, InvariantError
from qmpi.policy.placement import place
from qmpi.protocol.envelope import RoleName

DEALT = tuple(RoleName)[:6]
"""Roles of a training job; heralds are on every rank and not dealt."""

NEEDED = set(DEALT) - {RoleName.SPARE}
LIGHT = (RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA)

role_counts = st.integers(0, 12) | st.integers(0, 120).map(lambda p: f"{p / 2}%")
role_settings = st.builds(
    RoleSettings,
    generator=role_counts,
    memory=role_counts,
    trainer=role_counts,
    replica=role_counts,
    spare=role_counts,
)
host_lists = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60) | st.builds(
    lambda hosts, slots: [f"h{rank // slots}" for rank in range(hosts * slots)],
    st.integers(1, 8),
    st.integers(1, 8),
)

two_hosts = st.lists(st.sampled_from("ab"), min_size=4, max_size=12)


def count(placement, role):
    return sum(role in process for process in placement.roles)


def short(placement):
    return " ".join("+".join(role[0].upper() for role in process) for process in placement.roles)


def ranks_of(placement, role):
    return [rank for rank, process in enumerate(placement.roles) if role in process]


@settings(max_examples=300)
@given(host_lists, role_settings, st.integers(1, 40))
def test_every_job_is_complete(hosts, roles, lanes):
    placement = place(hosts, roles, lanes)
    assert len(placement.roles) == len(hosts)
    assert all(placement.roles)
    assert {role for process in placement.roles for role in process} >= NEEDED
    assert ranks_of(placement, RoleName.COORDINATOR) == [0]
    assert count(placement, RoleName.TRAINER) <= lanes
    assert all(process == (RoleName.SPARE,) for process in placement.roles if "spare" in process)
    assert all(len(set(process)) == len(process) for process in placement.roles)
    if len(hosts) >= 2:
        assert (RoleName.TRAINER,) in placement.roles
        assert not any("trainer" in process and len(process) > 1 for process in placement.roles)
    if len(hosts) >= 4:
        assert placement.roles[0] == (RoleName.COORDINATOR,)
    assert place(hosts, roles, lanes) == placement
    assert placement.reason.startswith(f"{len(hosts)} rank")


@settings(max_examples=200)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.integers(0, 9), st.integers(-20, 20))
def test_counts_hold_or_bend_in_the_documented_order(counts, spares, difference):
    generator, memory, trainer, replica = counts
    asked = {
        RoleName.GENERATOR: generator,
        RoleName.MEMORY: memory,
        RoleName.TRAINER: trainer,
        RoleName.REPLICA: replica,
    }
    exact = 1 + sum(counts) + spares
    size = max(1, exact + difference)
    roles = RoleSettings(
        generator=generator, memory=memory, trainer=trainer, replica=replica, spare=spares
    )
    placement = place(["one"] * size, roles, 12)
    got = {role: count(placement, role) for role in DEALT}
    if size >= exact:
        assert got[RoleName.TRAINER] == min(12, trainer + size - exact)
        assert all(got[role] == asked[role] for role in LIGHT)
        assert got[RoleName.SPARE] == size - exact + trainer + spares - got[RoleName.TRAINER]
    elif size >= exact - spares:
        assert all(got[role] == asked[role] for role in asked)
    else:
        assert got[RoleName.SPARE] == 0
        assert all(1 <= got[role] <= asked[role] for role in asked)
        if any(got[role] > 1 for role in LIGHT):
            assert all(len(process) == 1 for process in placement.roles)


@pytest.mark.parametrize(
    ("size", "trainers", "expected"),
    [
        (1, 2, "C+G+M+T+R"),
        (2, 2, "C+G+M+R T"),
        (3, 1, "C G+M+R T"),
        (3, 2, "C+G+M+R T T"),
        (4, 1, "C G+M T R"),
        (4, 2, "C G+M+R T T"),
        (4, 9, "C G+M+R T T"),
        (5, 1, "C G M T R"),
        (5, 2, "C G+M T T R"),
        (6, 2, "C G M T T R"),
        (7, 2, "C G M T T R S"),
        (8, 2, "C G M T T T R S"),
        (8, 8, "C G+M+R T T T T T T"),
    ],
)
def test_one_host(size, trainers, expected):
    roles = RoleSettings(trainer=trainers, spare=1)
    assert short(place(["laptop"] * size, roles, 8)) == expected


def test_what_is_above_one_shrinks_in_proportion():
    roles = RoleSettings(generator=101, memory=51, trainer=801, replica=51, spare=20)
    placement = place(["one"] * 505, roles, 4096)
    got = [count(placement, role) for role in (*LIGHT, RoleName.TRAINER, RoleName.SPARE)]
    assert got == [51, 26, 26, 401, 0]


def test_percentages_are_shares_of_all_ranks():
    roles = RoleSettings(generator="10%", memory="5%", trainer="60%", replica="2.5%", spare="1%")
    placement = place([f"h{rank // 8}" for rank in range(800)], roles, 4096)
    got = [count(placement, role) for role in (*LIGHT, RoleName.SPARE)]
    assert got == [80, 40, 20, 8]
    assert count(placement, RoleName.TRAINER) == 800 - 1 - sum(got)


def test_the_reason_says_what_differs():
    roles = RoleSettings(trainer=2, spare=1)
    assert place(["a"] * 7, roles, 8).reason.endswith("1 replica, 1 spare; as asked for")
    assert place(["a"] * 4, roles, 8).reason.endswith(
        "7 asked for, so 1 spare fewer, rank 1 hosts generator + memory + replica"
    )


@settings(max_examples=150)
@given(host_lists | two_hosts, role_settings, st.integers(1, 40))
def test_a_copy_lies_on_another_host_than_the_first_trainer(hosts, roles, lanes):
    if len(hosts) < 4 or not set(hosts[2:]) - {hosts[1]}:
        return  # no other host has a rank left for a replica
    placement = place(hosts, roles, lanes)
    lead = ranks_of(placement, RoleName.TRAINER)[0]
    assert any(hosts[rank] != hosts[lead] for rank in ranks_of(placement, RoleName.REPLICA))


@settings(max_examples=100)
@given(st.integers(2, 10), st.integers(4, 8), role_settings, st.booleans())
def test_roles_are_spread_evenly_over_equal_hosts(count_of_hosts, slots, roles, cyclic):
    size = count_of_hosts * slots
    hosts = [f"h{r % count_of_hosts if cyclic else r // slots}" for r in range(size)]
    placement = place(hosts, roles, 4096)
    for role, most in [(RoleName.MEMORY, 2), (RoleName.SPARE, 3), (RoleName.TRAINER, 3)]:
        on = Counter(hosts[rank] for rank in ranks_of(placement, role))
        loads = [on[host] for host in set(hosts)]
        assert max(loads) - min(loads) <= most


def test_a_small_cluster_by_name():
    roles = RoleSettings(trainer=4, memory=2, spare=2, replica=2)
    placement = place(["a"] * 4 + ["b"] * 4 + ["c"] * 4, roles, 8)
    assert short(placement) == "C T G T R M S T R M S T"


def test_a_hundred_thousand_ranks_take_a_moment():
    hosts = [f"h{rank // 8}" for rank in range(100_000)]
    roles = RoleSettings(generator="10%", memory="5%", trainer="60%", replica="2%", spare="1%")
    began = default_timer()
    placement = place(hosts, roles, 4096)
    # Measured: 0.25 s.
    assert default_timer() - began < 5
    assert count(placement, RoleName.TRAINER) == 4096


def test_no_ranks_no_job():
    with pytest.raises(InvariantError):
        place([], RoleSettings(), 8)


@settings(max_examples=300)
@given(host_lists, role_settings, st.integers(1, 40), st.sampled_from([1, 2, 3, 4, 8, 16]))
def test_trainers_sit_in_whole_teams(hosts, roles, lanes, team_size):
    if len(hosts) < team_size:
        with pytest.raises(ConfigError, match=f"team of {team_size} ranks"):
            place(hosts, roles, lanes, team_size)
        return
    placement = place(hosts, roles, lanes, team_size)
    assert placement == place(hosts, roles, lanes, team_size)
    assert 1 <= len(placement.teams) <= lanes
    assert {len(team) for team in placement.teams} == {team_size}
    seated = [rank for team in placement.teams for rank in team]
    assert sorted(seated) == ranks_of(placement, RoleName.TRAINER)
    assert list(placement.teams) == sorted(placement.teams, key=min)
    assert {role for process in placement.roles for role in process} >= NEEDED
    assert ranks_of(placement, RoleName.COORDINATOR) == [0]
    assert all(process == (RoleName.SPARE,) for process in placement.roles if "spare" in process)
    if len(hosts) > team_size:
        assert not any("trainer" in process and len(process) > 1 for process in placement.roles)
    if len(hosts) >= team_size + 3:
        assert placement.roles[0] == (RoleName.COORDINATOR,)


@settings(max_examples=200)
@given(host_lists, role_settings, st.integers(1, 40), st.sampled_from([2, 4, 8]))
def test_no_host_has_trainers_for_a_team_that_lies_on_several(hosts, roles, lanes, team_size):
    if len(hosts) < team_size:
        return
    placement = place(hosts, roles, lanes, team_size)
    across = [team for team in placement.teams if len({hosts[rank] for rank in team}) > 1]
    left_over = Counter(hosts[rank] for team in across for rank in team)
    assert all(count < team_size for count in left_over.values())


def test_no_team_less_than_the_ranks_allow():
    for size in range(5, 40):
        placement = place(["one"] * size, RoleSettings(trainer=100), 8, 4)
        # Two light processes are the fewest that share, from four ranks on.
        assert len(placement.teams) == min(8, max(1, (size - 2) // 4)), size


@pytest.mark.parametrize(
    ("size", "trainers", "expected", "teams"),
    [
        (2, 4, "C+G+M+T+R T", ((0, 1),)),
        (3, 4, "C+G+M+R T T", ((1, 2),)),
        (4, 4, "C G+M+R T T", ((2, 3),)),
        (5, 4, "C G+M T T R", ((2, 3),)),
        (6, 4, "C G+M+R T T T T", ((2, 3), (4, 5))),
        (7, 4, "C G+M T T T T R", ((2, 3), (4, 5))),
        (8, 4, "C G M T T T T R", ((3, 4), (5, 6))),
        (9, 4, "C G M T T T T R S", ((3, 4), (5, 6))),
        (11, 5, "C G M T T T T T T R S", ((3, 4), (5, 6), (7, 8))),
    ],
)
def test_teams_of_two_on_one_host(size, trainers, expected, teams):
    placement = place(["laptop"] * size, RoleSettings(trainer=trainers), 8, 2)
    assert (short(placement), placement.teams) == (expected, teams)


def test_teams_lie_on_one_host_each_where_they_can():
    hosts = ["a"] * 8 + ["b"] * 8 + ["c"] * 8
    placement = place(hosts, RoleSettings(trainer=20), 8, 4)
    assert len(placement.teams) == 5
    assert sum(len({hosts[rank] for rank in team}) == 1 for team in placement.teams) == 4


def test_the_reason_counts_teams_only_where_there_are_several_ranks_in_one():
    roles = RoleSettings(trainer=5)
    assert "team" not in place(["a"] * 9, roles, 8).reason
    assert "4 trainers in 2 teams of 2" in place(["a"] * 9, roles, 8, 2).reason
    assert "4 trainers in 1 team of 4" in place(["a"] * 9, roles, 8, 4).reason


def test_trainers_that_make_no_whole_team_are_told():
    def told(ranks: int, trainers: int, lanes: int = 8) -> str:
        return place(["a"] * ranks, RoleSettings(trainer=trainers), lanes, 2).reason

    odd = "1 trainer fewer, 1 spare more; 3 trainers make no whole teams of 2"
    assert told(7, 3).endswith(f"7 asked for, so {odd}")
    assert told(7, 1).endswith("1 trainer more, 1 spare more; 1 trainer makes no whole teams of 2")
    assert told(8, 4).endswith("as asked for")
    # Here too few ranks are what it is for want of.
    assert "whole teams" not in told(8, 6)
    assert told(10, 6, lanes=1).endswith("4 spares more; 1 lane, one team each")


def test_a_team_larger_than_the_job_is_the_users_mistake():
    with pytest.raises(ConfigError, match="a team of 8 ranks does not fit on 5 ranks"):
        place(["a"] * 5, RoleSettings(), 8, 8)


def test_a_hundred_thousand_ranks_in_teams_take_a_moment():
    hosts = [f"h{rank // 8}" for rank in range(100_000)]
    roles = RoleSettings(generator="10%", memory="5%", trainer="60%", replica="2%", spare="1%")
    began = default_timer()
    placement = place(hosts, roles, 4096, 8)
    assert default_timer() - began < 5
    assert len(placement.teams) == 4096
