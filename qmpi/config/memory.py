"""[memory]: what memory ranks keep of the chunks that they have read and decoded."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from qmpi.config.bounds import PositiveSeconds

MOST_BYTES = 1 << 60
"""Of a budget: more than any file system has."""

CHUNK_TOKENS = 128 * 1024
"""Ids of a chunk of an ingested corpus, which are the largest: 256 KiB of uint16."""


def id_bytes(vocab_size: int) -> int:
    """Return the bytes of a token id.

    Args:
        vocab_size: number of ids, >= 1.

    Returns:
        2 if every id fits, else 4.
    """
    return 2 if vocab_size <= 1 << 16 else 4


LEVEL_KINDS = ("host", "disk")
"""Levels below the decoded chunks, the nearest first."""

HOST_DIRECTORY = "/dev/shm"
"""Where the host level lies unless it names another RAM file system."""


def most_frame_bytes(vocab_size: int) -> int:
    """Return the most that a chunk takes of a level: no codec makes it much larger.

    Args:
        vocab_size: number of ids, >= 1.

    Returns:
        Bytes.
    """
    chunk = CHUNK_TOKENS * id_bytes(vocab_size)
    return chunk + chunk // 32 + 8192


class LevelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level below the decoded chunks of a memory rank: compressed chunks as files."""

    kind: Annotated[
        Literal["host", "disk"],
        Meta(
            description=(
                '"host": memory of the host, which its memory ranks share; "disk": a directory of '
                "a local disk, likewise."
            )
        ),
    ]
    budget: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_BYTES,
            description="Bytes that each memory rank keeps there; at least one chunk.",
        ),
    ]
    directory: Annotated[
        str,
        Meta(description="Absolute path; of a RAM file system for host, where it may be left out."),
    ] = ""

    @property
    def place(self) -> str:
        """Directory that it lies in."""
        return self.directory or (HOST_DIRECTORY if self.kind == "host" else "")


class MemorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[memory]: what memory ranks keep of corpora, and how they send blocks; changes no block."""

    policy: Annotated[
        Literal["clairvoyant", "lru", "lfu", "fifo", "random"],
        Meta(
            description=(
                'What goes when room is short. "clairvoyant": what the run reads last of all. '
                '"lru", "lfu", "fifo": what was used least recently, least often, was read first. '
                '"random": what is drawn.'
            )
        ),
    ] = "clairvoyant"
    budget: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_BYTES,
            description="Bytes of decoded chunks that a memory rank keeps; at least one chunk.",
        ),
    ] = 64 << 20
    ttl_seconds: Annotated[
        float,
        Meta(
            ge=0.0, description="Seconds after which a chunk goes though there is room; 0: never."
        ),
    ] = 0.0
    codec: Annotated[
        Literal[
            "none",
            "auto",
            "zlib",
            "gzip",
            "bz2",
            "lzma",
            "blosc2-zstd",
            "blosc2-zstd-bytes",
            "blosc2-lz4",
            "blosc2-lz4-bytes",
        ],
        Meta(
            description=(
                "What blocks are compressed with while memory ranks keep them and send them to "
                'trainers. "auto": what a trial on the first block finds fastest.'
            )
        ),
    ] = "none"
    patience_seconds: Annotated[
        PositiveSeconds,
        Meta(
            description=(
                "Time for which shards that cannot be reached are tried again before another "
                "memory rank is asked."
            )
        ),
    ] = 300.0
    levels: Annotated[
        tuple[LevelSettings, ...],
        Meta(
            description=(
                "Where chunks are kept compressed, between the decoded ones and the shards: host, "
                "then disk."
            )
        ),
    ] = ()
