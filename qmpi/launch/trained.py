"""A run as it is compared with others: its job, its steps that stand, the tokens behind each."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.load import load_job
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.corpora.standing import StandingSteps, replay
from qmpi.errors import InputError
from qmpi.policy.curriculum.by_type import Weights, cells
from qmpi.policy.curriculum.specialisation import Course, course
from qmpi.policy.hyperparameters import changes
from qmpi.policy.recipes import standing
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.membership import SourceFact
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory


class Trained(Struct, frozen=True):
    """A run, as far as it is compared.

    Attributes:
        run: its directory.
        settings: as it was begun.
        told: its journal.
        ends: tokens that were trained on behind each step.
    """

    run: Path
    settings: Settings
    told: StandingSteps
    ends: tuple[int, ...]

    @property
    def facts(self) -> tuple[SourceFact, ...]:
        """Of its data sources."""
        return self.told.opened.sources if self.told.opened is not None else ()

    @property
    def digests(self) -> dict[str, str]:
        """Of the content of its data sources, by name."""
        return {fact.name: fact.digest for fact in self.facts}

    @property
    def drawn(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """From which step on its sources had which weights."""
        return tuple((r.first_step, r.weights) for r in standing(self.told.recipes))

    def course(self, ends: Sequence[int], weights: Weights) -> Course:
        """Return what it lost by type.

        Args:
            ends: of the cells, in tokens.
            weights: of its sources within their types.
        """
        sources = (self.told.steps[step].sources for step in range(len(self.ends)))
        return course(cells(zip(self.ends, sources, strict=True), ends), weights)


def read_trained(run: Path) -> Trained:
    """Read a run.

    Args:
        run: its directory.

    Returns:
        Its steps that stand.

    Raises:
        InputError: there is no run, or it does not tell losses by source.
        StorageError: its journal cannot be read, or is damaged.
    """
    directory = RunDirectory(run)
    job = directory.require_job()
    settings = load_job(directory.begun if directory.begun.exists() else job)
    told = replay(read_journal(directory.journal))
    train, seen = settings.train, 0
    lane = train.sequences * train.microbatches * train.sequence_tokens
    ends: list[int] = []
    for step in range(len(told.steps)):
        seen += lane * len(told.steps[step].lane_losses)
        ends.append(seen)
    if ends and not any(record.sources for record in told.steps.values()):
        raise InputError(f"the journal of {run} does not tell losses by source: it is too old")
    return Trained(run, settings, told, tuple(ends))


def check_as_begun(trained: Trained) -> None:
    """Refuse a run whose hyperparameters or sources were changed on its way.

    Halved microbatches are none, nor are data that were passed over behind a spike.

    Args:
        trained: the run.

    Raises:
        InputError: says what changed.
    """
    log = trained.told.log
    changed = any(_rule(one) != _rule(other) for one, other in pairwise(log))
    if changed or trained.told.added:
        words = "; ".join(changes(log)) if changed else "sources were added"
        raise InputError(f"{trained.run} was changed on its way: {words}")


def _rule(held: Hyperparameters) -> tuple[object, ...]:
    batch = BatchSettings() if held.batch is None else held.batch.settings
    return (held.steps, held.optimizer, held.onset, held.guard, batch)


def but_for_seed(settings: Settings) -> Settings:
    """Return a job without its seed, and without what is arithmetic alone.

    Args:
        settings: the job.
    """
    job = replace(settings.job, seed=0)
    return replace(settings, job=job, parallel=ParallelSettings())
