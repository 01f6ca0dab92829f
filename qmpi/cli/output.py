"""How commands speak: people on the terminal, scripts in JSON on standard output."""

import sys

import click
import msgspec


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
    if as_json:
        show_json({"error": message, "fault": fault, "exit_code": exit_code})
    else:
        click.echo(f"qmpi: error ({fault}): {message}", err=True)


def show_json(value: object) -> None:
    """Print one JSON object on standard output.

    Args:
        value: anything that msgspec encodes, and paths.
    """
    # `str` is for paths alone; all else that qmpi reports is plain.
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")
    sys.stdout.flush()
