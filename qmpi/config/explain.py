"""What is wrong with a raw job, field by field, in words that say what to do.

`msgspec.convert` stops at the first mistake; a user with five wants to read of all five.
"""

import datetime
import math
from collections.abc import Iterable
from typing import Any, get_type_hints

import msgspec

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.parallel import AUTO, SECTION

LARGEST_NUMBER = 2**63 - 1
"""Whole numbers travel as 64 bits in messages, files and tensors."""

SHOWN_CHARACTERS = 60

SOURCE_KINDS: dict[str, type[msgspec.Struct]] = {
    "corpus": CorpusSource,
    "content": ContentSource,
}


def explain(raw: dict[str, Any], settings: type[msgspec.Struct]) -> list[str]:
    """List every mistake of form in a job.

    Args:
        raw: what TOML gave.
        settings: the type of a whole job, or of another file of sections.

    Returns:
        One sentence a mistake; empty if the job can be converted.
    """
    sections = get_type_hints(settings)
    faults: list[str] = []
    for name, fields in raw.items():
        if name not in sections:
            faults.append(f"[{name}]: no such section; {_home(name, sections)}")
        elif not isinstance(fields, dict):
            other = ', or "auto"' if name == SECTION else ""
            faults.append(f"{name} = {shown(fields)}: must be a section, written [{name}]{other}")
        else:
            faults += _section(name, fields, sections[name])  # pyright: ignore[reportUnknownArgumentType]
    return faults


def legal(annotation: object) -> str:
    """Describe the legal values of a field.

    Args:
        annotation: its annotated type.

    Returns:
        Words, such as "a whole number from 1 to 4096".
    """
    return _describe(msgspec.inspect.type_info(annotation))


