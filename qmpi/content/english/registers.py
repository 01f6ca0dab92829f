"""Which words a slot may take, by topic and by how rare words may be.

Theory of operation. A register is a topic at a tier of rarity. For each slot it holds two tables of
fixed size, one of the topic's words and one of all words of the class; frequent words fill more
places. So a draw is a mask and an index. Tables are made when first used; integers alone decide
what stands in them.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np

from qmpi.content.english.lexicon import English, Noun, Verb, english, with_article
from qmpi.content.level import LEVELS, Budget
from qmpi.errors import InvariantError

TIERS = 6
TOPIC_WORDS = 64
ALL_WORDS = 8192
_SHARES = (15, 22, 35, 50, 75, 100)
"""Share of each class, in per cent and from the frequent end, that a tier may use."""
_FLATTEN = 12
"""Added to every rank: the first words would otherwise fill half of a table."""
_FEW = 6

NOUN_GROUPS: dict[str, tuple[str, ...]] = {
    "thing": ("artifact", "thing", "substance", "food", "plant", "body", "nature"),
    "idea": ("idea", "quality", "message", "event", "act", "state", "value", "feeling"),
    "being": ("person", "animal", "group"),
}
_NOUN_FORMS: dict[str, Callable[[Noun], str]] = {
    "n": lambda noun: noun.singular,
    "ns": lambda noun: noun.plural,
    "an": lambda noun: with_article(noun.singular),
}
_VERB_FORMS: dict[str, Callable[[Verb], str]] = {
    "v": lambda verb: verb.base,
    "v3": lambda verb: verb.third,
    "vd": lambda verb: verb.past,
    "vn": lambda verb: verb.participle,
    "vg": lambda verb: verb.ing,
}
_MODIFIER_FORMS: dict[str, Callable[[str], str]] = {
    "a": str,
    "aa": with_article,
    "r": str,
}

Tables = tuple[list[str], list[str]]


def tier_of(budget: Budget) -> int:
    """Return how rare the words of a document may be.

    Args:
        budget: of the document.

    Returns:
        0 to 5.
    """
    return (budget.vocabulary - 1) * TIERS // LEVELS


class Register(dict[str, Tables]):
    """Tables of each slot, made when first asked for."""

    def __init__(self, topic: int, tier: int) -> None:
        """Open an empty register.

        Args:
            topic: number of the topic.
            tier: 0 to 5.
        """
        super().__init__()
        self.topic = topic
        self.tier = tier

    def __missing__(self, slot: str) -> Tables:
        """Make the tables of a slot.

        Args:
            slot: as "n person".

        Returns:
            Table of the topic and table of all words.
        """
        everything = _table(slot, self.tier)
        limit = _limit(slot, self.tier)
        places, words = _by_topic(slot).get(self.topic, ([], []))
        words = words[: bisect_left(places, limit)]
        # A topic without such words speaks of what everyone speaks of.
        step = ALL_WORDS // TOPIC_WORDS
        near = _weighted(words, TOPIC_WORDS) if len(words) >= _FEW else everything[::step]
        tables = self[slot] = (near, everything)
        return tables


@lru_cache(maxsize=4096)
def register_of(topic: int, tier: int) -> Register:
    """Return the register of a topic, one a process.

    Args:
        topic: number of the topic.
        tier: 0 to 5.

    Returns:
        The register.
    """
    return Register(topic, tier)


@cache
def topics_of(group: str) -> tuple[int, ...]:
    """Return the topics that speak most of a class of nouns.

    Args:
        group: as "idea"; key of `NOUN_GROUPS` or a class.

    Returns:
        Numbers of a third of all topics, the richest first.
    """
    lexicon = english()
    kinds = NOUN_GROUPS.get(group, (group,))
    inside, every = [0] * len(lexicon.topics), [1] * len(lexicon.topics)
    for noun in lexicon.nouns:
        every[noun.topics[0]] += 1
        inside[noun.topics[0]] += noun.kind in kinds
    # Shares in whole numbers: no topic may move because a float was rounded.
    order = sorted(range(len(every)), key=lambda t: (-(inside[t] * 10_000 // every[t]), t))
    return tuple(order[: len(order) // 3])


@cache
def _table(slot: str, tier: int) -> list[str]:
    return _weighted([word for word, _ in _words(slot)[: _limit(slot, tier)]], ALL_WORDS)


@cache
def _limit(slot: str, tier: int) -> int:
    return max(64, len(_words(slot)) * _SHARES[tier] // 100)


@cache
def _by_topic(slot: str) -> dict[int, tuple[list[int], list[str]]]:
    found: dict[int, tuple[list[int], list[str]]] = {}
    for place, (word, topics) in enumerate(_words(slot)):
        for topic in topics:
            places, words = found.setdefault(topic, ([], []))
            places.append(place)
            words.append(word)
    return found


@cache
def _words(slot: str) -> list[tuple[str, tuple[int, ...]]]:
    form, _, group = slot.partition(" ")
    found = _all_words(english(), form, group)
    if len(found) < _FEW:
        raise InvariantError(f"no words for the slot [{slot}]")
    return found


def _all_words(lexicon: English, form: str, group: str) -> list[tuple[str, tuple[int, ...]]]:
    if form in _NOUN_FORMS:
        kinds = NOUN_GROUPS.get(group, (group,))
        spell = _NOUN_FORMS[form]
        return [(spell(n), n.topics) for n in lexicon.nouns if not group or n.kind in kinds]
    if form in _VERB_FORMS:
        # "TI": any of these frames; "T,move": a frame and a class.
        frames, _, kind = group.partition(",")
        spelled = _VERB_FORMS[form]
        return [
            (spelled(v), v.topics)
            for v in lexicon.verbs
            if (not frames or any(f in v.frames for f in frames)) and kind in ("", v.kind)
        ]
    if form in _MODIFIER_FORMS:
        source = lexicon.adverbs if form == "r" else lexicon.adjectives
        return [(_MODIFIER_FORMS[form](m.word), m.topics) for m in source]
    raise InvariantError(f"no such slot [{form} {group}]")


# Words into a table: the word of rank r fills places in proportion to 1 / (r + _FLATTEN).
def _weighted(words: Sequence[str], size: int) -> list[str]:
    return [words[rank] for rank in _ranks(len(words), size)]


@lru_cache(maxsize=4096)
def _ranks(count: int, size: int) -> list[int]:
    # Whole numbers below 2**63 throughout: no place may move because a float was rounded.
    weights = np.cumsum(1_000_000_000 // np.arange(_FLATTEN, _FLATTEN + count, dtype=np.int64))
    shares = np.arange(size, dtype=np.int64) * weights[-1]
    ranks: list[int] = np.searchsorted(weights * size, shares, side="right").tolist()
    return ranks
