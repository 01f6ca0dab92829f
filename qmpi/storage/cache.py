"""The cache of things that are made once on a machine, under a lock.

Theory of operation: many ranks of one host start together; one of them makes what is missing while
the others wait for its lock.
"""

import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from qmpi.config.load import absolute
from qmpi.storage.home import home_directory
from qmpi.storage.os_errors import explained

_USE = "use the cache (QMPI_CACHE names another)"


def default_cache(environment: Mapping[str, str]) -> Path:
    """Where made corpora are kept.

    Args:
        environment: of the process; QMPI_CACHE, else XDG_CACHE_HOME, else HOME counts.

    Returns:
        A directory that need not exist yet.
    """
    if environment.get("QMPI_CACHE"):
        return absolute(environment["QMPI_CACHE"])
    if environment.get("XDG_CACHE_HOME"):
        return absolute(environment["XDG_CACHE_HOME"]) / "qmpi"
    return home_directory(environment) / ".cache" / "qmpi"


def made_once(
    cache: Path,
    name: str,
    make: Callable[[Path], None],
    begin: Callable[[], None],
    is_sound: Callable[[Path], bool] = Path.exists,
) -> Path:
    """Return something in the cache, made by the first of many processes that want it.

    Args:
        cache: where it is kept.
        name: of the file or directory.
        make: writes it; what it writes must appear whole or not at all.
        begin: called before it is made, or waited for while another process makes it.
        is_sound: whether it is there and good; what is not is made again.

    Returns:
        Its path.

    Raises:
        StorageError: the cache cannot be written.
    """
    out = cache / name
    with explained(_USE, cache):
        if is_sound(out):
            return out
        cache.mkdir(parents=True, exist_ok=True)
        lock = cache / f"{out.name}.lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    begin()
    try:
        with explained("lock", lock):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not is_sound(out):
            make(out)
    finally:
        os.close(descriptor)
    return out
