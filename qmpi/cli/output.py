"""How commands speak: people on the terminal, scripts in JSON on standard output."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper

import click
import msgspec


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


def show_error(message: str, fault: str, exit_code: int, *, as_json: bool) -> None:
    """Show an error: one clear message, no traceback.

    Args:
        message: what is wrong and what to do.
        fault: whose fault it is, one word.
        exit_code: what the process will return.
        as_json: print one JSON object on standard output instead.
    """
    # An argument that is not UTF-8 comes in as lone surrogates, which JSON cannot hold.
    message = message.encode("utf-8", "backslashreplace").decode()
    # Where neither stream takes it, as on a full disk, the exit code still says it.
    with suppress(OSError):
        if as_json:
            with suppress(OSError):
                show_json({"error": message, "fault": fault, "exit_code": exit_code})
                return
        click.echo(f"qmpi: error ({fault}): {message}", err=True)


def show_json(value: object) -> None:
    """Print one JSON object on standard output.

    Args:
        value: anything that msgspec encodes, and paths.
    """
    # `str` is for paths alone; all else that qmpi reports is plain.
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")
    sys.stdout.flush()
