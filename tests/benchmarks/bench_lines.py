"""How long lines take to form, and what a sum in a fixed order costs beside the library's own.

    python tests/benchmarks/bench_lines.py

Members are processes of this machine over loopback. Times are those of the slowest member; of sums,
the least of several, since other work on the machine only adds to it.
"""

import os
import sys
import time

import torch
from unit.training.line_members import together

from qmpi.protocol.teams import Layout, Seat, every_line_of
from qmpi.training.comm.lines import Lines, Meeting
from qmpi.training.comm.pieces import even_counts

ELEMENTS = 1_000_000
ROUNDS = 30

SHAPES = ((2, 1), (4, 1), (8, 1), (16, 1), (2, 2), (8, 2), (8, 4))
"""Positions of a team along one axis, and teams."""


def formed(positions, teams, axis):
    """Return the seconds of the slowest: met, with all lines used once."""
    layout = Layout(*((positions, 1, 1, 1) if axis == "pipeline" else (1, 1, 1, positions)))

    def act(member):
        member.meet("here")
        begun = time.monotonic()
        seat = Seat(*divmod(member.index, positions))
        places = every_line_of(layout, seat, teams)
        lines = Lines(places, Meeting(member.store, "g1", 50, member.aborted))
        made = time.monotonic() - begun
        for place in places:
            lines[place.axis].vote()
        return [made, time.monotonic() - begun]

    told = together(positions * teams, act)
    faults = [one for one in told if not isinstance(one, list)]
    if faults:
        raise RuntimeError(faults[0])
    return [max(column) for column in zip(*told, strict=True)]


def sums(size):
    """Return the least milliseconds of each kind of sum, in the order of `how`."""

    def act(member):
        line = member.line("g1")
        tensor = torch.randn(ELEMENTS)
        how = [
            line.allreduce,
            lambda t: line.sum_scattered(t),
            lambda t: line.allgather(line.sum_scattered(t), even_counts(ELEMENTS, size)),
            line.sum_everywhere,
        ]
        least = []
        for operation in how:
            times = []
            for _ in range(ROUNDS):
                line.vote()
                begun = time.monotonic()
                operation(tensor)
                times.append(time.monotonic() - begun)
            least.append(1000 * min(times))
        return least

    return [max(column) for column in zip(*together(size, act), strict=True)]


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")
    torch.set_num_threads(1)
    say("members  allreduce  scattered  scattered and gathered  everywhere   (ms, 1M float32)")
    for size in (2, 3, 4):
        say(f"{size:7}" + "".join(f"{value:12.2f}" for value in sums(size)))
    say("positions  teams  axis        made      used   (s)")
    for positions, teams in SHAPES:
        for axis in ("tensor", "pipeline"):
            made, used = formed(positions, teams, axis)
            say(f"{positions:9}  {teams:5}  {axis:9} {made:7.3f} {used:9.3f}")


if __name__ == "__main__":
    main()
