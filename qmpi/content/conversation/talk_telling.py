"""How the acts of a conversation are spoken.

Theory of operation. Each kind of act has a grammar with holes for label and value; markers and
small talk around it are drawn. Speaker's names, labels and values are facts, and so is each act's
turn.
"""

from qmpi.content.conversation.talk_world import Act, TalkWorld
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose, Said
from qmpi.content.page import Page

_AROUND = {
    "opening": (
        "", "[r], ", "well, ", "so, ", "for <things>, ", "as <clause>, ", "I [v I]: ",
        "if you [v I], ", "to [v T] <thing>, ", "with <things>, ", "since <clause>, ", "you know, ",
        "[a], but ", "no [n]: ", "between us, ", "before I [v I], ", "about <idea>: ",
        "[F] [v3 I]; ",
    ),
    "tail": (
        "", "", ", [r]", ", for <clause>", ", or <people> [v I]", "; <clause>", ", I [v I]",
        ", with <things>", ", as <person> [v3 C]", " unless <clause>", ", and <clause>",
        " for <ideas>", ", not <thing>", " because <clause>", " so that <people> [v T] <thing>",
    ),
}  # fmt: skip


def _pool(name: str, *forms: str) -> FramePool:
    told = tuple(f"<opening>{form}<tail>" for form in forms)
    return FramePool(grammar(**_AROUND, **{name: told}), name)


_POOLS = {
    "ask": FramePool(
        grammar(
            **_AROUND,
            ask=(
                "<opening>what is the {label}?", "<opening>what about the {label}?",
                "have <people> [vn T] the {label}?", "<clause>; and the {label}?",
                "<opening>which is the {label}?", "who can [v T] me the {label}?",
                "<clause>, but what is the {label}?", "the {label}: [a] or [a]?",
                "do <people> [v C] what the {label} is?", "<opening>can we [v T] the {label}?",
            ),
        ),
        "ask",
    ),
    "propose": _pool(
        "propose", "the {label} is {value}", "let the {label} be {value}",
        "I say {value} for the {label}", "{value} is the {label}",
        "put down {value} as the {label}", "my {label} is {value}",
        "for the {label} I [v T] {value}", "we need {value} as the {label}",
        "take {value} for the {label}", "the [a] {label} would be {value}",
    ),
    "correct": _pool(
        "correct", "change the {label} to {value}", "the {label} is now {value}",
        "make the {label} {value}", "not so: the {label} must be {value}",
        "rather {value} as the {label}", "I was [a] about the {label}: {value}",
        "on second thought the {label} is {value}", "{value}, then, for the {label}",
        "the {label} moves to {value}",
    ),
    "correct_it": _pool(
        "correct_it", "make it {value}", "no, let it be {value}", "it must be {value}",
        "{value} would suit it", "then it is {value}", "I would rather have it at {value}",
        "it [v3 t] <thing>, so {value}",
    ),
    "confirm": _pool(
        "confirm", "so the {label} is {value}", "yes, {value} is the {label}",
        "the {label} stays {value}", "I have {value} as the {label}",
        "{value}, as the {label}, is [a]", "right: the {label} is {value}",
        "nobody [v3 T] the {label}: {value}",
    ),
    "mistake": _pool(
        "mistake", "was the {label} not {value}?", "I thought the {label} was {value}",
        "my [ns] say the {label} is {value}", "did we not say {value} for the {label}?",
    ),
    "remind": _pool(
        "remind", "no, it is {value} now", "that was before; it is {value}",
        "it has been {value} since", "you [v T] it; it is {value}", "it changed to {value}",
    ),
    "drop": _pool(
        "drop", "forget the {label}", "we have no {label} any more", "strike the {label}",
        "the {label} is open again", "nothing is settled about the {label}",
    ),
}  # fmt: skip
SMALL_TALK = FramePool(
    grammar(
        talk=(
            "<clause>", "<present>", "how [a] <things> are!", "I [v T] <things>",
            "you [v T] <thing>", "do you [v T] <thing>?", "<people> [v I] [r]",
            "my [n person] [v3 T] <things>", "<idea> is [a], [F]", "oh, <things>!", "what <thing>!",
            "is it [a] in [P]?", "[F] [v3 C] that <clause>", "we [vd T] <things> in [P]",
            "thank you for <things>", "sorry, <person> [vd P] me", "one [n time], please: <clause>",
            "I could [v T] <ideas>", "have <people> [vn I]?", "where do <things> [v i]?",
            "hm, <things>", "[a], [a]",
        )
    ),
    "talk",
)  # fmt: skip
_FORMS = (
    ("", ": ", "\n"),
    ("", " — ", "\n"),
    ("[", "] ", "\n"),
    ("", ': "', '"\n'),
    ("- ", ": ", "\n"),
)


class Speech:
    """Speaks a talk world on a page."""

    def __init__(self, page: Page, prose: Prose, world: TalkWorld) -> None:
        """Choose how turns look.

        Args:
            page: written on.
            prose: its sentences.
            world: what is spoken.
        """
        self._page = page
        self._prose = prose
        self._world = world
        self._form = page.draw.choice(_FORMS)
        self._full = page.draw.chance(20)

    def open(self, speaker: int) -> None:
        """Begin a turn.

        Args:
            speaker: number.
        """
        page, name = self._page, self._world.speakers[speaker]
        page.say(self._form[0])
        page.fact("speaker", name if self._full else name.split(" ")[0], speaker)
        page.say(self._form[1])

    def close(self) -> None:
        """End a turn."""
        self._page.trim()
        self._page.say(self._form[2])

    def chat(self, speaker: int, count: int) -> None:
        """Speak a turn that changes nothing.

        Args:
            speaker: number.
            count: sentences.
        """
        self.open(speaker)
        self._page.say(f"{self._prose.paragraph(count, SMALL_TALK)} ")
        self.close()

    def turn(self, number: int, chatter: int) -> None:
        """Speak the turn of one act.

        Args:
            number: of the act in the world.
            chatter: sentences of small talk before and after.
        """
        page, draw = self._page, self._page.draw
        act = self._world.acts[number]
        self.open(act[1])
        before = draw.below(chatter + 1)
        if before:
            page.say(f"{self._prose.paragraph(before, SMALL_TALK)} ")
        start = page.length
        self._prose.tell(_POOLS[act[0]], self._holes(act), end="")
        page.mark("act", start, page.length, number)
        page.say(" ")
        after = chatter - before
        if after:
            page.say(f"{self._prose.paragraph(after, SMALL_TALK)} ")
        self.close()

    def _holes(self, act: Act) -> dict[str, Said]:
        _, _, item, value = act
        holes = {"label": self.label(item)}
        if value >= 0:
            holes["value"] = self.value(item, value)
        return holes

    def label(self, item: int) -> Said:
        """Name an item.

        Args:
            item: number.

        Returns:
            Its label.
        """
        return Said(self._world.items[item].label, "label", (item,))

    def value(self, item: int, value: int) -> Said:
        """Say a value.

        Args:
            item: number.
            value: number among the item's values.

        Returns:
            The value in words.
        """
        return Said(self._world.items[item].values[value], "value", (item, value))
