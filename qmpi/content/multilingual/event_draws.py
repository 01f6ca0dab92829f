"""Events drawn for a page: who does what to whom, where and when, and why.

Theory of operation. A verb says which classes of nouns may act and be acted on. In a text of one
language the objects of verbs that take anything come from the large vocabulary up to the rank that
the level buys; in parallel text all words are concepts that every language of the page has.
"""

from functools import cache

from msgspec import Struct

from qmpi.content.counter import Draw
from qmpi.content.level import LEVELS, Budget
from qmpi.content.multilingual.meaning import Event, Phrase, Sentence
from qmpi.content.multilingual.word_forms import lexis

_CONCEPTS = "pafgdotcvxl"
"""Person, animal, food (mass, single), drink, thing, text, clothes, vehicle, idea, place."""
_COUNTED = frozenset("octvgx")
_MASS = frozenset("fd")
_NO_PLURAL = frozenset(("ja", "zh"))


class Pool(Struct, frozen=True):
    """Words that a page may use.

    Attributes:
        languages: of the page.
        verbs: by frame; number, agents, patients (empty: anything).
        any: concepts that may be acted on.
        places: nouns of places.
        people: nouns of persons.
        qualities: concept adjectives by class of noun.
        classes: class of each noun.
        times: adverbs by tense.
        cities: how many.
        large: first and last noun of the large vocabulary; equal in parallel text.
        wide: the same of adjectives.
        names: how many names of women, men, families; zero in parallel text.
        plain: large nouns have no plural here.
        bare: large nouns have no article here.
    """

    languages: tuple[str, ...]
    verbs: dict[str, list[tuple[int, list[int], list[int]]]]
    any: list[int]
    places: list[int]
    people: list[int]
    qualities: dict[str, list[int]]
    classes: list[str]
    times: tuple[list[int], list[int], list[int]]
    cities: int
    large: tuple[int, int]
    wide: tuple[int, int]
    names: tuple[int, int, int]
    plain: bool
    bare: bool


@cache
def members(kinds: str) -> list[int]:
    """Return the concepts of some classes; the same list for all pools, as concepts are shared.

    Args:
        kinds: letters of classes.

    Returns:
        Numbers of nouns; empty for none.
    """
    rows = lexis("en").nouns
    return [at for kind in kinds for at, row in enumerate(rows) if row[0] == kind]


@cache
def pool_of(*languages: str) -> Pool:
    """Return the words that some languages share.

    Args:
        *languages: one or more; the first is the main one.

    Returns:
        The words; with one language also its large vocabulary.
    """
    tables = [lexis(language) for language in languages]
    main = tables[0]
    classes = [row[0] for row in main.nouns]
    concepts = members(_CONCEPTS)
    verbs: dict[str, list[tuple[int, list[int], list[int]]]] = {"t": [], "d": [], "i": [], "s": []}
    for at, row in enumerate(main.verbs):
        if all(table.verbs[at][3] != "-" for table in tables):
            verbs[row[0]].append((at, members(row[1]), members(row[2].strip("*"))))
    qualities: dict[str, list[int]] = {kind: [] for kind in _CONCEPTS}
    adjectives = [row[0] for row in main.adjectives]
    small = len(adjectives) if "w" not in adjectives else adjectives.index("w")
    for at in range(small):
        if all(table.adjectives[at][1] != "-" for table in tables):
            for kind in sorted(set(adjectives[at]) & set(_CONCEPTS)):
                qualities[kind].append(at)
    alone = len(languages) == 1
    times = tuple(
        [at for at, row in enumerate(main.times) if row[0] == str(tense)] for tense in range(3)
    )
    return Pool(
        languages,
        verbs,
        concepts,
        members("l"),
        members("p"),
        qualities,
        classes,
        (times[0], times[1], times[2]),
        len(main.cities),
        (len(concepts), len(classes) if alone else len(concepts)),
        (small, len(adjectives) if alone else small),
        (len(main.women), len(main.men), len(main.surnames)) if alone else (0, 0, 0),
        main.language in _NO_PLURAL or main.language == "ar",
        main.language in _NO_PLURAL,
    )


_LEAST_NOUNS = 60
_LEAST_ADJECTIVES = 30
_LEAST_NAMES = (30, 30, 60)
_LEAST_CITIES = 40
"""Words open to the lowest level: fewer, and documents begin alike."""


