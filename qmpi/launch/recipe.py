"""`qmpi recipe`: the recipe log of a run, and a request that it be another one."""

import secrets
import time
from collections import deque
from pathlib import Path

from msgspec import Struct

from qmpi.config.data import Source
from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.policy.added_sources import added_of, adding_fault, with_added
from qmpi.policy.hyperparameters import log_of
from qmpi.policy.recipe_requests import CURRICULUM, Room, answered, weights_text
from qmpi.policy.recipes import begun_recipes, contents, course_of, in_force, recipes_of, standing
from qmpi.protocol.added import AddedSource
from qmpi.protocol.journal import RecipesChanged
from qmpi.protocol.recipe import RecipeReport, RecipeRequest
from qmpi.storage.journal import Glance, glance_at, read_journal
from qmpi.storage.named_request import withdraw_request
from qmpi.storage.recipe_request import (
    read_recipe_request,
    write_recipe_request,
)
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory

NO_END = 2**62
"""The next start may have any length."""


class RecipeLine(Struct, frozen=True):
    """A record of the recipe log.

    Attributes:
        recipe: for people.
        first_sequence: of the stream, with which it begins.
        rows: at which each source goes on.
        state: "trained", "in force", "planned", or "passed over" where the run went back past it.
    """

    recipe: RecipeReport
    first_sequence: int
    rows: dict[str, int]
    state: str


class RecipeTable(Struct, frozen=True):
    """What a run draws from.

    Attributes:
        committed: steps so far.
        lines: in the order of the stream.
        waiting: request that nobody has answered yet.
        added: sources that the job file does not have.
    """

    committed: int
    lines: tuple[RecipeLine, ...]
    waiting: RecipeRequest | None
    added: tuple[AddedSource, ...] = ()


def recipe_table(run: Path) -> RecipeTable:
    """Read the recipe log of a run.

    Args:
        run: its directory.

    Returns:
        The log.

    Raises:
        InputError: it is no run.
        StorageError: its files cannot be read, or are damaged.
    """
    directory = RunDirectory(run)
    settings, glance = _read(directory)
    added = added_of(glance.told)
    names = [source.name for source in with_added(settings, added).data.sources]
    course = course_of(settings, log_of(glance.told, settings))
    log = recipes_of(glance.told, settings) or begun_recipes(settings, course)
    held, now = standing(log), in_force(log, glance.committed)

    def state(number: int) -> str:
        recipe = log[number]
        if recipe not in held:
            return "passed over"
        if recipe == now:
            return "in force"
        return "planned" if recipe.first_step > glance.committed else "trained"

    lines = tuple(
        RecipeLine(
            contents(recipe, names),
            recipe.first_sequence,
            dict(zip(names, recipe.starts, strict=True)),
            state(number),
        )
        for number, recipe in enumerate(log)
    )
    waiting = read_recipe_request(directory.recipe_request)
    return RecipeTable(glance.committed, lines, waiting, added)


def ask(
    run: Path,
    weights: dict[str, float],
    at: int,
    added: tuple[Source, ...] = (),
    *,
    lives: bool,
) -> RecipeRequest:
    """Leave a request in the directory of a run.

    Args:
        run: its directory.
        weights: relative shares of some sources.
        at: first step with them; -1: the first that is possible.
        added: sources that the run does not have yet.
        lives: a job is there that answers; else the next start will.

    Returns:
        The request.

    Raises:
        InputError: it cannot be followed, or another one waits.
        StorageError: the directory takes no data, or cannot be read.
    """
    directory = RunDirectory(run)
    settings, glance = _read(directory)
    if read_replay(directory.replay) is not None:
        raise InputError(f"{run} is a replay: it goes by what its run drew from")
    if settings.curriculum.kind != "static":
        raise InputError(f"{run}: {CURRICULUM}")
    waiting = read_recipe_request(directory.recipe_request)
    if waiting is not None:
        raise InputError(
            f"another change of {run} waits already: {weights_text(waiting.weights)}; "
            "--withdraw takes it back"
        )
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    request = RecipeRequest(name, tuple(weights.items()), at, added)
    least = max(1, glance.committed) if not lives else 1
    course = course_of(settings, log_of(glance.told, settings))
    log = recipes_of(glance.told, settings) or begun_recipes(settings, course)
    job = with_added(settings, added_of(glance.told))
    refused = answered(request, log, job, course, Room(glance.committed, least, NO_END))[2]
    # What a living job can follow, its coordinator alone knows.
    names = {source.name for source in (*job.data.sources, *added)}
    if refused and (not lives or adding_fault(request, job) or set(weights) - names):
        raise InputError(refused)
    write_recipe_request(directory.recipe_request, request)
    return request


def withdraw(run: Path) -> RecipeRequest | None:
    """Take back a request that nobody has answered yet.

    Args:
        run: directory of the run.

    Returns:
        What was taken back; None if nothing waited.
    """
    path = RunDirectory(run).recipe_request
    waiting = read_recipe_request(path)
    if waiting is not None:
        withdraw_request(path, waiting.name)
    return waiting


def followed_at(run: Path, name: str) -> int:
    """Return from which step on a request was followed.

    Args:
        run: directory of the run.
        name: of the request.

    Returns:
        The step; -1 if it waits, or the journal does not tell of it.
    """
    directory = RunDirectory(run)
    if directory.recipe_request.exists() or not directory.journal.exists():
        return -1
    told = glance_at(directory.journal).told
    changes = (record for record in told if isinstance(record, RecipesChanged))
    return next((change.at for change in changes if change.request == name), -1)


def _read(directory: RunDirectory) -> tuple[Settings, Glance]:
    settings = load_job(directory.require_job())
    if not directory.journal.exists():
        return settings, Glance()
    # A glance passes over what is damaged, and would tell of a recipe that the run never had.
    deque(read_journal(directory.journal), maxlen=0)
    return settings, glance_at(directory.journal)
