"""The world of a conversation: who speaks, what is to be settled, and the acts that settle it.

Theory of operation. What is to be settled are items, each with a label and a value that may change.
An act proposes, corrects, drops, asks for, confirms or votes on an item; the state after the last
act is what was agreed. "It" is said only of the item of the act before, so each pronoun has one
referent.
"""

from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page

Act = tuple[str, int, int, int]
"""Kind, speaker, item, and number of the value among the item's values; -1: none."""

KINDS = ("count", "place", "person", "hour", "price", "thing")
_LABELS = {
    "count": ("number of", "count of", "how many"),
    "place": ("place for", "site of", "room for", "spot for"),
    "person": ("name for", "person for", "head of", "contact for"),
    "hour": ("hour of", "time of", "start of", "end of"),
    "price": ("price of", "fee for", "budget for", "cost of"),
    "thing": ("tool for", "gift for", "choice for", "part for"),
}
_COINS = ("euros", "dollars", "pounds", "francs", "yen", "crowns")


class Item:
    """Something to be settled.

    Attributes:
        kind: one of `KINDS`.
        label: as "price of the wedding".
        values: what was ever proposed, in words, each different.
    """

    __slots__ = ("kind", "label", "unit", "values")

    def __init__(self, draw: Draw, prose: Prose) -> None:
        """Draw an item without values.

        Args:
            draw: chance.
            prose: gives words.
        """
        self.kind = draw.choice(KINDS)
        count = self.kind == "count"
        noun = prose.word("ns artifact" if count else "n event" if draw.chance(50) else "n act")
        self.unit = noun if count else draw.choice(_COINS)
        self.label = f"{draw.choice(_LABELS[self.kind])} {'' if count else 'the '}{noun}"
        self.values: list[str] = []

    def propose(self, draw: Draw, prose: Prose, most: int) -> int:
        """Add a value.

        Args:
            draw: chance.
            prose: gives words.
            most: largest number.

        Returns:
            Number of the value.
        """
        while True:
            value = self._value(draw, prose, most)
            if value not in self.values:
                self.values.append(value)
                return len(self.values) - 1

    def _value(self, draw: Draw, prose: Prose, most: int) -> str:
        match self.kind:
            case "count":
                return f"{draw.between(2, most)} {self.unit}"
            case "price":
                return f"{draw.between(2, 10 * most)} {self.unit}"
            case "hour":
                return f"{draw.below(24)}:{draw.below(12) * 5:02d}"
            case "person":
                return prose.person()
            case "place":
                return f"the {prose.word('n place')} of {prose.place()}"
            case _:
                return f"the {prose.word('a')} {prose.word('n artifact')}"


class TalkWorld:
    """Speakers, items and acts.

    Attributes:
        speakers: full names; first names differ.
        items: what is to be settled.
        acts: what was done, in order.
        state: number of each item's value now; -1: not settled.
    """

    def __init__(self, page: Page, prose: Prose, speakers: int, items: int) -> None:
        """Gather speakers and items; nothing is settled yet.

        Args:
            page: gives draws and budget.
            prose: gives words.
            speakers: how many, >= 2.
            items: how many, >= 1.
        """
        self._draw = page.draw
        self._prose = prose
        self._most = 9 + 9 * page.budget.steps
        names: dict[str, str] = {}
        while len(names) < speakers:
            name = prose.person()
            names.setdefault(name.split(" ")[0], name)
        self.speakers = list(names.values())
        labels: dict[str, Item] = {}
        while len(labels) < items:
            item = Item(page.draw, prose)
            labels.setdefault(item.label, item)
        self.items = list(labels.values())
        self.acts: list[Act] = []
        self.state = [-1] * items

    def run(self, page: Page) -> None:
        """Let the speakers settle all items, with corrections on the way.

        Args:
            page: gives draws and budget.
        """
        draw, budget = page.draw, page.budget
        open_items = list(range(len(self.items)))
        draw.shuffle(open_items)
        speaker = 0
        changes = sized(draw, budget.distractors, 1, 8)
        while open_items or changes > 0:
            speaker = (speaker + 1 + draw.below(len(self.speakers) - 1)) % len(self.speakers)
            settled = [item for item, value in enumerate(self.state) if value >= 0]
            if open_items and (not settled or draw.chance(55)):
                self._first(speaker, open_items.pop())
            elif settled:
                changes -= 1
                self._again(speaker, draw.choice(settled))

    def _first(self, speaker: int, item: int) -> None:
        if self._draw.chance(45):
            self.do("ask", speaker, item, -1)
            speaker = (speaker + 1) % len(self.speakers)
        self.do("propose", speaker, item, self._new(item))

    def _again(self, speaker: int, item: int) -> None:
        draw = self._draw
        kind = draw.below(10)
        if kind < 4:
            self.do("correct", speaker, item, self._new(item))
            if draw.chance(40):
                other = (speaker + 1) % len(self.speakers)
                self.do("correct_it", other, item, self._new(item))
        elif kind < 8:
            self.do("confirm", speaker, item, self.state[item])
        elif kind == 8:
            # Someone remembers an older value and is put right.
            old = draw.below(len(self.items[item].values))
            if old == self.state[item]:
                self.do("confirm", speaker, item, old)
                return
            self.do("mistake", speaker, item, old)
            self.do("remind", (speaker + 1) % len(self.speakers), item, self.state[item])
        else:
            self.do("drop", speaker, item, -1)
            self.do("propose", (speaker + 1) % len(self.speakers), item, self._new(item))

    def _new(self, item: int) -> int:
        return self.items[item].propose(self._draw, self._prose, self._most)

    def do(self, kind: str, speaker: int, item: int, value: int) -> None:
        """Add an act.

        Args:
            kind: ask, propose, correct, correct_it, confirm, mistake, remind, drop.
            speaker: who.
            item: of what.
            value: which value; -1: none.
        """
        self.acts.append((kind, speaker, item, value))
        if kind in ("propose", "correct", "correct_it"):
            self.state[item] = value
        elif kind == "drop":
            self.state[item] = -1

    def parameters(self) -> dict[str, Plain]:
        """Return what a checker needs to replay the talk.

        Returns:
            Plain values.
        """
        return {
            "speakers": list(self.speakers),
            "labels": [item.label for item in self.items],
            "values": [list(item.values) for item in self.items],
            "acts": [list(act) for act in self.acts],
        }
