"""Which steps get a copy: in RAM every few, on disk more rarely, and always the end of the run.

The schedule is a function of the step alone, so a redone step, a relaunch or another number of
trainers copies at the same steps. An interval adapted to the failure rate was rejected for RAM
copies: they cost so little that the interval is bounded by what one wants to redo, not by what
copying costs.
"""

from qmpi.units import Step


def snapshot_steps(
    first: Step, until: Step, every: int, last: Step, *, disk_every: int = 0
) -> tuple[int, ...]:
    """Return the steps whose state is copied, the state being that before the step.

    Args:
        first: first step looked at.
        until: last step looked at.
        every: steps between two copies, >= 1.
        last: end of the run: the state after its last step.
        disk_every: if > 0, its multiples are copied too, so that a checkpoint has a copy to write.

    Returns:
        Steps in [first, until], ascending; never step 0, which anyone can compute from the seed.
    """
    begin = max(1, first)
    due = set(range(begin + -begin % every, until + 1, every))
    if disk_every > 0:
        due.update(range(begin + -begin % disk_every, until + 1, disk_every))
    if begin <= last <= until:
        due.add(last)
    return tuple(sorted(step for step in due if step <= last))


def is_checkpoint(step: int, disk_every: int, last: Step) -> bool:
    """Tell whether the copy of a step also goes to disk.

    Args:
        step: a step from `snapshot_steps`.
        disk_every: steps between two checkpoints, >= 1.
        last: end of the run.

    Returns:
        True for multiples of `disk_every` and for the end of the run.
    """
    return step > 0 and (step % disk_every == 0 or step == last)
