"""Texts of what others rely on: messages, files, errors, job-file fields, command-line options.

Each function returns one list as text, a line a fact, so that a reviewer reads a change of contract
in the diff. Types are spelled in one way whatever alias the code uses.
"""

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import click
import msgspec
from msgspec.structs import FieldInfo

from qmpi import errors
from qmpi.cli.main import cli
from qmpi.config.settings import Settings
from qmpi.config.stages import Curriculum
from qmpi.doctor.examine import CHECKS
from qmpi.doctor.finding import Finding
from qmpi.planning.estimate import Plan
from qmpi.protocol.envelope import WIRE_VERSION, Header
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.messages import GENERATION_BOUND, Message
from qmpi.protocol.replay import Replay
from qmpi.protocol.specialisation import Reference
from qmpi.protocol.status import EndMarker, StatusReport

BOUNDS = ("gt", "ge", "lt", "le", "pattern", "min_length", "max_length")


def messages() -> str:
    """Header and messages, fields in wire order."""
    bound = [f"{kind.__name__} is bound to its generation" for kind in GENERATION_BOUND]
    return _text([f"wire version {WIRE_VERSION}", *bound, *_structs(Header, *get_args(Message))])


def files() -> str:
    """Records of the journal, status report, end marker, what a run replays, and references."""
    return _text(_structs(*get_args(JournalRecord), StatusReport, EndMarker, Replay, Reference))


def job_file() -> str:
    """Sections and fields of a job file."""
    return _text(_structs(Settings))


def plan() -> str:
    """What `qmpi plan --json` prints."""
    return _text(_structs(Plan))


def curriculum() -> str:
    """What `qmpi curriculum --json` prints."""
    return _text(_structs(Curriculum))


def exceptions() -> str:
    """Errors, each below its parent, with fault and exit code."""
    codes = [f"exit {code.name} {code.value}" for code in errors.ExitCode]
    return _text([*codes, *_errors(errors.QmpiError, 0)])


def options() -> str:
    """Commands with their arguments and options; those of a group one by one."""
    return _text(list(_commands("qmpi", cli)))


def doctor() -> str:
    """What `qmpi doctor --json` prints a list of, and the names of the checks."""
    return _text([*_structs(Finding), *(f"check {name}" for name in CHECKS)])


LISTS = {
    "messages.txt": messages,
    "files.txt": files,
    "job_file.txt": job_file,
    "plan.txt": plan,
    "curriculum.txt": curriculum,
    "exceptions.txt": exceptions,
    "options.txt": options,
    "doctor.txt": doctor,
}


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _errors(kind: type[errors.QmpiError], depth: int) -> Iterator[str]:
    yield f"{'    ' * depth}{kind.__name__} fault {kind.fault}, exit {int(kind.exit_code)}"
    for child in sorted(kind.__subclasses__(), key=lambda c: c.__name__):
        if child.__module__ == errors.__name__:
            yield from _errors(child, depth + 1)


def _structs(*roots: type[msgspec.Struct]) -> list[str]:
    """Return each Struct with its fields, then those that it holds, each once."""
    lines: list[str] = []
    waiting, seen = list(roots), set(roots)
    while waiting:
        kind = waiting.pop(0)
        tag = kind.__struct_config__.tag
        lines.append(kind.__name__ + (f" tag {tag}" if tag else ""))
        for field in msgspec.structs.fields(kind):
            lines.append(f"    {field.name}: {_spell(field.type)}{_default(field)}")
            held = [k for k in _held(field.type) if k not in seen]
            seen.update(held)
            waiting += held
    return lines


def _held(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in get_args(kind):
        yield from _held(part)


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, msgspec.Struct):
        return f" = {type(field.default).__name__}()"
    if field.default is not msgspec.NODEFAULT:
        return f" = {field.default!r}"
    if field.default_factory is not msgspec.NODEFAULT:
        return f" = {field.default_factory()!r}"
    return ""


def _spell(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _spell(parts[0]) + "".join(_bounds(m) for m in parts[1:])
    if origin is Literal:
        return " | ".join(repr(p) for p in parts)
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(_spell(p) for p in parts)
    if origin is not None:
        inner = ", ".join("..." if p is ... else _spell(p) for p in parts)
        return f"{origin.__name__}[{inner}]"
    return "None" if kind is types.NoneType else kind.__name__


def _bounds(meta: Any) -> str:
    said = [f"{n} {getattr(meta, n)}" for n in BOUNDS if getattr(meta, n, None) is not None]
    return f" ({', '.join(said)})" if said else ""


def _commands(path: str, group: click.Group) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from _commands(f"{path} {name}", command)
            continue
        yield f"{path} {name}"
        yield from (f"    {_parameter(p)}" for p in command.params)


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        name = parameter.human_readable_name
        return name + ("" if parameter.required else " (optional)")
    assert isinstance(parameter, click.Option)
    said = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if not parameter.is_flag:
        said += f" {_spell_option(parameter.type)}"
    return said + (" (required)" if parameter.required else "")


def _spell_option(kind: click.ParamType) -> str:
    if isinstance(kind, click.Choice):
        return " | ".join(str(choice) for choice in kind.choices)
    return kind.name
