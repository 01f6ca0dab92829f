"""Directories of snapshots: where they lie, which are whole, which to drop.

Theory of operation: names sort by step, so nothing but a listing is needed to know the order. What
is offered for recovery has been read and checked in full; a damaged file is skipped with a reason,
never removed on its account, because it is evidence.

Where several ranks hold a state together, each file holds the part of one position; its header and
its name say which. Files of a position are pruned on their own.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from qmpi.errors import InputError, StorageError
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.retention import kept_steps
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX, written_by_nobody
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.snapshot_file import read_header, verify_snapshot
from qmpi.storage.snapshot_format import SnapshotHeader
from qmpi.units import Bytes, Step

SHARED_MODE = 0o1777
"""As of /tmp: any user may add a directory, and remove none but their own."""

PLACE_NAME = "place"
"""File with the path of the run directory that the RAM files belong to."""

_SUFFIX = ".snap"
_STEP_NAME = re.compile(r"step-(\d{1,19})(?:-position-(\d{1,6}))?\.snap")
_POSITION = "position"
"""Key of the header's `meta`; absent where one rank holds the whole state."""

_BRANCH, _SKIPPED = "branch", "skipped"
"""Keys of the header's `meta`, as in `SnapshotFact`; absent: 0."""


def snapshot_path(directory: Path, step: Step, position: int | None = None) -> Path:
    """Where the snapshot of a step lies.

    Args:
        directory: of the snapshots.
        step: weights are those before this step, >= 0.
        position: whose part of the state it is; None: a whole one.

    Returns:
        A path whose name sorts by step.
    """
    part = "" if position is None else f"-position-{position:04d}"
    return directory / f"step-{step:019d}{part}{_SUFFIX}"


def meta_of(position: int | None, branch: int = 0, skipped: int = 0) -> dict[str, str]:
    """Return the header's `meta` for a snapshot.

    Args:
        position: whose part; None: a whole state, whose header is that of runs without teams.
        branch: as in `SnapshotFact`.
        skipped: as in `SnapshotFact`.
    """
    numbers = {_BRANCH: branch, _SKIPPED: skipped}
    told = {name: str(number) for name, number in numbers.items() if number}
    return told if position is None else {_POSITION: str(position), **told}


def _number_of(header: SnapshotHeader, name: str) -> int:
    named = header.meta.get(name, "0")
    return int(named) if named.isdecimal() else 0


def fact_of(header: SnapshotHeader, place: str, path: Path) -> SnapshotFact:
    """Return what a snapshot's header tells.

    Args:
        header: of the file.
        place: "ram" or "disk".
        path: of the file.

    Returns:
        The fact, for others.
    """
    return SnapshotFact(
        header.step,
        header.digest,
        place,
        str(path),
        _number_of(header, _POSITION),
        _number_of(header, _BRANCH),
        _number_of(header, _SKIPPED),
    )


def ram_directory(ram_dir: str, run_id: str, run: Path) -> Path:
    """Make the run's directory in the node-local RAM file system, readable by its owner alone.

    A copied run has the identity of its original, and each prunes what it takes for its own: so
    they are told apart by where they lie, and by who runs them. A run that was moved keeps its
    files.

    Args:
        ram_dir: mount point, such as "/dev/shm".
        run_id: identity of the run; letters, digits, "-" and "_".
        run: directory of the run.

    Returns:
        The directory RAM_DIR/qmpi-RUN_ID/USER-PLACE.

    Raises:
        InputError: the run's identity could escape the directory.
        StorageError: no permission, no space, no such mount, or the directory is another user's.
    """
    directory = ram_folder(ram_dir, run_id, run)
    shared = directory.parent
    with explained("make the snapshot directory", directory):
        if not shared.exists():
            shared.mkdir(exist_ok=True)
            shared.chmod(SHARED_MODE)
        if not directory.exists():
            _adopt(shared, directory)
            directory.mkdir(mode=0o700, exist_ok=True)
            (directory / PLACE_NAME).write_bytes(os.fsencode(run.resolve()))
        if directory.stat().st_uid != os.getuid():
            raise StorageError(f"{directory} belongs to another user; remove it, or set ram_dir")
    return directory


