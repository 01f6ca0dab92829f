"""A file on its way into a pack."""

from pathlib import Path
from typing import NamedTuple

from qmpi.storage.os_errors import explained


class Item(NamedTuple):
    """A file of the environment that is to be.

    Attributes:
        path: in the environment, with "/".
        source: file on this machine, or the content itself.
        program: it can be executed.
        link: name of the file beside it that it stands for; empty for a file of its own.
    """

    path: str
    source: Path | bytes
    program: bool = False
    link: str = ""

    @property
    def file(self) -> Path | None:
        """The file on this machine, if the content comes from one."""
        return self.source if isinstance(self.source, Path) else None

    def content(self) -> bytes:
        """Return all of it.

        Raises:
            StorageError: the file cannot be read.
        """
        if isinstance(self.source, bytes):
            return self.source
        with explained("read", self.source):
            return self.source.read_bytes()
