"""How a run stands beside a reference.

Theory of operation. A reference holds the job file that its runs were begun with. Whatever decides
weights must be the same in a run that is held against it, but the seed, the weights of the sources
and the curriculum, which are what may make it special; and how its state is cut for teams, which is
arithmetic alone. Sources may be split into arms.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, Source
from qmpi.config.identity import differences
from qmpi.config.load import load_job, parse_job
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.launch.trained import Trained, but_for_seed, check_as_begun, read_trained
from qmpi.policy.curriculum.by_type import Weights, parts_of, weights_like
from qmpi.policy.curriculum.specialisation import ALARM, glance, judged
from qmpi.protocol.specialisation import Reference, Specialisation
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.specialisation_file import read_reference, write_specialisation


def hold_against(run: Path, path: Path) -> Specialisation:
    """Hold a run against a reference.

    Args:
        run: its directory; finished, or on its way.
        path: of the reference.

    Returns:
        How it stands; a verdict at its end alone.

    Raises:
        InputError: there is no run or no reference, or they cannot be compared.
        StorageError: a file cannot be read, or is damaged.
    """
    reference, trained = read_reference(path), read_trained(run)
    weights = comparable(trained.settings, reference, path)
    _check_content(trained, reference, path)
    check_as_begun(trained)
    told = trained.course(reference.tokens, weights)
    tokens, runs = trained.ends[-1] if trained.ends else 0, len(reference.seeds)
    is_judged = len(trained.ends) == trained.settings.train.steps
    if is_judged and tokens != reference.tokens[-1]:
        raise InputError(
            f"{run} trained on {tokens:,} tokens, the runs of {path} on {reference.tokens[-1]:,}"
        )
    judge = judged if is_judged else glance
    found = judge(reference.types, told, runs)
    return Specialisation(
        reference=str(path),
        runs=runs,
        step=len(trained.ends),
        tokens=tokens,
        end_tokens=reference.tokens[-1],
        is_judged=is_judged,
        confidence=1.0 - ALARM,
        specialised=tuple(each.type for each in found if each.verdict == "specialised"),
        weak=tuple(each.type for each in found if each.verdict == "weak"),
        types=found,
    )


def own_reference(run: Path) -> Path | None:
    """Return the reference that the job of a run names.

    Args:
        run: its directory.

    Returns:
        A path; None: it names none.

    Raises:
        InputError: there is no run.
    """
    named = load_job(RunDirectory(run).require_job()).curriculum.reference
    return Path(named) if named else None


def keep_judgement(run: Path) -> Specialisation | None:
    """Hold a run against the reference of its job, and keep a verdict for `qmpi status`.

    Args:
        run: its directory.

    Returns:
        How it stands; None: its job names no reference.

    Raises:
        InputError: as of `hold_against`.
        StorageError: likewise, or the verdict cannot be kept.
    """
    path = own_reference(run)
    if path is None:
        return None
    told = hold_against(run, path)
    if told.is_judged:
        write_specialisation(RunDirectory(run).specialisation, told)
    return told


def check_reference(settings: Settings) -> None:
    """Refuse a job that cannot be held against the reference that it names.

    Args:
        settings: the job.

    Raises:
        InputError: there is no such reference, or they cannot be compared.
    """
    if settings.curriculum.reference:
        path = Path(settings.curriculum.reference)
        comparable(settings, read_reference(path), path)


def comparable(settings: Settings, reference: Reference, path: Path) -> Weights:
    """Return how the sources of a job are weighed to be held against a reference.

    Args:
        settings: the job.
        reference: what it is held against.
        path: of the reference.

    Raises:
        InputError: they cannot be compared; says what differs.
    """
    like = parse_job(reference.job, name=f"the job in {path}")
    apart = differences(_but_for_data(like), _but_for_data(settings))
    if apart:
        raise InputError(f"the job of the reference {path} is another: {'; '.join(apart)}")
    try:
        return weights_like(parts_of(settings), parts_of(like))
    except InputError as error:
        raise InputError(f"the job of the reference {path} is another: {error}") from error


def _but_for_data(settings: Settings) -> Settings:
    """Return a job without what may make a run special: what it draws, and how often."""
    data = replace(settings.data, sources=(), recipes=())
    return replace(but_for_seed(settings), data=data, curriculum=CurriculumSettings())


def _check_content(trained: Trained, reference: Reference, path: Path) -> None:
    """Refuse corpora of other content, and text that another version has generated.

    Raises:
        InputError: names the sources.
    """
    like = parse_job(reference.job, name=f"the job in {path}")
    there = {fact.name: fact.digest for fact in reference.sources}
    here, own = trained.digests, {source.name: source for source in trained.settings.data.sources}
    names = [
        source.name
        for source in like.data.sources
        if source.name in own
        and _text(source) == _text(own[source.name])
        and there.get(source.name) != here.get(source.name)
    ]
    if not names and _is_of_now(like, there) != _is_of_now(trained.settings, here):
        names = ["the generated sources"]
    if names:
        raise InputError(f"the runs of {path} have trained on other content of {', '.join(names)}")


def _text(source: Source) -> Source:
    """Return a source without what changes nothing of its content."""
    if isinstance(source, ContentSource):
        return replace(source, weight=1.0)
    return replace(source, weight=1.0, path=source.name)


def _is_of_now(settings: Settings, digests: Mapping[str, str]) -> bool:
    """Return whether this version generates what generated sources held then."""
    from qmpi.content.rows import source_digest  # loads numpy

    packed = settings.data.packing == "best_fit"
    return all(
        source_digest(source, packed=packed) == digests.get(source.name)
        for source in settings.data.sources
        if isinstance(source, ContentSource)
    )
