"""Is a story true to its world, and does a verse keep its form?

Theory of operation. The events of the certificate are replayed by rules written down here: an event
that could not happen is a fault. Every mention in the text must be one of the names that the world
gives, each event's sentence must mention what takes part in it, and answers and sums are worked out
from the replay. For verse, first letters and rhymes are read off the lines.
"""

from collections.abc import Callable
from typing import Any

from qmpi.content.document import Document, Fact

_RHYME_LETTERS = 3


class _Replay:
    def __init__(self, world: dict[str, Any]) -> None:
        self.names: list[str] = world["people"]
        self.places: list[str] = world["places"]
        self.things: list[str] = world["things"]
        self.stand: dict[int, int] = dict(enumerate(world["start"]))
        self.spot: dict[int, tuple[str, int]] = {
            thing: ("place", place) for thing, place in enumerate(world["lies"])
        }
        self.purse: dict[int, int] = dict(enumerate(world["purses"]))
        self.after: list[dict[int, int]] = []
        self.known: dict[tuple[int, int], tuple[str, int]] = {}
        for person in self.stand:
            self._look(person)
        self.faults: list[str] = []
        for number, event in enumerate(world["events"]):
            if not self._step(*event):
                self.faults.append(f"event {number} {event} could not happen")
            self.after.append(dict(self.purse))

    def _look(self, person: int) -> None:
        here = self.stand[person]
        for thing, spot in self.spot.items():
            if spot == ("place", here):
                self.known[person, thing] = spot
            elif self.known.get((person, thing)) == ("place", here):
                del self.known[person, thing]

    def _step(self, kind: str, who: int, first: int, second: int) -> bool:
        moves: dict[str, Callable[[int, int, int], bool]] = {
            "go": self._go,
            "pay": self._pay,
            "take": self._take,
            "leave": self._leave,
            "give": self._give,
        }
        return kind in moves and moves[kind](who, first, second)

    def _go(self, who: int, place: int, before: int) -> bool:
        possible = self.stand[who] == before != place
        self.stand[who] = place
        self._look(who)
        return possible

    def _pay(self, who: int, other: int, coins: int) -> bool:
        possible = 0 < coins <= self.purse[who] and self._near(who, other)
        self.purse[who] -= coins
        self.purse[other] += coins
        return possible

    def _take(self, who: int, thing: int, place: int) -> bool:
        possible = self.spot[thing] == ("place", place) and self.stand[who] == place
        self._put(who, thing, ("person", who))
        return possible

    def _leave(self, who: int, thing: int, place: int) -> bool:
        possible = self.spot[thing] == ("person", who) and self.stand[who] == place
        self._put(who, thing, ("place", place))
        return possible

    def _give(self, who: int, thing: int, other: int) -> bool:
        possible = self.spot[thing] == ("person", who) and self._near(who, other)
        self._put(who, thing, ("person", other))
        return possible

    def _near(self, who: int, other: int) -> bool:
        return who != other and self.stand[who] == self.stand[other]

    def _put(self, who: int, thing: int, spot: tuple[str, int]) -> None:
        self.spot[thing] = spot
        for person, place in self.stand.items():
            if place == self.stand[who]:
                self.known[person, thing] = spot

    def answer(self, kind: str, person: int, thing: int) -> str | None:
        if kind == "coins":
            return str(self.purse[person])
        if kind == "stand":
            return self.places[self.stand[person]]
        if kind == "belief":
            known = self.known.get((person, thing))
            if known is None:
                return None
            where = self.places if known[0] == "place" else self.names
            return where[known[1]] if known[0] == "place" else f"with {where[known[1]]}"
        form, number = self.spot[thing]
        wanted = {"where": "place", "holder": "person"}.get(kind)
        if form != wanted:
            return None
        return self.places[number] if form == "place" else self.names[number]


def check_creative(document: Document) -> list[str]:
    """Check a document of type creative.

    Args:
        document: with its certificate.

    Returns:
        Faults in words.
    """
    try:
        if document.genre == "verse":
            return _verse_faults(document)
        return _story_faults(document)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"the certificate cannot be read: {error!r}"]


