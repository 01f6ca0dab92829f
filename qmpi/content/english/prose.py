"""English sentences for a page: drawn frames, filled with words of the page's topics.

Theory of operation. A page has two to four topics, and speaks of one of them at a time. A sentence
is a frame from a pool, a word a slot: seven in eight from the topic's table, the rest from all
words. Names are made of real ones or composed of parts of them, so there is no end to them. Facts
enter through holes of a frame and are recorded on the page with their places.
"""

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from qmpi.content.english.frames import Frame, FramePool, Segment, one_frame
from qmpi.content.english.grammar import BASE
from qmpi.content.english.lexicon import english
from qmpi.content.english.registers import register_of, tier_of, topics_of
from qmpi.content.page import Page, Plain

PRESENT = FramePool(BASE, "present", 2048)
PAST = FramePool(BASE, "past", 2048)
TITLE = FramePool(BASE, "title", 1024)
_SEVEN_IN_EIGHT = 7 << 29
_SMALL_WORDS = frozenset((
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "nor", "of", "on", "or", "the",
    "to", "with", "without",
))  # fmt: skip
_VOWELS = "aeiouy"


class Said(Struct, frozen=True):
    """What fills a hole: characters, and the fact that they state.

    Attributes:
        text: as written.
        kind: of the fact; empty: plain words without proof.
        args: what it is said of.
    """

    text: str
    kind: str = ""
    args: tuple[Plain, ...] = ()


class Prose:
    """Writes English on one page.

    Attributes:
        topic: number of the topic spoken of.
    """

    __slots__ = ("_draw", "_names", "_page", "_register", "_structure", "_tier", "_topics", "topic")

    def __init__(self, page: Page, subject: str = "") -> None:
        """Choose topics.

        Args:
            page: written on by `tell` alone; the other methods return text.
            subject: class of nouns that the topics should be rich in, as "idea"; empty: any.
        """
        draw = page.draw
        self._page = page
        self._draw = draw
        self._tier = tier_of(page.budget)
        self._structure = page.budget.structure
        known = topics_of(subject) if subject else range(len(english().topics))
        self._topics = [draw.choice(known) for _ in range(2 + draw.below(3))]
        self._names: set[str] = set()
        self.topic = self._topics[0]
        self._register = register_of(self.topic, self._tier)

    def shift(self) -> None:
        """Speak of another of the page's topics from now on."""
        self.topic = self._draw.choice(self._topics)
        self._register = register_of(self.topic, self._tier)

    def word(self, slot: str) -> str:
        """Return a word.

        Args:
            slot: as "n person", "ns thing", "v3 T", "a", "r", "F", "L", "P".

        Returns:
            The word.
        """
        drawn = self._draw.word()
        if slot.isupper():
            return self._name(slot, drawn)
        near, everything = self._register[slot]
        return near[drawn & 63] if drawn < _SEVEN_IN_EIGHT else everything[drawn & 8191]

    def _fill(self, segment: Segment) -> str:
        slots = segment.slots
        if not slots:
            return segment.template % ()
        if segment.named:
            return segment.template % tuple(self.word(slot) for slot in slots)
        register = self._register
        # Low bits index: tables have 64 and 8,192 places.
        return segment.template % tuple(
            [
                register[slot][0][drawn & 63]
                if drawn < _SEVEN_IN_EIGHT
                else register[slot][1][drawn & 8191]
                for drawn, slot in zip(self._draw.take(len(slots)), slots, strict=True)
            ]
        )

    def _name(self, slot: str, drawn: int) -> str:
        names = _names(slot)
        if slot == "F" or drawn & 1:
            return names[(drawn >> 1) % len(names)]
        return coined(slot, drawn >> 1, self._draw.word())

    def frame(self, pool: FramePool) -> Frame:
        """Draw a frame of the page's depth of nesting.

        Args:
            pool: kind of sentence.

        Returns:
            The frame.
        """
        return one_frame(self._draw.choice(pool.at(self._structure)))

    def fill(self, frame: Frame) -> str:
        """Return the words of one frame, as it has them: no capital, no stop.

        Args:
            frame: without holes.

        Returns:
            The words.
        """
        return self._fill(frame.segments[0])

    def phrase(self, pool: FramePool) -> str:
        """Return words as the pool's frames have them: no capital, no stop.

        Args:
            pool: frames without holes.

        Returns:
            The words.
        """
        return self._fill(self.frame(pool).segments[0])

    def sentence(self, pool: FramePool = PRESENT) -> str:
        """Return a sentence with capital and stop.

        Args:
            pool: frames without holes.

        Returns:
            The sentence, no space after it.
        """
        text = self._fill(self.frame(pool).segments[0])
        stop = "" if text[-1] in ".?!:\"'" else "."
        return f"{text[0].upper()}{text[1:]}{stop}"

    def paragraph(self, count: int, pool: FramePool = PRESENT) -> str:
        """Return sentences of one topic.

        Args:
            count: sentences, >= 1.
            pool: frames without holes.

        Returns:
            Sentences with a space between; no line break at the end.
        """
        return " ".join([self.sentence(pool) for _ in range(count)])

    def title(self, pool: FramePool = TITLE) -> str:
        """Return a heading, capitalised as in English books.

        Args:
            pool: frames without holes.

        Returns:
            The heading.
        """
        return capitals(self.phrase(pool))

    def tell(self, pool: FramePool | str, holes: Mapping[str, Said], end: str = " ") -> None:
        """Write a sentence with facts on the page.

        Args:
            pool: frames whose holes are keys of `holes`, or one frame as text.
            holes: what fills each hole.
            end: written after the sentence.
        """
        frame = one_frame(pool) if isinstance(pool, str) else self.frame(pool)
        page, first, last = self._page, True, ""
        for number, segment in enumerate(frame.segments):
            text = self._fill(segment)
            if text:
                page.say(text[0].upper() + text[1:] if first else text)
                first, last = False, text
            if number < len(frame.holes):
                said = holes[frame.holes[number]]
                text = said.text[0].upper() + said.text[1:] if first else said.text
                if said.kind:
                    page.fact(said.kind, text, *said.args)
                else:
                    page.say(text)
                first, last = False, text
        page.say(end if last[-1] in ".?!:" else f".{end}")

    def person(self) -> str:
        """Return the full name of a person who is new on this page.

        Returns:
            First name and surname.
        """
        while True:
            name = f"{self._name('F', self._draw.word())} {self._name('L', self._draw.word())}"
            if name not in self._names:
                self._names.add(name)
                return name

    def place(self) -> str:
        """Return the name of a place.

        Returns:
            A capitalised word.
        """
        return self._name("P", self._draw.word())

    def coinage(self) -> str:
        """Return a word that is in no dictionary, for products and systems.

        Returns:
            A lower-case word.
        """
        return coined("L", self._draw.word(), self._draw.word()).lower()


