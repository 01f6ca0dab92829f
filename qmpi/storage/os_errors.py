"""Turn an operating-system error into a sentence that says what to do.

Theory of operation: people who run jobs meet the same few conditions (full disk, no permission, a
path that is gone, too many open files). Each gets one hint here, so that every module says the same
thing.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qmpi.errors import CorruptData, StorageError

_HINTS = {
    errno.ENOSPC: "the file system is full; free space there or choose another directory",
    errno.EDQUOT: "your quota is used up; free space or choose another directory",
    errno.EFBIG: "the file-size limit is reached; raise `ulimit -f`",
    errno.EACCES: "no permission; choose a directory that you may write to, or change its mode",
    errno.EPERM: "not permitted; choose a directory that you own",
    errno.EROFS: "the file system is read-only; choose another directory",
    errno.ENOENT: "it does not exist; check the path",
    errno.EEXIST: "something else has this name; move it away, or choose another path",
    errno.ENOTDIR: "a part of the path is a file, not a directory; check the path",
    errno.EISDIR: "it is a directory, not a file; check the path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EMFILE: "too many open files; raise `ulimit -n`",
    errno.ENOMEM: "there is no memory left; raise `ulimit -v` or the limit of the container, or "
    "start fewer ranks on this host",
    errno.EIO: "the device reported an input/output error; check the disk or the network mount",
    errno.ESTALE: "the network file system lost the file; mount it again",
    errno.ELOOP: "symbolic links form a loop; check the path",
}

_REFUSALS = frozenset(
    {
        *(errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ENOENT, errno.ENXIO, errno.ENODEV),
        *(errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.ENETRESET, errno.ENOTCONN, errno.ECONNABORTED, errno.ECONNREFUSED),
        *(errno.ECONNRESET, errno.ESHUTDOWN, errno.EKEYEXPIRED, errno.EACCES, errno.EPERM),
        *(errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""What a system says that cannot read, whatever a file holds. Others follow from damage too: an
address that makes no sense is an invalid argument."""

_ERRNO = re.compile(r"errno = (\d+)")


def storage_error(error: OSError, action: str, path: Path) -> StorageError:
    """The error to raise for `error`.

    Args:
        error: what the operating system said.
        action: what was tried, as in "write".
        path: on which file or directory.

    Returns:
        An error that names action, path, cause and remedy.
    """
    cause = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0, "check the file system")
    return StorageError(f"cannot {action} {path}: {cause}: {hint}")


def is_out_of_reach(error: Exception) -> bool:
    """Return whether a file cannot be read for now: the machine is at fault, not what it holds.

    Args:
        error: of a read; as the system said it, or as `storage_error` made it of that.
    """
    cause = error if isinstance(error, OSError) else error.__cause__
    known = isinstance(error, OSError | StorageError) and not isinstance(error, CorruptData)
    return known and isinstance(cause, OSError) and cause.errno in _REFUSALS


def is_missing(error: StorageError) -> bool:
    """Return whether nothing has the name that was looked for.

    Args:
        error: as `storage_error` made it of an error of the operating system.
    """
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.ENOENT


def is_full(error: StorageError) -> bool:
    """Return whether there was no room: a full file system, or a quota that is used up.

    Args:
        error: as `storage_error` made it of an error of the operating system.
    """
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Raise every `OSError` of the body as a `StorageError` that says what to do.

    Args:
        action: what the body does, as in "write".
        path: on which file or directory.

    Yields:
        Nothing.

    Raises:
        StorageError: the body met an `OSError`.
    """
    try:
        yield
    except OSError as error:
        told: StorageError = storage_error(error, action, path)
        raise told from error


def require_file(path: Path) -> None:
    """Refuse what has no end, or waits for a writer: a pipe, a socket, a device.

    Args:
        path: what is to be read; nothing is said about what is missing or a directory.

    Raises:
        StorageError: it is such a thing.
    """
    with explained("look for", path):
        is_other = path.exists() and not (path.is_file() or path.is_dir())
    if is_other:
        raise StorageError(f"{path} is a pipe, a socket or a device, not a file")


@contextmanager
def hdf5_explained(action: str, path: Path) -> Iterator[None]:
    """Like `explained`, for calls of HDF5.

    It wraps what the operating system said in errors of its own, `RuntimeError` among them, and
    writes the number into their text.

    Args:
        action: what the body does, as in "write".
        path: on which file.

    Yields:
        Nothing.

    Raises:
        StorageError: the body met such an error.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        plain = error if isinstance(error, OSError) else OSError(str(error))
        told: StorageError = storage_error(system_error(error) or plain, action, path)
        raise told from error


def system_error(error: Exception) -> OSError | None:
    """What the operating system said, behind an error of HDF5.

    Args:
        error: as h5py raised it.

    Returns:
        The plain error; None if the system said nothing.
    """
    number = _ERRNO.search(str(error))
    code = int(number[1]) if number is not None else getattr(error, "errno", None) or 0
    return OSError(code, os.strerror(code)) if code else None


def refusal(error: Exception) -> OSError | None:
    """What the operating system refused a read with, behind an error of HDF5.

    Args:
        error: as h5py raised it.

    Returns:
        The plain error; None if what was read makes no sense: then the file is damaged.
    """
    plain = system_error(error)
    return plain if plain is not None and plain.errno in _REFUSALS else None
