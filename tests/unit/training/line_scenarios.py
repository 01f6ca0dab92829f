"""What lines promise, each promise as one scenario of a few members; run by test_lines."""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

import contextlib

from unit.training.line_members import LAST_RESORT, PATIENCE, together

from qmpi.errors import InvariantError, PeerLost
from qmpi.protocol.teams import DATA, TEAM, Layout, Seat, every_line_of
from qmpi.training.comm import pieces
from qmpi.training.comm.hosts import meet_by_host
from qmpi.training.comm.lines import Lines, Meeting
from qmpi.training.comm.sums import Sums

KINDS = (torch.int32, torch.int64, torch.float32, torch.float64, torch.bfloat16)
LOOKS = 6
"""Of an operation under way, before the flag is raised."""

OPERATIONS = (
    *("allreduce", "maximum", "sum_everywhere", "sum_scattered", "allgather"),
    *("alltoall", "broadcast", "receive", "vote"),
)


def given(member, index, kind, rows=7):
    """What a member brings, known to all; sums of such floats depend on their order."""
    source = torch.Generator().manual_seed(100 + index)
    scale = 10.0 ** torch.randint(-3, 4, (rows, 3), generator=source)
    return (torch.randn(rows, 3, generator=source) * scale).to(kind).to(member.device)


def summed(member, kind, rows=7):
    """The sum in order of index, as a plain loop."""
    total = given(member, 0, torch.float32 if kind == torch.bfloat16 else kind, rows)
    if kind == torch.bfloat16:
        total = given(member, 0, kind, rows).float()
    for index in range(1, member.size):
        total = total + given(member, index, kind, rows)
    return total.to(kind)


def uneven(rows, size):
    counts = [0] * size
    counts[-1], counts[0] = rows - 2, 2
    return counts


def same(first, second):
    assert first.dtype == second.dtype
    assert first.shape == second.shape
    assert torch.equal(first.cpu(), second.cpu()), (first, second)


def sums(member, line):
    for kind in KINDS:
        mine, total = given(member, member.index, kind), summed(member, kind)
        whole = mine.clone()
        line.sum_everywhere(whole)
        same(whole, total)
        same(line.start.sum_everywhere(mine.clone()).wait(), total)
        for counts in (None, uneven(7, member.size)):
            part = line.sum_scattered(mine, counts)
            dealt = counts or pieces.even_counts(7, member.size)
            same(part, total.split(list(dealt))[member.index])
            same(line.allgather(part, dealt), total)
        same(mine, given(member, member.index, kind))


def library_sums(member, line):
    for kind in KINDS:
        mine = given(member, member.index, kind)
        whole = mine.clone()
        line.allreduce(whole)
        if not kind.is_floating_point or member.size == 2:
            same(whole, summed(member, kind))
        everybody = line.allgather(whole).view(member.size, 7, 3)
        assert all(torch.equal(everybody[0], other) for other in everybody)
        line.maximum(mine)
        brought = [given(member, index, kind) for index in range(member.size)]
        same(mine, torch.stack(brought).amax(0))


def exchanges(member, line):
    size, index = member.size, member.index
    rows = [[(a * 2 + b) % 4 for b in range(size)] for a in range(size)]
    for kind in (*KINDS, torch.bool, torch.float8_e4m3fn):
        sent, received = rows[index], [rows[other][index] for other in range(size)]
        brought = given(member, index, torch.float32, sum(sent)).to(kind)
        parts = [
            given(member, other, torch.float32, sum(rows[other])).to(kind).float()
            .split(rows[other])[index]
            for other in range(size)
        ]  # fmt: skip
        got = line.alltoall(brought, sent, received)
        assert got.dtype == kind
        same(got.float(), torch.cat(parts))
    nothing = torch.empty(0, 3, device=member.device)
    # Counts that do not fit would end the process in gloo; they are refused before the call.
    for sent, received in (([1] * size, [0] * size), ([0], [0] * size), ([0] * size, [-1] * size)):
        with pytest.raises(InvariantError):
            line.alltoall(nothing, sent, received)
    with pytest.raises(InvariantError):
        line.allgather(nothing, [1] * size)
    assert line.alltoall(nothing, [0] * size, [0] * size).shape == (0, 3)
    assert line.allgather(nothing).shape == (0, 3)


