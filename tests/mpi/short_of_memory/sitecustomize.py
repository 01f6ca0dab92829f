"""One rank whose memory becomes short. Python loads this module at its start, if it is on the path.

SHORT_OF_MEMORY=RANK:ROWS:CALLS: from the CALLS-th microbatch on, rank RANK has no memory for one
of more than ROWS rows. It then asks torch for more than any machine has: the refusal is torch's
own, at the place where a large one would come. A real limit (RLIMIT_AS) also strikes libraries
that abort where they are refused, and what a process has kept from earlier steps it never refuses.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MODULE = "qmpi.training.backprop"


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module as others would, and changes it once it is loaded."""

    def __init__(self, rows: int, calls: int) -> None:
        self.rows, self.calls = rows, calls

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
                self.limit(module)

            spec.loader.exec_module = exec_module
        return spec

    def limit(self, module: ModuleType) -> None:
        import torch

        run, left = module.Backprop.run, self.calls

        def limited(own: Any, layers: Any, ids: Any, *given: Any) -> float:
            nonlocal left
            left -= 1
            if left < 0 and len(ids) > self.rows:
                torch.empty(1 << 60, dtype=torch.uint8)
            return run(own, layers, ids, *given)

        module.Backprop.run = limited


RANK, ROWS, CALLS = map(int, os.environ.get("SHORT_OF_MEMORY", "-1:0:0").split(":"))
if os.environ.get("OMPI_COMM_WORLD_RANK") == str(RANK):
    sys.meta_path.insert(0, Finder(ROWS, CALLS))
