"""Prompts in a file: a line each, or a JSON text each where prompts have lines of their own."""

import sys
from pathlib import Path

import msgspec

from qmpi.errors import InputError
from qmpi.storage.os_errors import explained

LIMIT_BYTES = 64 << 20
STANDARD_INPUT = "-"


class _Prompt(msgspec.Struct, frozen=True):
    prompt: str


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read prompts.

    Args:
        path: a file; "-": standard input. In a file .jsonl each line is a JSON text, or an object
            with a field `prompt`.

    Returns:
        The prompts in order; empty lines are left out.

    Raises:
        InputError: it is not there, is no text, holds none, or a line is no JSON.
        StorageError: it cannot be read.
    """
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    with explained("read the prompts", path):
        data = _read(path)
    if len(data) > LIMIT_BYTES:
        raise InputError(f"{name} is above {LIMIT_BYTES >> 20} MiB; are these prompts?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text (byte {error.start})") from error
    # Of all that Unicode calls a line break only this one ends a prompt.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise InputError(f"{name} holds no prompt")
    if path.suffix != ".jsonl":
        return tuple(line for _, line in lines)
    return tuple(_parsed(line, f"line {number} of {name}") for number, line in lines)


def _read(path: Path) -> bytes:
    if str(path) == STANDARD_INPUT:
        return sys.stdin.buffer.read(LIMIT_BYTES + 1)
    if not path.exists():
        raise InputError(f"there is no file {path}")
    with path.open("rb") as file:
        return file.read(LIMIT_BYTES + 1)


def _parsed(line: str, where: str) -> str:
    try:
        found = msgspec.json.decode(line, type=str | _Prompt)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(
            f'{where} is neither a JSON text nor an object with a field "prompt" ({error})'
        ) from error
    return found if isinstance(found, str) else found.prompt
