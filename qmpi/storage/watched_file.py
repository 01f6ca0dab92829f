"""A file that HDF5 reads through Python.

Theory of operation. h5py keeps the interpreter's lock while HDF5 opens a file, so a network file
system that hangs would hang the whole process, its signs of life included; a read of Python's own
lets the other threads run. HDF5 also takes two handles of one file for one, and goes on with the
first: a stale one would stay stale. And it hides what the operating system said.
"""

import io
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class WatchedFile(io.BufferedReader):
    """A file that is open for reading.

    Attributes:
        refusal: what the operating system last refused a read with; None: nothing.
    """

    def __init__(self, raw: io.FileIO) -> None:
        """Watch a file.

        Args:
            raw: open for reading.
        """
        # Nothing is read ahead: HDF5 asks for what it wants, and for whole chunks.
        super().__init__(raw, buffer_size=1)
        self.refusal: OSError | None = None
        # In a cycle that is dropped the raw file might go first, and complain that it is open.
        closing = weakref.finalize(self, raw.close)
        closing.atexit = False

    def __del__(self) -> None:
        """Close it; whoever drops a shard has no further use for its file."""
        self.close()

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer from where the file stands; with zeros from its end on.

        Args:
            buffer: bytes to be overwritten.

        Returns:
            Bytes that the file had.

        Raises:
            OSError: the system refuses it.
        """
        try:
            count = super().readinto(buffer)
        except OSError as error:
            self.refusal = error
            raise
        view = memoryview(buffer).cast("B")
        view[count:] = bytes(len(view) - count)
        return count

    def read_at(self, offset: int, size: int) -> bytes:
        """Read past HDF5, wherever the file stands; any thread may call.

        Args:
            offset: of the first byte.
            size: bytes.

        Returns:
            The bytes; fewer at the end of the file.

        Raises:
            OSError: the system refuses it.
        """
        data = b""
        while len(data) < size:
            # File systems may give less than was asked for before the end.
            more = os.pread(self.fileno(), size - len(data), offset + len(data))
            if not more:
                break
            data = data + more if data else more
        return data


def watched(path: Path) -> WatchedFile:
    """Open a file for HDF5.

    Args:
        path: of the file.

    Returns:
        The file.

    Raises:
        OSError: it cannot be opened.
    """
    return WatchedFile(io.FileIO(path, "r"))
