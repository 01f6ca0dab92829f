"""The world of a story: people, things and places, and what happens, simulated event by event.

Theory of operation. Every event is possible when it happens: one can only take what lies where one
is, and give to who is there. Whoever is present sees an event and remembers where a thing went, so
people come to hold beliefs that are no longer true. The events go into the certificate; a checker
replays them.
"""

from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page

Event = tuple[str, int, int, int]
"""Kind, who does it, and two more numbers: of a place, thing, person, or a count of coins."""

_COLLECTIVE = ("market", "harbour", "tower", "cellar", "garden", "mill", "chapel", "library")


class StoryWorld:
    """People, things, places, and the events between them.

    Attributes:
        people: full names.
        trades: trade of each person.
        things: what can be carried, as "brass lantern".
        places: as "the mill".
        start: place of each person.
        lies: place of each thing at the start.
        purses: coins of each person at the start.
        events: what happens, in order.
        where: place of each person now.
        held: who holds each thing now; -1: nobody.
        at: place of each thing that nobody holds.
        coins: of each person now.
        seen: where each person last saw each thing: a place, or -1 - holder, or None.
    """

    def __init__(self, page: Page, prose: Prose) -> None:
        """Populate the world.

        Args:
            page: gives draws and budget.
            prose: gives names and words.
        """
        draw, budget = page.draw, page.budget
        self.people = _people(prose, sized(draw, budget.entities, 2, 7))
        self.trades = [prose.word("n person") for _ in self.people]
        self.things = _different(prose, "n artifact", sized(draw, budget.entities, 2, 7))
        self.places = _places(draw, prose, sized(draw, budget.distance, 2, 6))
        self.start = [draw.below(len(self.places)) for _ in self.people]
        self.lies = [draw.below(len(self.places)) for _ in self.things]
        self.purses = [draw.between(5, 40 + 9 * budget.steps) for _ in self.people]
        self.events: list[Event] = []
        self.where = list(self.start)
        self.held = [-1] * len(self.things)
        self.at = list(self.lies)
        self.coins = list(self.purses)
        self.seen: list[list[int | None]] = [[None] * len(self.things) for _ in self.people]
        for person, place in enumerate(self.start):
            for thing, lies in enumerate(self.lies):
                if lies == place:
                    self.seen[person][thing] = place

    def happen(self, draw: Draw, count: int) -> None:
        """Let things happen.

        Args:
            draw: chance.
            count: number of events.
        """
        for _ in range(count):
            self.do(self._next(draw))

    def _next(self, draw: Draw) -> Event:
        who = draw.below(len(self.people))
        place, kind = self.where[who], draw.below(10)
        here = [p for p, where in enumerate(self.where) if where == place and p != who]
        mine = [t for t, holder in enumerate(self.held) if holder == who]
        free = [t for t, lies in enumerate(self.at) if self.held[t] < 0 and lies == place]
        if kind < 3 and free:
            return ("take", who, draw.choice(free), place)
        if kind < 5 and mine:
            return ("leave", who, draw.choice(mine), place)
        if kind < 7 and mine and here:
            return ("give", who, draw.choice(mine), draw.choice(here))
        if kind < 9 and here and self.coins[who] > 1:
            return ("pay", who, draw.choice(here), draw.between(1, self.coins[who]))
        other = draw.below(len(self.places) - 1)
        return ("go", who, other + (other >= place), place)

    def do(self, event: Event) -> None:
        """Change the world by one event.

        Args:
            event: possible now.
        """
        kind, who, first, second = event
        self.events.append(event)
        if kind == "go":
            self.where[who] = first
            # Who arrives sees what lies there, and no longer believes in what does not.
            for thing, lies in enumerate(self.at):
                if self.held[thing] < 0 and lies == first:
                    self.seen[who][thing] = first
                elif self.seen[who][thing] == first:
                    self.seen[who][thing] = None
            return
        if kind == "pay":
            self.coins[who] -= second
            self.coins[first] += second
            return
        self.held[first] = {"take": who, "leave": -1, "give": second}[kind]
        self.at[first] = self.where[who]
        now = self.where[who] if kind == "leave" else -1 - self.held[first]
        for person, place in enumerate(self.where):
            if place == self.where[who]:
                self.seen[person][first] = now

    def parameters(self) -> dict[str, Plain]:
        """Return what a checker needs to replay the story.

        Returns:
            Plain values.
        """
        return {
            "people": list(self.people),
            "trades": list(self.trades),
            "things": list(self.things),
            "places": list(self.places),
            "start": list(self.start),
            "lies": list(self.lies),
            "purses": list(self.purses),
            "events": [list(event) for event in self.events],
        }


def _people(prose: Prose, count: int) -> list[str]:
    names: dict[str, str] = {}
    while len(names) < count:
        name = prose.person()
        # First names alone must tell people apart: later sentences use nothing else.
        names.setdefault(name.split(" ")[0], name)
    return list(names.values())


def _different(prose: Prose, slot: str, count: int) -> list[str]:
    found: dict[str, str] = {}
    while len(found) < count:
        noun = prose.word(slot)
        found.setdefault(noun, f"{prose.word('a')} {noun}")
    return list(found.values())


def _places(draw: Draw, prose: Prose, count: int) -> list[str]:
    found: dict[str, str] = {}
    while len(found) < count:
        noun = prose.word("n place") if draw.chance(70) else draw.choice(_COLLECTIVE)
        name = prose.place()
        found.setdefault(noun, f"the {noun} of {name}" if draw.chance(50) else f"the {noun}")
    return list(found.values())