def gifts(member, line):
    for root in range(member.size):
        taken = given(member, member.index, torch.float32)
        line.broadcast(taken, root)
        same(taken, given(member, root, torch.float32))
        if member.index == root:
            line.broadcast(taken, root)
        else:
            line.look_on(taken, root)


def messages(member, line):
    size, index = member.size, member.index
    after, before = (index + 1) % size, (index - 1) % size
    for kind in (torch.bfloat16, torch.int64):
        sends = [line.start.send(given(member, index, kind), after) for _ in range(2)]
        for _ in range(2):
            taken = torch.empty(7, 3, dtype=kind, device=member.device)
            line.receive(taken, before)
            same(taken, given(member, before, kind))
        for send in sends:
            send.wait()
    for stranger in (index, size, -1):
        with pytest.raises(InvariantError):
            line.send(torch.zeros(1), stranger)


def agreements(member, line):
    line.vote()
    assert line.agree_any(flag=member.index == 1)
    assert not line.agree_any(flag=False)
    numbers = torch.tensor([member.index, 0.1], dtype=torch.float64)
    told = line.gather_numbers(numbers)
    assert told.tolist() == [[index, 0.1] for index in range(member.size)]


def every_operation(member):
    line = member.line("g1", reach=1)
    for check in (sums, library_sums, exchanges, gifts, messages, agreements):
        check(member, line)
    # Again in pieces of two numbers, as large tensors travel.
    pieces.PIECE_BYTES = 16
    for check in (sums, library_sums, gifts, messages):
        check(member, line)
    assert not line.stuck
    return "held"


def call(member, line, name):
    """One operation that wants everybody."""
    mine = given(member, member.index, torch.float32)
    ones = [1] * member.size
    rows = given(member, member.index, torch.float32, member.size)
    return {
        "allreduce": partial(line.allreduce, mine),
        "maximum": partial(line.maximum, mine),
        "sum_everywhere": partial(line.sum_everywhere, mine),
        "sum_scattered": partial(line.sum_scattered, mine),
        "allgather": partial(line.allgather, mine),
        "alltoall": partial(line.alltoall, rows, ones, ones),
        "broadcast": partial(line.broadcast, mine, member.size - 1),
        "receive": partial(line.receive, mine, member.size - 1),
        "vote": line.vote,
    }[name]


def killed(name, member):
    line = member.line("g1", reach=1)
    line.vote()
    messages(member, line)
    member.meet("here")
    if member.index == member.size - 1:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    return member.lost(call(member, line, name))


class Flag:
    """Says to leave from some look on."""

    def __init__(self):
        self.looks = self.seen = 0
        self.raise_at = float("inf")

    def __call__(self):
        self.looks += 1
        if self.looks < self.raise_at:
            return None
        self.seen += 1
        return "leave"


def told_to_leave(member):
    """The last member does not come; the flag is raised. How often it was seen before leaving."""
    if member.index == 1:
        for name in OPERATIONS:
            member.line(name, reach=1)
        member.meet("done")
        return "held"
    late, kept = [], []
    for name in OPERATIONS:
        flag = Flag()
        line = member.line(name, reach=1, aborted=flag)
        flag.raise_at = flag.looks + LOOKS
        try:
            call(member, line, name)()
        except PeerLost as error:
            if "told to leave" in str(error):
                late.append(flag.seen)
        # What nobody else has begun is under way for good, but on a GPU it was aborted.
        assert line.stuck or member.device.type != "cpu"
        kept.append(line)
    member.meet("done")
    return late


def beside_a_stuck_line(member):
    leave = []
    line = member.line("g1", aborted=lambda: "leave" if leave else None)
    mine = torch.ones(3, device=member.device)
    if member.index == 0:
        pending = line.start.allreduce(mine)
        leave.append(1)
        with contextlib.suppress(PeerLost):
            pending.wait()
        assert line.stuck
    new = member.line("g2")
    new.vote()
    total = torch.ones(3, device=member.device)
    new.allreduce(total)
    assert total.tolist() == [2, 2, 2]
    if member.index == 1:
        line.allreduce(mine)
    member.meet("late")
    deadline = time.monotonic() + PATIENCE
    while line.stuck:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return "held"


