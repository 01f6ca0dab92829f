"""Reshaping a run: what is carried over, told and refused; without ranks."""

import pytest
from msgspec.structs import replace
from unit.exchange.small_run import SHAPES, settings
from unit.training.team_of_threads import Teams

from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.parallel import ParallelSettings
from qmpi.corpora.standing import replay
from qmpi.errors import ConfigError, CorruptData, InputError, RunInUse
from qmpi.exchange.checkpoint import read_checkpoint, run_id_of
from qmpi.exchange.listing import list_checkpoints
from qmpi.launch.replay import prepare_replay
from qmpi.launch.reshape import reshape_run
from qmpi.policy.hyperparameters import first_hyperparameters
from qmpi.protocol.journal import RunOpened, StepCommitted
from qmpi.roles.coordinator.record import Record
from qmpi.runtime.same_run import Continuation, check_same_run
from qmpi.storage.journal import JournalWriter, glance_at, read_journal
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.snapshot_folder import SnapshotFolder

STEPS = 4
TENSOR = ("parallel.tensor=2", "roles.trainer=2")


@pytest.fixture
def run(tmp_path):
    return begun(tmp_path)


def begun(tmp_path, **train):
    job = settings(tmp_path / "tokenizer", SHAPES["untied, narrow heads"])
    job = replace(job, train=replace(job.train, **train))
    job = replace(job, parallel=ParallelSettings(pipeline=2))
    job = replace(job, roles=replace(job.roles, trainer=2))
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    directory.job.write_text(dump_toml(job))
    job = load_job(directory.job)
    directory.begun.write_text(dump_toml(job))
    log = (first_hyperparameters(job),)
    opened = RunOpened(0.0, "r", 1, settings_digest(job), (), (), "here", 2, 3, log)
    steps = [
        StepCommitted(0.0, step, 1, 0, ("b",) * 2, (1.0,) * 2, 1.0, f"w{step}", updates=step + 1)
        for step in range(STEPS)
    ]
    with JournalWriter.open(directory.journal) as journal:
        journal.append([opened, *steps])
    teams = Teams(job, 1)
    for step in (2, STEPS):
        keep(directory, teams, step)
    return directory


def keep(directory, teams, step):
    folder = SnapshotFolder(directory.checkpoints, "r", keep=9, in_ram=False)
    for seat in teams.seats:
        engine = teams.engines[seat]
        # Before the first update lanes keep nothing.
        updates = 0 if engine.at.total.sends_less else step
        engine._state.set_counters(step, updates, 0)
        digest, parts = engine.snapshot()
        folder.write(step, digest, parts, seat.position)


def silent(text):
    raise AssertionError(text)


def test_the_new_run_begins_with_the_state_of_the_old_one(run, tmp_path):
    made = reshape_run(run.root, tmp_path / "new", None, (*TENSOR, "parallel.pipeline=1"), silent)
    new = RunDirectory(tmp_path / "new")
    assert (made.step, made.before, made.after) == (STEPS, "pipeline 2", "tensor 2")
    assert list_checkpoints(new.root, silent)[0].state == made.state
    assert list_checkpoints(run.root, silent)[1].state == made.state
    job = load_job(new.job)
    assert (job.parallel.tensor, job.parallel.pipeline) == (2, 1)
    assert job.job.run_dir == str(new.root)
    # Its identity is its own, and it may go on.
    assert run_id_of(new, silent) not in {"", "r"}
    assert read_checkpoint(new.root, 2, None, silent).run_id == run_id_of(new, silent)
    assert not check_same_run(new, job, Continuation(changes=True))
    assert new.journal.read_bytes().startswith(run.journal.read_bytes())


def test_its_journal_tells_where_it_comes_from(run, tmp_path):
    reshape_run(run.root, tmp_path / "new", 2, (*TENSOR, "parallel.pipeline=1"), silent)
    journal = RunDirectory(tmp_path / "new").journal
    history = list(read_journal(journal))
    standing = replay(history)
    assert (standing.fault, len(standing.steps), standing.went_back) == ("", 2, (2,))
    assert standing.reshaped[0].run == str(run.root)
    assert standing.opened.settings_digest == standing.reshaped[0].settings_digest
    record = Record(1)
    record.replay(history)
    assert (record.committed, record.checkpointed, record.branches) == (2, 2, [2])
    record.agree(2, "another digest of the same weights")
    assert glance_at(journal).committed == 2
    with pytest.raises(InputError, match="reshaped at step 2 from"):
        prepare_replay(tmp_path / "new", None, None, ())


