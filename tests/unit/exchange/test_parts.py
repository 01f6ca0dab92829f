"""Checkpoints that are written by position: whole or passed over, read, listed and exported."""

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file
from unit.exchange.small_run import RUN_ID, SHAPES, settings
from unit.training.team_of_threads import Teams

from qmpi.config.load import dump_toml
from qmpi.config.parallel import ParallelSettings
from qmpi.errors import CorruptData, InputError
from qmpi.exchange.checkpoint import read_checkpoint
from qmpi.exchange.export import Form, export_run
from qmpi.exchange.listing import list_checkpoints
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_folder import SnapshotFolder
from qmpi.storage.snapshot_store import snapshot_path

PARTS = 4


@pytest.fixture
def run(tmp_path):
    job = settings(tmp_path / "tokenizer", SHAPES["untied, narrow heads"])
    job = replace(job, parallel=ParallelSettings(tensor=2, pipeline=2))
    write(tmp_path / "run", job, Teams(job, 1), steps=(3, 5))
    return tmp_path / "run", job


def write(root, job, teams, steps):
    directory = RunDirectory(root)
    directory.create()
    directory.job.write_text(dump_toml(job))
    folder = SnapshotFolder(directory.checkpoints, RUN_ID, keep=9, in_ram=False)
    for step in steps:
        for seat in teams.seats:
            engine = teams.engines[seat]
            engine._state.set_counters(step, step, 0)
            digest, parts = engine.snapshot()
            folder.write(step, digest, parts, seat.position)


def part(run, step, position):
    return snapshot_path(RunDirectory(run).checkpoints, step, position)


def silent(text):
    raise AssertionError(text)


def test_the_newest_that_is_whole_is_taken(run):
    root, _ = run
    assert read_checkpoint(root, PARTS, None, silent).step == 5
    part(root, 5, 2).unlink()
    said = []
    assert read_checkpoint(root, PARTS, None, said.append).step == 3
    assert "step 5 is not whole: of 4 parts it lacks" in said[0]
    assert "position-0002" in said[0]
    with pytest.raises(CorruptData, match="position-0002"):
        read_checkpoint(root, PARTS, 5, silent)
    with pytest.raises(InputError, match="no checkpoint of step 4; there are 3, 5"):
        read_checkpoint(root, PARTS, 4, silent)


def test_a_damaged_part_damages_the_checkpoint(run):
    root, _ = run
    path = part(root, 5, 3)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said = []
    assert read_checkpoint(root, PARTS, None, said.append).step == 3
    assert "position-0003" in said[0]
    lines = list_checkpoints(root, silent)
    assert [(line.step, line.parts, bool(line.fault)) for line in lines] == [
        (3, 4, False),
        (5, 4, True),
    ]
    assert lines[0].layout == "pipeline 2, tensor 2"


def test_parts_in_one_anothers_place_are_refused(run):
    root, _ = run
    part(root, 5, 1).rename(part(root, 5, 0))
    part(root, 5, 3).rename(part(root, 5, 1))
    part(root, 5, 2).rename(part(root, 5, 3))
    part(root, 3, 2).rename(part(root, 5, 2))
    with pytest.raises(CorruptData, match=r"of step 3, whatever its name says|of position 1"):
        read_checkpoint(root, PARTS, 5, silent)


def test_parts_of_two_branches_make_no_checkpoint(run):
    root, job = run
    folder = SnapshotFolder(RunDirectory(root).checkpoints, RUN_ID, keep=9, in_ram=False)
    engine = Teams(job, 1).engines
    seat = next(seat for seat in engine if seat.position == 1)
    engine[seat]._state.set_counters(5, 5, 0)
    digest, parts = engine[seat].snapshot()
    folder.write(5, digest, parts, 1, branch=1)
    with pytest.raises(CorruptData, match="branch 1, where position 1 of branch 0 is wanted"):
        read_checkpoint(root, PARTS, 5, silent)


def test_steps_that_were_given_up_are_not_read(run):
    root, _ = run
    said = []
    assert read_checkpoint(root, PARTS, None, said.append, (4,)).step == 3
    assert "given up" in said[0]


def test_an_export_holds_the_whole_weights(run, tmp_path):
    root, job = run
    done = export_run(root, tmp_path / "out", 5, Form(), cache=tmp_path, tell=silent)
    teams = Teams(job, 1)
    for name, values in load_file(done.directory / "model.safetensors").items():
        assert torch.equal(values, teams.parameter(name))
