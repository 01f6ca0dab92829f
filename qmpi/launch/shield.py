"""Start a program that does not hear the signals by which a batch system ends a job.

    python -I -S shield.py PROGRAM [ARGUMENT ...]

mpirun starts its daemons on other hosts by way of this, with nothing but the standard library. A
mask of signals is inherited, and the daemon gives its ranks an empty one. `env --block-signal` does
the same, but is too new for systems that are in use.
"""

import os
import signal
import sys

BLOCKED = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    os.execvp(sys.argv[1], sys.argv[1:])
