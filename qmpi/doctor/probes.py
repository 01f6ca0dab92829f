"""What the programs found out, each run once and only if a check asks.

Theory of operation. Several checks read the answer of one program. A program that could not tell
what a check needs makes that check a warning with the reason, and no other.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from qmpi.doctor.programs.files import folder_trial
from qmpi.doctor.programs.imports import NOT_STARTED
from qmpi.doctor.programs.lines import Line, Moved, Tried, read_lines
from qmpi.doctor.running import Answer
from qmpi.doctor.surroundings import Surroundings
from qmpi.errors import MachineError

PROGRAM_SECONDS = 20.0
IMPORT_SECONDS = 90.0
FILE_SECONDS = 45.0
START_SECONDS = 90.0
RANK_SECONDS = 2.0
"""Each rank more may lengthen a start by this."""

L = TypeVar("L")


class Probes:
    """Answers of the programs."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Run nothing yet.

        Args:
            surroundings: the machine.
        """
        self.around = surroundings

    @cached_property
    def mpirun_version(self) -> Answer:
        """What mpirun says it is."""
        path = self.around.launcher.path
        if path is None:
            return Answer(None, fault="there is no mpirun")
        environ = self.around.rank_environ
        return self.around.run([str(path), "--version"], environ, PROGRAM_SECONDS)

    @cached_property
    def mpi_build(self) -> Answer:
        """What ompi_info, beside mpirun, says of how Open MPI was built."""
        path = self.around.launcher.path
        beside = path.with_name("ompi_info") if path is not None else None
        if beside is None or not beside.exists():
            return Answer(None, fault="there is no ompi_info beside mpirun")
        return self.around.run([str(beside)], self.around.rank_environ, PROGRAM_SECONDS)

    @cached_property
    def bare(self) -> Answer:
        """A start of Python that does nothing."""
        command = [str(self.around.python), "-c", "pass"]
        return self.around.run(command, self.around.rank_environ, PROGRAM_SECONDS)

    @cached_property
    def imports(self) -> "Told":
        """What a rank imports."""
        return self._program("imports", (), IMPORT_SECONDS, NOT_STARTED)

    @cached_property
    def files(self) -> "Told":
        """What the file system of the run takes, and whether other folders can be written."""
        folders = [str(folder) for folder in self.written_folders]
        return self._program("files", folders, FILE_SECONDS, {})

    @cached_property
    def names(self) -> "Told":
        """What the names of hosts stand for; this machine's first."""
        others = [name for name in self.around.hosts if name != self.around.host]
        return self._program("names", [self.around.host, *others], PROGRAM_SECONDS, {})

    @cached_property
    def trial(self) -> "Told":
        """A start of ranks.

        Raises:
            MachineError: there is no mpirun.
        """
        around = self.around
        number, path = around.trial_ranks, around.launcher.path
        if path is None:
            raise MachineError("there is no mpirun")
        command = [str(path), *around.launcher.flags, "-n", str(number)]
        command += [str(around.python), "-m", "qmpi.doctor.programs.ranks", str(around.folder)]
        limit = START_SECONDS + RANK_SECONDS * number
        return Told(around.run(command, around.rank_environ, limit))

    def moved(self, what: str) -> Moved:
        """Return how fast bytes went.

        Args:
            what: "write" or "read".
        """
        return self.files.pick(Moved, lambda one: one.what == what)

    def takes_files(self, folder: Path) -> Tried:
        """Return whether a folder can be written.

        Args:
            folder: one of `written_folders`.
        """
        return self.tried(folder_trial(self.written_folders.index(folder)))

    def tried(self, what: str) -> Tried:
        """Return whether something worked.

        Args:
            what: name of the trial.
        """
        return self.files.pick(Tried, lambda one: one.what == what)

    @property
    def written_folders(self) -> tuple[Path, ...]:
        """Folders that are tried: of the run, home, cache, temporary files."""
        around = self.around
        temporary = Path(around.environ.get("TMPDIR") or "/tmp")
        return around.folder, around.home, around.cache, temporary

    def _program(
        self, name: str, arguments: Iterable[str], limit: float, more: dict[str, str]
    ) -> "Told":
        command = [str(self.around.python), "-m", f"qmpi.doctor.programs.{name}", *arguments]
        return Told(self.around.run(command, {**self.around.rank_environ, **more}, limit))


class Told:
    """What one program told, and how it ended."""

    def __init__(self, answer: Answer) -> None:
        """Read what it printed.

        Args:
            answer: how it ended.
        """
        self.answer = answer
        self.lines: tuple[Line, ...] = read_lines(answer.out)

    def all(self, kind: type[L]) -> list[L]:
        """Return all lines of a kind.

        Args:
            kind: class of the lines.
        """
        return [line for line in self.lines if isinstance(line, kind)]

    def pick(self, kind: type[L], fits: Callable[[L], bool] = bool) -> L:
        """Return the first line of a kind.

        Args:
            kind: class of the line.
            fits: which of that kind.

        Returns:
            The line.

        Raises:
            MachineError: the program did not come so far; says why.
        """
        for line in self.all(kind):
            if fits(line):
                return line
        raise MachineError(self.answer.why)
