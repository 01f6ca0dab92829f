"""What the command finds wrong with the data of a job before any rank starts."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.launch.train import check_sources
from qmpi.storage.corpus_index import read_corpus_facts


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora, each with a tokenizer of its own."""
    folder = tmp_path_factory.mktemp("corpora")
    for name in ("first", "second"):
        text = folder / f"{name}.txt"
        text.write_text(" ".join(f"{name} word {number}" for number in range(500)))
        options = IngestOptions(name=name, vocab_size=300)
        ingest_corpus([text], folder / name, options, lambda _: None)
    return folder


def job(*paths: Path, tokenizer: str = "", vocabulary: int = 4096) -> Settings:
    settings = Settings()
    sources = tuple(CorpusSource(name=path.name, path=str(path), weight=1.0) for path in paths)
    return replace(
        settings,
        model=replace(settings.model, vocab_size=vocabulary),
        train=replace(settings.train, sequence_tokens=16),
        data=DataSettings(sources=sources, tokenizer=tokenizer),
    )


def test_sources_that_fit_the_job_are_taken(corpora: Path, tmp_path: Path) -> None:
    named = str(corpora / "second" / "tokenizer.json")
    check_sources(job(corpora / "first"), tmp_path)
    check_sources(job(corpora / "second", tokenizer=named), tmp_path)


@pytest.mark.parametrize("of_its_own", [False, True])
def test_a_corpus_of_another_tokenizer_is_refused_before_ranks_start(
    corpora: Path, tmp_path: Path, of_its_own: bool
) -> None:
    tokenizer = ""
    if of_its_own:  # a file beside no corpus has no index that tells of it
        tokenizer = str(tmp_path / "tokenizer.json")
        Path(tokenizer).write_bytes((corpora / "first" / "tokenizer.json").read_bytes())
    with pytest.raises(InputError, match="source 'second' was written with another tokenizer"):
        check_sources(job(corpora / "first", corpora / "second", tokenizer=tokenizer), tmp_path)


def test_a_vocabulary_above_the_models_is_refused_before_ranks_start(
    corpora: Path, tmp_path: Path
) -> None:
    ids = read_corpus_facts(corpora / "first").vocab_size
    check_sources(job(corpora / "first", vocabulary=ids), tmp_path)
    with pytest.raises(InputError, match=f"raise it to at least {ids}"):
        check_sources(job(corpora / "first", vocabulary=ids - 1), tmp_path)
