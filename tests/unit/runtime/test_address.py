"""The address of this host for others: the loopback, or what the kernel or the user says."""

import socket

import pytest

from qmpi.runtime import address
from qmpi.runtime.address import reachable_address

OUTSIDE = "10.9.8.7"


@pytest.fixture
def network(monkeypatch):
    """Host names, and the address by which each is reached from here; "": it is not."""

    def make(**ways):
        monkeypatch.setattr(address, "_towards", lambda peer: ways.get(peer, ""))

    return make


def test_one_host_needs_no_network():
    assert reachable_address(["a", "a"], 1, {}) == "127.0.0.1"
    assert reachable_address(["a", "a"], 1, {"GLOO_SOCKET_IFNAME": "lo"}) == "127.0.0.1"


def test_several_hosts_meet_on_the_way_to_the_first(network):
    network(a=OUTSIDE, b="10.1.1.1", c="10.2.2.2")
    assert reachable_address(["a", "b", "c"], 1, {}) == OUTSIDE
    assert reachable_address(["a", "b", "c"], 2, {}) == OUTSIDE
    assert reachable_address(["a", "a", "b"], 1, {}) == "10.1.1.1"


def test_a_loopback_that_was_named_is_of_no_use_to_others(network):
    network(a=OUTSIDE)
    assert reachable_address(["a", "b"], 1, {"GLOO_SOCKET_IFNAME": "lo"}) == OUTSIDE


def test_a_host_that_finds_no_way_goes_by_its_name(network):
    network()
    assert reachable_address(["a", "b"], 1, {}) == "b"


def test_the_users_interface_wins(network, monkeypatch):
    network(a=OUTSIDE)
    monkeypatch.setattr(address, "_of_interface", {"hsn0": "10.5.5.5"}.get)
    assert reachable_address(["a", "b"], 1, {"GLOO_SOCKET_IFNAME": "none, hsn0"}) == "10.5.5.5"
    assert reachable_address(["a", "b"], 1, {"GLOO_SOCKET_IFNAME": "none"}) == OUTSIDE


def test_names_that_are_not_known_and_the_kernels_answer(caplog):
    assert address._towards("no-such-host.invalid") == ""
    assert "no-such-host.invalid" in caplog.text
    assert address._towards("localhost") == ""
    assert address._of_interface("lo") == "127.0.0.1"
    assert address._of_interface("no-such-one") == ""
    assert socket.inet_aton(address._of_interface("lo"))
