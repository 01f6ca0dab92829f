"""Teams: positions and coordinates are one to one, lines cut a group as its axes say."""

import hashlib
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError
from qmpi.protocol.teams import (
    AXES,
    DATA,
    TEAM,
    Layout,
    Line,
    Seat,
    every_line_of,
    lines_of,
    whole_digest,
)

sizes = st.integers(1, 4)
layouts = st.builds(Layout, sizes, sizes, sizes, sizes)


def test_the_layout_is_that_of_the_job():
    parallel = ParallelSettings(pipeline=2, context=3, expert=5, tensor=7)
    layout = Layout.of(parallel)
    assert layout == Layout(2, 3, 5, 7)
    assert layout.size == parallel.team_size == 210


@given(layouts)
def test_positions_and_coordinates_are_one_to_one(layout):
    places = [layout.coordinates(position) for position in range(layout.size)]
    assert [layout.position_of(place) for place in places] == list(range(layout.size))
    # Tensor is the fastest axis, pipeline the slowest: counting order.
    assert places == sorted(set(places))


@pytest.mark.parametrize("position", [-1, 8])
def test_a_position_outside_the_team_is_refused(position):
    with pytest.raises(InvariantError):
        Layout(1, 2, 1, 4).coordinates(position)


@pytest.mark.parametrize("place", [(0, 2, 0, 0), (1, 0, 0, 0), (0, 0, 0, -1), (0, 0, 0, 4)])
def test_coordinates_outside_the_team_are_refused(place):
    with pytest.raises(InvariantError):
        Layout(1, 2, 1, 4).position_of(place)


@given(layouts, st.integers(1, 4))
def test_each_line_holds_the_ranks_that_differ_in_its_axis_alone(layout, teams):
    seats = [Seat(team, position) for team in range(teams) for position in range(layout.size)]
    lines = defaultdict(list)
    for seat in seats:
        mine = lines_of(layout, seat, teams)
        axes = [axis for axis, size in zip(AXES, layout.shape, strict=True) if size > 1]
        assert [line.axis for line in mine] == [DATA, *axes]
        for line in mine:
            lines[line.name].append((seat, line))
    for members in lines.values():
        _, first = members[0]
        assert {(line.axis, line.size) for _, line in members} == {(first.axis, len(members))}
        assert [line.index for _, line in members] == list(range(len(members)))
        places = [(seat.team, *layout.coordinates(seat.position)) for seat, _ in members]
        varying = [n for n in range(5) if len({place[n] for place in places}) > 1]
        axis = (DATA, *AXES).index(first.axis)
        assert varying == ([axis] if len(members) > 1 else [])
        assert [place[axis] for place in places] == list(range(len(members)))


def test_a_team_of_one_has_the_data_line_only():
    assert lines_of(Layout(1, 1, 1, 1), Seat(2, 0), 3) == (Line(DATA, "data/0", 2, 3),)


def test_lines_by_name():
    assert lines_of(Layout(1, 1, 2, 2), Seat(1, 3), 2) == (
        Line(DATA, "data/3", 1, 2),
        Line("expert", "expert/1/1", 1, 2),
        Line("tensor", "tensor/1/1", 1, 2),
    )


@given(layouts, st.integers(1, 3))
def test_every_line_is_listed_once_with_those_of_one_rank_and_the_team_in_order(layout, teams):
    for position in range(layout.size):
        seat = Seat(teams - 1, position)
        lines = every_line_of(layout, seat, teams)
        assert [line.axis for line in lines] == [DATA, *AXES, TEAM]
        assert [line.size for line in lines] == [teams, *layout.shape, layout.size]
        assert lines[-1] == Line(TEAM, f"team/{teams - 1}", position, layout.size)
        longer = [line for line in lines[1:-1] if line.size > 1]
        assert lines_of(layout, seat, teams) == (lines[0], *longer)
        assert len({line.name for line in lines}) == len(lines)


@pytest.mark.parametrize("seat", [Seat(2, 0), Seat(-1, 0), Seat(0, 4)])
def test_a_seat_that_a_group_does_not_have_is_refused(seat):
    with pytest.raises(InvariantError):
        lines_of(Layout(1, 1, 2, 2), seat, 2)


def test_seats_are_in_team_order():
    assert sorted([Seat(1, 0), Seat(0, 3), Seat(0, 1)]) == [Seat(0, 1), Seat(0, 3), Seat(1, 0)]


def test_the_digest_of_one_part_is_that_of_the_whole():
    assert whole_digest(["ab"]) == "ab"
    parts = [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)]
    assert whole_digest(parts) == hashlib.sha256("".join(parts).encode()).hexdigest()
    assert whole_digest(parts) != whole_digest(parts[::-1])
    assert whole_digest([*parts, ""]) == ""
    with pytest.raises(InvariantError):
        whole_digest([])
