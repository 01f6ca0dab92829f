"""What a start finds in a run directory: leftovers of an earlier one, another run's settings."""

import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.load import dump_toml, load_job, parse_job
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError, LaunchError
from qmpi.launch.job_log import excerpt
from qmpi.launch.scratch import make_scratch
from qmpi.launch.train import check_claimed, claim_run, prepare_run
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.runtime.leftovers import clear_leftovers, clear_stop
from qmpi.runtime.same_run import check_same_run, keep_settings
from qmpi.storage.noted_places import noted_places
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import read_end, read_status, write_end, write_status
from qmpi.units import Seconds

MARKER = EndMarker(state="stopped", exit_code=75, step=9, digest="ab", reason="asked", time=1.0)
STATUS = StatusReport(
    state="running",
    step=9,
    steps=20,
    tokens=90,
    tokens_per_second=5.0,
    loss=2.0,
    digest="ab",
    generation=3,
    failures=(),
    ranks=(),
)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.create()
    return made


def job(run: Path, steps: int = 20) -> Settings:
    source = ContentSource(name="mathematics", type="mathematics", weight=1.0)
    settings = Settings(train=TrainSettings(steps=steps), data=DataSettings(sources=(source,)))
    return parse_job(dump_toml(settings), run_dir=str(run))


def test_nothing_of_an_earlier_start_is_left(directory: RunDirectory) -> None:
    write_end(directory.root, MARKER)
    write_status(directory.root, STATUS)
    directory.stop_request.touch()
    directory.profile_request.touch()
    os.utime(directory.stop_request, (100, 100))
    clear_leftovers(directory, began=Seconds(200.0), now=Seconds(201.0))
    assert read_end(directory.root) is None
    assert not directory.stop_request.exists()
    assert not directory.profile_request.exists()
    status = read_status(directory.root)
    assert (status.state, status.step, status.updated) == ("starting", 9, 201.0)
    assert status.eta_seconds is None


def test_a_request_to_stop_that_is_younger_than_the_start_is_kept(directory: RunDirectory) -> None:
    directory.stop_request.touch()
    os.utime(directory.stop_request, (300, 300))
    clear_leftovers(directory, began=Seconds(200.0), now=Seconds(301.0))
    assert directory.stop_request.exists()
    clear_stop(directory)
    assert not directory.stop_request.exists()


@pytest.mark.parametrize("damaged", ["", "{", "[]"])
def test_a_status_that_is_damaged_or_missing_says_nothing(
    directory: RunDirectory, damaged: str
) -> None:
    clear_leftovers(directory, Seconds(1.0), Seconds(2.0))
    directory.status.write_text(damaged)
    clear_leftovers(directory, Seconds(1.0), Seconds(2.0))
    assert directory.status.read_text() == damaged


def test_a_run_names_the_fields_that_differ(directory: RunDirectory) -> None:
    settings = job(directory.root)
    keep_settings(directory, settings, is_new=True)
    check_same_run(directory, job(directory.root, steps=40))  # nothing was trained yet
    directory.journal.write_text("{}\n")
    check_same_run(directory, settings)
    with pytest.raises(ConfigError, match=r"train\.steps is 20, not 40.*\[failure\]"):
        check_same_run(directory, job(directory.root, steps=40))
    # Whoever edits the job in the run directory is told the field too.
    directory.job.write_text(dump_toml(job(directory.root, steps=60)))
    with pytest.raises(ConfigError, match=r"train\.steps is 20, not 60"):
        check_same_run(directory, load_job(directory.job))


def test_every_field_of_the_identity_can_be_named(directory: RunDirectory) -> None:
    keep_settings(directory, job(directory.root), is_new=True)
    directory.journal.write_text("{}\n")
    begun = job(directory.root)
    source = begun.data.sources[0]
    assert isinstance(source, ContentSource)
    for changed, field in (
        (replace(begun, job=replace(begun.job, seed=5)), "job.seed is 0, not 5"),
        (replace(begun, model=replace(begun.model, layers=9)), "model.layers"),
        (replace(begun, optimizer=replace(begun.optimizer, schedule="wsd")), "optimizer.schedule"),
        (replace(begun, data=DataSettings(tokenizer="/t")), 'data.tokenizer is "", not "/t"'),
        (replace(begun, data=DataSettings(sources=(source, source))), "the number of data.sources"),
        (
            replace(begun, data=DataSettings(sources=(replace(source, weight=2.0),))),
            "weight of data source 1 is 1.0, not 2.0",
        ),
    ):
        with pytest.raises(ConfigError) as told:
            check_same_run(directory, changed)
        assert field in str(told.value)


