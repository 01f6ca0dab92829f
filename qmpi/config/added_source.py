"""A source as a command line adds it to a run: NAME=PATH of a corpus, or NAME=content:TYPE."""

from typing import Any

import msgspec

from qmpi.config.data import Source
from qmpi.config.load import BUILTIN, absolute
from qmpi.errors import ConfigError

CONTENT = "content:"
"""Prefix of generated text; its type follows."""


def read_added(text: str) -> Source:
    """Read a source of weight 0.

    Args:
        text: NAME=PATH or NAME=content:TYPE.

    Returns:
        The source; its path is absolute, or names what qmpi brings along.

    Raises:
        ConfigError: the text names no source.
    """
    name, _, what = (part.strip() for part in text.partition("="))
    if not name or not what:
        raise ConfigError(f"{text!r}: write NAME=PATH of a corpus, or NAME={CONTENT}TYPE")
    raw: dict[str, Any] = {"name": name, "weight": 0.0}
    if what.startswith(CONTENT):
        raw |= {"kind": "content", "type": what.removeprefix(CONTENT)}
    else:
        path = what if what.startswith(BUILTIN) else str(absolute(what))
        raw |= {"kind": "corpus", "path": path}
    try:
        return msgspec.convert(raw, Source)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{text!r} is no source: {error}") from None
