"""What a replay goes by, and what is refused: a replay is never another run."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from unit.launch.test_going_on import END, append, job, opened

from qmpi.cli.main import run as command
from qmpi.config.batch import BatchSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, CorruptData, InputError
from qmpi.launch.replay import compare, prepare_replay
from qmpi.launch.train import claim_run
from qmpi.policy.hyperparameters import with_halving
from qmpi.protocol.journal import GenerationOpened, HyperparametersChanged, StepCommitted
from qmpi.protocol.status import EndMarker
from qmpi.runtime.same_run import AS_IT_WAS, Continuation, check_same_run, keep_settings
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import write_end
from qmpi.units import Digest, Generation, Step


def step(number: int, loss: float = 1.0, digest: str = "") -> StepCommitted:
    return StepCommitted(
        1.0, Step(number), Generation(1), 0, (), (loss,), loss, Digest(digest), updates=number + 1
    )


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    return job(tmp_path / "run")


@pytest.fixture
def directory(begun: Settings, tmp_path: Path) -> RunDirectory:
    """A run of 20 steps, of which 9 are done; from step 6 on at another rate."""
    made = RunDirectory(tmp_path / "run")
    made.create()
    claim_run(begun)
    keep_settings(made, begun, is_new=True)
    append(made, opened(begun, begun), *map(step, range(6)))
    append(made, opened(job(made.root, rate=0.001), begun, 6), *map(step, range(6, 9)))
    return made


def replayed(new: RunDirectory, *steps: StepCommitted) -> None:
    """Let a replay have trained."""
    held = read_replay(new.replay)
    assert held is not None
    begun = job(new.root)
    append(new, replace(opened(begun, begun), hyperparameters=held.log), *steps)


def test_a_replay_goes_by_the_log_with_the_job_that_the_run_was_begun_with(
    directory: RunDirectory,
) -> None:
    prepared = prepare_replay(directory.root, None, None, ("roles.trainer=3",))
    settings, goes_by = prepared.settings, prepared.goes_by
    assert settings.job.run_dir == f"{directory.root}-replay"
    assert settings.roles.trainer == 3
    assert (settings.train.steps, settings.optimizer.learning_rate) == (20, 0.003)
    assert [(r.first_step, r.optimizer.learning_rate) for r in goes_by.log] == [
        (0, 0.003),
        (6, 0.001),
    ]
    assert (goes_by.steps, prepared.done) == (9, False)
    assert read_replay(RunDirectory(Path(settings.job.run_dir)).replay) == goes_by


def test_what_changes_after_the_last_step_is_left_out(directory: RunDirectory) -> None:
    prepared = prepare_replay(directory.root, None, 6, ())
    assert [record.first_step for record in prepared.goes_by.log] == [0]


def test_of_branches_the_one_that_stands_is_replayed(
    directory: RunDirectory, begun: Settings
) -> None:
    log = with_halving(opened(begun, begun).hyperparameters, 4)
    changed = HyperparametersChanged(1.0, Step(9), log, "no memory", 4)
    group = GenerationOpened(1.0, Generation(2), (), (), Step(4), "", "")
    append(directory, group, changed, step(4, 7.0), step(5, 8.0))
    prepared = prepare_replay(directory.root, None, None, ())
    assert (prepared.goes_by.steps, prepared.goes_by.log) == (6, log)
    assert [prepared.steps[n].loss for n in range(6)] == [1.0, 1.0, 1.0, 1.0, 7.0, 8.0]


def test_a_replay_has_nothing_of_its_own_that_decides_weights(directory: RunDirectory) -> None:
    for field in ("optimizer.learning_rate=0.1", "guard.action=stop", "batch.noise_scale=true"):
        with pytest.raises(ConfigError, match="of a replay is what the journal"):
            prepare_replay(directory.root, None, None, (field,))
    with pytest.raises(ConfigError, match="--to 5 says how far"):
        prepare_replay(directory.root, None, None, ("train.steps=5",))
    with pytest.raises(ConfigError, match=r"a replay has the job of .* but model\.layers is 4"):
        prepare_replay(directory.root, None, None, ("model.layers=9",))
    assert not Path(f"{directory.root}-replay").exists()


def test_what_cannot_be_replayed_is_refused(tmp_path: Path, directory: RunDirectory) -> None:
    with pytest.raises(InputError, match=r"--to 10: .* has 9 steps"):
        prepare_replay(directory.root, None, 10, ())
    with pytest.raises(ConfigError, match="is the run itself"):
        prepare_replay(directory.root, directory.root, None, ())
    with pytest.raises(InputError, match="is not the directory of a run"):
        prepare_replay(tmp_path / "absent", None, None, ())
    lines = directory.journal.read_bytes().splitlines(keepends=True)
    directory.journal.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    with pytest.raises(CorruptData, match="line 4 does not follow"):
        prepare_replay(directory.root, None, None, ())
    directory.journal.unlink()
    with pytest.raises(InputError, match="has no journal"):
        prepare_replay(directory.root, None, None, ())


def test_an_old_journal_is_refused(directory: RunDirectory, begun: Settings) -> None:
    directory.journal.unlink()
    append(directory, replace(opened(begun, begun), hyperparameters=()), step(0))
    with pytest.raises(InputError, match="it can be audited, not replayed"):
        prepare_replay(directory.root, None, None, ())


def test_a_replay_goes_on_as_the_same_alone(directory: RunDirectory) -> None:
    new = RunDirectory(directory.root.with_name("new"))
    prepare_replay(directory.root, new.root, None, ())
    prepare_replay(directory.root, new.root, 5, ())  # nothing was trained: it may be another
    replayed(new, step(0))
    assert not prepare_replay(directory.root, new.root, 5, ()).done
    with pytest.raises(ConfigError, match="replays 5 steps: say --to 5 to go on"):
        prepare_replay(directory.root, new.root, None, ())
    write_end(new.root, EndMarker(**{**told(END), "state": "finished"}))
    assert prepare_replay(directory.root, new.root, 5, ()).done
    new.replay.unlink()
    with pytest.raises(ConfigError, match="holds another run"):
        prepare_replay(directory.root, new.root, 5, ())


def told(marker: EndMarker) -> dict[str, Any]:
    return {name: getattr(marker, name) for name in marker.__struct_fields__}


def test_no_other_command_makes_a_replay_another_run(directory: RunDirectory) -> None:
    new = RunDirectory(directory.root.with_name("new"))
    settings = prepare_replay(directory.root, new.root, None, ()).settings
    assert not check_same_run(new, settings, AS_IT_WAS)
    for _ in range(2):  # before its first step, and after
        with pytest.raises(ConfigError, match="goes by its records alone; `qmpi replay"):
            check_same_run(new, settings, Continuation(changes=True))
        with pytest.raises(ConfigError, match="with another --run-dir"):
            check_same_run(new, job(new.root, rate=0.1), AS_IT_WAS)
        replayed(new, step(0))
        keep_settings(new, settings, is_new=True)
        assert not check_same_run(new, settings, AS_IT_WAS)


def test_a_damaged_replay_file_is_named(directory: RunDirectory) -> None:
    new = RunDirectory(directory.root.with_name("new"))
    prepare_replay(directory.root, new.root, None, ())
    new.replay.write_text("{")
    with pytest.raises(CorruptData, match="does not tell what the run replays"):
        prepare_replay(directory.root, new.root, None, ())


@pytest.mark.parametrize(("loss", "code"), [(1.0, 0), (2.0, 3)])
def test_the_verdict_is_told_and_returned(
    directory: RunDirectory, loss: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    new = RunDirectory(directory.root.with_name("new"))
    prepared = prepare_replay(directory.root, new.root, None, ())
    assert compare(prepared).steps == 0
    replayed(new, *(step(n, loss if n == 7 else 1.0) for n in range(9)))
    write_end(new.root, EndMarker(**{**told(END), "state": "finished"}))
    arguments = ["replay", str(directory.root), "--run-dir", str(new.root)]
    assert command(arguments) == code
    shown = capsys.readouterr()
    if code:
        assert "step 7 differs: losses of lanes: 1.0 of lane 0 in" in shown.err
        assert "the 7 steps before it are the same bits" in shown.err
    else:
        assert shown.out.startswith("replayed 9 steps: the same bits")
    assert command([*arguments, "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["replay"] == ("differs" if code else "same")
    assert (report["exit_code"], report["steps"]) == (code, 8 if code else 9)


@pytest.mark.parametrize(("trained", "state", "code"), [(9, "same", 0), (8, "stopped", 75)])
def test_a_replay_stopped_after_its_last_step_is_whole(
    directory: RunDirectory,
    trained: int,
    state: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = RunDirectory(directory.root.with_name("new"))

    def stopped(*_: object, **__: object) -> EndMarker:
        if not new.journal.exists():
            replayed(new, *map(step, range(trained)))
        return EndMarker(**{**told(END), "state": "stopped", "exit_code": 75, "reason": "asked"})

    monkeypatch.setattr("qmpi.cli.train.run_supervised", stopped)
    arguments = ["replay", str(directory.root), "--run-dir", str(new.root)]
    assert command(arguments) == code
    shown = capsys.readouterr().out
    assert shown.startswith("stopped at step 8 of 9" if code else "replayed 9 steps: the same bits")
    assert command([*arguments, "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert (report["replay"], report["steps"], report["exit_code"]) == (state, trained, code)


def fast(run: Path, *sizes: int, tensor: int = 1) -> RunDirectory:
    """A run with a float sum, whose steps were trained by groups of so many teams."""
    made = RunDirectory(run)
    made.create()
    plain = job(made.root)
    train, parallel = replace(plain.train, reduction="fast"), ParallelSettings(tensor=tensor)
    begun = replace(plain, train=train, parallel=parallel)
    claim_run(begun)
    keep_settings(made, begun, is_new=True)
    append(made, opened(begun, begun))
    for number, size in enumerate(sizes):
        deal = tuple((lane,) for lane in range(size))
        group = GenerationOpened(1.0, Generation(number + 1), (), deal, Step(number), "", "")
        append(made, group, replace(step(number), generation=Generation(number + 1)))
    return made


def test_a_float_sum_is_replayed_on_as_many_trainers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    run = fast(tmp_path / "run", 2, 2, 3).root
    new = tmp_path / "new"
    with pytest.raises(ConfigError, match=r"trained by 2, then 3, so .*--to STEP"):
        prepare_replay(run, new, None, ("roles.trainer=2",))
    with pytest.raises(ConfigError, match=r"by 2, and the replay would have 1;.*roles\.trainer=2"):
        prepare_replay(run, new, 2, ())
    with pytest.raises(ConfigError, match="the replay would have 3"):
        prepare_replay(run, new, 2, ("roles.trainer=3",))
    assert not new.exists()
    assert prepare_replay(run, new, 2, ("roles.trainer=2",)).goes_by.steps == 2
    wide = fast(tmp_path / "wide", 2, tensor=2).root
    with pytest.raises(ConfigError, match=r"by 2 teams of 2, and .* have 1;.*roles\.trainer=4"):
        prepare_replay(wide, new, None, ("roles.trainer=2",))
    assert prepare_replay(wide, new, None, ("roles.trainer=4",)).goes_by.steps == 1


def test_a_replay_that_is_refused_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    run = fast(tmp_path / "wide", 2, tensor=2)
    arguments = ["replay", str(run.root), "--set", "roles.trainer=4"]
    monkeypatch.setenv("QMPI_MPIRUN", "/nowhere/mpirun")
    assert command(arguments) == 3
    assert "/nowhere/mpirun" in capsys.readouterr().err
    assert not (tmp_path / "wide-replay").exists()
    # What was there before stays, and so does what is no part of an unstarted replay.
    (tmp_path / "wide-replay").mkdir()
    (tmp_path / "wide-replay" / "notes").touch()
    assert command(arguments) == 3
    assert (tmp_path / "wide-replay" / "notes").exists()


def test_a_job_whose_batch_follows_a_rule_is_started_again_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    made = RunDirectory(tmp_path / "run")
    made.create()
    plain = job(made.root)
    rule = BatchSettings(first_lanes=2, grow="noise", grow_steps=3, noise_scale=True)
    begun = replace(plain, train=replace(plain.train, lanes=4), batch=rule)
    claim_run(begun)
    keep_settings(made, begun, is_new=True)
    append(made, opened(begun, begun), step(0))
    assert not check_same_run(made, begun, AS_IT_WAS)
    with pytest.raises(ConfigError, match=r"batch\.grow_steps is 3, not 4"):
        check_same_run(made, replace(begun, batch=replace(rule, grow_steps=4)), AS_IT_WAS)
