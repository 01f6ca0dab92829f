"""Ranks without room for a thread. Python loads this module at its start, if it is on the path.

NO_THREADS=RANK,RANK: once such a rank has met the others, its address space may grow no more than
a thread's stack needs, by a real limit (RLIMIT_AS). Then gloo cannot start its own, on any machine
alike. NO_THREADS_FOR=SECONDS: the limit is lifted so long after it first struck.
"""

import importlib.abc
import importlib.machinery
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = "qmpi.training.comm.line"
ROOM = 2 << 20
"""Less than the stack of a thread, which takes 8 MiB where nobody has said otherwise."""

SECONDS = float(os.environ.get("NO_THREADS_FOR", "inf"))


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module as others would, and changes it once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                limit(module)

            spec.loader.exec_module = exec_module
        return spec


def limit(module: ModuleType) -> None:
    """Let the limit strike between the meeting and the group that is made then."""
    meet, until = module.meet, list[float]()

    def limited(*given: Any) -> None:
        meet(*given)
        until.append(time.monotonic() + SECONDS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ROOM
        soft = most if time.monotonic() < until[0] else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))

    module.meet = limited


if os.environ.get("OMPI_COMM_WORLD_RANK") in os.environ.get("NO_THREADS", "").split(","):
    sys.meta_path.insert(0, Finder())
