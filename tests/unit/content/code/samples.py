"""Documents of the code type for tests, and changes planted in them."""

import json
from functools import cache

from msgspec.structs import replace

from qmpi.content.address import Stream, document_key, generator_key, place_of
from qmpi.content.code.genres import write
from qmpi.content.counter import Draw
from qmpi.content.document import Document, Fact
from qmpi.content.page import Page
from qmpi.units import Digest

KEY = generator_key(Digest("0" * 64), 11)


def fresh(level: int, index: int) -> Document:
    """A document of this type alone, as it is made."""
    place = place_of(index)
    key = document_key(KEY, Stream("code", level), place.block, place.number)
    page = Page(Draw(key), "code", level)
    write(page)
    return page.close()


@cache
def document(level: int, index: int) -> Document:
    """A document, its certificate as it comes back from JSON."""
    made = fresh(level, index)
    facts = tuple(
        replace(fact, args=tuple(json.loads(json.dumps(fact.args)))) for fact in made.facts
    )
    return replace(made, world=json.loads(json.dumps(made.world)), facts=facts)


@cache
def sample(count: int) -> tuple[Document, ...]:
    """Documents of all levels."""
    return tuple(document(1 + number * 37 % 100, number) for number in range(count))


def said(made: Document, fact: Fact) -> str:
    """The characters of a fact."""
    return made.text[fact.start : fact.end]


def changed(made: Document, fact: Fact, text: str) -> Document:
    """The document with other characters in place of a fact; later facts move along."""
    more = len(text) - (fact.end - fact.start)

    def moved(place: int) -> int:
        return place + more if place >= fact.end else place

    facts = tuple(replace(f, start=moved(f.start), end=moved(f.end)) for f in made.facts)
    whole = made.text[: fact.start] + text + made.text[fact.end :]
    return replace(made, text=whole, facts=facts)
