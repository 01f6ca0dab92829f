"""Where a document stands in the endless stream, and the key of its draws.

Theory of operation. A stream is (type, level, variety) and is cut into blocks of exactly 65,536
tokens. Block b holds documents (b, 0), (b, 1), ...; each document's draws come from a keyed hash of
(generator version, lexicon digest, seed, stream, b, j), so any block is made without the ones
before it and no two addresses share draws. What is held out has a word where the seed stands. Token
t of a stream lies in block t >> 16. The tokenizer decides where documents end up in a block, never
what they say.
"""

import hashlib
import re
import struct

from msgspec import Struct

from qmpi.config.data import DRILL_FAMILIES, DRILLS
from qmpi.errors import InputError
from qmpi.units import Digest

GENERATOR_VERSION = "content-3"
"""Raised whenever any text at any address changes; part of a source's identity and of every key."""

TYPES = (
    "technical",
    "scientific",
    "code",
    "mathematics",
    "philosophy",
    "creative",
    "conversation",
    "multilingual",
)
"""Types of prose and programs, those of the usual mixture."""
ALL_TYPES = (*TYPES, DRILLS)
"""What can be asked for; drills have no share unless they are."""
SHARES: dict[str, int] = dict(zip(TYPES, (20, 15, 15, 10, 8, 12, 10, 10), strict=True))
"""Default share of each type in a mixture, in per cent."""
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "tr", "ar", "hi", "ja", "zh")
"""Languages of the multilingual type; the other types are in English."""
_ENGLISH: tuple[str, ...] = ("en",)
_VARIETIES = {"multilingual": LANGUAGES, DRILLS: DRILL_FAMILIES}

BLOCK_TOKENS = 1 << 16
STREAM_TOKENS = 1 << 60
STREAM_BLOCKS = STREAM_TOKENS // BLOCK_TOKENS
BLOCK_DOCUMENTS = 1 << 12
"""Numbers of documents in a block; far more than fit, so every index names one document."""

HELD_OUT = "held out"
"""Stands where the seed does in the key of documents that no job trains on."""

_ADDRESS = struct.Struct("<QQ")
_NUMBER = r"0|[1-9][0-9]{0,18}"
"""As everybody writes it: one spelling for each number."""
_STREAM = re.compile(rf"([a-z]+)/({_NUMBER})(?:/([a-z]+))?")
_TOKEN = re.compile(_NUMBER)
_LONGEST_SHOWN = 80


class Stream(Struct, frozen=True, order=True):
    """One endless stream of documents.

    Attributes:
        type: content type.
        level: 1 to 100.
        variety: what a type divides into: a language of the multilingual type, a family of drills;
            "en" of all others.
    """

    type: str
    level: int
    variety: str = "en"

    def __str__(self) -> str:
        """Return the stream as users write it: technical/37/en."""
        return f"{self.type}/{self.level}/{self.variety}"


class Place(Struct, frozen=True):
    """Where a document stands in its stream.

    Attributes:
        block: 0 to 2**44 - 1.
        number: of the document in the block, 0 to 4095.
    """

    block: int
    number: int

    @property
    def index(self) -> int:
        """The place as one number, 0 to 2**56 - 1."""
        return self.block * BLOCK_DOCUMENTS + self.number


def place_of(index: int) -> Place:
    """Return the place that an index names.

    Args:
        index: 0 to 2**56 - 1.

    Returns:
        Block and number.

    Raises:
        InputError: the index is out of range.
    """
    if not 0 <= index < STREAM_BLOCKS * BLOCK_DOCUMENTS:
        raise InputError(f"index {index} is not between 0 and 2**56 - 1")
    return Place(*divmod(index, BLOCK_DOCUMENTS))


