"""What is examined: a job, a machine and the ways to ask it, all handed in.

A test hands in a root folder with files of its own making, an environment and a runner that plays
the programs; so every check can be shown a machine that is broken in its own way.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.doctor.running import Runner


class Launcher(Struct, frozen=True):
    """The command that starts ranks.

    Attributes:
        path: of mpirun; None if there is none.
        fault: why there is none, and what to do.
        flags: of a start, those that name hosts included.
    """

    path: Path | None
    fault: str = ""
    flags: tuple[str, ...] = ()


class Surroundings(Struct, frozen=True, kw_only=True):
    """A machine and what is wanted of it.

    Attributes:
        environ: environment of the command.
        rank_environ: environment of the ranks.
        run: runs a program.
        python: interpreter of the ranks.
        launcher: mpirun.
        job: the job that is to run; the defaults if none was named.
        ranks: of that job.
        folder: directory of the run, or where it is to lie; absolute.
        cache: of made corpora.
        home: of the user.
        host: name of this machine.
        root: what "/" is; /proc, /sys and /dev are looked up below it.
        find: finds a program, as `shutil.which`.
        trial_ranks: ranks to start for a trial; 0: none.
        hosts: names of the hosts of the job, named by the user or the batch system.
    """

    environ: Mapping[str, str]
    rank_environ: Mapping[str, str]
    run: Runner
    python: Path
    launcher: Launcher
    job: Settings
    ranks: int
    folder: Path
    cache: Path
    home: Path
    host: str
    find: Callable[[str], str | None]
    root: Path = Path("/")
    trial_ranks: int = 0
    hosts: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        """Read a file of the machine, as "proc/self/limits".

        Args:
            path: below the root.

        Returns:
            Its text; "" if it is missing or cannot be read.
        """
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
