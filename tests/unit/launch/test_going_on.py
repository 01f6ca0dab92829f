"""How a run may go on: which changes are taken, which are refused, and that the old job stays."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.load import dump_toml, load_job, parse_job, settings_digest
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError
from qmpi.launch.train import check_claimed, claim_run, options_of, way_on, will_change
from qmpi.main import parse
from qmpi.policy.hyperparameters import carried_on, first_hyperparameters
from qmpi.protocol.journal import JournalRecord, RunOpened, StepCommitted
from qmpi.runtime.same_run import Continuation, check_same_run, keep_settings
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Digest, Generation, Step

ON = Continuation(changes=True)
LEVEL = OptimizerSettings(schedule="wsd", decay_share=0.0, warmup_steps=0)


def job(run: Path, steps: int = 20, rate: float = 0.003) -> Settings:
    source = ContentSource(name="mathematics", type="mathematics", weight=1.0)
    settings = Settings(
        train=TrainSettings(steps=steps),
        optimizer=replace(LEVEL, learning_rate=rate),
        data=DataSettings(sources=(source,)),
    )
    return parse_job(dump_toml(settings), run_dir=str(run))


def append(directory: RunDirectory, *records: JournalRecord) -> None:
    with JournalWriter.open(directory.journal) as writer:
        writer.append(records)


def opened(settings: Settings, begun: Settings, step: int = 0, back_to: int = -1) -> RunOpened:
    log = carried_on((first_hyperparameters(begun),), settings, step)
    return RunOpened(1.0, "r", 1, settings_digest(begun), (), (), "", 2, 1, log, back_to)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run of 20 steps, of which 9 are done."""
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    made = RunDirectory(tmp_path / "run")
    made.create()
    begun = job(made.root)
    claim_run(begun)
    keep_settings(made, begun, is_new=True)
    steps = [
        StepCommitted(1.0, Step(s), Generation(1), 0, (), (1.0,), 1.0, Digest("")) for s in range(9)
    ]
    append(made, opened(begun, begun), *steps)
    return made


def test_a_run_may_be_extended_and_trained_at_another_rate(directory: RunDirectory) -> None:
    assert not will_change(job(directory.root), ON)
    assert will_change(job(directory.root, steps=40), ON)
    assert will_change(job(directory.root, rate=0.001), ON)
    with pytest.raises(ConfigError, match=r"train\.steps is 20, not 40.*--resume RUN --set"):
        check_same_run(directory, job(directory.root, steps=40))


def test_what_is_no_hyperparameter_may_not_change(directory: RunDirectory) -> None:
    wanted = job(directory.root, steps=40)
    other = replace(wanted, model=replace(wanted.model, layers=9))
    with pytest.raises(ConfigError, match=r"model\.layers is 4, not 9") as told:
        will_change(other, ON)
    assert "train.steps is" not in str(told.value)


def test_after_a_change_the_run_is_what_it_became(directory: RunDirectory) -> None:
    begun, longer = job(directory.root), job(directory.root, steps=40)
    claim_run(longer, ON)
    assert load_job(directory.job).train.steps == 40
    assert load_job(directory.begun).train.steps == 20
    assert will_change(longer, ON)  # not written down yet: the start that does so may have died
    append(directory, opened(longer, begun, 9))
    assert not will_change(longer, ON)
    check_same_run(directory, longer)
    with pytest.raises(ConfigError, match=r"train\.steps is 40, not 20"):
        check_same_run(directory, begun)
    check_claimed(directory.root, ON)


def test_a_job_of_an_old_version_keeps_what_it_was_begun_with(directory: RunDirectory) -> None:
    directory.begun.unlink()
    claim_run(job(directory.root, steps=40), ON)
    assert load_job(directory.begun).train.steps == 20


def test_a_refused_change_leaves_the_job_as_it_was(directory: RunDirectory) -> None:
    before = directory.job.read_bytes()
    for wanted, way, words in (
        (job(directory.root, steps=5), ON, "9 steps are done"),
        (job(directory.root), replace(ON, back_to=10), "the run has 9 steps only"),
        (
            replace(job(directory.root), optimizer=replace(LEVEL, schedule="cosine", min_ratio=0)),
            ON,
            "--replan",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            claim_run(wanted, way)
    assert directory.job.read_bytes() == before


def test_going_back_is_done_once(directory: RunDirectory) -> None:
    way = way_on(directory.root, back_to=4)
    assert way == Continuation(changes=True, back_to=4, starts=1)
    begun, wanted = job(directory.root), job(directory.root, steps=6)
    assert will_change(wanted, way)
    told = parse(["job.toml", *options_of(way)])
    assert (told.change, told.replan, told.back_to) == (True, False, (4, 1))
    append(directory, opened(wanted, begun, 4, back_to=4))
    assert not will_change(wanted, way)
    assert parse(["job.toml", "--back-to", "4"]).back_to == (4, -1)


def test_a_run_that_has_not_begun_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tells of no step to go back to"):
        will_change(job(tmp_path / "new"), replace(ON, back_to=4))
