"""The layout of a job that leaves it open: one choice for all ranks, kept as long as the run is."""

import msgspec
import pytest
from msgspec.structs import replace
from unit.runtime.test_meeting import Hurried, Wire

from qmpi.config.load import dump_toml, parse_job
from qmpi.config.machine import Machine, NodeShape
from qmpi.config.parallel import ParallelSettings
from qmpi.errors import ConfigError, InputError
from qmpi.runtime.chosen_layout import Decision, Place, agreed, choices, counts_of, decide
from qmpi.runtime.meeting import Surroundings
from qmpi.storage.run_directory import RunDirectory

SHARED = ParallelSettings(tensor=2)
ROOMY = Machine(node=NodeShape(cores=4, memory_gib=64.0))


def job_in(folder, *overrides):
    return parse_job("[model]\nkv_heads = 4\n", [f"job.run_dir={folder}", *overrides])


def test_the_ranks_that_start_are_what_is_planned_for(tmp_path):
    job = job_in(tmp_path / "new", "roles.trainer=4", "train.lanes=8")
    found = decide(job, Place(8, ROOMY))
    assert found.parallel == choices(job, Place(8, ROOMY)).chosen.parallel
    assert found.why
    sizes = {one.parallel.team_size for one in choices(job, Place(8, ROOMY)).options}
    assert max(sizes) == counts_of(job, 8, 1).trainers == 4


def test_a_run_keeps_the_layout_that_it_was_begun_in(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.root.mkdir()
    job = job_in(run.root)
    run.begun.write_text(dump_toml(replace(job, parallel=SHARED)))
    assert decide(job, Place(5, ROOMY)).parallel == ParallelSettings()  # nothing was trained
    run.journal.write_text("{}\n")
    for ranks in (5, 50):
        found = decide(job, Place(ranks, ROOMY))
        assert found.parallel == SHARED
        assert "as the run was begun" in found.why[0]


def test_nothing_is_chosen_where_nothing_fits(tmp_path):
    tiny = Machine(node=NodeShape(cores=4, memory_gib=0.1))
    with pytest.raises(ConfigError, match=r"no layout fits these ranks; nearest are") as refusal:
        decide(job_in(tmp_path / "new"), Place(8, tiny))
    assert "a rank needs" in str(refusal.value)


def test_gpus_are_to_be_named(tmp_path):
    unknown = Machine(node=NodeShape(gpus=2))
    with pytest.raises(ConfigError, match=r"machine\.name=h100"):
        decide(job_in(tmp_path / "new"), Place(8, unknown))


def test_too_few_ranks_for_a_team_are_no_team(tmp_path):
    assert counts_of(job_in(tmp_path), 3, 4) is None


def world_of(wire):
    return Surroundings(wire, Hurried(), None, {}, lambda: None)


def test_rank_0_chooses_and_tells_the_others(tmp_path):
    job, asked = job_in(tmp_path / "new"), []

    def decided(_, there):
        asked.append(there)
        return Decision(SHARED, ("because",))

    first = Wire(0, 3, (2, b""), (1, b""))
    assert agreed(world_of(first), job, decided) == replace(job, parallel=SHARED)
    assert asked == [Place(3)]
    for rank, (to, word) in zip((1, 2), first.sent, strict=True):
        assert to == rank
        other = Wire(rank, 3, (0, word))
        assert agreed(world_of(other), job, decided).parallel == SHARED
    assert len(asked) == 1


def test_what_rank_0_cannot_choose_ends_everybody(tmp_path):
    def refuse(*_):
        raise ConfigError("two lines\nof words")

    job, first = job_in(tmp_path / "new"), Wire(0, 2, (1, b""))
    with pytest.raises(InputError, match="two lines\nof words"):
        agreed(world_of(first), job, refuse)
    with pytest.raises(InputError, match="two lines\nof words"):
        agreed(world_of(Wire(1, 2, (0, first.sent[-1][1]))), job, refuse)
    assert b"\n" not in msgspec.json.encode("two lines\nof words")
