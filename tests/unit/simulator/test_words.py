"""What a scenario may say: faults, conversations, and the same with larger teams."""

import pytest

from qmpi.errors import ExitCode, InputError
from qmpi.policy.placement import place
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.conversation import parse_conversation, unlike
from qmpi.simulator.faults import (
    Break,
    CrashEngine,
    CutGroup,
    Fill,
    Free,
    KillRole,
    OnEvent,
    parse_fault,
)
from qmpi.simulator.scenario import parse_scenario
from qmpi.simulator.troubles import FOR_EVER, Troubles
from qmpi.simulator.widen import widen
from qmpi.units import Rank


@pytest.mark.parametrize(
    ("text", "deed"),
    [
        ("break block of rank 3", Break("block", Rank(3), 1)),
        ("break rows of rank 3 x4", Break("rows", Rank(3), 4)),
        ("break rows of rank 3 for ever", Break("rows", Rank(3), FOR_EVER)),
        ("break connection of rank 3", Break("connection", Rank(3), 1)),
        ("break rendezvous of rank 3 x2", Break("rendezvous", Rank(3), 2)),
        ("fill ram of rank 3", Fill(Rank(3))),
        ("free ram of rank 3", Free(Rank(3))),
        ("fill disk", Fill(None)),
        ("free disk", Free(None)),
        ("crash engine of rank 3", CrashEngine(Rank(3), ExitCode.MACHINE)),
        ("crash engine of rank 3 as bug", CrashEngine(Rank(3), ExitCode.BUG)),
        ("crash engine of rank 3 as user", CrashEngine(Rank(3), ExitCode.USER)),
        ("cut group of rank 3", CutGroup(Rank(3))),
        ("kill dealer 0", KillRole(RoleName.DEALER, 0)),
    ],
)
def test_faults_of_ports_are_read(text, deed):
    assert parse_fault(f"at 3 {text}").deed == deed
    staged = parse_fault(f"on voting of rank 2 #4 {text}")
    assert staged.trigger == OnEvent("voting", Rank(2), 4)
    assert staged.deed == deed


@pytest.mark.parametrize(
    "text",
    ["at 3 break bread of rank 1", "at 3 break block of rank 1 x", "at 3 fill rank 1", "fill disk"],
)
def test_what_is_no_fault_is_refused(text):
    with pytest.raises(InputError):
        parse_fault(text)


def test_troubles_are_met_as_often_as_announced():
    troubles = Troubles()
    assert not troubles.meet("block", Rank(1))
    troubles.expect("block", Rank(1), 2)
    met = [troubles.meet("block", Rank(rank)) for rank in (1, 2, 1, 1)]
    assert met == [True, False, True, False]
    assert not troubles.meet("rows", Rank(1))


TOLD = ["Hello", "Regroup", "Regroup", "Holding", "Hello", "Grant", "Regroup", "Holding"]


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("Regroup+ Holding Grant Regroup Holding", True),
        ("Regroup Holding Grant Regroup Holding", False),
        ("Regroup+ Holding Regroup+ Holding", True),
        ("Regroup+ Holding Grant", False),
        ("Regroup+ ...", True),
        ("... Holding", True),
        ("... Grant ...", True),
        ("Grant Leave?", True),
        ("Grant Leave*", True),
        ("Grant Leave", False),
        ("Hello Hello", True),
        ("Hello+ Hello", True),
        ("Hello", False),
    ],
)
def test_a_conversation_fits_or_says_how_it_went(line, fits):
    said = unlike(parse_conversation(line), TOLD)
    assert (said == "") == fits
    if not fits:
        assert "but it is" in said


@pytest.mark.parametrize("line", ["Regroup++", "Gossip", "Regroup, Holding", "..+"])
def test_what_is_no_conversation_is_refused(line):
    with pytest.raises(InputError):
        parse_conversation(line)


EVERY = "\n".join(f"at {rank} kill rank {rank}" for rank in range(12)) + "\nexpect end finished"


@pytest.mark.parametrize("size", [2, 4])
def test_a_wide_scenario_strikes_ranks_of_the_same_role(size):
    narrow = parse_scenario(EVERY)
    wide = widen(narrow, size)
    assert wide.settings.parallel.team_size == size
    roles = [_roles(narrow), _roles(wide)]
    assert len(roles[1]) == wide.ranks == 12 + 5 * (size - 1)
    for before, after in zip(narrow.faults, wide.faults, strict=True):
        assert roles[0][before.deed.rank] == roles[1][after.deed.rank]
    struck = {fault.deed.rank for fault in wide.faults}
    assert len(struck) == 12
    assert -(-wide.ranks // wide.ranks_per_host) == 3


def _roles(scenario):
    hosts = [f"host{rank // scenario.ranks_per_host}" for rank in range(scenario.ranks)]
    settings = scenario.settings
    return place(hosts, settings.roles, settings.train.lanes, settings.parallel.team_size).roles


def test_a_scenario_with_teams_of_its_own_is_not_widened():
    scenario = parse_scenario("set parallel.tensor = 2\nset roles.trainer = 6\nexpect end finished")
    assert widen(scenario, 1) is scenario
    with pytest.raises(InputError):
        widen(scenario, 2)
