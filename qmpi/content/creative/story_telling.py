"""How the events of a story world are told.

Theory of operation. Each kind of event has a grammar of its own, whose frames have holes for who,
what and where. Openings and tails around the event are drawn, so an event is told in thousands of
ways. Every mention of a person, thing or place is a fact, and the sentence as a whole is a fact
that names its event.
"""

from qmpi.content.creative.story_world import Event, StoryWorld
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.lexicon import with_article
from qmpi.content.english.prose import Prose, Said
from qmpi.content.page import Page

_AROUND = {
    "opening": (
        "", "[r], ", "", "then, [r], ", "with <things>, ", "after <idea>, ",
        "while <clause_past>, ", "[vg T] <things>, ", "one [a] [n time], ",
        "because <clause_past>, ", "before <idea>, ", "when <clause_past>, ",
        "in spite of <idea>, ", "as <clause_past>, ",
    ),
    "tail": (
        "", " [r]", ", [vg T] <things>", ", for <clause_past>", " without <idea>",
        "; <clause_past>", ", and <clause_past>", " as <clause_past>", ", though <clause_past>",
        " despite <ideas>", ", where <people> <did>", " like <person>",
    ),
}  # fmt: skip


def _pool(name: str, *forms: str) -> FramePool:
    told = tuple(f"<opening>{form}<tail>" for form in forms)
    return FramePool(grammar(**_AROUND, **{name: told}), name)


_POOLS = {
    "go": _pool(
        "go", "{who} walked to {place}", "{who} [vd I,move] to {place}", "{who} went on to {place}",
        "{who} left for {place}", "{who} came to {place}", "{who} set out for {place}",
        "{who} [vd I,move] [r] until {place} came into view", "the way led {who} to {place}",
        "{who}, [a] and [a], reached {place}", "nothing kept {who} from {place}",
    ),
    "take": _pool(
        "take", "{who} took the {thing}", "{who} picked up the {thing}", "{who} found the {thing}",
        "the {thing} went into the bag of {who}", "{who} [r] lifted the {thing}",
        "{who}, [vg T] <things>, took the {thing}", "the hand of {who} closed on the {thing}",
        "{who} carried off the {thing}", "the [a] look of the {thing} made {who} take it",
    ),
    "leave": _pool(
        "leave", "{who} left the {thing} at {place}", "{who} hid the {thing} in {place}",
        "{who} put down the {thing} in {place}", "at {place} {who} laid aside the {thing}",
        "{who} let go of the {thing} at {place}",
        "in {place}, under <things>, {who} hid the {thing}",
        "{who}, [a], set the {thing} down at {place}",
    ),
    "give": _pool(
        "give", "{who} gave the {thing} to {other}", "{who} handed {other} the {thing}",
        "{other} got the {thing} from {who}", "{who} [r] passed the {thing} to {other}",
        "the {thing} went from {who} to {other}", "{who} made {other} a gift of the {thing}",
        "{other}, [a], was given the {thing} by {who}",
    ),
    "pay": _pool(
        "pay", "{who} paid {other} {coins}", "{who} counted {coins} into the hand of {other}",
        "{other} got {coins} from {who}", "for <things>, {who} gave {other} {coins}",
        "{who} owed {other} {coins}, and paid [r]", "{who} lost {coins} to {other} over <idea>",
    ),
}  # fmt: skip
_ENTRANCES = FramePool(
    grammar(
        **_AROUND,
        entrance=(
            "{name}, [an person] by habit and {trade} by trade, was at {place}",
            "{name} was {trade} and lived by {place}", "at {place} worked {trade}, {name}",
            "there was {trade} at {place}, {name}", "{name}, {trade}, [vd T] <things> at {place}",
            "everyone at {place} knew {name}, {trade} of [a] [ns idea]",
            "{trade} called {name} [vd I] at {place}, [a] as [an animal]",
        ),
    ),
    "entrance",
)  # fmt: skip
_PURSES = FramePool(
    grammar(
        purse=(
            "{who} had {coins}, and [a] [ns]", "in the purse of {who} were {coins}",
            "{who} owned {coins}, <things>, and little else", "{coins} were all that {who} had",
            "{who}, with {coins}, felt [a]", "[ns] apart, {who} had {coins}",
        )
    ),
    "purse",
)  # fmt: skip
_LYING = FramePool(
    grammar(
        **_AROUND,
        lying=(
            "the {thing} lay at {place}", "at {place}, among <things>, was the {thing}",
            "the {thing} stood in {place}", "someone had left the {thing} at {place}",
            "in {place} one could see the {thing}", "{place} was [a] for the {thing}",
        ),
    ),
    "lying",
)  # fmt: skip


class Teller:
    """Tells a story world on a page."""

    def __init__(self, page: Page, prose: Prose, world: StoryWorld) -> None:
        """Prepare to tell.

        Args:
            page: written on.
            prose: its sentences.
            world: what is told.
        """
        self._page = page
        self._prose = prose
        self._world = world

    def enter(self) -> None:
        """Say who there is and where, what lies where, and what each has."""
        world, prose = self._world, self._prose
        # Before anything happens, or the places would be out of date.
        for person, name in enumerate(world.people):
            trade = with_article(world.trades[person])
            prose.tell(
                _ENTRANCES,
                {
                    "name": Said(name, "person", (person,)),
                    "trade": Said(trade, "trade", (person,)),
                    "place": self._place(world.start[person], "start", person),
                },
            )
            if self._world.purses and self._page.draw.chance(60):
                prose.tell(_PURSES, {"who": self.who(person), "coins": self._purse(person)})
        for thing, place in enumerate(world.lies):
            prose.tell(
                _LYING,
                {"thing": self.thing(thing), "place": self._place(place, "lies", thing)},
            )

    def event(self, number: int) -> None:
        """Tell one event.

        Args:
            number: of the event in the world.
        """
        event = self._world.events[number]
        start = self._page.length
        self._prose.tell(_POOLS[event[0]], self._holes(event), end="")
        self._page.mark("event", start, self._page.length, number)
        self._page.say(" ")

    def _holes(self, event: Event) -> dict[str, Said]:
        kind, who, first, second = event
        holes = {"who": self.who(who)}
        if kind == "go":
            return {**holes, "place": self._place(first, "place", first)}
        if kind == "pay":
            coins = Said(f"{second} coin{'s' * (second != 1)}", "coins", (second,))
            return {**holes, "other": self.who(first), "coins": coins}
        holes["thing"] = self.thing(first)
        if kind == "give":
            holes["other"] = self.who(second)
        if kind == "leave":
            holes["place"] = self._place(second, "place", second)
        return holes

    def who(self, person: int) -> Said:
        """Mention a person.

        Args:
            person: number in the world.

        Returns:
            First name, or now and then the full one.
        """
        name = self._world.people[person]
        full = self._page.draw.chance(12)
        return Said(name if full else name.split(" ")[0], "person", (person,))

    def thing(self, thing: int) -> Said:
        """Mention a thing.

        Args:
            thing: number in the world.

        Returns:
            The noun, or with its adjective.
        """
        name = self._world.things[thing]
        full = self._page.draw.chance(35)
        return Said(name if full else name.split(" ")[-1], "thing", (thing,))

    def _place(self, place: int, kind: str, of: int) -> Said:
        return Said(self._world.places[place], kind, (of,))

    def _purse(self, person: int) -> Said:
        coins = self._world.purses[person]
        return Said(f"{coins} coin{'s' * (coins != 1)}", "purse", (person,))