@pytest.mark.parametrize("section", ["roles", "snapshot", "failure", "monitor"])
def test_what_is_said_to_be_free_is(directory: RunDirectory, section: str) -> None:
    keep_settings(directory, job(directory.root), is_new=True)
    directory.journal.write_text("{}\n")
    settings = job(directory.root)
    values = msgspec.to_builtins(getattr(settings, section))
    name, value = next((n, v) for n, v in values.items() if type(v) in (int, float))
    other = replace(settings, **{section: replace(getattr(settings, section), **{name: value + 1})})
    check_same_run(directory, other)


def test_a_job_that_is_refused_is_not_written(
    directory: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    begun = job(directory.root)
    claim_run(begun)
    keep_settings(directory, begun, is_new=True)
    directory.journal.write_text("{}\n")
    before = directory.job.read_bytes()
    with pytest.raises(ConfigError):
        claim_run(job(directory.root, steps=40))
    with RunLock(directory.supervisor_lock), pytest.raises(LaunchError):
        prepare_run(begun, 1, {"QMPI_MPIRUN": "/nowhere"})
    assert directory.job.read_bytes() == before


def test_the_reason_is_shown_at_whichever_end_it_stands(tmp_path: Path) -> None:
    log = tmp_path / "job-1.log"
    assert "nothing was written" in excerpt(log)
    noise = [f"line {n}" for n in range(100)]
    log.write_text("\n".join(["Unable to get the user home directory"] * 8 + ["-" * 70, *noise]))
    shown = excerpt(log, lines=3)
    assert "home directory" in shown
    assert shown.count("home directory") == 1
    assert "---" not in shown
    assert "line 99" in shown
    assert len(shown.splitlines()) == 8


def test_each_run_directory_has_a_scratch_folder_of_its_own(tmp_path: Path) -> None:
    for name in ("run", "copy"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("run")
    made = [make_scratch(tmp_path / name) for name in ("run", "copy", "link")]
    try:
        assert made[0] == made[2] != made[1]
    finally:
        for folder in set(made):
            folder.rmdir()


@pytest.mark.parametrize("below", ["", "deeper/run"])
def test_a_run_directory_that_is_a_file_is_the_users_mistake(tmp_path: Path, below: str) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(ConfigError, match=r"taken is a file; name another with --run-dir"):
        prepare_run(job(taken / below), 1, {})


def test_a_job_file_is_checked_before_it_is_read_again(directory: RunDirectory) -> None:
    claim_run(job(directory.root))
    keep_settings(directory, job(directory.root), is_new=True)
    directory.journal.write_text("{}\n")
    check_claimed(directory.root)
    for broken, why in (
        (dump_toml(job(directory.root, steps=40)), "train.steps is 20, not 40"),
        ("[job\n", "is not TOML"),
        ("[job]\nnam = 'x'\n", "nam"),
    ):
        directory.job.write_text(broken)
        with pytest.raises(ConfigError) as told:
            check_claimed(directory.root)
        assert why in str(told.value)
    directory.job.unlink()
    with pytest.raises(ConfigError, match="no job file"):
        check_claimed(directory.root)


def test_every_place_of_copies_in_ram_is_remembered(directory: RunDirectory) -> None:
    begun = job(directory.root)

    def at(place: str) -> Settings:
        return replace(begun, snapshot=replace(begun.snapshot, ram_dir=place))

    # A run of before, which has not noted where its copies lie.
    directory.job.write_text(dump_toml(at("/dev/shm")))
    claim_run(at("/ram/new place"))
    claim_run(at("/ram/third"))
    claim_run(at("/dev/shm"))
    assert noted_places(directory, "ram_dirs") == ("/dev/shm", "/ram/new place", "/ram/third")
    (directory.root / "ram_dirs").write_bytes(b"\xff\nrelative\n/dev/shm")
    assert noted_places(directory, "ram_dirs") == ("/dev/shm",)


def test_ranks_that_are_fewer_than_a_team_has_do_not_start(tmp_path: Path) -> None:
    wide = replace(job(tmp_path / "run"), parallel=ParallelSettings(tensor=2, pipeline=2))
    with pytest.raises(ConfigError, match="a team of 4 ranks does not fit on 3 ranks"):
        prepare_run(wide, 3, {})