@lru_cache(maxsize=3)
def _names(slot: str) -> tuple[str, ...]:
    lexicon = english()
    return {"F": lexicon.first_names, "L": lexicon.surnames, "P": lexicon.places}[slot]


def coined(slot: str, first: int, second: int) -> str:
    """Return a name composed of the head of one name and the tail of another.

    Args:
        slot: whose names are taken apart: F, L or P.
        first: 32 random bits.
        second: 32 random bits.

    Returns:
        A capitalised word.
    """
    heads, tails = _parts(slot)
    return heads[first % len(heads)] + tails[second % len(tails)]


# Cached by slot: to hash thousands of names costs more than all else in a coined one.
@lru_cache(maxsize=3)
def _parts(slot: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    heads: dict[str, None] = {}
    tails: dict[str, None] = {}
    for name in _names(slot):
        # Cut before the last group of consonants and vowel that is not at the very end.
        cuts = [
            p for p in range(2, len(name) - 2) if name[p] not in _VOWELS and name[p - 1] in _VOWELS
        ]
        if cuts:
            heads[name[: cuts[0]]] = None
            tails[name[cuts[-1] :]] = None
    return tuple(heads), tuple(tails)


def capitals(text: str) -> str:
    """Return text with the capitals of an English heading.

    Args:
        text: words.

    Returns:
        The same words.
    """
    words = text.split(" ")
    return " ".join(
        word if place and word in _SMALL_WORDS else word[:1].upper() + word[1:]
        for place, word in enumerate(words)
    )
