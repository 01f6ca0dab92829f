"""Verse whose form can be counted: acrostics in rhymed stanzas.

Theory of operation. The first letters of the lines spell a word, and the lines of a stanza rhyme by
the scheme in the certificate. Rhymes are words with an equal ending of at least three letters, in
groups made once from the vocabulary, so a line is drawn for its first letter and its last word.
"""

from functools import cache

from qmpi.content.counter import Draw
from qmpi.content.english.frames import one_frame
from qmpi.content.english.lexicon import english
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page

_SCHEMES = ("aabb", "abab", "abba", "aaaa")
_ENDING = 3
_FEWEST = 24
_BODIES = (
    " [ns] [v i] [r] as the ", " [n], [a] as <>, has a ", " of [a] [ns] and the ",
    " [v t] [ns], [a] [ns], and ", " [ns] that [v i] beside a ", ", [vn T] by [ns], [v3 t] the ",
    " and [n] [v t] the [a] ", " [ns] in [P], the [a] ", " [ns], [ns]: all of it ",
    ", [F], is [a], and so is the ", " [v3 i] where [ns] [v t] the ", " never [v3 t] a [n] or a ",
    " beneath the [n nature], [a] ", " [n] without [ns], [a] and ", " to [v T] the [n] with ",
)  # fmt: skip


def verse(page: Page) -> None:
    """An acrostic in rhymed stanzas.

    Args:
        page: empty.
    """
    page.genre = "verse"
    draw, prose = page.draw, Prose(page)
    hidden = [_hidden(draw) for _ in range(sized(draw, page.budget.entities, 1, 4))]
    scheme = draw.choice(_SCHEMES)
    page.world = {"hidden": list(hidden), "scheme": scheme}
    page.say(f"{prose.title()}\n\n")
    for number, word in enumerate(hidden):
        _stanza(page, prose, (number, word), scheme)
        prose.shift()
    page.say(
        draw.choice(("Hidden", "The first letters spell", "Read downwards", "Acrostic")) + ": "
    )
    for number, word in enumerate(hidden):
        page.say(", " if number else "")
        page.fact("hidden", word, number)
    page.say("\n")


def _stanza(page: Page, prose: Prose, numbered: tuple[int, str], scheme: str) -> None:
    number, word = numbered
    groups = _rhymes()
    rhymes: dict[tuple[int, str], tuple[str, ...]] = {}
    for line, letter in enumerate(word):
        # Each four lines have rhymes of their own.
        sound = (line // len(scheme), scheme[line % len(scheme)])
        if sound not in rhymes:
            rhymes[sound] = page.draw.choice(groups)
        page.fact("line", _line(page.draw, prose, letter, rhymes[sound]), number, line)
        page.say("\n")
    page.say("\n")


def _line(draw: Draw, prose: Prose, letter: str, rhymes: tuple[str, ...]) -> str:
    first = draw.choice(_by_letter()[letter])
    body = draw.choice(_BODIES).replace("<>", "a [n]")
    filled = prose.fill(one_frame(body))
    return f"{first[0].upper()}{first[1:]}{filled}{draw.choice(rhymes)}"


def _hidden(draw: Draw) -> str:
    return draw.choice(_hideable())


@cache
def _by_letter() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for noun in english().nouns[:16000]:
        found.setdefault(noun.plural[0], []).append(noun.plural)
    return {letter: tuple(words) for letter, words in found.items()}


@cache
def _hideable() -> tuple[str, ...]:
    usable = {letter for letter, words in _by_letter().items() if len(words) > _FEWEST}
    return tuple(
        noun.singular
        for noun in english().nouns[:9000]
        if 4 <= len(noun.singular) <= 12 and set(noun.singular) <= usable
    )


@cache
def _rhymes() -> tuple[tuple[str, ...], ...]:
    groups: dict[str, list[str]] = {}
    for noun in english().nouns[:20000]:
        if len(noun.singular) > _ENDING:
            groups.setdefault(noun.singular[-_ENDING:], []).append(noun.singular)
    return tuple(tuple(words) for words in groups.values() if len(words) >= _FEWEST)
