"""How commands speak: people on the terminal, scripts in JSON on standard output."""

import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NamedTuple, TextIO

import click
import msgspec

from qmpi.errors import pointer


def open_streams() -> None:
    """Make the standard streams fit for any text, wherever they lead.

    What qmpi says is UTF-8 in every locale, so that it is the same bytes. A stream that was closed
    leads nowhere from here on; else the next file that is opened would take its place.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            sink = os.open(os.devnull, os.O_RDWR)
            if sink != number:
                os.dup2(sink, number)
                os.close(sink)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream leads to a terminal that shows colours.

    Args:
        stream: such as standard output.
    """
    environ = os.environ
    wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


class Fault(NamedTuple):
    """An error as it is shown.

    Attributes:
        message: what is wrong and what to do.
        fault: whose fault it is, one word.
        exit_code: what the process will return.
        page: what `qmpi explain` tells more of it by.
    """

    message: str
    fault: str
    exit_code: int
    page: str


def show_error(error: Fault, *, as_json: bool) -> None:
    """Show an error: one clear message, where to read more, no traceback.

    Args:
        error: what to show.
        as_json: print one JSON object on standard output instead.
    """
    # An argument that is not UTF-8 comes in as lone surrogates, which JSON cannot hold.
    message = error.message.encode("utf-8", "backslashreplace").decode()
    # Where neither stream takes it, as on a full disk, the exit code still says it.
    with suppress(OSError):
        if as_json:
            with suppress(OSError):
                show_json(
                    {
                        "error": message,
                        "fault": error.fault,
                        "exit_code": error.exit_code,
                        "page": error.page,
                    }
                )
                return
        click.echo(f"qmpi: error ({error.fault}): {message}\n  {pointer(error.page)}", err=True)


def show_json(value: object) -> None:
    """Print one JSON object on standard output.

    Args:
        value: anything that msgspec encodes, and paths.
    """
    # `str` is for paths alone; all else that qmpi reports is plain.
    try:
        text = msgspec.json.encode(value, enc_hook=str).decode()
    except UnicodeEncodeError:
        # A file may be called what is no UTF-8. Escaped, its name is the same when it is read back.
        plain = msgspec.to_builtins(value, enc_hook=str, str_keys=True)
        text = json.dumps(plain, separators=(",", ":"))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
