"""The types by name, and the document at an address.

Theory of operation. A type's writers load when first used, so a rank that makes one type holds the
tables of that type alone.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from qmpi.config.data import DRILLS
from qmpi.content.address import Place, Stream, document_key, held_out_key
from qmpi.content.counter import Draw
from qmpi.content.document import Document
from qmpi.content.english.notes import write_note
from qmpi.content.folding import folded
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.page import Page
from qmpi.content.synthesis import joins, write_joined

Writer = Callable[[Page], None]

CLOSERS_FROM = 3840
"""Documents with this number and higher are closers: short, to fill the end of a block."""

_WRITERS = {
    "technical": "qmpi.content.technical.genres",
    "scientific": "qmpi.content.scientific.genres",
    "code": "qmpi.content.code.genres",
    "mathematics": "qmpi.content.mathematics.genres",
    "philosophy": "qmpi.content.philosophy.genres",
    "creative": "qmpi.content.creative.genres",
    "conversation": "qmpi.content.conversation.genres",
    "multilingual": "qmpi.content.multilingual.genres",
    DRILLS: "qmpi.content.drills.genres",
}


@cache
def writer_of(type_name: str) -> Writer:
    """Return the writer of a type, loading its tables on first use.

    Args:
        type_name: one of `address.ALL_TYPES`.

    Returns:
        A function that writes one document on a page; each genre is drawn by it.
    """
    writer: Writer = import_module(_WRITERS[type_name]).write
    return writer


@cache
def closer_of(type_name: str) -> Writer:
    """Return what writes the short documents of a type.

    Args:
        type_name: one of `address.ALL_TYPES`.

    Returns:
        Its own `close_block`, where a type has one, else short notes in English.
    """
    closer: Writer | None = getattr(import_module(_WRITERS[type_name]), "close_block", None)
    return closer or write_note


def write_document(key: bytes, stream: Stream, place: Place) -> Document:
    """Return the document at an address.

    Args:
        key: from `generator_key`.
        stream: type, level and variety.
        place: block and number.

    Returns:
        Always the same for the same arguments.
    """
    draw = Draw(document_key(key, stream, place.block, place.number))
    page = _page(key, stream, draw)
    if place.number >= CLOSERS_FROM:
        closer_of(stream.type)(page)
    elif joins(page):
        write_joined(page, writer_of)
    else:
        writer_of(stream.type)(page)
    return folded(draw, page.close())


def _page(key: bytes, stream: Stream, draw: Draw) -> Page:
    if stream.type != DRILLS:
        return Page(draw, stream.type, stream.level, stream.variety)
    page = Page(draw, stream.type, stream.level)
    page.family = stream.variety
    page.is_held_out = key == held_out_key(lexicon_digest())
    return page
