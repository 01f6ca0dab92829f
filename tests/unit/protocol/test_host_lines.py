"""Lines by host: even cuts alone, and one view that all members share."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.protocol.host_lines import host_lines

hosts = st.lists(st.integers(0, 3), min_size=1, max_size=12)


@given(hosts)
def test_only_several_hosts_of_as_many_members_each_are_cut(lying: list[int]) -> None:
    counts = {lying.count(host) for host in lying}
    wanted = len(set(lying)) > 1 and len(counts) == 1 and counts != {1}
    assert (host_lines(lying, 0, "data/0") is not None) == wanted


@given(st.permutations([0, 0, 0, 1, 1, 1, 2, 2, 2, 7, 7, 7]))
def test_members_agree_on_who_is_where(lying: list[int]) -> None:
    seen: dict[str, dict[int, int]] = {}
    for member, host in enumerate(lying):
        lines = host_lines(lying, member, "data/0")
        assert lines is not None
        assert (lines.scatter.size, lines.across.size, lines.gather.size) == (3, 4, 3)
        assert lines.scatter.index == lines.gather.index
        for line in lines:
            assert 0 <= line.index < line.size
            members = seen.setdefault(line.name, {})
            assert line.index not in members
            members[line.index] = member
        own = [seen[lines.scatter.name][i] for i in sorted(seen[lines.scatter.name])]
        assert own == sorted(own)
        assert {lying[other] for other in own} == {host}
    assert {len(members) for name, members in seen.items() if "across" in name} == {4}
    for name, members in seen.items():
        if "across" in name:
            assert len({lying[member] for member in members.values()}) == 4