def ram_folder(ram_dir: str, run_id: str, run: Path) -> Path:
    """Name the run's directory in a RAM file system; touches nothing.

    Args:
        ram_dir: as for `ram_directory`.
        run_id: as for `ram_directory`.
        run: as for `ram_directory`.

    Returns:
        Where it lies, whether it is there or not.

    Raises:
        InputError: the run's identity could escape the directory.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", run_id):
        raise InputError(f"run id {run_id!r} is not made of letters, digits, '-' and '_'")
    place = hashlib.sha256(os.fsencode(run.resolve())).hexdigest()[:16]
    return Path(ram_dir) / f"qmpi-{run_id}" / f"{os.getuid()}-{place}"


def _adopt(shared: Path, directory: Path) -> None:
    """Take over the files of the same run under a place that is no more: the run was moved."""
    for other in shared.glob(f"{os.getuid()}-*"):
        # Another rank of this host may be quicker.
        with suppress(OSError, StorageError):
            require_file(other / PLACE_NAME)
            if not Path(os.fsdecode((other / PLACE_NAME).read_bytes())).exists():
                other.rename(directory)
                return


def forget_ram(ram_dir: str, run_id: str, run: Path) -> None:
    """Remove the run's directory in the RAM file system.

    Args:
        ram_dir: as for `ram_directory`.
        run_id: as for `ram_directory`.
        run: as for `ram_directory`.

    Raises:
        StorageError: it cannot be reached.
    """
    ram_directory(ram_dir, run_id, run)
    drop_ram(ram_dir, run_id, run)


def drop_ram(ram_dir: str, run_id: str, run: Path) -> None:
    """Remove the run's directory in a RAM file system that it no longer uses, if it is there.

    Args:
        ram_dir: as for `ram_directory`.
        run_id: as for `ram_directory`.
        run: as for `ram_directory`.

    Raises:
        StorageError: it cannot be looked at.
    """
    directory = ram_folder(ram_dir, run_id, run)
    with explained("remove", directory):
        is_mine = directory.is_dir() and directory.stat().st_uid == os.getuid()
    if is_mine:
        import shutil  # at the head it would cost each rank some files at its start

        shutil.rmtree(directory, ignore_errors=True)
        with suppress(OSError):  # a copy of the run has its own in there
            directory.parent.rmdir()


def find_snapshots(
    directories: Sequence[tuple[str, Path]], run_id: str
) -> tuple[list[SnapshotFact], list[str]]:
    """All whole snapshots of a run.

    Args:
        directories: (place, directory) pairs, place "ram" or "disk"; a missing directory holds
            none.
        run_id: snapshots of other runs are passed over.

    Returns:
        Facts, newest step first and for one step in the order of `directories`; and the reasons why
        files were skipped.
    """
    facts: list[SnapshotFact] = []
    reasons: list[str] = []
    for place, directory in directories:
        for path in _files(directory, reasons):
            try:
                header = verify_snapshot(path)
            except StorageError as error:
                reasons.append(str(error))
                continue
            if header.run_id != run_id:
                reasons.append(f"{path} is of another run")
                continue
            facts.append(fact_of(header, place, path))
    facts.sort(key=lambda fact: -fact.step)
    return facts, reasons


def what_is_wrong(path: Path, run_id: str) -> str:
    """Say why a snapshot that should be read cannot be, as far as a look at its head tells.

    Args:
        path: snapshot, or whatever has the name of one.
        run_id: identity of the run.

    Returns:
        A clause that names it.
    """
    try:
        header = read_header(path)
    except StorageError as error:
        return str(error)
    return f"{path} is damaged" if header.run_id == run_id else f"{path} is of another run"


def _files(directory: Path, reasons: list[str]) -> list[Path]:
    try:
        with explained("list", directory):
            return sorted(directory.glob(f"*{_SUFFIX}")) if directory.exists() else []
    except StorageError as error:
        reasons.append(str(error))
        return []


class Written(Struct, frozen=True):
    """The snapshot that others make room for.

    Attributes:
        step: weights are those before this step.
        branch: as in `SnapshotFact`.
        skipped: as in `SnapshotFact`.
        run_id: identity of the run; files of others neither count nor go.
    """

    step: int
    branch: int = 0
    skipped: int = 0
    run_id: str = ""


def prune(
    directory: Path, keep: int, position: int | None = None, written: Written | None = None
) -> list[Path]:
    """Remove all but the newest snapshots, and temporaries of writers that were killed.

    What lies beyond the one that is written and is of an older branch goes first; what
    `qmpi.protocol.retention` spares stays.

    Another process may be writing here; what it has not finished stays, unless it is older than all
    that is kept.

    Args:
        directory: of the snapshots.
        keep: snapshots to keep, >= 0.
        position: whose; None: those of whole states.
        written: a snapshot that neither counts nor goes: a run that was set back writes older steps
            than those that lie here.

    Returns:
        The snapshots removed.

    Raises:
        StorageError: a file cannot be removed.
    """
    kept, doomed = _sorted_out(directory, keep, position, written)
    oldest = min((step_of(path.name) for path in kept), default=-1)
    torn = [
        path
        for path in directory.glob(f".*{_SUFFIX}.*{TEMPORARY_SUFFIX}")
        if written_by_nobody(path) or step_of(path.name.removeprefix(".")) < oldest
    ]
    for path in [*doomed, *torn]:
        with explained("remove", path):
            path.unlink(missing_ok=True)
    return doomed


def _sorted_out(
    directory: Path, keep: int, position: int | None, written: Written | None
) -> tuple[list[Path], list[Path]]:
    """Return the files that stay and those that go, each newest first."""
    named = _named(directory, position)
    if written is None:
        return named[:keep], named[keep:]
    heads = {path: _head(path) for path in named if step_of(path.name) != written.step}
    others = [p for p, head in heads.items() if head is None or head.run_id == written.run_id]
    given_up = {p for p in others if _is_given_up(heads[p], written)}
    steps = {step_of(path.name) for path in others if path not in given_up}
    stay = kept_steps(steps, keep, written.skipped, written.step)
    kept = [p for p in others if p not in given_up and step_of(p.name) in stay]
    return kept, [path for path in others if path not in kept]


def _is_given_up(head: SnapshotHeader | None, written: Written) -> bool:
    if head is None:
        return False  # evidence of damage; it goes by age
    return head.step > written.step and _number_of(head, _BRANCH) < written.branch


def _head(path: Path) -> SnapshotHeader | None:
    try:
        return read_header(path)
    except StorageError:
        return None


def room_without(
    directory: Path, position: int | None = None, written: Written | None = None
) -> Bytes:
    """Return how many bytes a file may have if all snapshots that may go are removed first.

    Args:
        directory: of the snapshots; must exist.
        position: whose; None: those of whole states.
        written: as for `prune`.

    Returns:
        Free bytes of the file system, and those that these files take.

    Raises:
        StorageError: it cannot be looked up.
    """
    with explained("look up the room in", directory):
        system = os.statvfs(directory)
        _, doomed = _sorted_out(directory, 0, position, written)
        held = sum(path.stat().st_blocks * 512 for path in doomed)
    return Bytes(system.f_bavail * system.f_frsize + held)


def _named(directory: Path, position: int | None) -> list[Path]:
    found: list[Path] = []
    for path in _files(directory, []):
        match = _STEP_NAME.fullmatch(path.name)
        if match is not None and match[2] == (None if position is None else f"{position:04d}"):
            found.append(path)
    return sorted(found, key=lambda path: step_of(path.name), reverse=True)


def step_of(name: str) -> int:
    """The step that a snapshot's file is named after.

    Args:
        name: of the file.

    Returns:
        Weights are those before this step; 0 for any other name.
    """
    match = _STEP_NAME.match(name)
    return int(match[1]) if match is not None else 0