def test_it_can_be_reshaped_again(run, tmp_path):
    one = reshape_run(run.root, tmp_path / "a", 2, (*TENSOR, "parallel.pipeline=1"), silent)
    single = ("parallel.tensor=1", "roles.trainer=1")
    two = reshape_run(tmp_path / "a", tmp_path / "b", None, single, silent)
    assert (two.state, two.before, two.after, two.given_up) == (
        one.state,
        "tensor 2",
        "one rank",
        0,
    )
    assert [
        cut.step for cut in replay(read_journal(tmp_path / "b" / "journal.jsonl")).reshaped
    ] == [
        2,
        2,
    ]


def test_what_a_team_shares_out_is_another_layout(run, tmp_path):
    cut = ("parallel.pipeline=1", "parallel.context=2")
    one = reshape_run(run.root, tmp_path / "a", None, cut, silent)
    two = reshape_run(tmp_path / "a", tmp_path / "b", None, ("parallel.shard=full",), silent)
    assert (two.before, two.after) == ("context 2", "context 2, weights shared out")
    assert two.state == one.state == list_checkpoints(tmp_path / "b", silent)[0].state
    with pytest.raises(ConfigError, match="has this layout already"):
        reshape_run(tmp_path / "a", tmp_path / "c", None, ("parallel.shard=optimizer",), silent)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ((), "has this layout already"),
        (("parallel.schedule=gpipe",), "has this layout already"),
        (("parallel.pipeline=1", "roles.trainer=1", "train.lanes=3"), "but for .parallel., and"),
        (("parallel.pipeline=7",), "leaves stages without a layer"),
    ],
)
def test_what_is_no_other_layout_is_refused(run, tmp_path, changes, match):
    with pytest.raises(ConfigError, match=match):
        reshape_run(run.root, tmp_path / "new", None, changes, silent)
    assert not (tmp_path / "new").exists()


def test_the_layout_that_there_is_is_not_given_as_an_example_of_another(run, tmp_path):
    made = reshape_run(run.root, tmp_path / "a", None, (*TENSOR, "parallel.pipeline=1"), silent)
    with pytest.raises(ConfigError, match=r"layout already \(tensor 2\)") as told:
        reshape_run(made.run, tmp_path / "b", None, (), silent)
    assert "tensor=2" not in str(told.value)


def test_a_run_whose_lanes_keep_something_is_refused(tmp_path):
    run = begun(tmp_path, reduction_bits=16)
    with pytest.raises(ConfigError, match="each lane keeps a part of its gradient"):
        reshape_run(run.root, tmp_path / "new", None, (*TENSOR, "parallel.pipeline=1"), silent)
    assert not (tmp_path / "new").exists()


def test_refused_runs_and_places(run, tmp_path):
    wanted = (*TENSOR, "parallel.pipeline=1")
    with pytest.raises(InputError, match="holds other things"):
        reshape_run(run.root, tmp_path / "tokenizer", None, wanted, silent)
    with pytest.raises(InputError, match="stays as it is"):
        reshape_run(run.root, run.root / "checkpoints" / "new", None, wanted, silent)
    with pytest.raises(InputError, match="not the directory of a run"):
        reshape_run(tmp_path, tmp_path / "new", None, wanted, silent)
    with RunLock(run.lock), pytest.raises(RunInUse):
        reshape_run(run.root, tmp_path / "new", None, wanted, silent)
    keep(run, Teams(load_job(run.job), 1), STEPS + 1)
    with pytest.raises(CorruptData, match="its journal ends at step 4"):
        reshape_run(run.root, tmp_path / "new", None, wanted, silent)
    for path in run.checkpoints.glob("*-position-0001.snap"):
        path.unlink()
    with pytest.raises(CorruptData, match="not whole"):
        reshape_run(run.root, tmp_path / "new", None, wanted, silent)
    run.journal.unlink()
    with pytest.raises(InputError, match="has no journal"):
        reshape_run(run.root, tmp_path / "new", None, wanted, silent)
    assert not (tmp_path / "new").exists()


def test_a_layout_that_is_left_open_is_explained(run, tmp_path):
    told = []
    made = reshape_run(run.root, tmp_path / "new", None, ("parallel=auto",), told.append)
    assert made.after == "one rank"
    assert told[0].startswith("layout: one rank: ")
    assert "a step" in told[0]
