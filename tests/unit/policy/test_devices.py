"""GPUs of a host go to those that compute there, each one its own while there are enough."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.settings import RoleSettings
from qmpi.policy.devices import COMPUTING, device_number
from qmpi.policy.placement import place
from qmpi.units import Rank


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 9))
def test_each_that_computes_has_a_number_of_its_own(hosts: list[str], lanes: int) -> None:
    roles = place(hosts, RoleSettings(trainer="60%", spare=2), lanes).roles
    computing = [rank for rank, own in enumerate(roles) if set(own) & set(COMPUTING)]
    for host in set(hosts):
        here = [rank for rank in computing if hosts[rank] == host]
        numbers = [device_number(hosts, roles, Rank(rank)) for rank in here]
        assert numbers == list(range(len(here)))
    idle = set(range(len(hosts))) - set(computing)
    assert all(device_number(hosts, roles, Rank(rank)) == 0 for rank in idle)
