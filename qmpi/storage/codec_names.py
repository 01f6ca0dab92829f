"""Names of the codecs that a chunk of bytes may lie compressed in; loads none of them.

Theory of operation: a codec is written NAME or NAME:LEVEL, on the command line, in indexes and in
shards alike. What the names stand for is in `qmpi.storage.codecs`.
"""

from typing import NamedTuple

from qmpi.errors import ConfigError


class Codec(NamedTuple):
    """A way to compress.

    Attributes:
        name: one of `NAMES`.
        level: how hard it tries; 0 where there are no levels.
    """

    name: str
    level: int

    def __str__(self) -> str:
        """Return NAME:LEVEL; the name alone where there are no levels."""
        return f"{self.name}:{self.level}" if len(NAMES[self.name].levels) > 1 else self.name


class Name(NamedTuple):
    """What there is to know of a name.

    Attributes:
        levels: those it has; 0 alone if there is no choice.
        usual: level that the bare name means.
        says: what it is, in the field's terms.
    """

    levels: range
    usual: int
    says: str


_ONE_TO_NINE = range(1, 10)

NAMES: dict[str, Name] = {
    "none": Name(range(1), 0, "as it is"),
    "zlib": Name(_ONE_TO_NINE, 6, "deflate"),
    "gzip": Name(_ONE_TO_NINE, 6, "deflate with the head of a .gz file"),
    "bz2": Name(_ONE_TO_NINE, 9, "Burrows-Wheeler transform and Huffman codes"),
    "lzma": Name(range(10), 6, "LZ77 of long reach and range coding, as in .xz files"),
    "blosc2-zstd": Name(_ONE_TO_NINE, 5, "Zstandard in a Blosc2 frame, for ids"),
    "blosc2-zstd-bytes": Name(_ONE_TO_NINE, 5, "the same behind a split by byte, for floats"),
    "blosc2-lz4": Name(_ONE_TO_NINE, 9, "LZ4 (HC) in a Blosc2 frame"),
    "blosc2-lz4-bytes": Name(_ONE_TO_NINE, 5, "LZ4 behind a split by byte"),
}
"""Every codec."""

USUAL_CODEC = "blosc2-zstd:5"
"""What shards are written in if nobody says otherwise."""


def codec_named(text: str) -> Codec:
    """Return the codec that a name stands for.

    Args:
        text: NAME or NAME:LEVEL.

    Returns:
        The codec.

    Raises:
        ConfigError: there is none of that name, or not with that level.
    """
    name, mark, level = text.partition(":")
    known = NAMES.get(name)
    if known is None:
        raise ConfigError(f"no codec {name!r}; there are {', '.join(NAMES)}")
    if not mark:
        return Codec(name, known.usual)
    if not (level.isascii() and level.isdecimal() and len(level) == 1) or (
        int(level) not in known.levels
    ):
        levels = f"{known.levels[0]} to {known.levels[-1]}" if len(known.levels) > 1 else "none"
        raise ConfigError(f"codec {name} has no level {level!r}; its levels: {levels}")
    return Codec(name, int(level))