def shown(value: object) -> str:
    """Return a value as a message shows it: as in TOML where that is short.

    Args:
        value: whatever stands in a job file.

    Returns:
        At most a line.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:
        # Python refuses to print very long numbers.
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    try:
        text = repr(value)
    except ValueError:
        return "a value with numbers too long to show"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _section(name: str, fields: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    hints = get_type_hints(kind, include_extras=True)
    faults: list[str] = []
    for key, value in fields.items():
        path = f"{name}.{key}"
        if key == SECTION and value == AUTO:
            faults.append(
                f'{path}: {SECTION} = "{AUTO}" stands above the first section; behind [{name}] it '
                "is a field of that"
            )
        elif key not in hints:
            faults.append(f"{path}: no such field; {_known(key, hints, f'{name}.')}")
        elif kind is DataSettings and key == "sources":
            faults += _sources(path, value)
        else:
            faults += _value(path, value, hints[key])
    return faults


def _sources(path: str, value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        given = shown(value)  # pyright: ignore[reportUnknownArgumentType]
        return [f"{path} = {given}: must be one or more tables, written [[{path}]]"]
    faults: list[str] = []
    for number, source in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        where = f"{path}[{number}]"
        if not isinstance(source, dict):
            given = shown(source)  # pyright: ignore[reportUnknownArgumentType]
            faults.append(f"{where} = {given}: must be a table with kind and name")
            continue
        fields: dict[str, Any] = {**source}
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in SOURCE_KINDS:
            given = "is missing" if kind is None else f"= {shown(kind)}"
            faults.append(f"{where}.kind {given}: must be one of {', '.join(SOURCE_KINDS)}")
            continue
        faults += _table(where, fields, SOURCE_KINDS[kind])
    return faults


def _table(where: str, fields: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    required = [f.name for f in msgspec.structs.fields(kind) if f.required]
    missing = [f"{where}.{f}: is missing" for f in required if f not in fields]
    return _section(where, fields, kind) + missing


def _tables(path: str, value: object, annotation: object) -> list[str]:
    """Return the mistakes in tables of a list, if it is a list of tables."""
    info = _inner(annotation)
    if not isinstance(info, msgspec.inspect.VarTupleType) or not isinstance(value, list | tuple):
        return []
    kind = info.item_type
    if not isinstance(kind, msgspec.inspect.StructType):
        return []
    faults: list[str] = []
    for number, row in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if isinstance(row, dict):
            fields: dict[str, Any] = {**row}
            faults += _table(f"{path}[{number}]", fields, kind.cls)
    return faults


def _inner(annotation: object) -> msgspec.inspect.Type:
    info = msgspec.inspect.type_info(annotation)
    return info.type if isinstance(info, msgspec.inspect.Metadata) else info


def _value(path: str, value: object, annotation: object) -> list[str]:
    words = legal(annotation)
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{path} = {value!r}: must be {words}"]
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        return [f"{path} = {shown(value)}: must be {words}, within 64 bits"]
    if isinstance(value, str) and not _is_clean(value):
        return [f"{path} = {value!r}: must be UTF-8 text without NUL and control characters"]
    try:
        msgspec.convert(value, annotation)
    except (msgspec.ValidationError, OverflowError):
        close = _close(value, annotation)
        inside = _tables(path, value, annotation)
        return inside or [f"{path} = {shown(value)}: must be {words}{close}"]
    return []


def _is_clean(text: str) -> bool:
    # Lone surrogates stand for bytes that are not UTF-8: no job.toml and no status.json can hold
    # them.
    return not any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text)


def _near(name: str, names: Iterable[str], *, cutoff: float) -> list[str]:
    import difflib  # at the head it would cost each rank some files at its start

    return difflib.get_close_matches(name, names, n=1, cutoff=cutoff)


def _known(name: str, known: Iterable[str], prefix: str = "") -> str:
    names = sorted(known)
    near = _near(name, names, cutoff=0.5)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    return f"known are {', '.join(names)}"


def _home(name: str, sections: dict[str, Any]) -> str:
    # A field above all sections is most often one whose section was forgotten.
    homes = [s for s, kind in sections.items() if name in get_type_hints(kind)]
    if homes:
        return f"did you mean {' or '.join(f'{home}.{name}' for home in homes)}?"
    return _known(name, sections)


def _close(value: object, annotation: object) -> str:
    info = _inner(annotation)
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(value, list | tuple):
        return _close_in(value, info.item_type)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, str) and isinstance(info, msgspec.inspect.LiteralType):
        if any(value == str(number) for number in info.values if isinstance(number, int)):
            return f"; a number is written without quotes: {value}"
        near = _near(value, map(str, info.values), cutoff=0.4)
        return f"; did you mean {near[0]!r}?" if near else ""
    return ""


def _close_in(values: Iterable[object], item: msgspec.inspect.Type) -> str:
    """Return which name of a list is none, with the nearest one; "" if its names are free."""
    if not isinstance(item, msgspec.inspect.LiteralType):
        return ""
    known = [str(name) for name in item.values]
    strange = [value for value in values if isinstance(value, str) and value not in known]
    return f"; {strange[0]!r} is none, {_known(strange[0], known)}" if strange else ""


def _describe(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.Metadata():
            return _describe(info.type)
        case msgspec.inspect.IntType():
            return f"a whole number{_range(info)}"
        case msgspec.inspect.FloatType():
            return f"a number{_range(info)}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType():
            written = [f'"{v}"' if isinstance(v, str) else str(v) for v in info.values]
            return "one of " + ", ".join(written)
        case msgspec.inspect.StrType():
            return _text(info)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.DictType():
            return _many(info)
        case msgspec.inspect.StructType():
            return f"a table of {', '.join(field.name for field in info.fields)}"
        case msgspec.inspect.UnionType():
            return " or ".join(_describe(member) for member in info.types)
        case _:
            return "of another type"


def _many(info: msgspec.inspect.VarTupleType | msgspec.inspect.DictType) -> str:
    if isinstance(info, msgspec.inspect.DictType):
        return f"a table whose values are each {_describe(info.value_type)}"
    return f"a list, each {_describe(info.item_type)}"


def _text(info: msgspec.inspect.StrType) -> str:
    if info.pattern and "%" in info.pattern:
        return 'a share such as "60%"'
    if info.pattern:
        return "a name of small letters, digits, _ and -, at most 40 characters"
    return "text" + (", not empty" if info.min_length else "")


def _range(info: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    low = info.ge if info.ge is not None else info.gt
    high = info.le if info.le is not None else info.lt
    at_least = "from" if info.ge is not None else "above"
    at_most = "to" if info.le is not None else "below"
    words = f" {at_least} {low}" if low is not None else ""
    return words + (f" {at_most} {high}" if high is not None else "")
