"""A job that draws from a corpus and from generated text, for tests that change what it draws."""

import json
from typing import Any

from mpi.live_run import TINY_JOB, qmpi

SOURCES = """
[[data.sources]]
kind = "corpus"
name = "python"
path = "builtin:python"
weight = 3
[[data.sources]]
kind = "content"
name = "mathematics"
type = "mathematics"
"""


def mixed_job(steps: int) -> str:
    """Return a small job of `steps` steps."""
    job = TINY_JOB.replace("steps = 30", f"steps = {steps}").replace("spare = 1", "spare = 0")
    return job + SOURCES


def told(*arguments: str) -> dict[str, Any]:
    """Return what a command answers as JSON."""
    return json.loads(qmpi(*arguments, "--json").stdout)