def _reach(size: int, least: int, budget: Budget) -> int:
    return min(size, least + size * budget.vocabulary // LEVELS)


class Teller:
    """Draws the events of one page."""

    __slots__ = ("_adjectives", "_budget", "_cities", "_draw", "_names", "_nouns", "_pool")

    def __init__(self, draw: Draw, budget: Budget, pool: Pool) -> None:
        """Set the ranks that the level buys.

        Args:
            draw: chance.
            budget: of the page.
            pool: words.
        """
        self._draw = draw
        self._pool = pool
        self._budget = budget
        self._nouns = _reach(pool.large[1] - pool.large[0], _LEAST_NOUNS, budget)
        self._adjectives = _reach(pool.wide[1] - pool.wide[0], _LEAST_ADJECTIVES, budget)
        self._cities = _reach(pool.cities, _LEAST_CITIES, budget)
        self._names = tuple(
            _reach(size, least, budget)
            for size, least in zip(pool.names, _LEAST_NAMES, strict=True)
        )

    @property
    def people(self) -> list[int]:
        """Nouns of persons."""
        return self._pool.people

    def count(self) -> int:
        """Return a number that every language can count by.

        Returns:
            3 to 999; the last two digits 03 to 99, as Arabic rules the others otherwise.
        """
        draw = self._draw
        number = draw.between(3, 99)
        return number + 100 * draw.below(10) if draw.below(4) == 0 else number

    def _quality(self, kind: str) -> int:
        draw, pool = self._draw, self._pool
        if self._adjectives and (kind == "w" or (kind not in "pa" and draw.below(5) < 2)):
            return pool.wide[0] + draw.below(self._adjectives)
        own = pool.qualities.get(kind)
        return draw.choice(own) if own else -1

    def agent(self, nouns: list[int], *, single: bool = False) -> Phrase:
        """Return who acts.

        Args:
            nouns: to choose from.
            single: one person or animal only.

        Returns:
            A name, or a phrase.
        """
        draw, pool = self._draw, self._pool
        women, men, families = self._names
        if women and draw.below(5) < 3:
            if draw.below(2):
                return (-1, draw.below(women), draw.below(families))
            return (-2, draw.below(men), draw.below(families))
        noun = draw.choice(nouns)
        count = draw.choice((0, 0, 0, 1, 1, 2))
        if count == 2:
            if not single:
                return (noun, 2, -1)
            count = 0
        return (noun, count, self._quality(pool.classes[noun]) if draw.below(5) < 3 else -1)

    def thing(self, nouns: list[int]) -> Phrase:
        """Return what is acted on.

        Args:
            nouns: to choose from; empty for anything.

        Returns:
            A phrase.
        """
        draw, pool = self._draw, self._pool
        if not nouns:
            if self._nouns and draw.below(8):
                return self.large()
            nouns = pool.any
        noun = draw.choice(nouns)
        kind = pool.classes[noun]
        quality = self._quality(kind) if draw.below(4) else -1
        if kind in _MASS:
            return (noun, 0, quality)
        shape = draw.below(8)
        if shape < 2 and kind in _COUNTED:
            return (noun, self.count(), quality)
        if shape < 4:
            return (noun, 2, -1 if kind == "p" else quality)
        return (noun, shape % 2, quality)

    def large(self) -> Phrase:
        """Return a phrase from the large vocabulary.

        Returns:
            Noun, count, adjective.
        """
        draw, pool = self._draw, self._pool
        noun = pool.large[0] + draw.below(self._nouns)
        quality = self._quality("w") if draw.below(5) else -1
        if pool.plain:
            return (noun, 0 if pool.bare else draw.below(2), quality)
        shape = draw.below(6)
        return (noun, self.count() if shape == 5 else shape % 3, quality)

    def ware(self) -> Phrase:
        """Return something that may have a price.

        Returns:
            Noun, the one or a, adjective.
        """
        noun, count, quality = self.thing(self._pool.any)
        return (noun, count if count == 1 else 0, quality)

    def event(self, frame: str = "", *, single: bool = False) -> Event:
        """Return an event.

        Args:
            frame: t, d, i or s; empty for any but the last.
            single: the agent stands alone.

        Returns:
            Numbers into the tables.
        """
        draw, pool = self._draw, self._pool
        if not frame:
            frame = "tttttttddi"[draw.below(10)]
        verbs = pool.verbs[frame]
        verb, agents, patients = draw.choice(verbs or pool.verbs["t"])
        tense = (0, 0, 0, 0, 0, 0, 1, 1, 2, 2)[draw.below(10)]
        agent = self.agent(agents, single=single)
        patient = receiver = place = time = None
        if frame in "td" or not verbs:
            patient = self.thing(patients)
        if frame == "d":
            receiver = (draw.choice(pool.people), 0, -1)
        if frame != "s":
            if draw.below(5) < 2:
                town = draw.below(2)
                place = -1 - draw.below(self._cities) if town else draw.choice(pool.places)
            if draw.below(5) < 2:
                time = draw.choice(pool.times[tense])
        return (verb, tense, agent, patient, receiver, place, time)

    def sentence(self, *, depth: int = 0, single: bool = False) -> Sentence:
        """Return a sentence as deep as the budget has it.

        Args:
            depth: clauses around this one.
            single: the agents stand alone.

        Returns:
            Events, joined.
        """
        draw = self._draw
        most = 1 + self._budget.structure // 34
        if depth >= most or draw.below(100) > 25 + self._budget.structure // 2:
            return ("e", self.event(single=single), None)
        link = "bta"[draw.below(2 if single else 3)]
        inner = single or link != "a"
        event = self.event("s" if link == "t" else "", single=single)
        return (link, event, self.sentence(depth=depth + 1, single=inner))
