"""How the blocks of a job are sent: as `memory.codec` says, or as a trial on the first one chooses.

Theory of operation. A block is compressed once, by the memory rank that builds it, and decoded once
by each trainer that asks for it. So a trial charges for both, and for the way between them. Blocks
of another rank may lie under another codec: each says its own.
"""

import logging

import numpy as np

from qmpi.policy.codec_choice import CodecTrial, Way, choose_codec
from qmpi.storage.codec_names import Codec, codec_named
from qmpi.storage.codec_trial import tried
from qmpi.storage.sent_block import smaller

logger = logging.getLogger(__name__)

LINK_RATE = 1e9
"""Bytes a second between two ranks; a trial of times has to assume one, and most have more."""

CANDIDATES = ("none", "blosc2-lz4:1", "blosc2-lz4:5", "blosc2-zstd:1", "blosc2-zstd:3", "zlib:1")


class SentBlocks:
    """Compresses the blocks that one process builds.

    Attributes:
        reason: why blocks are sent as they are, in words; "" before a trial.
    """

    def __init__(self, name: str, dtype: str, rate: float = LINK_RATE) -> None:
        """Choose nothing yet.

        Args:
            name: `memory.codec`.
            dtype: of an id, "uint16" or "uint32".
            rate: bytes a second of the way to trainers, > 0.
        """
        self._codec = None if name == "auto" else codec_named(name)
        self._dtype, self._rate = dtype, rate
        self.reason = ""

    def sent(self, ids: bytes) -> tuple[bytes, str]:
        """Return a block as it is sent.

        Args:
            ids: its bytes.

        Returns:
            A frame and the name of its codec, "" if it is the ids.
        """
        if self._codec is None:
            self._codec = self._chosen(ids)
        frame = smaller(ids, self._codec, self._dtype)
        return (ids, "") if frame is None else (frame, str(self._codec))

    def _chosen(self, ids: bytes) -> Codec:
        block = np.frombuffer(ids, self._dtype)
        if not block.size:
            return codec_named("none")
        trials = [CodecTrial(*tried(codec_named(name), [block])) for name in CANDIDATES]
        choice = choose_codec(trials, Way(rate=self._rate, compressions=1.0))
        self.reason = f"blocks are sent as {choice.name}: {choice.reason}"
        logger.info("%s", self.reason)
        return codec_named(choice.name)