def _story_faults(document: Document) -> list[str]:
    world: dict[str, Any] = document.world
    replay = _Replay(world)
    faults = list(replay.faults)
    for fact in document.facts:
        said = document.text[fact.start : fact.end]
        fault = _fact_fault(document, replay, fact, said)
        if fault:
            faults.append(f"{fact.kind} {list(fact.args)}: {fault}")
    told = [fact.args[0] for fact in document.facts if fact.kind == "event"]
    if told != list(range(len(world["events"]))):
        faults.append("the events are not told each once, in order")
    if not any(fact.kind == "answer" for fact in document.facts):
        faults.append("there is no answer")
    return faults


def _fact_fault(document: Document, replay: _Replay, fact: Fact, said: str) -> str | None:
    world: dict[str, Any] = document.world
    args: Any = fact.args
    if fact.kind == "event":
        return _event_fault(replay, world["events"][args[0]], said)
    if fact.kind == "question":
        return None if said.endswith("?") else "no question mark"
    if fact.kind == "answer":
        expected = replay.answer(*args)
        return None if said == expected else f"answers {said!r}, not {expected!r}"
    if fact.kind == "step":
        verb = {"take": "took", "leave": "left", "give": "gave", "go": "went to"}
        expected = verb[world["events"][args[0]][0]]
        return None if said == expected else f"says {said!r}, not {expected!r}"
    if fact.kind == "sum":
        coins = world["purses"] if args[1] < 0 else replay.after[args[1]]
        return None if said == str(coins[args[0]]) else f"says {said}, not {coins[args[0]]}"
    legal = _legal(replay, world, fact.kind, args[0])
    lowered = said[0].lower() + said[1:]
    return None if said in legal or lowered in legal else f"says {said!r}, not {legal[0]!r}"


def _legal(replay: _Replay, world: dict[str, Any], kind: str, number: int) -> list[str]:
    match kind:
        case "person":
            return [replay.names[number], replay.names[number].split(" ")[0]]
        case "thing":
            return [replay.things[number], replay.things[number].split(" ")[-1]]
        case "place":
            return [replay.places[number]]
        case "start" | "lies":
            return [replay.places[world[kind][number]]]
        case "coins":
            return [_coins(number), str(number)]
        case "purse":
            return [_coins(world["purses"][number])]
        case "day":
            return [str(world["days"][number])]
        case "trade":
            trade = world["trades"][number]
            return [f"a {trade}", f"an {trade}"]
        case _:
            raise ValueError(f"no fact is called {kind}")


def _coins(count: int) -> str:
    return "1 coin" if count == 1 else f"{count} coins"


def _event_fault(replay: _Replay, event: list[Any], said: str) -> str | None:
    kind, who, first, second = event
    needed = [replay.names[who].split(" ")[0]]
    if kind in ("take", "leave", "give"):
        needed.append(replay.things[first].split(" ")[-1])
    if kind == "leave":
        needed.append(replay.places[second])
    if kind == "go":
        needed.append(replay.places[first])
    if kind == "give":
        needed.append(replay.names[second].split(" ")[0])
    if kind == "pay":
        needed += [replay.names[first].split(" ")[0], _coins(second)]
    missing = [name for name in needed if name not in said]
    return f"the sentence does not mention {missing[0]!r}" if missing else None


def _verse_faults(document: Document) -> list[str]:
    hidden: Any = document.world["hidden"]
    scheme: Any = document.world["scheme"]
    lines: dict[tuple[int, int], str] = {}
    faults: list[str] = []
    for fact in document.facts:
        said = document.text[fact.start : fact.end]
        args: Any = tuple(fact.args)
        if fact.kind == "line":
            lines[args] = said
        elif fact.kind == "hidden" and said != hidden[args[0]]:
            faults.append(f"the text reveals {said!r}, not {hidden[args[0]]!r}")
    for number, word in enumerate(hidden):
        stanza = [lines.get((number, line), " ") for line in range(len(word))]
        spelled = "".join(line[0] for line in stanza).lower()
        if spelled != word:
            faults.append(f"the lines spell {spelled!r}, not {word!r}")
        faults += _rhyme_faults(stanza, scheme)
    return faults


def _rhyme_faults(stanza: list[str], scheme: str) -> list[str]:
    endings: dict[tuple[int, str], str] = {}
    for number, line in enumerate(stanza):
        sound = (number // len(scheme), scheme[number % len(scheme)])
        ending = endings.setdefault(sound, line[-_RHYME_LETTERS:])
        if line[-_RHYME_LETTERS:] != ending:
            return [f"{line!r} does not rhyme"]
    return []
