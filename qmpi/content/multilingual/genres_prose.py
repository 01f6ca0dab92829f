"""Genres in one language: news, letter, story, comprehension, notes of a day."""

from qmpi.content.level import sized
from qmpi.content.multilingual.meaning import Phrase
from qmpi.content.multilingual.scribe import Scribe
from qmpi.content.multilingual.sentence_maker import UNPARTED
from qmpi.content.page import Page


def _count(page: Page, most: int = 56) -> int:
    return sized(page.draw, page.budget.entities, 17, most)


def name_of(scribe: Scribe) -> str:
    """Return a person's name in the main language.

    Args:
        scribe: of the page.

    Returns:
        First name, surname.
    """
    draw, words = scribe.draw, scribe.words
    first = draw.choice(words.women if draw.below(2) else words.men)
    surname = draw.choice(words.surnames)
    return surname + first if words.language in UNPARTED else f"{first} {surname}"


def _paragraphs(scribe: Scribe, count: int) -> None:
    page, draw = scribe.page, scribe.draw
    while count > 0 and not scribe.full():
        size = min(count, draw.between(2, 7))
        scribe.tell(size)
        count -= size
        page.say("\n\n" if count > 0 and not scribe.full() else "\n")


def news(page: Page) -> None:
    """Write a news item: headline, place and date, paragraphs.

    Args:
        page: empty.
    """
    page.genre = "news item"
    scribe = Scribe(page)
    draw = page.draw
    scribe.say(("e", scribe.teller.event("t"), None))
    page.say("\n\n")
    page.say(draw.choice(scribe.words.cities)[0])
    page.say(draw.choice((", ", " — ", " / ", ": ")))
    scribe.date(weekday=bool(draw.below(2)))
    page.say(draw.choice((" — ", "\n\n", ". ", " | ")))
    _paragraphs(scribe, _count(page))


def letter(page: Page) -> None:
    """Write a letter: date, greeting, paragraphs, closing and name.

    Args:
        page: empty.
    """
    page.genre = "letter"
    scribe = Scribe(page)
    draw = page.draw
    if draw.below(2):
        page.say(draw.choice(scribe.words.cities)[0])
        page.say(", ")
        scribe.date()
        page.say("\n\n")
    page.say(f"{scribe.heading('dear')} {name_of(scribe)}{scribe.comma.rstrip()}\n\n")
    _paragraphs(scribe, _count(page, 50))
    page.say(f"\n{scribe.heading('closing')}\n{name_of(scribe)}\n")


def story(page: Page) -> None:
    """Write a story: few persons, many events.

    Args:
        page: empty.
    """
    page.genre = "story"
    scribe = Scribe(page)
    draw = page.draw
    cast: list[Phrase] = [
        scribe.teller.agent(pool, single=True)
        for pool in [scribe.teller.people] * (2 + page.budget.entities // 25)
    ]
    if draw.below(2):
        page.say(f"{name_of(scribe)}\n\n")
    left = _count(page)
    while left > 0 and not scribe.full():
        size = min(left, draw.between(2, 7))
        for place in range(size):
            if place:
                page.say(scribe.gap)
            link, event, rest = scribe.teller.sentence()
            # Who is on stage comes back: half the sentences are about the cast.
            if draw.below(2):
                verb, tense, _, item, receiver, where, when = event
                event = (verb, tense, draw.choice(cast), item, receiver, where, when)
            scribe.say((link, event, rest))
        left -= size
        page.say("\n\n" if left > 0 and not scribe.full() else "\n")


def diary(page: Page) -> None:
    """Write dated entries.

    Args:
        page: empty.
    """
    page.genre = "diary"
    scribe = Scribe(page)
    draw = page.draw
    left = _count(page, 52)
    weekday = bool(draw.below(2))
    while left > 0 and not scribe.full():
        size = min(left, draw.between(1, 6))
        scribe.date(weekday=weekday)
        page.say(draw.choice(("\n", ": ", " — ")))
        scribe.tell(size)
        left -= size
        page.say("\n\n" if left > 0 and not scribe.full() else "\n")


_ASKED = (("who", "S"), ("where", "P"), ("when", "T"))


def comprehension(page: Page) -> None:
    """Write numbered sentences, then questions on them with answers.

    Args:
        page: empty.
    """
    page.genre = "comprehension"
    scribe = Scribe(page)
    draw = page.draw
    count = _count(page, 40)
    for line in range(1, count + 1):
        page.say("(")
        scribe.ordinal(line)
        page.say(") ")
        scribe.say(scribe.teller.sentence())
        page.say("\n" if draw.below(3) or line == count else " ")
        if scribe.full():
            break
    page.say("\n")
    written = len(scribe.sentences)
    for _ in range(sized(draw, page.budget.steps, 2, 12)):
        number = draw.below(written)
        known = [(key, role) for key, role in _ASKED if scribe.part(number, role)]
        key, role = draw.choice(known)
        page.say(f"{scribe.heading('question')}{scribe.colon}{scribe.heading('about')} (")
        scribe.ordinal(number + 1)
        page.say(f"){scribe.colon}{scribe.heading(key)}\n{scribe.heading('answer')}{scribe.colon}")
        page.fact("answer", scribe.part(number, role), scribe.language, number, role)
        page.say("\n")
