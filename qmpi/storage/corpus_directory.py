"""What may lie in the directory of a corpus, so that a slip in --out never costs a user's files."""

import re
import shutil
from pathlib import Path

from qmpi.errors import InputError
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME
from qmpi.storage.end_token import DECLARATION_NAME
from qmpi.storage.origins import LEFT_OUT_NAME, REPORT_NAME
from qmpi.storage.os_errors import explained
from qmpi.storage.remedy import MANIFEST_NAME

PLAN_NAME = "plan.json"
"""Describes an ingestion under way."""
STATISTICS_NAME = "statistics.html"
WORK_FOLDER = "work"
"""Where a corpus that is being made keeps its records; gone when it is whole."""
PARTIAL_SUFFIX = ".partial"
"""Ending of the directory of an ingestion under way."""

_FIXED_NAMES = (
    *(INDEX_NAME, TOKENIZER_NAME, MANIFEST_NAME, STATISTICS_NAME),
    *(PLAN_NAME, LEFT_OUT_NAME, REPORT_NAME, DECLARATION_NAME),
)
_TEMPORARY = rf"\..+{re.escape(TEMPORARY_SUFFIX)}"
_SHARD_NAMES = re.compile(r"shard-\d{6,}\.h5")
_FILE_NAMES = re.compile(
    "|".join(map(re.escape, _FIXED_NAMES))
    + rf"|{_SHARD_NAMES.pattern}|origins-\d{{6,}}\.jsonl\.zst|{_TEMPORARY}"
    + r"|packing-\d+\.rows(\.lock)?"
)
# "work" is what many people call a folder of theirs: by its name alone it is none of ours.
_WORK_NAMES = re.compile(
    r"work\.json|result\.json|status\.json|end\.json|units|logs|checkpoints|ranks|lock|stop|probe"
    r"|supervisor\.lock|given-tokenizer\.json|tokenizer_config\.json|screen\.msgpack|scan|clean|dedup|tokenizer|write"
    rf"|{_TEMPORARY}"
)


def corpus_place(directory: Path) -> Path:
    """Return where a corpus that is put in place by a rename has to lie.

    Args:
        directory: as the user names it.

    Returns:
        Its absolute path; where a link to a directory leads, since nothing is renamed onto a link.
    """
    return directory.resolve() if directory.is_dir() else directory.absolute()


def check_corpus_directory(directory: Path) -> None:
    """Refuse a directory that holds something which is no part of a corpus.

    Args:
        directory: may be missing.

    Raises:
        InputError: it is a file, holds something strange, or what it holds is too little to say
            that it is a corpus.
    """
    with explained("list", directory):
        if not directory.exists():
            if directory.is_symlink():
                raise InputError(f"{directory} is a link to nothing; remove it, or choose another")
            return
        if not directory.is_dir():
            raise InputError(f"{directory} is a file; choose another directory")
        found = sorted(directory.iterdir())
        strange = next(filter(None, map(_strange, found)), "")
    if strange:
        raise InputError(
            f"{directory} is not a corpus: it holds {strange!r}; choose another directory"
        )
    if found and not _is_ours({path.name for path in found}):
        raise InputError(
            f"{directory} is not a corpus: it holds {found[0].name!r}, but no shards; choose "
            "another directory, or remove it yourself"
        )


def _strange(path: Path) -> str:
    """Return the first thing at `path`, in its directory, that is no part of a corpus; or ""."""
    if path.name != WORK_FOLDER:
        return "" if _FILE_NAMES.fullmatch(path.name) and not path.is_dir() else path.name
    if not path.is_dir():
        return path.name
    within = sorted(inner.name for inner in path.iterdir())
    return next((f"{path.name}/{name}" for name in within if not _WORK_NAMES.fullmatch(name)), "")


def _is_ours(names: set[str]) -> bool:
    # Other programs write an index.json or a tokenizer.json, too; none writes all of this. What is
    # being made has its work folder before anything else.
    return (
        bool({WORK_FOLDER, PLAN_NAME} & names)
        or {INDEX_NAME, TOKENIZER_NAME} <= names
        or any(map(_SHARD_NAMES.fullmatch, names))
    )


def clear_corpus_directory(directory: Path) -> None:
    """Remove a corpus, whole or half made.

    Args:
        directory: may be missing; if it is a link, it stays, and what it leads to is emptied.

    Raises:
        InputError: it holds something that is no part of a corpus; nothing is removed.
        StorageError: it cannot be removed.
    """
    check_corpus_directory(directory)
    with explained("remove", directory):
        if not directory.exists():
            return
        # The index first: a half removed corpus is none. The shards last: by them it is known for
        # a corpus until nothing else is left.
        (directory / INDEX_NAME).unlink(missing_ok=True)
        for path in sorted(directory.iterdir(), key=lambda p: (p.name.startswith("shard-"), p)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if not directory.is_symlink():
            directory.rmdir()


def sweep_corpus_directory(directory: Path) -> None:
    """Remove what a process that ended in the midst of writing has left; nobody may write any more.

    Args:
        directory: of a whole corpus.
    """
    for leftover in directory.glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(directory / WORK_FOLDER, ignore_errors=True)
