"""A Hugging Face model as the beginning of a run: `qmpi import`.

Theory of operation. Nothing is converted or copied: the job file names the weights where they lie,
with their digest, and trainers read them at step 0. Only weights come in; moments begin at zero.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.checks import resolve
from qmpi.config.data import CorpusSource, Source
from qmpi.config.load import faults_of
from qmpi.config.presets import preset
from qmpi.config.settings import InitialSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.tokenizer import check_rows
from qmpi.errors import InputError
from qmpi.exchange.hugging_face import CONFIG, Fields, model_settings, read_config
from qmpi.storage.corpus_index import read_corpus_facts
from qmpi.training.initial_weights import check_weights, weights_digest
from qmpi.units import Digest

if TYPE_CHECKING:
    from qmpi.storage.tokenizer import Tokenizer

GENERATED = "quintillion"
"""Preset whose sources are generated text of all types: these take any tokenizer."""

_LONGEST_NAME = 40


class Imported(Struct, frozen=True):
    """A job that begins with a model.

    Attributes:
        settings: the job.
        digest: of the weights.
        end_token: that ends a document, and how it is known.
    """

    settings: Settings
    digest: Digest
    end_token: str


def import_model(directory: Path, name: str, base: str, corpora: Sequence[Path] = ()) -> Imported:
    """Make a job that begins with the weights of a model.

    Args:
        directory: of the model: config.json, safetensors, tokenizer.json.
        name: of the run; empty: that of the directory.
        base: preset that all but the model is taken from.
        corpora: made by `qmpi ingest --tokenizer`; none: generated text.

    Returns:
        The job.

    Raises:
        InputError: something is not there, cannot be represented or does not fit.
        StorageError: a file is damaged or cannot be read.
    """
    directory = directory.absolute()
    fields = read_config(directory)
    config = directory / CONFIG
    model = model_settings(fields, config)
    tokenizer = _tokenizer(directory)
    start = preset(base)
    sources = _sources(corpora, tokenizer) or preset(GENERATED).data.sources
    settings = replace(
        start,
        job=replace(start.job, name=name or _slug(directory.name)),
        model=model,
        train=_train(start.train, fields),
        data=replace(start.data, tokenizer=str(directory / "tokenizer.json"), sources=sources),
    )
    faults = faults_of(settings)
    if faults:
        raise InputError("\n  ".join([f"{config} does not make a job:", *faults]))
    check_rows(settings, tokenizer)
    # Headers first: digesting takes a second for each gigabyte.
    check_weights(directory, model)
    digest = weights_digest(directory, model)
    initial = InitialSettings(weights=str(directory), digest=digest)
    told = f"{tokenizer.end_token} ({tokenizer.end_source})"
    return Imported(resolve(replace(settings, initial=initial)), digest, told)


def _tokenizer(directory: Path) -> "Tokenizer":
    from qmpi.storage.tokenizer import Tokenizer

    path = directory / "tokenizer.json"
    if not path.exists():
        raise InputError(
            f"{directory} holds no tokenizer.json; AutoTokenizer.from_pretrained(...)."
            "save_pretrained(...) of transformers writes one"
        )
    return Tokenizer.given(path)


def _train(train: TrainSettings, fields: Fields) -> TrainSettings:
    longest = fields.get("max_position_embeddings")
    if type(longest) is not int or longest < 8:
        return train
    return replace(train, sequence_tokens=min(train.sequence_tokens, longest))


def _sources(corpora: Sequence[Path], tokenizer: "Tokenizer") -> tuple[Source, ...]:
    names: list[str] = []
    for path in corpora:
        facts = read_corpus_facts(path)
        if facts.tokenizer_digest != tokenizer.digest:
            raise InputError(
                f"the corpus {path} was written with another tokenizer than the model's; ingest "
                "its text again with --tokenizer"
            )
        name = _slug(path.absolute().name)
        names.append(name if name not in names else f"{name[:36]}-{len(names) + 1}")
    paths = [str(path.absolute()) for path in corpora]
    return tuple(
        CorpusSource(name=name, path=path) for name, path in zip(names, paths, strict=True)
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:_LONGEST_NAME] or "model"
