"""Start a program that is asked to end, as by Ctrl-C, when the process that wants it has died.

    python -I -S tied.py PID PROGRAM [ARGUMENT ...]

The kernel sends the signal, so a command that is killed needs no time to do it. What a program asks
of the kernel in this way outlives that it becomes another program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    wanted_by, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() == wanted_by:  # it may have died before the kernel was asked
        os.execvp(program[0], program)
