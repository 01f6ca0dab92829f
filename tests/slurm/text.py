"""What Slurm's own commands print, taken apart; nothing here runs anything."""

import re

FIELD = re.compile(r"(?:^|\s)([A-Za-z][\w:/.-]*)=")


def job_id(printed: str) -> int:
    """Return the job that `sbatch` or `sbatch --parsable` tells of.

    Args:
        printed: what it said.

    Returns:
        Number of the job.

    Raises:
        ValueError: it tells of none.
    """
    found = re.search(r"Submitted batch job (\d+)|^(\d+)(?:;\S*)?\s*$", printed, re.M)
    if found is None:
        raise ValueError(f"no job in {printed!r}")
    return int(found[1] or found[2])


def fields(line: str) -> dict[str, str]:
    """Return the fields of one line of `scontrol --oneliner show`.

    Args:
        line: `Name=value` pairs; values may hold spaces.

    Returns:
        Values by name.
    """
    marks = [*FIELD.finditer(line)]
    ends = [*(mark.start() for mark in marks[1:]), len(line)]
    return {m[1]: line[m.end() : end].strip() for m, end in zip(marks, ends, strict=True)}


def nodes(printed: str) -> dict[str, str]:
    """Return the states that `sinfo -h -N -o '%N %T'` lists.

    Args:
        printed: a line a node.

    Returns:
        State by node, without the marks of a node that does not answer or is asleep.
    """
    pairs = (line.split() for line in printed.splitlines() if line.strip())
    return {name: state.rstrip("*~#!%$@^-") for name, state in pairs}
