"""The codec of a corpus: the one that was named, or the best of a trial on a sample of its ids.

Theory of operation: a trial takes times, so it is not the same on every machine. It is made once
for a corpus, by whoever begins it; its outcome is written down, and all shards are made with that.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from qmpi.errors import ConfigError, CorruptData
from qmpi.policy.codec_choice import CodecChoice, CodecTrial, Way, choose_codec
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.codec_names import USUAL_CODEC, Codec, codec_named
from qmpi.storage.codec_trial import cut, tried
from qmpi.storage.codecs import Array
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_layout import CHUNK_TOKENS, dtype_name
from qmpi.storage.tokenizer import Tokenizer

AUTO = "auto"
USUAL_RATE = 200e6
"""Bytes a second that a rank gets from a file system which many read."""
LEAST_COMPRESS_RATE = 10e6
"""Bytes of ids a second: encoding text gives a core about half as many."""
USUAL_REASON = "the usual one"
ASKED = "asked for"

CANDIDATES = (
    "none",
    "blosc2-lz4:3",
    "blosc2-lz4:9",
    "blosc2-zstd:1",
    "blosc2-zstd:3",
    "blosc2-zstd:5",
    "blosc2-zstd:7",
    "blosc2-zstd:8",
    "zlib:6",
    "bz2:9",
    "lzma:6",
)
"""Those that are tried on ids; a split by byte makes ids larger."""

SAMPLE_CHARACTERS = 8 << 20
"""Of text that codecs are tried on: some 4 MiB of ids."""
_SAMPLE_CHUNKS = 8
_RATE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")


class CodecWish(NamedTuple):
    """What `--codec` asks for.

    Attributes:
        codec: that one; None: the best.
        rate: bytes a second that a reader gets; counts for the best alone.
    """

    codec: Codec | None
    rate: float


def codec_wish(text: str) -> CodecWish:
    """Read what a user asks for.

    Args:
        text: a codec, "auto", or "auto:RATE" in MB/s.

    Returns:
        What that means.

    Raises:
        ConfigError: it means nothing.
    """
    name, mark, rate = text.partition(":")
    if name != AUTO:
        return CodecWish(codec_named(text), 0.0)
    if not mark:
        return CodecWish(None, USUAL_RATE)
    if not _RATE.fullmatch(rate) or not float(rate):
        raise ConfigError(f"--codec {text}: write auto, or auto:RATE in MB/s that a reader gets")
    return CodecWish(None, float(rate) * 1e6)


def choice_of(text: str) -> CodecChoice | None:
    """Return the choice that needs no trial.

    Args:
        text: as for `codec_wish`.

    Returns:
        The choice; None if one is to be made.

    Raises:
        ConfigError: it means nothing.
    """
    codec = codec_wish(text).codec
    if codec is None:
        return None
    return CodecChoice(str(codec), USUAL_REASON if str(codec) == USUAL_CODEC else ASKED)


def best_codec(text: str, sample: Array, chunk_items: int) -> CodecChoice:
    """Try codecs on ids and choose one.

    Args:
        text: "auto" or "auto:RATE".
        sample: ids in the type of the shards, not empty.
        chunk_items: of a chunk of the shards.

    Returns:
        The choice, and why.
    """
    way = Way(rate=codec_wish(text).rate, least_compress_rate=LEAST_COMPRESS_RATE)
    trials = _trials(_spread(cut(sample, chunk_items)))
    return choose_codec(trials, way)


def _spread(chunks: Sequence[Array]) -> list[Array]:
    return list(chunks[:: -(-len(chunks) // _SAMPLE_CHUNKS)])


def _trials(chunks: Sequence[Array]) -> list[CodecTrial]:
    return [CodecTrial(*tried(codec_named(name), chunks)) for name in CANDIDATES]


class CodecFile:
    """The choice of an ingestion, made once and kept beside what is under way."""

    def __init__(self, path: Path, text: str) -> None:
        """Look at nothing yet.

        Args:
            path: where a choice is kept that took a trial.
            text: as for `codec_wish`.
        """
        self._path = path
        self._text = text

    def is_done(self) -> bool:
        """Whether the choice is made.

        Returns:
            True once `read` has something to give.
        """
        return choice_of(self._text) is not None or self._path.exists()

    def decide(self, tokenizer: Tokenizer, texts: Iterable[str]) -> None:
        """Make the choice if it is not made.

        Args:
            tokenizer: of the corpus.
            texts: samples of it.

        Raises:
            StorageError: no space.
        """
        if self.is_done():
            return
        dtype = np.dtype(dtype_name(tokenizer.size)).newbyteorder("<")
        parts = [np.array(tokenizer.encode(text), dtype) for text in texts]
        choice = best_codec(self._text, np.concatenate(parts), CHUNK_TOKENS)
        write_atomic(self._path, msgspec.json.encode(choice))

    def read(self) -> CodecChoice:
        """Return the choice.

        Returns:
            Codec and reason.

        Raises:
            StorageError: it cannot be read.
            CorruptData: it is damaged.
        """
        named = choice_of(self._text)
        if named is not None:
            return named
        with explained("read", self._path):
            data = self._path.read_bytes()
        try:
            return msgspec.json.decode(data, type=CodecChoice)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CorruptData(f"{self._path} is damaged ({error}); remove it") from error
