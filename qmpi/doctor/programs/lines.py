"""What the programs print: one JSON object a line, each as soon as it is known.

A program that crashes or hangs half-way has told all that it had found until then. Lines of others,
as warnings of a library or of mpirun, are passed over.
"""

import sys

import msgspec
from msgspec import Struct

from qmpi.doctor.running import OWN_LINE

MARK = OWN_LINE


class Imported(Struct, frozen=True, tag="imported"):
    """An import: its cost, or why it failed.

    Attributes:
        name: what was imported.
        seconds: how long it took.
        opens: files and directories that Python opened for it.
        libraries: shared libraries that were loaded for it.
        fault: why it failed; "" if it did not.
    """

    name: str
    seconds: float
    opens: int
    libraries: int
    fault: str = ""


class Library(Struct, frozen=True, tag="library"):
    """The MPI library that mpi4py has loaded."""

    version: str
    file: str


class Device(Struct, frozen=True):
    """A GPU as torch sees it; memory in bytes."""

    name: str
    memory: int


class Torch(Struct, frozen=True, tag="torch"):
    """What torch says of itself and of the processor."""

    version: str
    threads: int
    capability: str
    native_bfloat16: bool
    devices: tuple[Device, ...]
    cuda: str
    nccl: str
    has_gloo: bool


class Code(Struct, frozen=True, tag="code"):
    """The modules that a rank has loaded.

    Attributes:
        version: of Python.
        modules: loaded from source files.
        uncompiled: of these, those without a compiled file beside them.
        shadowed: files that stand in for modules of the standard library.
        folder: of the installed packages.
    """

    version: str
    modules: int
    uncompiled: int
    shadowed: tuple[str, ...]
    folder: str


class Space(Struct, frozen=True, tag="space"):
    """Room of a file system.

    Attributes:
        free: bytes for this user.
        total: bytes.
        files: that may still be made; -1 where they are not counted.
        where: folder on it, links resolved.
    """

    free: int
    total: int
    files: int
    where: str = "/"


class Moved(Struct, frozen=True, tag="moved"):
    """Bytes written or read, and the seconds that took."""

    what: str
    size: int
    seconds: float


class Small(Struct, frozen=True, tag="small"):
    """Small files written, flushed and renamed over another: seconds each, median and worst."""

    median: float
    worst: float


class Tried(Struct, frozen=True, tag="tried"):
    """Something tried that works or does not; `fault` is why it does not."""

    what: str
    fault: str = ""


class Named(Struct, frozen=True, tag="named"):
    """What a host name stands for.

    Attributes:
        name: the name.
        addresses: that it resolves to.
        own: an address that is of this machine; "" if none is.
        reached: whether a connection to that address comes in here.
        fault: why it does not resolve.
    """

    name: str
    addresses: tuple[str, ...]
    own: str = ""
    reached: bool = False
    fault: str = ""


class RankStart(Struct, frozen=True, tag="rank"):
    """How a rank came up; all in seconds.

    Attributes:
        rank: which.
        host: where.
        python: from the start of its process to its first line.
        imports: of what a rank needs.
        init: in MPI's start.
        message: to the answer of rank 0.
        open_files: limit there; -1 for none.
        skew: its host's clock minus that of rank 0.
        shared: fault of the shared folder as seen there; "" for none.
    """

    rank: int
    host: str
    python: float
    imports: float
    init: float
    message: float
    open_files: int
    skew: float = 0.0
    shared: str = ""


class Job(Struct, frozen=True, tag="job"):
    """What holds for the whole MPI job: granted thread level, whether deaths are told, its MPI."""

    ranks: int
    threads: str
    fault_tolerant: bool
    library: str


class Death(Struct, frozen=True, tag="death"):
    """Who was told of the death of a rank; seconds from its kill to the last of them."""

    rank: int
    survivors: int
    told: int
    seconds: float


Line = (
    Imported
    | Library
    | Torch
    | Code
    | Space
    | Moved
    | Small
    | Tried
    | Named
    | RankStart
    | Job
    | Death
)


def tell(line: Line) -> None:
    """Print a line at once.

    Args:
        line: what was found out.
    """
    sys.stdout.write(MARK + msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def read_lines(text: str) -> tuple[Line, ...]:
    """Read what a program printed.

    Args:
        text: its standard output; lines that are not its own, or torn, are passed over.

    Returns:
        What it found out, in order.
    """
    found: list[Line] = []
    for line in text.splitlines():
        if not line.startswith(MARK):
            continue
        try:
            found.append(msgspec.json.decode(line.removeprefix(MARK), type=Line))
        except (msgspec.DecodeError, RecursionError):
            continue
    return tuple(found)