def varieties_of(type_name: str) -> tuple[str, ...]:
    """Return what a type divides into.

    Args:
        type_name: content type.

    Returns:
        Languages or families, in order.

    Raises:
        InputError: no such type; the message lists what there is.
    """
    if type_name not in ALL_TYPES:
        raise InputError(f"no content type {type_name!r}; there are {', '.join(ALL_TYPES)}")
    return _VARIETIES.get(type_name, _ENGLISH)


def checked_stream(type_name: str, level: int, variety: str) -> Stream:
    """Return a stream that exists.

    Args:
        type_name: content type.
        level: 1 to 100.
        variety: language or family.

    Returns:
        The stream.

    Raises:
        InputError: no such type, level or variety; the message lists what there is.
    """
    known = varieties_of(type_name)
    if not 1 <= level <= 100:
        raise InputError(f"level {level} is not between 1 and 100")
    if variety not in known:
        what = f"family {variety!r} of drills" if type_name == DRILLS else ""
        what = what or f"{type_name} text in {variety!r}"
        raise InputError(f"no {what}; there is {', '.join(known)}")
    return Stream(type_name, level, variety)


def parse_stream(text: str) -> Stream:
    """Read a stream as users write it.

    Args:
        text: TYPE/LEVEL, TYPE/LEVEL/LANGUAGE or drills/LEVEL/FAMILY.

    Returns:
        The stream.

    Raises:
        InputError: the text names no stream.
    """
    found = _STREAM.fullmatch(text)
    if found is None:
        raise InputError(
            f"{_shown(text)} is no stream; write one as technical/37/en, with digits 0 to 9 and no"
            " zero in front"
        )
    return checked_stream(found[1], int(found[2]), found[3] or "en")


def parse_token(text: str) -> tuple[Stream, int]:
    """Read the address of a token as users write it.

    Args:
        text: TYPE/LEVEL/LANGUAGE/TOKEN, as technical/37/en/123456789, or drills/LEVEL/FAMILY/TOKEN.

    Returns:
        Stream, and offset of the token in it.

    Raises:
        InputError: the text names no token.
    """
    stream, _, token = text.rpartition("/")
    if not _TOKEN.fullmatch(token) or int(token) >= STREAM_TOKENS:
        raise InputError(
            f"{_shown(text)} is no token address; write TYPE/LEVEL/LANGUAGE/TOKEN, as"
            " technical/37/en/123456789, with digits 0 to 9, no zero in front, and TOKEN below"
            " 2**60"
        )
    return parse_stream(stream), int(token)


def _shown(text: str) -> str:
    # Digits of other scripts look like these in some fonts, so they are spelled out.
    return ascii(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


def generator_key(lexicon_digest: Digest, seed: int) -> bytes:
    """Return the key that all draws of a job hang on.

    Args:
        lexicon_digest: identity of the vocabulary.
        seed: 0 to 2**64 - 1.

    Returns:
        32 bytes.
    """
    return _key(lexicon_digest, str(seed))


def held_out_key(lexicon_digest: Digest) -> bytes:
    """Return the key of documents that no job trains on, the same for every job.

    Args:
        lexicon_digest: identity of the vocabulary.

    Returns:
        32 bytes; those of a domain that is no number, so that no seed leads to it.
    """
    return _key(lexicon_digest, HELD_OUT)


def _key(lexicon_digest: Digest, domain: str) -> bytes:
    spelled = f"{GENERATOR_VERSION}\0{lexicon_digest}\0{domain}"
    return hashlib.blake2b(spelled.encode(), digest_size=32).digest()


def document_key(key: bytes, stream: Stream, block: int, number: int) -> bytes:
    """Return the key of one document's draws.

    Args:
        key: from `generator_key`.
        stream: of the document.
        block: 0 to 2**44 - 1.
        number: of the document in the block.

    Returns:
        16 bytes.
    """
    # Numbers of fixed width first: no two addresses share a spelling.
    spelled = _ADDRESS.pack(block, number) + str(stream).encode()
    return hashlib.blake2b(spelled, key=key, digest_size=16).digest()
