"""A reference that runs are held against, made of runs that differ in their seed alone."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from qmpi.config.identity import differences
from qmpi.config.load import dump_toml
from qmpi.errors import InputError
from qmpi.launch.trained import Trained, but_for_seed, check_as_begun, read_trained
from qmpi.policy.curriculum.by_type import parts_of, weights_like
from qmpi.policy.curriculum.specialisation import LEAST_RUNS, grid, made_of
from qmpi.protocol.specialisation import REFERENCE_VERSION, Reference


def make_reference(runs: Sequence[Path]) -> Reference:
    """Make a reference.

    Args:
        runs: directories of finished runs of one job, each with a seed of its own.

    Returns:
        What they lose by type.

    Raises:
        InputError: they are too few, not finished, or differ in more than their seeds.
        StorageError: a journal cannot be read, or is damaged.
    """
    if len(runs) < LEAST_RUNS:
        raise InputError(
            f"a reference is made of {LEAST_RUNS} finished runs or more that differ in their seed "
            f"alone, not of {len(runs)}: fewer do not tell how far runs scatter"
        )
    trained = [read_trained(run) for run in runs]
    first = trained[0]
    for each in trained:
        _check_finished(each)
    for each in trained[1:]:
        _check_equal(first, each)
    _check_seeds(trained)
    settings, parts = first.settings, parts_of(first.settings)
    ends = grid(first.ends[-1], len(first.ends))
    weights = weights_like(parts, parts)
    job = replace(settings.job, run_dir="")
    return Reference(
        version=REFERENCE_VERSION,
        seeds=tuple(each.settings.job.seed for each in trained),
        job=dump_toml(replace(settings, job=job)),
        sources=first.facts,
        tokens=ends,
        types=made_of([each.course(ends, weights) for each in trained], list(weights)),
    )


def _check_finished(trained: Trained) -> None:
    if trained.settings.curriculum.kind != "static":
        raise InputError(
            f"the weights of {trained.run} follow its losses; a reference is made of runs with "
            'curriculum.kind = "static"'
        )
    steps, all_of_them = len(trained.ends), trained.settings.train.steps
    check_as_begun(trained)
    if steps < all_of_them:
        raise InputError(
            f"{trained.run} has {steps} of {all_of_them} steps; a reference is made of finished "
            "runs"
        )


def _check_equal(first: Trained, other: Trained) -> None:
    apart: tuple[str, ...] = differences(but_for_seed(first.settings), but_for_seed(other.settings))
    if not apart and first.digests != other.digests:
        apart = ("their sources hold other text",)
    if not apart and first.drawn != other.drawn:
        apart = ("the weights of their sources were changed in different ways",)
    if not apart and first.ends != other.ends:
        apart = ("their steps have different numbers of tokens",)
    if apart:
        raise InputError(
            f"{first.run} and {other.run} differ in more than their seed: {'; '.join(apart)}"
        )


def _check_seeds(trained: Sequence[Trained]) -> None:
    seen: dict[int, Path] = {}
    for each in trained:
        seed = each.settings.job.seed
        if seed in seen:
            raise InputError(
                f"{seen[seed]} and {each.run} both have seed {seed}: each run of a reference has "
                "its own"
            )
        seen[seed] = each.run
