"""Compiled code of a host: made by the first process that needs it, loaded by the others.

Theory of operation. Torch's compiler keeps what it makes under a directory that it reads from the
environment; nothing else sets it. Each set of tools gets a directory of its own, since the compiler
does not look at its tools' version before it loads. Ranks of a host start together: one compiles
under a lock, and the others, who then find everything made, do their work beside each other.
"""

import logging
from collections.abc import Callable, MutableMapping
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.storage.cache import made_once

logger = logging.getLogger(__name__)

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Where torch's compiler keeps what it makes."""


class CompileCache:
    """Where one process compiles, and when."""

    def __init__(self, cache: Path, environ: MutableMapping[str, str]) -> None:
        """Create nothing yet.

        Args:
            cache: of this machine.
            environ: of the process; a directory that is named there already is kept.
        """
        self._root, self._environ = cache / "compiled", environ

    def in_turn(self, tools: str, shape: str, work: Callable[[], None]) -> None:
        """Do a piece of work that compiles, unless another process does the same: then after it.

        Args:
            tools: name of what compiles.
            shape: name of what is compiled.
            work: compiles, or loads what is compiled.
        """
        directory = self._root / tools
        self._environ.setdefault(VARIABLE, str(directory))
        done = False

        def make(out: Path) -> None:
            nonlocal done
            work()
            done = True
            out.touch()

        try:
            made_once(directory, f"{shape}.made", make, _told)
        except StorageError as error:
            logger.warning("compiled code is not shared between the ranks of a host: %s", error)
        if not done:
            work()


def _told() -> None:
    logger.info("layers are compiled, by this rank or by another one of this host")
