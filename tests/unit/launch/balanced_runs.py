"""Directories of runs with journals as trainers would write them, losses by source made up."""

from pathlib import Path
from random import Random

from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.data import ContentSource
from qmpi.config.load import dump_toml, parse_job
from qmpi.config.settings import Settings
from qmpi.content.rows import source_digest
from qmpi.policy.recipes import begun_recipes, course_of
from qmpi.protocol.hyperparameters import first_hyperparameters
from qmpi.protocol.journal import JournalRecord, RunOpened, StepCommitted
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Digest, Generation, Step

STEPS = 40
TYPES = ("mathematics", "code", "creative")

JOB = f"""
[job]
name = "small"
seed = {{seed}}
[train]
steps = {STEPS}
lanes = 2
sequences = 4
microbatches = 1
sequence_tokens = 64
""" + "".join(
    f'[[data.sources]]\nkind = "content"\nname = "{name}"\ntype = "{name}"\nmax_level = 30\n'
    for name in TYPES
)


def job_of(seed: int, *overrides: str) -> Settings:
    """Return a job of three types, evenly mixed."""
    return parse_job(JOB.format(seed=seed), overrides)


def journal_of(settings: Settings, better: dict[str, float], steps: int) -> list[JournalRecord]:
    """Return a journal: losses fall as steps go, and scatter from run to run."""
    chance = Random(settings.job.seed)
    bias = {name: chance.gauss(0.0, 0.02) - better.get(name, 0.0) for name in TYPES}
    sources, train = settings.data.sources, settings.train
    facts = tuple(
        SourceFact(source.name, 0, source_digest(source))
        for source in sources
        if isinstance(source, ContentSource)
    )
    log, recipes = first_hyperparameters(settings), begun_recipes(settings, course_of(settings, ()))
    opened = RunOpened(
        1.0, "run", 1, Digest("ab"), facts, recipes, "here", train.lanes, 4, (log,)
    )  # fmt: skip
    records: list[JournalRecord] = [opened]
    for step in range(steps):
        told: list[SourceLoss] = []
        for number, source in enumerate(sources):
            kind = source.type if isinstance(source, ContentSource) else ""
            loss = 2.0 + 3.0 / (step + 1) + bias[kind] + chance.gauss(0.0, 0.01)
            told.append(SourceLoss(number, 128, round(128 * loss * LOSS_GRID)))
        records.append(
            StepCommitted(
                2.0 + step,
                Step(step),
                Generation(1),
                0,
                (),
                (2.5,) * train.lanes,
                2.5,
                Digest(""),
                sources=tuple(told),
            )
        )
    return records


def write_run(
    root: Path, settings: Settings, better: dict[str, float] | None = None, steps: int = STEPS
) -> Path:
    """Write the directory of a run.

    Args:
        root: of the run.
        settings: its job.
        better: nats by type that it loses less than others.
        steps: that it has.

    Returns:
        The directory.
    """
    directory = RunDirectory(root)
    directory.create()
    job = replace(settings.job, run_dir=str(root))
    directory.job.write_text(dump_toml(with_arms(replace(settings, job=job))))
    with JournalWriter.open(directory.journal) as writer:
        writer.append(journal_of(with_arms(settings), better or {}, steps))
    return root
