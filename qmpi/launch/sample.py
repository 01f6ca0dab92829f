"""Text from the newest checkpoint of a run: for `qmpi sample` and for the report of `qmpi demo`."""

from pathlib import Path

from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.corpora.tokenizer import open_tokenizer
from qmpi.errors import InputError
from qmpi.storage.run_directory import RunDirectory


def sample_run(
    run: Path, prompt: str, tokens: int, temperature: float, seed: int, cache: Path
) -> str:
    """Continue a prompt with the weights of the newest checkpoint on disk.

    Args:
        run: directory of the run.
        prompt: beginning of the text; empty: the start of a document.
        tokens: tokens to add, >= 1; fewer if the model ends the document.
        temperature: 0: the likeliest token each time; else >= 0, higher is wilder.
        seed: of the draws; equal arguments give equal text.
        cache: directory of built-in corpora.

    Returns:
        The prompt and its continuation.

    Raises:
        InputError: an argument is out of range, or there is no checkpoint.
    """
    if tokens < 1 or temperature < 0:
        raise InputError("ask for at least 1 token at a temperature of 0 or more")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InputError("the prompt is not UTF-8 text; set a UTF-8 locale, or write it otherwise")
    directory = RunDirectory(run)
    if not directory.job.exists():
        raise InputError(f"{run} is not the directory of a run: it has no job.toml")
    path = newest_checkpoint(directory)
    settings = load_job(directory.job)
    return _continue(settings, path, prompt, (tokens, temperature, seed), cache)


def newest_checkpoint(directory: RunDirectory) -> Path:
    """Return the checkpoint with the most steps.

    Args:
        directory: of the run.

    Returns:
        A snapshot file, not checked yet.

    Raises:
        InputError: there is none.
    """
    found = sorted(directory.checkpoints.glob("step-*.snap"))
    if not found:
        raise InputError(
            f"{directory.root} has no checkpoint yet; one is written every "
            "snapshot.disk_every_steps steps and at the end"
        )
    return found[-1]


def _continue(
    settings: Settings,
    checkpoint: Path,
    prompt: str,
    draws: tuple[int, float, int],
    cache: Path,
) -> str:
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.storage.snapshot_file import read_payload
    from qmpi.training.sample import generate, load_model

    tokens, temperature, seed = draws
    tokenizer = open_tokenizer(settings, cache)
    model = load_model(settings, read_payload(checkpoint))
    ids = tokenizer.encode(prompt) or [tokenizer.end_of_text]
    window = max(1, settings.train.sequence_tokens)
    added = generate(model, ids, tokens, temperature, seed, window)
    if tokenizer.end_of_text in added:
        added = added[: added.index(tokenizer.end_of_text)]
    # Decoded in one piece: a character may straddle the end of the prompt's tokens.
    known = tokenizer.encode(prompt)
    return tokenizer.decode(known + added)
