"""How a run may go on: which changes are taken, which are refused, and that the old job stays."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.cli.main import run as command
from qmpi.config.batch import BatchSettings
from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.load import dump_toml, load_job, parse_job, settings_digest
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError, RunInUse
from qmpi.launch import train as launch_train
from qmpi.launch.job_file import JobFile
from qmpi.launch.train import check_claimed, claim_run, options_of, prepare_run, way_on, will_change
from qmpi.main import parse
from qmpi.policy.hyperparameters import carried_on, first_hyperparameters
from qmpi.policy.roll_back import rolled_back
from qmpi.protocol.journal import GenerationOpened, JournalRecord, RunOpened, StepCommitted
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.status import EndMarker
from qmpi.runtime.same_run import Continuation, check_same_run, keep_settings, open_journal
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import write_end
from qmpi.units import Digest, Generation, Rank, Step

END = EndMarker(state="failed", exit_code=3, step=9, digest="", reason="", time=1.0)
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


def test_a_run_goes_on_with_the_batch_that_it_has_and_past_data_that_it_passed_over(
    directory: RunDirectory,
) -> None:
    begun = job(directory.root)
    growing = replace(begun, batch=BatchSettings(first_lanes=1, grow="linear", grow_steps=5))
    claim_run(growing, ON)
    append(directory, opened(growing, begun, 9))
    check_claimed(directory.root)
    with pytest.raises(ConfigError, match=r"batch\.first_lanes is 1"):
        check_same_run(directory, begun)
    log = rolled_back((first_hyperparameters(begun),), begun, RollBack(Step(8), Step(3), 99))
    append(directory, replace(opened(begun, begun), hyperparameters=log, back_to=3))
    check_same_run(directory, begun)
    assert not will_change(begun, ON)


def test_a_job_of_an_old_version_keeps_what_it_was_begun_with(directory: RunDirectory) -> None:
    directory.begun.unlink()
    claim_run(job(directory.root, steps=40), ON)
    assert load_job(directory.begun).train.steps == 20


def test_a_run_that_has_trained_nothing_is_in_nobodys_way(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    begun = job(directory.root)
    mended = replace(begun, model=replace(begun.model, layers=9))
    keep_settings(directory, begun, is_new=True)
    formed = GenerationOpened(1.0, Generation(1), (Rank(0),), ((0,),), Step(0), "", "")
    append(directory, opened(begun, begun), formed)
    assert not check_same_run(directory, begun)
    assert check_same_run(directory, mended)  # so a job that is up is not followed as if it were it
    with pytest.raises(ConfigError, match="no step to go back to"):
        check_same_run(directory, mended, replace(ON, back_to=3))
    writer, history = open_journal(directory, begun)
    writer.close()
    assert len(history) == 2
    claim_run(mended)
    writer, history = open_journal(directory, mended)
    writer.close()
    assert not history
    assert directory.journal.read_bytes() == b""


@pytest.mark.parametrize("what", ["step", "checkpoint"])
def test_what_was_trained_stays_in_the_way_of_other_settings(tmp_path: Path, what: str) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    begun = job(directory.root)
    keep_settings(directory, begun, is_new=True)
    append(directory, opened(begun, begun))
    if what == "step":
        step = StepCommitted(1.0, Step(0), Generation(1), 0, (), (1.0,), 1.0, Digest(""))
        # Given up since, which is no reason to lose it.
        formed = GenerationOpened(2.0, Generation(2), (Rank(0),), ((0,),), Step(0), "", "")
        append(directory, step, formed)
    else:
        (directory.checkpoints / "step-00000001-of-0.snap").touch()
    mended = replace(begun, model=replace(begun.model, layers=9))
    with pytest.raises(ConfigError, match=r"model\.layers is 4, not 9"):
        check_same_run(directory, mended)


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


@pytest.mark.parametrize("state", ["failed", ""])
def test_a_job_that_failed_before_a_step_is_taken_back(directory: RunDirectory, state: str) -> None:
    before = directory.job.read_bytes() + b"# by hand"
    directory.job.write_bytes(before)
    longer = job(directory.root, steps=40)
    file = JobFile(longer, ON)
    file.claim()
    assert load_job(directory.job).train.steps == 40
    # The ranks may have written the change down before they failed: nothing was trained with it.
    formed = GenerationOpened(2.0, Generation(2), (Rank(0),), ((0,),), Step(9), "", "")
    append(directory, opened(longer, job(directory.root), 9), formed)
    file.release(replace(END, state=state) if state else None)
    assert directory.job.read_bytes() == before
    assert will_change(job(directory.root), ON)
    assert not will_change(longer, ON)


def test_a_job_that_trained_or_ended_in_order_or_was_edited_stays(directory: RunDirectory) -> None:
    longer = job(directory.root, steps=40)
    for state in ("stopped", "finished"):
        file = JobFile(longer, ON)
        file.claim()
        file.release(replace(END, state=state))
        assert load_job(directory.job).train.steps == 40
    file = JobFile(job(directory.root, steps=50), ON)
    file.claim()
    edited = directory.job.read_bytes() + b"# by hand"
    directory.job.write_bytes(edited)
    file.release(None)
    assert directory.job.read_bytes() == edited
    file = JobFile(job(directory.root, steps=60), ON)
    file.claim()
    committed = StepCommitted(1.0, Step(9), Generation(2), 0, (), (1.0,), 1.0, Digest(""))
    append(directory, opened(job(directory.root, steps=60), job(directory.root), 9), committed)
    file.release(None)
    assert load_job(directory.job).train.steps == 60


def test_a_job_that_was_not_resumed_stays(directory: RunDirectory) -> None:
    settings = job(directory.root)
    other = replace(settings, monitor=replace(settings.monitor, status_seconds=7.0))
    file = JobFile(other, Continuation())
    file.claim()
    file.release(None)
    assert load_job(directory.job).monitor.status_seconds == 7.0


def test_the_command_takes_a_job_back_that_nobody_trained_with(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mpirun = directory.root.parent / "mpirun"
    mpirun.write_text('#!/bin/sh\ncp "$QMPI_RUN/job.toml" "$QMPI_RUN/seen.toml"\nexit 1\n')
    mpirun.chmod(0o755)
    monkeypatch.setattr(launch_train, "find_mpirun", lambda _: mpirun)
    monkeypatch.setenv("QMPI_RUN", str(directory.root))
    before = directory.job.read_bytes()
    resume = ["train", "--resume", str(directory.root), "--quiet", "--set"]
    assert command([*resume, "train.steps=5"]) == 2
    assert directory.job.read_bytes() == before
    assert command([*resume, "train.steps=40"]) == 3
    assert "ended 2 times before it began" in capsys.readouterr().err
    assert load_job(directory.root / "seen.toml").train.steps == 40
    assert directory.job.read_bytes() == before


def test_a_run_that_has_finished_is_not_started_again(
    directory: RunDirectory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_MPIRUN", "/nowhere/mpirun")  # it would be looked for
    done = [
        StepCommitted(1.0, Step(s), Generation(1), 0, (), (1.0,), 1.0, Digest(""))
        for s in range(9, 20)
    ]
    append(directory, *done)
    write_end(directory.root, replace(END, state="finished", exit_code=0, step=20, digest="abc"))
    arguments = ["train", "--resume", str(directory.root), "--set", "roles.spare=1"]
    assert command(arguments) == 3  # without its last checkpoint there is something to do
    (directory.checkpoints / f"step-{20:019d}.snap").touch()
    capsys.readouterr()
    before = directory.job.read_bytes()
    assert command(arguments) == 0
    assert "has all its 20 steps, so nothing is started" in capsys.readouterr().err
    assert directory.job.read_bytes() == before
    for more in (
        ["--set", "train.steps=30"],
        ["--set", "evaluation.every_steps=5"],
        ["--back-to", "3"],
        ["--from-scratch"],
    ):
        assert command([*arguments, *more]) == 3
    with RunLock(directory.supervisor_lock):
        assert command(arguments) != 0
    write_end(directory.root, replace(END, state="stopped", step=20))
    assert command(arguments) == 3


def test_that_a_run_is_in_use_is_said_before_what_differs(directory: RunDirectory) -> None:
    other = replace(job(directory.root), model=replace(job(directory.root).model, layers=9))
    for lock in (directory.supervisor_lock, directory.lock):
        with RunLock(lock), pytest.raises(RunInUse, match="is in use by pid"):
            prepare_run(other, 3, os.environ)
    with pytest.raises(ConfigError, match=r"model\.layers is 4, not 9"):
        prepare_run(other, 3, os.environ)


def test_a_machine_that_nobody_knows_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    plain = job(tmp_path / "run")
    unknown = replace(plain, machine=replace(plain.machine, name="lumy"))
    with pytest.raises(ConfigError, match=r"no machine 'lumy' .*known are .*lumi"):
        prepare_run(unknown, 3, {"QMPI_MPIRUN": "/nowhere"})


@pytest.mark.parametrize("step", ["-5", "-5:2", "5:-2", "x", "", "1:2:3", "\u0665"])
def test_no_rank_goes_back_to_what_is_no_step(
    step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse(["job.toml", f"--back-to={step}"])
    assert left.value.code == 2
    assert "write STEP or STEP:STARTS, numbers from 0" in capsys.readouterr().err
    assert parse(["job.toml", "--back-to", "5:2"]).back_to == (5, 2)
    assert parse(["job.toml", "--back-to", "5"]).back_to == (5, -1)
