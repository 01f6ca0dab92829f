"""The command that starts an MPI job on this machine. A list of arguments, never a shell line.

Flags, each with its reason (Open MPI 5.0, measured; docs/decisions/0009-mpirun-flags.md):
    --with-ft ulfm               a dead rank is told to the living instead of ending the job
    --mca coll ^han              that component is not fault tolerant and crashed survivors
    --mca pml ob1, btl self,sm,tcp   the fault-tolerant path; skips probing of fabrics, 1 s a start
    --mca mpi_yield_when_idle 1  waiting inside MPI gives its core away
    --oversubscribe              more ranks than cores: most roles sleep
    --bind-to none               a trainer's threads may use any core

On several hosts there are more:
    --host a:2,b:2               those that answered; what mpirun reads itself may be dead
    --map-by slot:oversubscribe  fill a host before the next: neighbours in rank share one
    --prtemca oob_tcp_keepalive_time 0   a daemon that falls silent does not end the job: qmpi's own
                                 beats find it, and know the difference from a cable pulled for 20 s
    prte_launch_agent            daemons there hear no more signals of a batch system than mpirun
                                 does here (qmpi.launch.shield); not where a path would need quotes,
                                 which `qmpi doctor` tells
    -x NAME                      a daemon started by ssh has a bare environment: whatever of the
                                 below was set here must be named to reach its ranks

What of the launching environment reaches the ranks, each with its reason:
    PYTHONSAFEPATH=1             `python -m` puts the working directory in front of the standard
                                 library: a random.py there would be taken for Python's
    PYTHONPATH                   kept, clusters give packages by it; but its empty and relative
                                 entries mean that very directory, and go
    PYTHONHOME, the user's site  kept: the ranks run the interpreter of the command, with its
                                 packages
    PYTHONSTARTUP, -INSPECT, -OPTIMIZE   gone: for interactive use, or for other code
    HOME                         mpirun needs one: where it is unset, that of the user database
    PMIX_*, PMI_*, OMPI_COMM_*   gone, but for MCA parameters: they tell who a rank of an outer job
                                 is, and ours would take its place; so do the installation's
                                 prefixes, if an outer Open MPI set them
    SLURM_*, PBS_*, LSB_*        kept: they tell mpirun the hosts of the allocation
    OMPI_MCA_*, PRTE_MCA_*       kept: the user tunes MPI by them; the flags above win
    LD_PRELOAD, LD_LIBRARY_PATH  kept: tools and modules come by them
    TMPDIR, prte_tmpdir_base     a folder of the run (qmpi.launch.scratch), on each host its own,
                                 for the ranks' files and the daemons'
    GLOO_SOCKET_IFNAME           the loopback on one host; on several what the user says, else gloo
                                 takes the interface of the host's own name
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.config.variables import HOSTS_LEFT_OUT
from qmpi.errors import LaunchError
from qmpi.launch.allocation.hosts import HostSlots, short
from qmpi.launch.allocation.nodelist import compress
from qmpi.storage.home import home_directory

SHIELD = Path(__file__).with_name("shield.py")

COMMON_FLAGS = (
    *("--with-ft", "ulfm"),
    *("--mca", "coll", "^han"),
    *("--mca", "pml", "ob1"),
    *("--mca", "btl", "self,sm,tcp"),
    *("--mca", "mpi_yield_when_idle", "1"),
    *("--bind-to", "none"),
)
FLAGS = (*COMMON_FLAGS, "--oversubscribe")
SEVERAL_FLAGS = (
    *COMMON_FLAGS,
    *("--map-by", "slot:oversubscribe"),
    *("--prtemca", "oob_tcp_keepalive_time", "0"),
)

STEPS_OF_SLURM = {"SLURM_OVERLAP": "1"}
"""For the srun that starts mpirun's daemons. The step of a start that lost a node never ends in
Slurm's books, and would keep the next one waiting for its cores for ever."""

_OUTER_JOB = (
    "PMIX_",
    "PMI_",
    "PRTE_",
    "OMPI_COMM_WORLD_",
    "OMPI_WORLD_",
    "OMPI_APP_CTX_",
    "OMPI_FIRST_RANKS",
    "OMPI_NUM_APP_CTX",
    "OMPI_UNIVERSE_SIZE",
    "OMPI_FILE_LOCATION",
    "OMPI_COMMAND",
    "OMPI_ARGV",
)
_PLACES = ("OPAL_PREFIX", "PMIX_PREFIX", "PRTE_PREFIX")
_BARE = re.compile(r"[\w@%+=:,./-]+")
"""A word that mpirun and the shell of another host leave as it is."""

_OF_ONE_HOST = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
)
_FORWARDED = (
    *("PATH", "HOME", "LANG", "LC_", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME"),
    *("QMPI_", "PYTHON", "LD_LIBRARY_PATH", "LD_PRELOAD", "MALLOC_", "GLIBC_TUNABLES"),
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "TORCH_", "GLOO_", "NCCL_", "RCCL_", "CUDA_"),
    *("HIP_", "ROCR_", "HSA_", "ZE_", "FI_", "UCX_", "HDF5_", "BLOSC_", "TOKENIZERS_", "TMPDIR"),
    *("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"),
)
"""Beginnings of the variables that other hosts need; those of one host stay there."""

_UNWANTED = ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONOPTIMIZE")


