"""`qmpi recipe`: a damaged journal is said to be so, and so is what is taken back too late."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.launch.test_going_on import append, job, opened
from unit.launch.test_start_files import STATUS

from qmpi.cli.main import run as command
from qmpi.protocol.journal import RecipesChanged, StepCommitted
from qmpi.protocol.recipe import RecipeAnswer, RecipeRequest
from qmpi.runtime.same_run import keep_settings
from qmpi.storage.recipe_request import read_recipe_request, write_recipe_request
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import write_status
from qmpi.units import Digest, Generation, Step

ASKED = RecipeRequest("asked-1", (("mathematics", 2.0),), 12)


@pytest.fixture
def live(tmp_path: Path) -> RunDirectory:
    """A run whose job has just told that it lives, and which is asked for other weights."""
    made = RunDirectory(tmp_path / "run")
    made.create()
    begun = job(made.root)
    keep_settings(made, begun, is_new=True)
    step = StepCommitted(1.0, Step(0), Generation(1), 0, (), (1.0,), 1.0, Digest(""))
    append(made, opened(begun, begun), step, replace(step, step=Step(1)))
    write_status(made.root, replace(STATUS, updated=time.time()))
    write_recipe_request(made.recipe_request, ASKED)
    return made


def test_a_damaged_journal_tells_of_no_recipe(
    live: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["recipe", str(live.root)]) == 0
    assert "waits for an answer: mathematics" in capsys.readouterr().out
    text = live.journal.read_text()
    live.journal.write_text(text.replace('"loss":1.0', '"loss":2.0', 1))
    assert command(["recipe", str(live.root)]) == 3
    shown = capsys.readouterr()
    assert "line 2 was changed" in shown.err
    assert shown.out == ""


def test_what_is_followed_already_cannot_be_taken_back(
    live: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    append(live, RecipesChanged(1.0, Step(2), (), "asked", ASKED.name, 12))
    assert command(["recipe", str(live.root), "--withdraw"]) == 2
    assert "too late: the run draws so from step 12 on" in capsys.readouterr().err


def test_what_the_job_has_dropped_is_taken_back(
    live: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = (RecipeAnswer(ASKED.name, -1, "the change was taken back"),)
    write_status(live.root, replace(STATUS, updated=time.time(), recipe_answers=answers))
    assert command(["recipe", str(live.root), "--withdraw"]) == 0
    assert "taken back: mathematics" in capsys.readouterr().out
    assert read_recipe_request(live.recipe_request) is None
    assert command(["recipe", str(live.root), "--withdraw"]) == 0
    assert "no change waits" in capsys.readouterr().out
