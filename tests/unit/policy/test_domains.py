"""Failure domains: how a host gets one, and that the two copies of a state never share one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.settings import RoleSettings
from qmpi.policy.domains import domain_of, keeping_team
from qmpi.policy.placement import place
from qmpi.policy.understudy import choose_understudy
from qmpi.protocol.envelope import RoleName

CABINET = r"^(x\d+c\d+)"

host_names = st.integers(0, 11).map(lambda number: f"x{number // 4}c{number % 4 // 2}n{number}")
host_lists = st.lists(host_names, min_size=4, max_size=40)
counts = st.integers(1, 5)
role_settings = st.builds(
    RoleSettings, generator=counts, memory=counts, trainer=counts, replica=counts, spare=counts
)


@pytest.mark.parametrize(
    ("host", "pattern", "address", "domain"),
    [
        ("x1c0n7", "", "", "x1c0n7"),
        ("x1c0n7", CABINET, "", "x1c0"),
        ("x1c0n7", CABINET, "s0.leaf3.x1c0n7", "x1c0"),
        ("x1c0n7", r"^x\d+", "", "x1"),
        ("login", CABINET, "", "login"),
        ("login", CABINET, "s0.login", "login"),
        ("node17", "(a)?node", "", "node17"),
        ("node17", "", "spine.leaf3.node17", "spine.leaf3"),
        ("node17.cluster.org", "", "spine.leaf3.node17", "spine.leaf3"),
        ("node17", "", "node17", "node17"),
        ("node18", "", "spine.leaf3.node17", "node18"),
        ("node17", "", "spine.leaf[3-4].node17", "spine.leaf[3-4]"),
    ],
)
def test_where_a_domain_comes_from(host, pattern, address, domain):
    assert domain_of(host, pattern, address) == domain


def ranks_of(placement, role):
    return [rank for rank, process in enumerate(placement.roles) if role in process]


@settings(max_examples=300)
@given(host_lists, role_settings, st.integers(1, 40))
def test_a_replica_lies_in_another_domain_than_the_trainer_that_keeps_a_copy(hosts, roles, lanes):
    domains = [domain_of(host, CABINET) for host in hosts]
    placement = place(hosts, roles, lanes, 1, domains)
    lead = ranks_of(placement, RoleName.TRAINER)[0]
    replicas = ranks_of(placement, RoleName.REPLICA)
    elsewhere = {d for d in domains[2:] if d != domains[lead]}
    if elsewhere:
        first = min(len(elsewhere), len(replicas))
        assert len({domains[rank] for rank in replicas} - {domains[lead]}) >= min(1, first)
    elif set(hosts[2:]) - {hosts[lead]}:
        assert any(hosts[rank] != hosts[lead] for rank in replicas)


@settings(max_examples=200)
@given(st.integers(2, 5), st.integers(1, 3), st.integers(2, 4), st.integers(1, 4))
def test_replicas_go_to_as_many_domains_as_there_are(domains, hosts, slots, replicas):
    names = [f"x{d}c0n{h}" for d in range(domains) for h in range(hosts) for _ in range(slots)]
    named = [domain_of(name, CABINET) for name in names]
    placement = place(names, RoleSettings(trainer=1, replica=replicas), 8, 1, named)
    found = ranks_of(placement, RoleName.REPLICA)
    away = {named[rank] for rank in found} - {named[1]}
    assert len(away) >= min(len(found), domains - 1)


@settings(max_examples=200)
@given(host_lists, role_settings, st.integers(1, 40), st.sampled_from([1, 2, 4]))
def test_a_host_for_each_domain_is_the_rule(hosts, roles, lanes, team_size):
    assert place(hosts, roles, lanes, team_size) == place(hosts, roles, lanes, team_size, hosts)


def test_a_hostile_domain_changes_no_count():
    hosts = ["a", "a", "b", "b", "c", "c"]
    one = place(hosts, RoleSettings(trainer=2), 8, 1, ["all"] * 6)
    assert one.reason == place(hosts, RoleSettings(trainer=2), 8).reason
    lead = ranks_of(one, RoleName.TRAINER)[0]
    assert hosts[ranks_of(one, RoleName.REPLICA)[0]] != hosts[lead]


teams_of_domains = st.lists(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=2), min_size=1, max_size=5
)


@given(teams_of_domains, st.sets(st.sampled_from("abc")), st.integers(0, 4))
def test_who_keeps_a_copy_lies_apart_from_a_replica_if_anybody_does(teams, replicas, usual):
    usual %= len(teams)

    def apart(team):
        return all(replicas - {own} for own in team)

    chosen = keeping_team(teams, usual, replicas)
    assert apart(teams[chosen]) == any(map(apart, teams))
    if apart(teams[usual]) or not apart(teams[chosen]):
        assert chosen == usual


def test_an_understudy_of_a_replica_is_sought_in_another_domain():
    live = {
        0: (RoleName.COORDINATOR,),
        1: (RoleName.MEMORY,),
        2: (RoleName.SPARE,),
        3: (RoleName.TRAINER,),
    }
    assert choose_understudy(live, avoid=0) == 1
    assert choose_understudy(live, avoid=0, near=(1,)) == 2
    assert choose_understudy(live, avoid=0, near=(1, 2)) == 3
    assert choose_understudy(live, avoid=0, near=(0, 1, 2, 3)) == 1
    assert choose_understudy({}, avoid=0, near=(1,)) is None