class LaunchPlan(Struct, frozen=True):
    """One MPI job.

    Attributes:
        mpirun: path of mpirun.
        ranks: processes to start.
        job: job file that every rank reads.
        run: directory of the run.
        environment: variables of the job.
        options: further arguments of every rank.
        once: the same, for the first start that comes up alone.
        hosts: where they run; empty: here.
        left_out: hosts that do not answer any more, in words, for the run's journal.
        is_tied: ends when the command that starts it dies; else it goes on, and another command may
            follow it.
    """

    mpirun: Path
    ranks: int
    job: Path
    run: Path
    environment: dict[str, str]
    options: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    hosts: tuple[HostSlots, ...] = ()
    left_out: tuple[str, ...] = ()
    is_tied: bool = False

    @property
    def ranks_here(self) -> int:
        """Ranks of this host; those elsewhere cannot be seen from here."""
        own = short(os.uname().nodename)
        here = sum(host.slots for host in self.hosts if short(host.name) == own)
        return here if self.hosts else self.ranks

    def described(self) -> str:
        """Return how many ranks run where, for people."""
        where = f" on {compress(host.name for host in self.hosts)}" if self.hosts else ""
        return f"{self.ranks} ranks{where}"

    def command(self) -> list[str]:
        """Return the arguments of the launcher process."""
        root = ["--allow-run-as-root"] if os.getuid() == 0 else []
        rank = [sys.executable, "-m", "qmpi.main", str(self.job), "--run-dir", str(self.run)]
        rank += [*self.options, *self.once]
        where = self._where() if self.hosts else FLAGS
        return [str(self.mpirun), *root, *where, "-n", str(self.ranks), *rank]

    def environment_in(self, scratch: Path) -> dict[str, str]:
        """Return the environment of the launcher process.

        Args:
            scratch: folder for MPI's own files, of one name on every host.

        Returns:
            A full environment.
        """
        own_files = {
            "TMPDIR": str(scratch),
            "OMPI_MCA_btl_sm_backing_directory": str(scratch),
            "PRTE_MCA_prte_tmpdir_base": str(scratch),
        }
        told = {HOSTS_LEFT_OUT: "\n".join(self.left_out)} if self.left_out else {}
        here = {"GLOO_SOCKET_IFNAME": "lo"} if len(self.hosts) <= 1 else {}
        daemon = shielded_daemon(Path(sys.executable)) if self.hosts else ""
        shield = {"PRTE_MCA_prte_launch_agent": daemon} if daemon else {}
        return {**here, **shield, **self.environment, **told, **own_files, **STEPS_OF_SLURM}

    def _where(self) -> tuple[str, ...]:
        listed = ",".join(f"{host.name}:{host.slots}" for host in self.hosts)
        names = [*forwarded(self.environment), "TMPDIR"]
        exports = [word for name in names for word in ("-x", name)]
        return (*SEVERAL_FLAGS, "--host", listed, *exports)


def shielded_daemon(python: Path, shield: Path = SHIELD) -> str:
    """Return how mpirun starts its daemons on other hosts out of reach of a batch system's signals.

    mpirun cuts this at its spaces, puts the way to its own daemon before the last word, and hands
    it to the shell of the other host as it stands.

    Args:
        python: an interpreter, of one path on all hosts.
        shield: the program that blocks the signals, likewise.

    Returns:
        Words; "" where a path would need quotes, which would not survive.
    """
    words = (str(python), "-I", "-S", str(shield), "prted")
    return " ".join(words) if all(map(_BARE.fullmatch, words)) else ""


def forwarded(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that ranks on other hosts must be given by name.

    Args:
        environment: of the job, from `rank_environment`.

    Returns:
        Names, sorted. MCA parameters are not among them: mpirun passes those on by itself.
    """
    return sorted(
        name
        for name in environment
        if name.startswith(_FORWARDED) and name not in (*_OF_ONE_HOST, "TMPDIR")
    )


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
        found = shutil.which(os.path.expanduser(named))  # noqa: PTH111 - may name no path
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
        environ: environment of the launching process; what it sets for gloo and HDF5 wins, what
            else of it reaches the ranks stands at the head of this module.

    Returns:
        A full environment.
    """
    forced = {
        "HOME": str(home_directory(environ)),
        "PYTHONSAFEPATH": "1",
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
        # A lost peer costs a generation, not the process.
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "MALLOC_ARENA_MAX": "2",
    }
    path = module_path(environ.get("PYTHONPATH", ""))
    return {**defaults, **_inherited(environ), **forced, **({"PYTHONPATH": path} if path else {})}


def module_path(given: str) -> str:
    """Return the PYTHONPATH of the ranks.

    Args:
        given: that of this process.

    Returns:
        Its absolute entries; and where qmpi itself was found in the working directory alone, as in
        a checkout that is not installed, that directory.
    """
    entries = [entry for entry in given.split(os.pathsep) if Path(entry).is_absolute()]
    here, own = Path(os.path.realpath(".")), Path(__file__).resolve().parents[2]
    known = {Path(entry).resolve() for entry in [*entries, *sys.path[1:]] if entry}
    if own == here and own not in known:
        entries.append(str(own))
    return os.pathsep.join(entries)


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    # Where the outer Open MPI is installed says nothing of ours; else the user has set it.
    places = () if "OMPI_COMM_WORLD_RANK" in environ else _PLACES
    return {
        name: value
        for name, value in environ.items()
        if name not in _UNWANTED
        and (name in places or "_MCA_" in name or not name.startswith((*_OUTER_JOB, *_PLACES)))
    }
