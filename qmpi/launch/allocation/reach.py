"""The command that runs another one on another host, in the way in which mpirun reaches it.

Slurm starts mpirun's daemons by `srun`; everywhere else mpirun takes an agent that is called as ssh
is: the user's (plm_ssh_agent), else ssh. Flux can be asked by itself, by broker rank.
"""

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence

from qmpi.launch.allocation.hosts import Allocation

AGENT_VARIABLES = (
    "PRTE_MCA_plm_ssh_agent",
    "PRTE_MCA_plm_rsh_agent",
    "OMPI_MCA_plm_ssh_agent",
    "OMPI_MCA_plm_rsh_agent",
)


def reach(
    found: Allocation, host: str, words: Sequence[str], environ: Mapping[str, str], seconds: float
) -> list[str]:
    """Return the command that runs another one on a host.

    Args:
        found: the allocation.
        host: one of its hosts.
        words: the command; arguments stay whole.
        environ: environment of this process; may name an agent.
        seconds: for how long a connection may be tried.

    Returns:
        Program and arguments.
    """
    if found.scheduler == "slurm":
        # --overlap: the step of a running job holds the node's cores already.
        step = ["srun", "--overlap", "--mpi=none", "-N1", "-n1", "-w", host]
        return [*step, *words]
    agent = named_agent(environ)
    if found.scheduler == "flux" and not agent:
        rank = [entry.name for entry in found.hosts].index(host)
        return ["flux", "exec", "-n", "-r", str(rank), *words]
    line = shlex.join(words)  # an agent joins its arguments for a shell over there
    if agent:
        return [*agent, host, line]
    limit = f"ConnectTimeout={max(1, round(seconds))}"
    # -n and BatchMode: nobody is there to answer a question.
    return ["ssh", "-n", "-o", "BatchMode=yes", "-o", limit, host, line]


def named_agent(environ: Mapping[str, str]) -> list[str]:
    """Return the agent that the user has named for mpirun.

    Args:
        environ: environment of this process.

    Returns:
        Program and arguments; empty if none is named, or ssh itself.
    """
    for variable in AGENT_VARIABLES:
        for choice in environ.get(variable, "").split(":"):
            words = shlex.split(choice)
            if not words or shutil.which(words[0], path=environ.get("PATH")) is None:
                continue
            return [] if os.path.basename(words[0]) == "ssh" and not words[1:] else words  # noqa: PTH119
    return []
