"""Message to bytes and back. Bulk bytes never pass through here; they travel as frames.

Wire format: msgpack of [header, message], both msgspec Structs; the message carries its tag. New
fields go last and have a default, so that a newer receiver reads older bytes.
"""

from functools import lru_cache

import msgspec

from qmpi.errors import ProtocolError
from qmpi.protocol.envelope import WIRE_VERSION, Header
from qmpi.protocol.messages import Message

HEADER_LIMIT_BYTES = 64 << 20
"""Largest encoded message. A group of thousands with their lanes is some hundred KiB."""


class _Packet(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    header: Header
    message: Message


@lru_cache(maxsize=1)
def _decoder() -> msgspec.msgpack.Decoder[_Packet]:
    return msgspec.msgpack.Decoder(_Packet)


def encode(header: Header, message: Message) -> bytes:
    """Return the bytes of a message.

    Args:
        header: who to whom.
        message: what.

    Returns:
        At most `HEADER_LIMIT_BYTES` bytes.

    Raises:
        ProtocolError: the message is too large.
    """
    data = msgspec.msgpack.encode(_Packet(header, message))
    if len(data) > HEADER_LIMIT_BYTES:
        raise ProtocolError(
            f"{type(message).__name__} takes {len(data)} bytes, more than {HEADER_LIMIT_BYTES}; "
            "bulk data belong into frames"
        )
    return data


def decode(data: bytes | bytearray | memoryview) -> tuple[Header, Message]:
    """Read a message.

    Args:
        data: what `encode` made.

    Returns:
        Header and message.

    Raises:
        ProtocolError: malformed, of another wire version, or too large; names the field.
    """
    if len(data) > HEADER_LIMIT_BYTES:
        raise ProtocolError(f"a message of {len(data)} bytes is over {HEADER_LIMIT_BYTES}")
    try:
        packet = _decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"malformed message: {error}") from error
    if packet.header.version != WIRE_VERSION:
        raise ProtocolError(
            f"header.version is {packet.header.version}, this rank speaks {WIRE_VERSION}; "
            "start all ranks with one version of qmpi"
        )
    return packet.header, packet.message
