"""A block as it is sent: its ids compressed where that makes it smaller, and back.

Theory of operation. Two digests go with what is compressed: of the bytes that travel, so that no
decoder sees what was changed on the way, and of the ids, which a block has under every codec.
"""

import numpy as np

from qmpi.errors import InvariantError
from qmpi.protocol.blocks import frame_digest
from qmpi.storage.block_builder import Frame
from qmpi.storage.codec_names import Codec, codec_named
from qmpi.storage.codecs import compress, decompress
from qmpi.units import Digest


def smaller(ids: bytes, codec: Codec, dtype: str) -> bytes | None:
    """Compress a block.

    Args:
        ids: its bytes.
        codec: how.
        dtype: of an id, "uint16" or "uint32".

    Returns:
        What it becomes; None if that is not smaller.
    """
    if codec.name == "none" or not ids:
        return None
    frame = compress(codec, np.frombuffer(ids, dtype))
    return frame if len(frame) < len(ids) else None


def ids_of(frame: Frame, codec: str, digest: Digest, size: int) -> Frame:
    """Return the ids of a block that was compressed.

    Args:
        frame: compared with the digest that came with it.
        codec: its name, as `Codec` writes it.
        digest: of the ids' bytes.
        size: bytes of the ids of a block.

    Returns:
        The bytes.

    Raises:
        InvariantError: they are not what their digest says.
        CorruptData: the frame is not what its codec writes.
    """
    ids = np.empty(size, np.uint8)
    decompress(codec_named(codec), bytes(frame), ids)
    if frame_digest(ids.data) != digest:
        raise InvariantError(f"a block that {codec} made smaller came out as another")
    return ids.data
