"""Sentences of a language: clauses joined, closed and capitalised.

Theory of operation. A language is a grammar for clauses, four ways to join them, and a sign that
ends a sentence. Japanese puts a reason and what is said before the clause that they belong to; the
other languages after it.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

from collections.abc import Callable
from functools import cache

from qmpi.content.multilingual.grammar_last import Chinese, Hindi, Japanese, Turkish
from qmpi.content.multilingual.grammar_romance import Romance
from qmpi.content.multilingual.grammar_semitic import Arabic
from qmpi.content.multilingual.grammar_slavic import Russian
from qmpi.content.multilingual.grammar_west import English, German, Grammar
from qmpi.content.multilingual.meaning import Chunks, Event, Sentence
from qmpi.content.multilingual.word_forms import Lexis, lexis

_GRAMMARS: dict[str, Callable[[Lexis], Grammar]] = {
    "en": English,
    "de": German,
    "fr": Romance,
    "es": Romance,
    "it": Romance,
    "pt": Romance,
    "ru": Russian,
    "tr": Turkish,
    "ar": Arabic,
    "hi": Hindi,
    "ja": Japanese,
    "zh": Chinese,
}
_JOINS: dict[str, tuple[str, str, str]] = {
    "en": (" because ", " that ", ", and "),
    "de": (", weil ", ", dass ", ", und "),
    "fr": (" parce qu", " qu", ", et "),
    "es": (" porque ", " que ", ", y "),
    "it": (" perché ", " che ", ", e "),
    "pt": (" porque ", " que ", ", e "),
    "ru": (", потому что ", ", что ", ", и "),
    "tr": (", çünkü ", " ki ", " ve "),
    "ar": (" لأن ", " أن ", "، و"),
    "hi": (", क्योंकि ", " कि ", ", और "),
    "ja": ("ので、", "と", "。そして、"),
    "zh": ("，因为", "，", "，然后"),
}
_LINKS = "bta"
STOPS = {"hi": "।", "ja": "。", "zh": "。"}
UNPARTED = ("ja", "zh")


@cache
def grammar_of(language: str) -> Grammar:
    """Return the grammar of a language.

    Args:
        language: code.

    Returns:
        With its tables read.
    """
    return _GRAMMARS[language](lexis(language))


def spoken(language: str, event: Event, style: int = 0, *, sub: bool = False) -> str:
    """Return the words of a clause.

    Args:
        language: code.
        event: what happens.
        style: 1 puts the time first, 2 the place.
        sub: as a subordinate clause.

    Returns:
        Without capital and full stop.
    """
    parts = grammar_of(language).clause(event, style, sub=sub)
    return ("" if language in UNPARTED else " ").join([text for _, text in parts])


def _nested(language: str, sentence: Sentence, style: int, *, sub: bool) -> str:
    link, event, rest = sentence
    if rest is None:
        return spoken(language, event, style, sub=sub)
    join = _JOINS[language][_LINKS.index(link)]
    inner = link != "a" and language != "tr" and language != "hi"
    second = _nested(language, rest, 0, sub=inner)
    if language == "ja" and link != "a":
        if link == "b":
            return f"{second}{join}{spoken(language, event, style, sub=sub)}"
        parts: Chunks = grammar_of(language).clause(event, style, sub=sub)
        return "".join([*(text for _, text in parts[:-1]), second, join, parts[-1][1]])
    if language == "fr" and link != "a":
        join += "’" if second[0] in "aeiouéèAEIOUÉ" else "e "
    first = spoken(language, event, style, sub=sub)
    if language == "ar" and link == "t" and event[0] == _said():
        join = " إن "
    return f"{first}{join}{second}"


@cache
def _said() -> int:
    # "Say" asks for another particle in Arabic: qala inna.
    rows = lexis("en").verbs
    return next(at for at, row in enumerate(rows) if row[0] == "s" and row[3] == "say")


def sentence_of(language: str, sentence: Sentence, style: int = 0) -> str:
    """Return a sentence.

    Args:
        language: code.
        sentence: what it means.
        style: 1 puts the time first, 2 the place.

    Returns:
        With capital and full stop.
    """
    text = _nested(language, sentence, style, sub=False)
    return capital(language, text) + STOPS.get(language, ".")


def capital(language: str, text: str) -> str:
    """Return a text that begins with a capital.

    Args:
        language: code; Turkish has a dotted one.
        text: not empty.

    Returns:
        The text; the same where the script has no capitals.
    """
    if language == "tr" and text[0] == "i":
        return "İ" + text[1:]
    return text[0].upper() + text[1:]
