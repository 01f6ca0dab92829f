"""What may lie in the directory of a corpus, so that a slip in --out never costs a user's files."""

import re
import shutil
from pathlib import Path

from qmpi.errors import InputError
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX
from qmpi.storage.corpus import INDEX_NAME, TOKENIZER_NAME
from qmpi.storage.ingest_scan import PLAN_NAME
from qmpi.storage.manifest import MANIFEST_NAME
from qmpi.storage.origins import LEFT_OUT_NAME, REPORT_NAME
from qmpi.storage.os_errors import explained

STATISTICS_NAME = "statistics.html"
WORK_FOLDER = "work"
"""Where a corpus that is being made keeps its records; gone when it is whole."""
PARTIAL_SUFFIX = ".partial"
"""Ending of the directory of an ingestion under way."""

_FIXED_NAMES = (
    *(INDEX_NAME, TOKENIZER_NAME, MANIFEST_NAME, STATISTICS_NAME),
    *(PLAN_NAME, LEFT_OUT_NAME, REPORT_NAME, WORK_FOLDER),
)
_OWN_NAMES = re.compile(
    "|".join(map(re.escape, _FIXED_NAMES))
    + rf"|shard-\d{{6,}}\.h5|origins-\d{{6,}}\.jsonl\.zst|\..+{re.escape(TEMPORARY_SUFFIX)}"
)


def check_corpus_directory(directory: Path) -> None:
    """Refuse a directory that holds something which is no part of a corpus.

    Args:
        directory: may be missing.

    Raises:
        InputError: it is a file, or holds something strange.
    """
    with explained("list", directory):
        if not directory.exists():
            return
        if not directory.is_dir():
            raise InputError(f"{directory} is a file; choose another directory")
        names = sorted(path.name for path in directory.iterdir())
    strange = [name for name in names if not _OWN_NAMES.fullmatch(name)]
    if strange:
        raise InputError(
            f"{directory} is not a corpus: it holds {strange[0]!r}; choose another directory"
        )


def clear_corpus_directory(directory: Path) -> None:
    """Remove a corpus, whole or half made.

    Args:
        directory: may be missing.

    Raises:
        InputError: it holds something that is no part of a corpus; nothing is removed.
        StorageError: it cannot be removed.
    """
    check_corpus_directory(directory)
    with explained("remove", directory):
        if directory.exists():
            # The index first: a half removed corpus is none.
            (directory / INDEX_NAME).unlink(missing_ok=True)
            shutil.rmtree(directory)


def sweep_corpus_directory(directory: Path) -> None:
    """Remove what a process that ended in the midst of writing has left; nobody may write any more.

    Args:
        directory: of a whole corpus.
    """
    for leftover in directory.glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(directory / WORK_FOLDER, ignore_errors=True)
