"""Genres in two or three languages: parallel text, gloss, exercise, mixed speech, phrases."""

from typing import Any

from qmpi.content.address import LANGUAGES
from qmpi.content.level import sized
from qmpi.content.multilingual.genres_prose import name_of
from qmpi.content.multilingual.meaning import Event, Phrase
from qmpi.content.multilingual.scribe import Scribe
from qmpi.content.multilingual.sentence_maker import STOPS, UNPARTED, capital, grammar_of
from qmpi.content.multilingual.word_forms import lexis
from qmpi.content.page import Page


def _others(page: Page, most: int) -> list[str]:
    others = [language for language in LANGUAGES if language != page.language]
    return page.draw.sample(others, page.draw.between(1, most))


def _tongue(scribe: Scribe, code: str) -> None:
    for row, (known, name) in enumerate(scribe.words.tongues):
        if known == code:
            scribe.page.fact("name", name, scribe.language, scribe.word("tongue", row))


def parallel(page: Page) -> None:
    """Write each sentence in the main language, then in one or two others.

    Args:
        page: empty.
    """
    page.genre = "parallel text"
    others = _others(page, 2)
    scribe = Scribe(page, *others)
    draw = page.draw
    if draw.below(2):
        for code in others:
            _tongue(scribe, code)
            page.say(draw.choice((" / ", ", ", " | ")) if code != others[-1] else "\n\n")
    between = draw.choice(("\n", "\n  ", "\n= ", "\n— ", " | ", "\t"))
    after = draw.choice(("\n\n", "\n"))
    for place in range(sized(draw, page.budget.entities, 9, 30)):
        page.say(after if place else "")
        sentence = scribe.teller.sentence()
        number = scribe.say(sentence)
        for code in others:
            page.say(between)
            scribe.write(code, number, sentence)
        if scribe.full():
            break
    page.say("\n")


def paragraphs(page: Page) -> None:
    """Write paragraphs in the main language, each followed by its translation.

    Args:
        page: empty.
    """
    page.genre = "parallel paragraphs"
    others = _others(page, 1)
    scribe = Scribe(page, *others)
    draw = page.draw
    for part in range(sized(draw, page.budget.entities, 2, 6)):
        if part:
            page.say("\n")
        told = []
        for place in range(draw.between(2, 6)):
            page.say(scribe.gap if place else "")
            sentence = scribe.teller.sentence()
            told.append((scribe.say(sentence), sentence))
        page.say("\n")
        for place, (number, sentence) in enumerate(told):
            page.say(" " if place and others[0] not in UNPARTED else "")
            scribe.write(others[0], number, sentence)
        page.say("\n")
        if scribe.full():
            break


_MARKS = {"S": "NOM", "O": "ACC", "R": "DAT"}
_TENSES = ("PST", "PRS", "FUT")


def _noun_gloss(item: Phrase, role: str) -> str:
    english = lexis("en")
    noun, count, quality = item
    words = [english.adjectives[quality][1]] if quality >= 0 else []
    words.append(english.nouns[noun][2].replace(" ", "."))
    count_mark = ("SG.DEF", "SG.INDF", "PL.DEF")[count] if count < 3 else f"COUNT.{count}"
    return f"{'.'.join(words)}-{count_mark}.{_MARKS[role]}"


def _gloss(event: Event, roles: list[str]) -> str:
    english = lexis("en")
    verb, tense, agent, patient, receiver, place, time = event
    made = {
        "S": lambda: _noun_gloss(agent, "S"),
        "O": lambda: _noun_gloss(patient or agent, "O"),
        "R": lambda: _noun_gloss(receiver or agent, "R"),
        "V": lambda: f"{english.verbs[verb][3].replace(' ', '.')}-{_TENSES[tense]}",
        "T": lambda: english.times[time or 0][1].replace(" ", "."),
        "P": lambda: (
            english.cities[-1 - (place or 0)][0] if (place or 0) < 0
            else english.nouns[place or 0][2].replace(" ", ".")
        ) + "-LOC",
    }  # fmt: skip
    return " ".join(made[role]() for role in roles)


