"""Sums by hosts: the same bits, and over the network one member's share a host."""

import pytest
import torch
from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.small_job import job
from unit.training.test_buckets import SMALL, engine_of, facts, run, undisturbed

from qmpi.protocol.host_lines import host_lines
from qmpi.training.comm.line import ByHost
from qmpi.training.comm.sums import Sums
from qmpi.training.flat_state import state_layout
from qmpi.training.reduction.buckets import buckets_of

LYING = {"side by side": "aabb", "in turns": "abab", "three hosts": "abccba"}


def members_of(lying):
    """Return each member of a line on pretend hosts, and the lines by name."""
    hosts, lines = [ord(host) for host in lying], {}

    def member(line):
        return lines.setdefault(line.name, ThreadLine(line.size)).member(line.index)

    lines["all"] = ThreadLine(len(hosts))
    members = [lines["all"].member(index) for index in range(len(hosts))]
    for index, each in enumerate(members):
        each.by_host = ByHost(*map(member, host_lines(hosts, index, "data/0")))
    return members, lines


@pytest.mark.parametrize("lying", LYING)
def test_the_network_carries_one_members_share_a_host(lying):
    members, lines = members_of(LYING[lying])
    hosts, many = len(set(LYING[lying])), len(members)
    sizes = [1000, 7, 501]
    drawn = [[torch.randint(-9, 9, (size,), dtype=torch.int32) for size in sizes] for _ in members]
    wanted = [sum(each) for each in zip(*drawn, strict=True)]

    def add(member, own):
        sums = Sums(member)
        for tensor in own:
            sums.begin(tensor)
            sums.look()
        sums.wait()
        return own

    calls = [lambda m=m, own=own: add(m, own) for m, own in zip(members, drawn, strict=True)]
    for own in run_all(calls, lines.values()):
        assert all(map(torch.equal, own, wanted))
    across = [line for name, line in lines.items() if "across" in name]
    assert len(across) == many // hosts
    carried = [
        sum(begun.given[place].numel() for line in across for begun in line.begun.values())
        for place in range(hosts)
    ]
    assert carried == [sum(sizes)] * hosts
    assert not lines["all"].begun


def test_what_has_no_part_for_each_member_goes_over_the_whole_line():
    members, lines = members_of("aaabbb")
    tensors = [torch.tensor([index, 1], dtype=torch.int32) for index in range(6)]

    def add(member, tensor):
        sums = Sums(member)
        sums.begin(tensor)
        sums.begin(torch.ones(5, dtype=torch.int32))
        sums.look()
        sums.wait()

    calls = [lambda m=m, t=t: add(m, t) for m, t in zip(members, tensors, strict=True)]
    run_all(calls, lines.values())
    assert all(tensor.tolist() == [15, 6] for tensor in tensors)
    assert len(lines["all"].begun) == 1


def test_a_job_on_hosts_gives_the_bits_of_one_member():
    settings = job()
    members, lines = members_of("abba")
    engines = [engine_of(settings, member) for member in members]
    deal = [[2], [], [3, 1], [0]]

    def train(engine, lanes):
        return [run(engine, settings, step, lanes) for step in range(3)]

    calls = [lambda e=e, own=own: train(e, own) for e, own in zip(engines, deal, strict=True)]
    for told in run_all(calls, lines.values()):
        assert facts(told) == undisturbed("dense")
    assert not lines["all"].begun
    many = len(buckets_of(state_layout(settings), SMALL))
    assert len(next(iter(engines[0]._comm.by_host))._line.begun) >= 3 * many
