"""Checker of the multilingual type: each sentence read back, each number, date and form compared.

Theory of operation. Facts name a language and a place in the world. Sentences are parsed by
grammars of the checkers' own and must mean the world's event; figures, dates and amounts are worked
out again; words are looked up in the data. Over all, letters must belong to the scripts of the
document's languages, and no letter or figure of weight stands outside a fact.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

from qmpi.content.document import Document, Fact
from qmpi.content.verify.multilingual_lexicon import tongue
from qmpi.content.verify.multilingual_parts import glosses, part_texts
from qmpi.content.verify.multilingual_sentences import means

_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "tr", "ar", "hi", "ja", "zh")
_SCRIPTS = {
    "ru": ("CYRILLIC",), "ar": ("ARABIC",), "hi": ("DEVANAGARI",), "zh": ("CJK",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
}  # fmt: skip
_KINDS = {
    "noun": "n", "adjective": "a", "verb": "v", "regions": "r", "currencies": "c", "tongue": "l",
    "tongues": "l",
}  # fmt: skip
_QUOTES = {"de": "„“", "en": "“”", "ja": "「」", "zh": "「」"}


def check_multilingual(document: Document) -> list[str]:
    """Check a document.

    Args:
        document: of the multilingual type; anything may be wrong with it.

    Returns:
        Faults in words; empty if all is true.
    """
    faults = []
    for fact in document.facts:
        try:
            fault = _fact_fault(document, fact)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            fault = f"cannot be read: {error!r}"
        if fault:
            faults.append(f"{fact.kind} at {fact.start}: {fault}")
    faults += _cover_faults(document)
    try:
        faults += _script_faults(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        faults.append(f"scripts cannot be read: {error!r}")
    return faults


def _fact_fault(document: Document, fact: Fact) -> str | None:
    check = _CHECKS.get(fact.kind)
    if check is None:
        return "no such kind of fact"
    if not 0 <= fact.start < fact.end <= len(document.text):
        return "lies outside the text"
    return check(document, document.text[fact.start : fact.end], fact.args)


def _item(document: Document, name: str, number: Any) -> Any:
    world: Any = document.world
    if not isinstance(number, int) or number < 0:
        raise ValueError("no number")
    return world[name][number]


def _sentence(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    node = _item(document, "sentences", number)
    return None if means(code, text, node) else f"{text!r} does not say what happened"


def _mixed(document: Document, text: str, args: Any) -> str | None:
    code, number, other = args
    node = _item(document, "sentences", number)
    before, after = _QUOTES.get(code, "«»")
    start, end = text.find(before), text.rfind(after)
    if start < 0 or end < start or text.count(before) + text.count(after) > 2:
        return "no quoted phrase"
    hole = text[start : end + 1]
    if hole[1:-1] not in part_texts(other, node[1], "O", hole[1:-1]):
        return f"{hole} is not the object"
    return None if means(code, text, node, hole) else f"{text!r} does not say what happened"


def _answer(document: Document, text: str, args: Any) -> str | None:
    code, number, role = args
    node = _item(document, "sentences", number)
    return None if text in part_texts(code, node[1], role, text) else f"{text!r} is not the answer"


def _gloss(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    node = _item(document, "sentences", number)
    shown = [
        document.text[fact.start : fact.end]
        for fact in document.facts
        if fact.kind == "sentence" and fact.args == (code, number)
    ]
    allowed = glosses(code, shown[0], node[1]) if shown else []
    return None if text in allowed else f"{text!r} is no gloss of the sentence"


def _date(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    wanted = _dated(code, _item(document, "dates", number))
    return None if text == wanted else f"{text!r} is not {wanted!r}"


def _day(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    year, month, day = _item(document, "dates", number)
    name = tongue(code).rows["d"][date(year, month, day).weekday()][0]
    plain = _dated(code, (year, month, day))
    if code == "tr":
        wanted = f"{plain} {name}"
    elif code in {"ja", "zh"}:
        wanted = plain + name
    else:
        wanted = name + {"ar": "، ", "fr": " ", "it": " "}.get(code, ", ") + plain
    return None if text == wanted else f"{text!r} is not {wanted!r}"


def _dated(code: str, when: Any) -> str:
    year, month, day = when
    date(year, month, day)
    if code in {"ja", "zh"}:
        return f"{year}年{month}月{day}日"
    name = tongue(code).rows["m"][month - 1][0]
    if code in {"es", "pt"}:
        return " de ".join((str(day), name, str(year)))
    return f"{day}{'.' if code == 'de' else ''} {name} {year}{' г.' if code == 'ru' else ''}"


def _amount(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    hundredths, currency = _item(document, "amounts", number)
    figures, _, unit = text.rpartition(" ")
    decimal = tongue(code).rows["f"][0][0]
    whole, _, cents = figures.rpartition(decimal)
    if len(cents) != 2 or unit != tongue(code).rows["c"][currency][0]:
        return f"{text!r} is no sum in that currency"
    value = _value(code, whole)
    return None if value * 100 + int(cents) == hundredths else f"{text!r} is another sum"


def _value(code: str, text: str) -> int:
    # Grouped figures; the groups must be right.
    group, size = tongue(code).rows["f"][0][1:3]
    parts = text.split(group)
    if len(parts) > 1:
        inner = [len(part) for part in parts[1:]]
        if inner[-1] != 3 or any(length != int(size) for length in inner[:-1]):
            raise ValueError(f"groups of {text!r} are wrong")
        if not 1 <= len(parts[0]) <= int(size):
            raise ValueError(f"groups of {text!r} are wrong")
    elif len(text) > 3:
        raise ValueError(f"{text!r} has no groups")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no number")
    return int("".join(parts))


def _figure(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    wanted = _item(document, "numbers", number)
    return None if _value(code, text) == wanted else f"{text!r} is not {wanted}"


def _words(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    found = [at for at, row in enumerate(tongue(code).rows["w"]) if row[0] == text]
    wanted = _item(document, "numbers", number)
    return None if wanted in found else f"{text!r} is not {wanted}"


def _line(_document: Document, text: str, args: Any) -> str | None:
    return None if text == str(args[0]) else f"{text!r} is not line {args[0]}"


def _form(document: Document, text: str, args: Any) -> str | None:
    code, number, field = args
    kind, row = _item(document, "words", number)
    wanted = tongue(code).rows[_KINDS[kind]][row][field]
    return None if text == wanted else f"{text!r} is not the form {wanted!r}"


def _name(document: Document, text: str, args: Any) -> str | None:
    code, number = args
    kind, row = _item(document, "words", number)
    wanted = tongue(code).rows[_KINDS[kind]][row][1]
    return None if text == wanted else f"{text!r} is not the name {wanted!r}"


_CHECKS: dict[str, Callable[[Document, str, Any], str | None]] = {
    "sentence": _sentence,
    "mixed": _mixed,
    "answer": _answer,
    "part": _answer,
    "gloss": _gloss,
    "date": _date,
    "day": _day,
    "amount": _amount,
    "figure": _figure,
    "words": _words,
    "line": _line,
    "form": _form,
    "name": _name,
}


def _cover_faults(document: Document) -> list[str]:
    # Figures outside facts, and sentences of the world that the text never says.
    faults = []
    place = 0
    spans = sorted((fact.start, fact.end) for fact in document.facts)
    bare = []
    for start, end in [*spans, (len(document.text), len(document.text))]:
        bare.append(document.text[place:start])
        place = max(place, end)
    if any(letter.isdigit() and letter.isdecimal() for piece in bare for letter in piece):
        faults.append("a figure stands outside all facts")
    kinds = {"sentence", "mixed", "part"}
    told: list[Any] = [f.args[1] for f in document.facts if f.kind in kinds and len(f.args) > 1]
    said = {number for number in told if isinstance(number, int)}
    world = document.world.get("sentences")
    if not isinstance(world, list) or set(range(len(world))) != said:
        faults.append("the text does not say all sentences of the world, or others")
    return faults


def _script_faults(document: Document) -> list[str]:
    world: Any = document.world
    codes = [str(code) for code in world["languages"]]
    shown = [fact for fact in document.facts if fact.kind in {"form", "name"} and fact.args]
    named = {str(fact.args[0]) for fact in shown}
    allowed = {"LATIN"}
    for code in {*codes, *named, document.language}:
        allowed.update(_SCRIPTS.get(code, ()))
    faults = []
    for letter in set(document.text):
        name = unicodedata.name(letter, "")
        if letter.isalpha() and letter not in "ー々ªºʼʻ" and name.split(" ")[0] not in allowed:
            faults.append(f"{letter!r} is of a script that no language of the document has")
        if unicodedata.bidirectional(letter) in {"LRE", "RLE", "LRO", "RLO", "PDF"}:
            faults.append("an embedding of directions is not closed by the text alone")
    return faults + _mixed_words(document)


def _mixed_words(document: Document) -> list[str]:
    # Words whose letters come from two scripts.
    faults = []
    parted = "".join(" " if not letter.isalpha() else letter for letter in document.text)
    for word in set(parted.split()):
        scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word} & {
            "LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI",
        }  # fmt: skip
        if len(scripts) > 1:
            faults.append(f"{word!r} mixes scripts")
    return faults
