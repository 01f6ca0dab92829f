"""Transition tables: one rule an event, then what holds by itself; the shipped ones are sound."""

from collections import deque
from collections.abc import Sequence

import pytest

from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event, Started
from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.processes import StopRequested
from qmpi.roles.coordinator import machine as coordinator
from qmpi.roles.farm import dealer
from qmpi.roles.table import Rule, Table, named
from qmpi.roles.trainer import machine as trainer
from qmpi.units import Seconds

NOW = Seconds(1.0)
MACHINES = {"coordinator": coordinator, "dealer": dealer, "trainer": trainer}


class Lamp:
    """A machine of two phases; three presses break it."""

    def __init__(self) -> None:
        self.phase = "dark"
        self.raised: deque[Event] = deque()
        self.presses = 0

    def press(self, _: Event, now: Seconds) -> list[Effect]:
        self.presses += 1
        return [SetTimer(f"press {self.presses}", now)]

    def again(self, _: Event, now: Seconds) -> list[Effect]:
        del now
        self.raised.append(Started())
        return []

    def worn(self, _: object) -> bool:
        return self.presses >= 3


RULES = (
    Rule(phases=("dark",), on=Started, action=Lamp.press, to="lit"),
    Rule(phases=("lit",), on=Started, action=Lamp.press, to="dark"),
    Rule(phases=("dark", "lit"), on=StopRequested, action=Lamp.again),
    Rule(phases=("dark", "lit"), on=None, guard=Lamp.worn, action=Lamp.press, to="broken"),
    Rule(phases=("lit",), on=TimerFired, guard=named("night"), action=Lamp.press, to="dark"),
)


def names(effects: Sequence[Effect]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, SetTimer)]


def test_an_event_takes_the_first_rule_that_fits() -> None:
    lamp, table = Lamp(), Table(RULES)
    assert names(table.take(lamp, Started(), NOW)) == ["press 1"]
    assert lamp.phase == "lit"
    assert table.take(lamp, TimerFired("day"), NOW) == []
    assert lamp.phase == "lit"
    assert names(table.take(lamp, TimerFired("night"), NOW)) == ["press 2"]
    assert lamp.phase == "dark"


def test_what_holds_by_itself_follows_at_once() -> None:
    lamp, table = Lamp(), Table(RULES)
    for _ in range(2):
        table.take(lamp, Started(), NOW)
    assert names(table.take(lamp, Started(), NOW)) == ["press 3", "press 4"]
    assert lamp.phase == "broken"
    assert table.take(lamp, Started(), NOW) == []


def test_a_raised_event_is_taken_before_the_next_from_outside() -> None:
    lamp, table = Lamp(), Table(RULES)
    assert names(table.take(lamp, StopRequested("now"), NOW)) == ["press 1"]
    assert lamp.phase == "lit"


def test_a_table_in_circles_is_a_bug() -> None:
    rules = (Rule(phases=("dark",), on=None, action=Lamp.press),)
    with pytest.raises(InvariantError, match="in circles"):
        Table(rules).take(Lamp(), Started(), NOW)


@pytest.mark.parametrize("name", MACHINES)
def test_every_phase_of_a_shipped_machine_can_be_reached_and_left(name: str) -> None:
    module = MACHINES[name]
    phases = set(module.Phase.__args__)
    used = {phase for rule in module.RULES for phase in rule.phases}
    reached = {rule.to for rule in module.RULES if rule.to}
    first = {"coordinator": "gathering", "dealer": "opening", "trainer": "warming"}[name]
    assert reached | {first} == phases
    assert used | {"ended"} == phases | {"ended"}


@pytest.mark.parametrize("name", MACHINES)
def test_no_rule_stands_behind_one_that_always_fits(name: str) -> None:
    seen: set[tuple[str, object]] = set()
    for rule in MACHINES[name].RULES:
        pairs = {(phase, rule.on) for phase in rule.phases}
        assert not pairs & seen, f"never taken: {rule}"
        if rule.guard is None:
            seen |= pairs


@pytest.mark.parametrize("name", MACHINES)
def test_guards_and_actions_say_what_they_are(name: str) -> None:
    for rule in MACHINES[name].RULES:
        assert rule.action.__doc__
        assert rule.guard is None or rule.guard.__doc__