def gloss(page: Page) -> None:
    """Write sentences with a line of glosses and a translation under each.

    Args:
        page: empty.
    """
    page.genre = "interlinear gloss"
    other = page.draw.choice([code for code in LANGUAGES if code != page.language])
    scribe = Scribe(page, other)
    draw = page.draw
    clause = grammar_of(page.language).clause
    tail = STOPS.get(page.language, ".")
    for line in range(1, sized(draw, page.budget.entities, 8, 28) + 1):
        event = scribe.teller.event()
        number = scribe.new(("e", event, None))
        parts = clause(event, draw.below(3))
        page.say("(")
        scribe.ordinal(line)
        page.say(") ")
        text = scribe.gap.join([words for _, words in parts])
        page.fact("sentence", capital(page.language, text) + tail, page.language, number)
        page.say("\n    ")
        page.fact("gloss", _gloss(event, [role for role, _ in parts]), page.language, number)
        page.say("\n    ")
        scribe.write(other, number, ("e", event, None))
        page.say("\n")
        if scribe.full():
            break


def exercise(page: Page) -> None:
    """Write sentences to translate, and the translations as answers.

    Args:
        page: empty.
    """
    page.genre = "translation exercise"
    others = _others(page, 2)
    scribe = Scribe(page, *others)
    draw = page.draw
    late = draw.below(2)
    owed: list[tuple[int, int, Any, str]] = []
    for line in range(1, sized(draw, page.budget.entities, 8, 28) + 1):
        sentence = scribe.teller.sentence()
        code = draw.choice(others)
        scribe.ordinal(line)
        page.say(f". {scribe.heading('translate')}{scribe.colon}")
        _tongue(scribe, code)
        page.say(scribe.stop)
        number = scribe.say(sentence)
        page.say("\n")
        if late:
            owed.append((line, number, sentence, code))
        else:
            page.say(f"{scribe.heading('answer')}{scribe.colon}")
            scribe.write(code, number, sentence)
            page.say("\n")
        if scribe.full():
            break
    if owed:
        page.say(f"\n{scribe.heading('answer')}\n")
    for line, number, sentence, code in owed:
        scribe.ordinal(line)
        page.say(". ")
        scribe.write(code, number, sentence)
        page.say("\n")


_OPEN = {"de": ("„", "“"), "en": ("“", "”"), "ja": ("「", "」"), "zh": ("「", "」")}


def mixed(page: Page) -> None:
    """Write sentences of the main language that hold a phrase of another.

    Args:
        page: empty.
    """
    page.genre = "code-switched text"
    others = _others(page, 2)
    scribe = Scribe(page, *others)
    draw = page.draw
    clause = grammar_of(page.language).clause
    tail = STOPS.get(page.language, ".")
    before, after = _OPEN.get(page.language, ("«", "»"))
    count = sized(draw, page.budget.entities, 18, 64)
    for place in range(count):
        event = scribe.teller.event("t")
        code = draw.choice(others)
        number = scribe.new(("e", event, None))
        parts = clause(event, draw.below(3))
        foreign = scribe.part(number, "O", code)
        shown = [f"{before}{foreign}{after}" if role == "O" else text for role, text in parts]
        text = capital(page.language, scribe.gap.join(shown)) + tail
        page.fact("mixed", text, page.language, number, code)
        last = place == count - 1 or scribe.full()
        page.say("\n" if last or draw.below(4) == 0 else scribe.gap)
        if last:
            break


def phrases(page: Page) -> None:
    """Write a talk of two travellers: prices, places, what happened; with translations.

    Args:
        page: empty.
    """
    page.genre = "travel dialogue"
    others = _others(page, 1)
    scribe = Scribe(page, *others)
    draw = page.draw
    speakers = (name_of(scribe), name_of(scribe))
    for turn in range(sized(draw, page.budget.entities, 9, 30)):
        page.say(f"{speakers[turn % 2]}{scribe.colon}")
        kind = draw.below(4)
        if kind == 0:
            thing = scribe.teller.ware()
            event = (0, 1, thing, None, None, None, None)
            number = scribe.new(("e", event, None))
            page.say(f"{scribe.heading('ithappens')}{scribe.comma}")
            page.fact("part", scribe.part(number, "S"), page.language, number, "S")
            page.say(f"{scribe.colon}{scribe.heading('howmuch')}")
            page.say(f" — {scribe.heading('thanks')}{scribe.colon}")
            amount = scribe.amount(page.language)
            page.say(" (")
            scribe.amount(others[0], amount)
            page.say(")\n")
        else:
            sentence = scribe.teller.sentence()
            if kind == 1:
                page.say(f"{scribe.heading('thanks')}{scribe.stop}")
            number = scribe.say(sentence)
            page.say("\n  ")
            scribe.write(others[0], number, sentence)
            page.say("\n")
        if scribe.full():
            break