def two_lines_at_once(member):
    lines = [member.line("a"), member.line("b")]
    if member.index:
        lines.reverse()
    tensors = [torch.full((1000,), float(member.index + 1), device=member.device) for _ in lines]
    begun = [line.start.sum_everywhere(t) for line, t in zip(lines, tensors, strict=True)]
    for pending in begun[:: 1 if member.index else -1]:
        assert pending.wait()[0] == sum(range(1, member.size + 1))
    return "held"


def crossing_messages(member):
    line = member.line("g1", reach=member.size)
    others = [other for other in range(member.size) if other != member.index]
    large = torch.full((2_000_000,), float(member.index), device=member.device)
    sends = [line.start.send(large, other) for other in others]
    # Each receives in an order of its own.
    for other in others[:: -1 if member.index % 2 else 1]:
        taken = torch.empty_like(large)
        line.receive(taken, other)
        assert taken[0] == taken[-1] == other
    for send in reversed(sends):
        send.wait()
    return "held"


def lines_of_a_team(member):
    layout, teams = Layout(2, 1, 1, 2), 2
    seat = Seat(*divmod(member.index, layout.size))
    meeting = Meeting(member.store, "g1", LAST_RESORT, member.aborted)
    lines = Lines(every_line_of(layout, seat, teams), meeting)
    seats = [Seat(*divmod(index, layout.size)) for index in range(member.size)]
    for line in every_line_of(layout, seat, teams):
        wanted = [
            index for index, other in enumerate(seats)
            if line.name in [theirs.name for theirs in every_line_of(layout, other, teams)]
        ]  # fmt: skip
        number = torch.tensor([member.index], dtype=torch.float64)
        assert lines[line.axis].gather_numbers(number).flatten().tolist() == wanted
    assert (lines["context"].size, lines[TEAM].size, lines[DATA].size) == (1, 4, 2)
    with pytest.raises(InvariantError):
        lines["tensr"]
    assert not lines.stuck
    return "held"


def by_host(member, host, name="g1"):
    line = member.line(name)
    line.by_host = meet_by_host(
        line, "data/0", host, Meeting(member.store, name, LAST_RESORT, member.aborted)
    )
    return line


def sums_by_host(member):
    line = by_host(member, "abba"[member.index])
    assert line.by_host is not None
    sums, tensors = Sums(line), []
    for size in (9, 2, 100_003, 70_001):
        tensors.append(torch.arange(size, dtype=torch.int32) * (member.index + 1) + 2**30)
        sums.begin(tensors[-1])
        sums.look()
    assert sums.is_under_way
    sums.wait()
    for tensor in tensors:
        # 2**30 of each of four members is 2**32, which is nothing.
        assert torch.equal(tensor, torch.arange(len(tensor), dtype=torch.int32) * 10)
    assert not sums.goes_on
    assert not sums.is_under_way
    assert not line.stuck
    assert by_host(member, "aaab"[member.index], "g2").by_host is None
    return "held"


def killed_by_host(member):
    line = by_host(member, "aabb"[member.index])
    sums = Sums(line)
    line.vote()
    member.meet("here")
    for _ in range(3):
        sums.begin(torch.ones(100_000, dtype=torch.int32))
    if member.index == member.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return member.lost(sums.wait)


SCENARIOS = {
    **{f"every operation of {size}": (size, every_operation) for size in (2, 3, 4)},
    **{f"killed in {name}": (3, partial(killed, name)) for name in OPERATIONS},
    "told to leave": (2, told_to_leave),
    "a stuck line": (2, beside_a_stuck_line),
    "two lines": (3, two_lines_at_once),
    "crossing messages": (3, crossing_messages),
    "sums by host": (4, sums_by_host),
    "killed in sums by host": (4, killed_by_host),
    "lines of a team": (8, lines_of_a_team),
}


def main():
    for name, (size, act) in SCENARIOS.items():
        sys.stdout.write(json.dumps([name, together(size, act, sys.argv[1])]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
