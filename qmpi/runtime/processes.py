"""Fence a process of this host: end one that lives but is silent."""

import logging
import os
import signal

logger = logging.getLogger(__name__)


def fence_process(pid: int, reason: str) -> None:
    """Kill a process of this host that is alive but silent.

    Args:
        pid: process id; this very process and the system's first are spared.
        reason: why, in words.
    """
    if pid <= 1 or pid == os.getpid():
        logger.error("will not fence process %d: %s", pid, reason)
        return
    logger.warning("fencing process %d: %s", pid, reason)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        logger.info("process %d is gone already", pid)
