"""Text from a checkpoint of a run: for `qmpi sample` and for the report of `qmpi demo`.

The newest checkpoint is taken; one that is damaged is passed over for the next older, and told.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.corpora.tokenizer import open_tokenizer
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_payload


class Draws(Struct, frozen=True):
    """How to draw; equal draws from one checkpoint give equal text.

    Attributes:
        tokens: tokens to add, >= 1; fewer if the model ends the document.
        temperature: 0: the likeliest token each time; else >= 0, higher is wilder.
        seed: of the draws.
    """

    tokens: int
    temperature: float
    seed: int


def sample_run(
    run: Path, prompt: str, draws: Draws, cache: Path, tell: Callable[[str], None]
) -> str:
    """Continue a prompt with the weights of the newest checkpoint on disk that is whole.

    Args:
        run: directory of the run.
        prompt: beginning of the text; empty: the start of a document.
        draws: how many tokens, and how wild.
        cache: directory of built-in corpora.
        tell: told, in words, if a newer checkpoint is damaged.

    Returns:
        The prompt and its continuation.

    Raises:
        InputError: an argument is out of range, or there is no checkpoint.
        CorruptData: every checkpoint is damaged.
    """
    if draws.tokens < 1 or draws.temperature < 0:
        raise InputError("ask for at least 1 token at a temperature of 0 or more")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InputError("the prompt is not UTF-8 text; set a UTF-8 locale, or write it otherwise")
    directory = RunDirectory(run)
    if not directory.job.exists():
        raise InputError(f"{run} is not the directory of a run: it has no job.toml")
    settings = load_job(directory.job)
    return _continue(settings, read_newest(directory, tell), prompt, draws, cache)


def read_newest(directory: RunDirectory, tell: Callable[[str], None]) -> memoryview:
    """Return the state in the newest checkpoint that is whole.

    Args:
        directory: of the run.
        tell: told, in words, if a newer one is damaged.

    Returns:
        Its payload, verified.

    Raises:
        InputError: there is no checkpoint.
        CorruptData: all of them are damaged.
    """
    found = sorted(directory.checkpoints.glob("step-*.snap"), reverse=True)
    if not found:
        raise InputError(
            f"{directory.root} has no checkpoint yet; one is written every "
            "snapshot.disk_every_steps steps and at the end"
        )
    faults: list[str] = []
    for path in found:
        try:
            payload = read_payload(path)
        except StorageError as error:
            faults.append(str(error))
            continue
        if faults:
            tell(f"{'; '.join(faults)}; {path.name} is taken instead")
        return payload
    raise CorruptData(f"no checkpoint of {directory.root} can be read: {'; '.join(faults)}")


def _continue(
    settings: Settings,
    state: memoryview,
    prompt: str,
    draws: Draws,
    cache: Path,
) -> str:
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.training.sample import generate, load_model

    tokenizer = open_tokenizer(settings, cache)
    model = load_model(settings, state)
    ids = tokenizer.encode(prompt) or [tokenizer.end_of_text]
    window = max(1, settings.train.sequence_tokens)
    added = generate(model, ids, draws.tokens, draws.temperature, draws.seed, window)
    if tokenizer.end_of_text in added:
        added = added[: added.index(tokenizer.end_of_text)]
    # Decoded in one piece: a character may straddle the end of the prompt's tokens.
    known = tokenizer.encode(prompt)
    return tokenizer.decode(known + added)
