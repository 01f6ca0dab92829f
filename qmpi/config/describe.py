"""A job file that explains itself: each field with its meaning, its legal values and a value."""

import inspect
import textwrap
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from qmpi.config.explain import SOURCE_KINDS, legal
from qmpi.config.load import toml_value
from qmpi.config.settings import Settings

WIDTH = 96


def describe(settings: Settings, title: str) -> str:
    """Return a documented job file.

    Args:
        settings: the job.
        title: one line on what it is for.

    Returns:
        TOML that loads to equal settings.
    """
    lines = [f"# {title}", "# Check it with `qmpi check FILE`, run it with `qmpi train FILE`.", ""]
    values: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
    for section, kind in get_type_hints(Settings).items():
        lines += [*_heading(kind), f"[{section}]"]
        fields = values[section]
        for field, annotation in get_type_hints(kind, include_extras=True).items():
            if field != "sources":
                lines += _field(field, fields[field], annotation)
        for source in fields.get("sources", ()):
            lines += _source(source)
        lines.append("")
    return "\n".join(lines)


def description(annotation: object) -> str:
    """Return the meaning of a field.

    Args:
        annotation: its annotated type.

    Returns:
        The text of its `Meta`; the outermost counts.
    """
    found = [m.description for m in get_args(annotation) if isinstance(m, Meta) and m.description]
    return found[-1] if found else ""


def _heading(kind: type[msgspec.Struct]) -> list[str]:
    lines = inspect.cleandoc(kind.__doc__ or "").splitlines()
    return [f"# {line}".rstrip() for line in lines]


def _source(source: dict[str, Any]) -> list[str]:
    kind = SOURCE_KINDS[source["kind"]]
    lines = ["", *_heading(kind), "[[data.sources]]"]
    lines.append(f"kind = {toml_value(source['kind'])}")
    for field, annotation in get_type_hints(kind, include_extras=True).items():
        lines += _field(field, source[field], annotation)
    return lines


def _field(name: str, value: object, annotation: object) -> list[str]:
    words = f"{description(annotation)} [{legal(annotation)}]"
    comment = textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="#   ")
    return [*comment, f"{name} = {toml_value(value)}"]
