"""Checks of what an ingestion is told, before anything is read.

Theory of operation: what would be passed over in silence is a slip of the user; it is told at once,
not found in the corpus after hours.
"""

from collections.abc import Sequence
from pathlib import Path

from qmpi.errors import InputError
from qmpi.ingest.read.json_lines import is_json_lines
from qmpi.ingest.read.parquet import is_parquet
from qmpi.ingest.scan import SourceFile
from qmpi.ingest.settings import IngestOptions
from qmpi.storage.run_directory import RunLock
from qmpi.storage.tokenizer import Tokenizer


def refuse_without_effect(options: IngestOptions, files: Sequence[SourceFile]) -> None:
    """Refuse options that no input is read by.

    Args:
        options: as told.
        files: of the whole ingestion.

    Raises:
        InputError: there is such an option.
    """
    records = [is_parquet(file.path) or is_json_lines(file) for file in files]
    plain = IngestOptions()
    for option, value, usual in (
        ("--field", options.field, plain.field),
        ("--id-field", options.id_field, plain.id_field),
    ):
        if value != usual and files and not any(records):
            raise InputError(
                f"{option} {value}: no input has fields; they are looked for in JSON lines "
                "(.jsonl, .ndjson, .json of a record a line) and Parquet (.parquet, .pq)"
            )
    if options.id_field == options.field != plain.id_field:
        raise InputError(f"--id-field {options.id_field} is the field of the text; name another")
    if options.encoding and files and all(records):
        raise InputError(
            f"--encoding {options.encoding}: it is for plain text, and all inputs are JSON lines "
            "or Parquet, which are UTF-8; leave it out, and convert what is not with `iconv`"
        )


def given_tokenizer(options: IngestOptions) -> Tokenizer | None:
    """Read the tokenizer that the user names.

    Args:
        options: as told.

    Returns:
        The tokenizer; None: one is to be trained.

    Raises:
        InputError: what is named is none, or has no such end token.
        StorageError: it cannot be read.
    """
    if options.tokenizer is not None:
        return Tokenizer.given(options.tokenizer, options.end_token)
    if options.end_token:
        raise InputError(
            "--end-token names a token of --tokenizer, and none is given; the tokenizer that is "
            "trained ends documents with <|endoftext|>"
        )
    return None


def refuse_if_used(lock: Path) -> None:
    """Refuse to go on with, or to remove, what another command or its ranks are at.

    Args:
        lock: file that they hold.

    Raises:
        UserError: it is.
    """
    if lock.exists():
        RunLock(lock).release()
