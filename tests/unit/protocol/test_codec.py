"""The codec: every message comes back equal, and bytes raise nothing but ProtocolError."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import ProtocolError
from qmpi.protocol import codec
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.membership import GroupBroken, Hello, SnapshotFact
from qmpi.protocol.messages import Message
from qmpi.units import Digest, Generation, Rank, Step

HEADER = Header(
    version=WIRE_VERSION,
    source=Address(Rank(3), RoleName.TRAINER),
    target=Address(Rank(0), RoleName.COORDINATOR),
    sequence=17,
    generation=Generation(2),
    cause="timer:heartbeat",
)


FACT = SnapshotFact(Step(3), Digest("x"), "ram", "/ram/3")


def broken(reason: str) -> GroupBroken:
    return GroupBroken(Generation(2), reason)


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


PLAIN = {
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.NoneType: st.none(),
}


def numbers(kind: Any) -> st.SearchStrategy[Any] | None:
    """Values of a number's type within its bounds."""
    match kind:
        case msgspec.inspect.IntType(ge=least, le=most):
            first = -(2**63) if least is None else int(least)
            return st.integers(first, 2**63 - 1 if most is None else int(most))
        case msgspec.inspect.FloatType(gt=above, ge=least, lt=below, le=most):
            return st.floats(
                min_value=least if above is None else above,
                max_value=most if below is None else below,
                exclude_min=above is not None,
                exclude_max=below is not None,
                allow_nan=False,
            )
        case msgspec.inspect.Metadata(type=inner):
            return values(inner)
        case _:
            return None


def texts(kind: msgspec.inspect.StrType) -> st.SearchStrategy[str]:
    """Texts of a field's type: as its pattern says, or of its length."""
    if kind.pattern is not None:
        # "$" also matches before a line's end.
        return st.from_regex(kind.pattern, fullmatch=True).map(lambda found: found.rstrip("\n"))
    return text.filter(lambda found: len(found) >= (kind.min_length or 0))


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as msgspec sees it."""
    if type(kind) in PLAIN:
        return PLAIN[type(kind)]
    found = texts(kind) if isinstance(kind, msgspec.inspect.StrType) else numbers(kind)
    if found is not None:
        return found
    match kind:
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case msgspec.inspect.LiteralType(values=literals):
            return st.sampled_from(list(literals))
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=3).map(tuple)
        case msgspec.inspect.TupleType(item_types=items):
            return st.tuples(*map(values, items))
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=3)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(values, types))
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: values(field.type) for field in fields})
    raise AssertionError(f"no values for {kind}")


messages = st.sampled_from(get_args(Message)).flatmap(
    lambda c: values(msgspec.inspect.type_info(c))
)
headers = values(msgspec.inspect.type_info(Header)).map(
    lambda header: msgspec.structs.replace(header, version=WIRE_VERSION)
)


@given(headers, messages)
def test_every_message_comes_back_equal(header: Header, message: Any):
    data = encode(header, message)
    assert decode(data) == (header, message)
    assert decode(memoryview(bytearray(data))) == (header, message)


def accepts_or_refuses(data: bytes) -> None:
    try:
        header, message = decode(data)
    except ProtocolError:
        return
    assert header.version == WIRE_VERSION
    assert isinstance(message, get_args(Message))


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data: bytes):
    accepts_or_refuses(data)


@given(headers, messages, st.data())
def test_a_truncated_message_is_refused(header: Header, message: Any, draw: st.DataObject):
    data = encode(header, message)
    with pytest.raises(ProtocolError, match="truncated"):
        decode(data[: draw.draw(st.integers(0, len(data) - 1))])


@given(headers, messages, st.data())
def test_a_mutated_message_never_raises_anything_else(
    header: Header, message: Any, draw: st.DataObject
):
    data = bytearray(encode(header, message))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    accepts_or_refuses(bytes(data))


@pytest.mark.parametrize(
    ("part", "path", "value", "named"),
    [
        (0, ["sequence"], "many", "header.sequence"),
        (0, ["source", "role"], "king", "header.source.role"),
        (0, ["cause"], None, "header.cause"),
        (1, ["type"], "nonsense", "message.type"),
        (1, ["reason"], 5, "message.reason"),
    ],
)
def test_the_field_is_named(part: int, path: list[str], value: object, named: str):
    raw = msgspec.msgpack.decode(encode(HEADER, broken("idle")))
    place = raw[part]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ProtocolError, match=named):
        decode(msgspec.msgpack.encode(raw))


def test_another_version_is_told_even_if_its_fields_are_other():
    raw = msgspec.msgpack.decode(encode(HEADER, broken("")))
    raw[0]["version"] = WIRE_VERSION + 1
    with pytest.raises(ProtocolError, match=r"header\.version is 3"):
        decode(msgspec.msgpack.encode(raw))
    del raw[0]["sequence"]
    raw[1]["type"] = "a message of the future"
    with pytest.raises(ProtocolError, match=r"header\.version is 3"):
        decode(msgspec.msgpack.encode(raw))


def test_claims_of_huge_sizes_cost_nothing():
    for claim in (b"\xdd", b"\xdf", b"\xdb", b"\xc6"):
        with pytest.raises(ProtocolError):
            decode(b"\x92" + claim + b"\xff\xff\xff\xff")
    with pytest.raises(ProtocolError):
        decode(b"\x91" * 100_000)


def test_too_large_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch):
    data = encode(HEADER, broken("x" * 100))
    monkeypatch.setattr(codec, "HEADER_LIMIT_BYTES", len(data))
    assert decode(data)[1] == broken("x" * 100)
    with pytest.raises(ProtocolError, match="frames"):
        encode(HEADER, broken("x" * 101))
    with pytest.raises(ProtocolError, match="over"):
        decode(data + b"x")
    # The limit counts bytes, not elements of a wider buffer.
    with pytest.raises(ProtocolError, match="over"):
        decode(memoryview(bytearray(len(data) // 8 * 16)).cast("Q"))


def test_a_number_that_cannot_travel_is_the_senders_error():
    with pytest.raises(ProtocolError, match="GroupBroken cannot be encoded"):
        encode(msgspec.structs.replace(HEADER, sequence=2**70), broken(""))


def test_a_name_that_is_no_text_travels_spelled_out():
    # A file whose name is not UTF-8, in a reason: it must not end the rank that tells it.
    _, message = decode(encode(HEADER, broken("bad \udcff name")))
    assert message == broken("bad \\udcff name")
    _, held = decode(encode(HEADER, Hello("h\udc80", 1, snapshots=(FACT,))))
    assert held == Hello("h\\udc80", 1, snapshots=(FACT,))
