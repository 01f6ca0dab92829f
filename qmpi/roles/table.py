"""Transition tables that are executed: the picture of a state machine is its code.

Theory of operation. A rule says: in these phases, when this happens and the guard holds, do this
and go on in that phase. The rules of a machine are its only way to change phase. For an event the
first rule that fits is taken; then, as long as a rule without trigger fits ("as soon as"), it is
taken too. An action may raise further events, which are taken in order before the next one from
outside. An event that no rule fits is passed over: it is late, or early, or concerns others.

What a machine receives is looked up by the type of the message, anything else by the type of the
event, so that the cost of an event does not grow with the table.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event
from qmpi.ports.clock import TimerFired
from qmpi.ports.transport import Received
from qmpi.units import Seconds

MOST_IN_A_ROW = 1000
"""Rules taken for one event from outside; beyond that the table runs in circles."""


class Phased(Protocol):
    """A state machine that a table drives."""

    phase: str
    raised: deque[Event]


R = TypeVar("R", bound=Phased)


class Rule(Struct, Generic[R], frozen=True, kw_only=True):
    """One row of a transition table.

    Attributes:
        phases: in which phases it holds.
        on: type of the event or message; None: as soon as the guard holds.
        guard: what else must hold, told by its docstring; None: nothing.
        action: what is done, told by its docstring.
        to: phase in which the machine goes on; "" stays where it is.
    """

    phases: tuple[str, ...]
    on: type[Any] | None
    action: Callable[[R, Any, Seconds], list[Effect]]
    guard: Callable[[R, Any], bool] | None = None
    to: str = ""


class Table(Generic[R]):
    """The rules of one kind of machine, by phase and trigger."""

    def __init__(self, rules: Iterable[Rule[R]]) -> None:
        """Index the rules.

        Args:
            rules: in order of precedence.
        """
        self.rules = tuple(rules)
        self._index: dict[tuple[str, type[Any] | None], list[Rule[R]]] = {}
        for rule in self.rules:
            for phase in rule.phases:
                self._index.setdefault((phase, rule.on), []).append(rule)

    def take(self, machine: R, event: Event, now: Seconds) -> list[Effect]:
        """Let a machine take an event, and what follows from it.

        Args:
            machine: its phase may change.
            event: what happened.
            now: clock.

        Returns:
            What shall happen, in order.

        Raises:
            InvariantError: the table runs in circles.
        """
        effects = self._once(machine, event, now)
        for _ in range(MOST_IN_A_ROW):
            found = self._find(machine, None, None)
            if found is not None:
                effects += self._apply(machine, found, None, now)
            elif machine.raised:
                effects += self._once(machine, machine.raised.popleft(), now)
            else:
                return effects
        raise InvariantError(f"the table of {type(machine).__name__} runs in circles")

    def _once(self, machine: R, event: Event, now: Seconds) -> list[Effect]:
        subject: object = event.message if isinstance(event, Received) else event
        rule = self._find(machine, type(subject), event)
        return [] if rule is None else self._apply(machine, rule, event, now)

    def _find(self, machine: R, on: type[Any] | None, event: Event | None) -> Rule[R] | None:
        for rule in self._index.get((machine.phase, on), ()):
            if rule.guard is None or rule.guard(machine, event):
                return rule
        return None

    @staticmethod
    def _apply(machine: R, rule: Rule[R], event: Event | None, now: Seconds) -> list[Effect]:
        machine.phase = rule.to or machine.phase
        return rule.action(machine, event, now)


def named(timer: str) -> Callable[[Any, TimerFired], bool]:
    """Return a guard that holds for one timer.

    Args:
        timer: its name.

    Returns:
        The guard; its docstring tells the name.
    """

    def guard(machine: object, event: TimerFired) -> bool:
        del machine
        return event.name == timer

    guard.__doc__ = f"The timer is `{timer}`."
    return guard
