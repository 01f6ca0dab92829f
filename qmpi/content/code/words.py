"""Words of a program: identifiers, texts, comments.

Theory of operation. Tables of spellings that every language accepts are made once from the
lexicon; a document draws below a rank that its vocabulary budget sets. Identifiers are one to three
words in the style of the language. Words that some language reserves or that its listing needs are
left out of all tables, so no name ever has to be changed afterwards.
"""

from collections.abc import Sequence
from functools import cache

from qmpi.content.code.reserved import CLASS_ENDS, COMMON_VERBS, RESERVED
from qmpi.content.counter import Draw
from qmpi.content.english.lexicon import english
from qmpi.content.level import Budget

_LEAST = 1800
"""Words open to the lowest level: fewer, and a stream of documents repeats itself."""
_COMMENTS = (
    ("%s the %s %s", "van"),
    ("%s %s before %s", "gpp"),
    ("each %s has its %s", "nn"),
    ("%s %s %s here", "apv"),
    ("no %s below this %s", "nn"),
    ("%s may be %s", "pa"),
    ("see the %s of %s", "np"),
    ("%s and %s %s", "aan"),
    ("%s for the %s", "pn"),
    ("only %s %s %s", "apv"),
    ("a %s keeps its %s %s", "nan"),
    ("%s from the %s, not the %s", "pnn"),
    ("the %s %s is %s", "ana"),
    ("%s by %s", "pn"),
    ("%s: %s or %s", "naa"),
    ("must %s every %s", "vn"),
    ("%s once per %s", "vn"),
    ("like a %s in a %s", "nn"),
    ("%s %s, then %s", "vpv"),
    ("%s what the %s %s", "vpv"),
    ("%s", "p"),
    ("%s %s", "an"),
    ("%s %s %s", "aan"),
    ("%s %s without %s", "gnp"),
    ("%s asked for %s %s", "Nap"),
    ("%s: the %s of the %s", "nnn"),
    ("after %s, %s", "gp"),
    ("%s needs this %s", "Nn"),
    ("not %s enough for %s", "ap"),
    ("%s %s never %s", "apv"),
)
"""Forms of a comment: n noun, p plural, a adjective, v verb, g its -ing form, N a person's name."""
_COMPLAINTS = (
    ("%s is not %s", "na"),
    ("no such %s", "n"),
    ("%s %s missing", "an"),
    ("bad %s", "n"),
    ("%s must not %s", "nv"),
    ("%s %s refused", "an"),
    ("too %s for a %s", "an"),
    ("cannot %s %s", "vp"),
    ("%s without %s", "np"),
    ("the %s is %s", "na"),
)


def _plain(word: str) -> bool:
    return word.isascii() and word.isalpha() and word.islower() and 3 <= len(word) <= 10


def _spellings(words: Sequence[str]) -> tuple[str, ...]:
    kept = dict.fromkeys(word for word in words if _plain(word) and word not in RESERVED)
    return tuple(kept)


@cache
def _tables() -> dict[str, tuple[str, ...]]:
    lexicon = english()
    return {
        "n": _spellings([noun.singular for noun in lexicon.nouns]),
        "p": _spellings([noun.plural for noun in lexicon.nouns if noun.plural]),
        "v": _spellings([verb.base for verb in lexicon.verbs]),
        "g": _spellings([verb.ing for verb in lexicon.verbs]),
        "a": _spellings([adjective.word for adjective in lexicon.adjectives]),
        "N": tuple(name for name in lexicon.first_names if name.isascii() and name.isalpha()),
        "L": tuple(name for name in lexicon.surnames if name.isascii() and name.isalpha()),
    }


class Words:
    """Names and texts of one document.

    Attributes:
        draw: chance.
        camel: names are written camelCase, not snake_case.
        used: names taken so far.
    """

    __slots__ = ("_nouns", "_shelves", "_short", "camel", "draw", "used")

    def __init__(self, draw: Draw, budget: Budget) -> None:
        """Open the tables up to the budget's rank.

        Args:
            draw: chance.
            budget: its vocabulary sets how rare words may be.
        """
        self.draw = draw
        self.camel = False
        self.used: dict[str, None] = {}
        self._short = draw.below(40)
        share = budget.vocabulary
        self._shelves = {
            kind: (table, min(len(table), _LEAST + len(table) * share // 100))
            for kind, table in _tables().items()
        }
        self._nouns = self._shelves["n"]

    def word(self, kind: str) -> str:
        """Return a word.

        Args:
            kind: n, p, v, g, a or N, as in the forms of comments.
        """
        table, top = self._shelves[kind]
        return table[(self.draw.word() * top) >> 32]

    def noun(self) -> str:
        """Return a singular noun."""
        table, top = self._nouns
        return table[(self.draw.word() * top) >> 32]

    def said(self, forms: Sequence[tuple[str, str]]) -> str:
        """Return words in one of several forms.

        Args:
            forms: pattern, and the kind of word at each place.
        """
        pattern, kinds = self.draw.choice(forms)
        return pattern % tuple([self.word(kind) for kind in kinds])

    def comment(self) -> str:
        """Return a comment, without the marks of any language."""
        return self.said(_COMMENTS)

    def complaint(self) -> str:
        """Return the text of an error."""
        return self.said(_COMPLAINTS)

    def phrase(self) -> str:
        """Return a text of one or two words."""
        if self.draw.word() & 1:
            return self.noun()
        return f"{self.word('a')} {self.noun()}"

    def _joined(self, first: str, second: str) -> str:
        return first + second.capitalize() if self.camel else f"{first}_{second}"

    def _fresh(self, name: str) -> str:
        used = self.used
        while name in used:
            name = self._joined(name, self.noun())
        used[name] = None
        return name

    def variable(self) -> str:
        """Return a new name for a value."""
        kind = self.draw.below(100)
        noun = self.noun()
        cut = noun[: 3 + kind % 2]
        if kind < self._short and cut not in RESERVED:
            return self._fresh(cut)
        if kind < 72:
            return self._fresh(noun)
        if kind < 86:
            return self._fresh(self._joined(self.word("a"), noun))
        return self._fresh(self._joined(noun, self.noun()))

    def plural(self) -> str:
        """Return a new name for a list."""
        noun = self.word("p")
        if self.draw.below(4):
            return self._fresh(noun)
        return self._fresh(self._joined(self.word("a"), noun))

    def function(self) -> str:
        """Return a new name for a function."""
        kind = self.draw.below(8)
        verb = self.draw.choice(COMMON_VERBS) if self.draw.below(3) == 0 else self.word("v")
        if kind == 0 and verb not in COMMON_VERBS:
            return self._fresh(verb)
        if kind == 1:
            return self._fresh(self._joined(self._joined(verb, self.word("a")), self.noun()))
        return self._fresh(self._joined(verb, self.word("np"[kind & 1])))

    def class_name(self) -> str:
        """Return a new name for a class."""
        noun = self.noun().capitalize()
        kind = self.draw.below(4)
        if kind < 2:
            return self._fresh(noun + self.draw.choice(CLASS_ENDS))
        if kind == 2:
            return self._fresh(noun + self.noun().capitalize())
        return self._fresh(self.word("a").capitalize() + noun)
