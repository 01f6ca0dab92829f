"""The command that starts an MPI job on this machine. A list of arguments, never a shell line.

Flags, each with its reason (Open MPI 5.0, measured; docs/decisions/0009-mpirun-flags.md):
    --with-ft ulfm               a dead rank is told to the living instead of ending the job
    --mca coll ^han              that component is not fault tolerant and crashed survivors
    --mca pml ob1, btl self,sm,tcp   the fault-tolerant path; skips probing of fabrics, 1 s a start
    --mca mpi_yield_when_idle 1  waiting inside MPI gives its core away
    --oversubscribe              more ranks than cores: most roles sleep
    --bind-to none               a trainer's threads may use any core
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import LaunchError

FLAGS = (
    *("--with-ft", "ulfm"),
    *("--mca", "coll", "^han"),
    *("--mca", "pml", "ob1"),
    *("--mca", "btl", "self,sm,tcp"),
    *("--mca", "mpi_yield_when_idle", "1"),
    "--oversubscribe",
    *("--bind-to", "none"),
)


class LaunchPlan(Struct, frozen=True):
    """One MPI job.

    Attributes:
        mpirun: path of mpirun.
        ranks: processes to start.
        job: job file that every rank reads.
        run: directory of the run.
        environment: variables of the job.
        options: further arguments of every rank.
    """

    mpirun: Path
    ranks: int
    job: Path
    run: Path
    environment: dict[str, str]
    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Return the arguments of the launcher process."""
        root = ["--allow-run-as-root"] if os.getuid() == 0 else []
        rank = [sys.executable, "-m", "qmpi.main", str(self.job), "--run-dir", str(self.run)]
        return [str(self.mpirun), *root, *FLAGS, "-n", str(self.ranks), *rank, *self.options]


def find_mpirun(environ: Mapping[str, str]) -> Path:
    """Find the launcher: QMPI_MPIRUN, else that of this Python environment, else the machine's.

    Args:
        environ: environment of the process.

    Returns:
        Path of mpirun.

    Raises:
        LaunchError: there is none.
    """
    named = environ.get("QMPI_MPIRUN", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise LaunchError(f"QMPI_MPIRUN={named} is not a program; unset it or correct it")
        return Path(found)
    # Beside the interpreter, not resolved: a virtual environment links to a Python elsewhere.
    own = Path(sys.executable).parent / "mpirun"
    if own.exists():
        return own
    found = shutil.which("mpirun", path=environ.get("PATH"))
    if found is None:
        raise LaunchError(
            "no mpirun: install qmpi with the `mpi` extra (pip install 'qmpi[mpi]'), load a "
            "module with Open MPI 5, or set QMPI_MPIRUN"
        )
    return Path(found)


def rank_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the ranks.

    Args:
        settings: the job.
        environ: environment of the launching process; what it sets for gloo and HDF5 wins.

    Returns:
        A full environment.
    """
    forced = {
        "OMP_NUM_THREADS": str(settings.train.threads),
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": str(settings.train.threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        # A hash seed of one's own, so that nothing can come to depend on set order unseen.
        "PYTHONHASHSEED": environ.get("PYTHONHASHSEED", "random"),
    }
    defaults = {
        "TORCH_GLOO_LAZY_INIT": "1",
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "MALLOC_ARENA_MAX": "2",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    return {**defaults, **environ, **forced}
