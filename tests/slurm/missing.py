"""What this machine lacks for a Slurm of its own, in words; run as a program it says so."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

PACKAGES = {
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "srun": "slurm-wlm",
    "munged": "munge",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
}

TRY = ("unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "true")


def missing(
    which: Callable[[str], str | None] = shutil.which,
    user: int | None = None,
    try_namespaces: Callable[[], str] | None = None,
) -> str:
    """Say what is missing.

    Args:
        which: finds a program.
        user: id of the user; None: that of this process.
        try_namespaces: why a process cannot have namespaces of its own; "" if it can.

    Returns:
        One sentence for people; "" if nothing is missing.
    """
    absent = [program for program in PACKAGES if which(program) is None]
    if absent:
        packages = " ".join(dict.fromkeys(PACKAGES[program] for program in absent))
        return f"no {', '.join(absent)}: apt-get install {packages} libpmix-dev"
    if (os.getuid() if user is None else user) != 0:
        return "Slurm's daemons and the hosts they run on need root"
    refused = (try_namespaces or _try_namespaces)()
    return f"this machine lets no process have namespaces: {refused}" if refused else ""


def _try_namespaces() -> str:
    done = subprocess.run(TRY, capture_output=True, text=True, timeout=10, check=False)
    return done.stderr.strip() if done.returncode else ""


if __name__ == "__main__":
    lack = missing()
    if lack:
        sys.exit(f"slurm-test cannot run here: {lack}")
