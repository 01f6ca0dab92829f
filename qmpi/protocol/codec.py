"""Message to header bytes and back. Bulk bytes travel beside, as frames; they never pass here.

Wire format: msgpack of [header, message], both msgspec Structs; the message carries its tag. New
fields go last and have a default, so that a newer receiver reads older bytes. Whatever the bytes
are, `decode` returns a message or raises `ProtocolError`: a receiver never falls over a sender.
"""

from functools import lru_cache
from typing import Any, cast

import msgspec

from qmpi.errors import ProtocolError
from qmpi.protocol.envelope import WIRE_VERSION, Header
from qmpi.protocol.messages import Message

HEADER_LIMIT_BYTES = 64 << 20
"""Largest encoded message. A group of thousands of members with lanes is a few hundred KiB."""


class _Packet(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    header: Header
    message: Message


class _VersionOnly(msgspec.Struct, frozen=True):
    version: int


class _Glimpse(msgspec.Struct, frozen=True, array_like=True):
    """All that is needed to tell bytes of another version from broken ones."""

    header: _VersionOnly


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
        ProtocolError: too large, or a number that cannot travel.
    """
    name = type(message).__name__
    try:
        data = _packed(header, message)
    except (UnicodeEncodeError, OverflowError) as error:
        raise ProtocolError(f"{name} cannot be encoded: {error}") from error
    if len(data) > HEADER_LIMIT_BYTES:
        raise ProtocolError(
            f"{name} takes {len(data)} bytes, more than {HEADER_LIMIT_BYTES}; "
            "bulk data belong into frames"
        )
    return data


def _packed(header: Header, message: Message) -> bytes:
    try:
        return msgspec.msgpack.encode(_Packet(header, message))
    except UnicodeEncodeError:
        # A reason that names a file whose name is not UTF-8: tell it, rather than end the rank.
        spelled = _spelled_out(msgspec.to_builtins(message))
        return msgspec.msgpack.encode((header, spelled))


def _spelled_out(value: Any) -> Any:  # noqa: ANN401 - plain values of any message
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            table = cast("dict[Any, Any]", value)
            return {_spelled_out(key): _spelled_out(held) for key, held in table.items()}
        case list() | tuple():
            return [_spelled_out(held) for held in cast("list[Any]", value)]
        case _:
            return value


def decode(data: bytes | bytearray | memoryview) -> tuple[Header, Message]:
    """Read a message.

    Args:
        data: what `encode` made.

    Returns:
        Header and message.

    Raises:
        ProtocolError: malformed, of another wire version, or too large; names the field.
    """
    size = memoryview(data).nbytes
    if size > HEADER_LIMIT_BYTES:
        raise ProtocolError(f"a message of {size} bytes is over {HEADER_LIMIT_BYTES}")
    try:
        packet = _decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Another version's fields look broken to this one, so the version is the better answer.
        _refuse_other_version(_glimpse_version(data))
        text = str(error).replace("`$[0]", "`header").replace("`$[1]", "`message")
        raise ProtocolError(f"malformed message: {text}") from error
    _refuse_other_version(packet.header.version)
    return packet.header, packet.message


def _glimpse_version(data: bytes | bytearray | memoryview) -> int:
    try:
        return msgspec.msgpack.decode(data, type=_Glimpse).header.version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return WIRE_VERSION


def _refuse_other_version(version: int) -> None:
    if version != WIRE_VERSION:
        raise ProtocolError(
            f"header.version is {version}, this rank speaks {WIRE_VERSION}; "
            "start all ranks with one version of qmpi"
        )
