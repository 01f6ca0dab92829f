"""How the checks of a suite ask a port for work, whichever world it belongs to.

Theory of operation. A check submits work with a list that takes its events, and lets the world move
until enough of them are there: a real world sleeps while threads work, a modelled one steps its
agenda. `settle` lets everything end that is going to end by itself, so that a second event of the
same work, or one that must not come, is seen.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from qmpi.ports.base import Event, Reply

Asked = TypeVar("Asked")
Kind = TypeVar("Kind", bound=Event)
Submit = Callable[[Asked, Reply], None]


class Moving(Protocol):
    """A world in which time passes."""

    def drive(self, until: Callable[[], bool]) -> bool:
        """Let the world move until something holds; False if it did not within its patience."""
        ...

    def settle(self) -> None:
        """Let the world move until nothing more happens by itself, or for a moment."""
        ...


def outcome(world: Moving, submit: Submit[Asked], work: Asked) -> Event:
    """Ask for work and return the one event it ends in."""
    events: list[Event] = []
    submit(work, events.append)
    assert world.drive(lambda: bool(events)), f"{type(work).__name__} never ended"
    world.settle()
    assert len(events) == 1, f"{type(work).__name__} ended in {events}"
    return events[0]


def get(world: Moving, submit: Submit[Asked], work: Asked, kind: type[Kind]) -> Kind:
    """Ask for work that must end in one event of a kind."""
    event = outcome(world, submit, work)
    assert isinstance(event, kind), f"{type(work).__name__} ended in {event!r}"
    return event


def all_outcomes(
    world: Moving,
    submit: Submit[Asked],
    works: list[Asked],
    is_end: Callable[[Event], bool] = lambda _: True,
) -> list[tuple[int, Event]]:
    """Ask for several pieces of work at once; return (number, event) in order of arrival.

    Waits until each has had an event that ends it.
    """
    events: list[tuple[int, Event]] = []
    for number, work in enumerate(works):
        submit(work, lambda event, n=number: events.append((n, event)))
    assert world.drive(
        lambda: len({n for n, event in list(events) if is_end(event)}) == len(works)
    ), events
    world.settle()
    return events
