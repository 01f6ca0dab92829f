"""Can this job heal inside? Only if its launcher bears the death of a rank, and MPI tells of it.

Theory of operation. mpirun marks its ranks by PRTE_LAUNCHED, and by OMPI_MCA_mpi_ft_enable if it
was told `--with-ft ulfm`. A rank that a batch system started directly, as by `srun --mpi=pmix`, has
PMIx variables but not that mark. Then the death of one rank ends the job step: what is left is to
start it again.

Such a launcher also takes a rank that leaves without finalizing MPI for one that died. So at the
end of the whole job the ranks part in order, for a limited time: if one of them is gone, the others
would wait for it for ever.
"""

import os
import sys
import threading
from collections.abc import Mapping

from qmpi.transport.mpi import finalize, is_fault_tolerant

PART_SECONDS = 15.0

MPIRUN_MARK = "PRTE_LAUNCHED"
DIRECT_MARKS = ("PMIX_RANK", "PMI_RANK")
SLURM_STEP = "SLURM_STEP_ID"


def is_direct(environ: Mapping[str, str]) -> bool:
    """Return whether a batch system started this rank itself, without mpirun.

    Args:
        environ: environment of the rank.
    """
    return MPIRUN_MARK not in environ and any(mark in environ for mark in DIRECT_MARKS)


def why_relaunch_only(environ: Mapping[str, str]) -> str:
    """Return why the death of a rank ends this job.

    Args:
        environ: environment of the rank.

    Returns:
        In words; "" if it is healed inside the job.
    """
    if is_direct(environ):
        starter = "srun" if SLURM_STEP in environ else "the batch system"
        return f"{starter} started the ranks itself, and ends them all with the first that dies"
    if not is_fault_tolerant(environ):
        return "mpirun was not told `--with-ft ulfm`, so it ends all ranks with the first that dies"
    return ""


def part(code: int, environ: Mapping[str, str]) -> None:
    """At the end of the whole job, part from the other ranks as the launcher wants it.

    Args:
        code: exit code of this process, if the others cannot be waited for.
        environ: environment of the rank.
    """
    if not why_relaunch_only(environ) or "mpi4py.MPI" not in sys.modules:
        return
    watchdog = threading.Timer(PART_SECONDS, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()
    finalize()
    watchdog.cancel()
