"""An audit builds every block again, and says whether the data or the training went wrong."""

from pathlib import Path
from typing import Any

import h5py
import pytest
from msgspec.structs import replace

from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.settings import (
    ContentSource,
    CorpusSource,
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    Settings,
    TrainSettings,
)
from qmpi.corpora import audit
from qmpi.corpora.audit import audit_run
from qmpi.corpora.sources import Sources
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.policy.held_out import held_out_row
from qmpi.policy.stream import first_recipe, rows_of_block
from qmpi.protocol.journal import RunOpened, StepCommitted
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory

STEPS = 3
LANES = 2
ROWS = 4


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat too\n" * 400)
    corpus = tmp_path / "corpus"
    ingest_corpus([text], corpus, IngestOptions(vocab_size=300), lambda _: None)
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    directory.job.write_text(dump_toml(_job(corpus)))
    _write_journal(directory, _block_digests(load_job(directory.job), tmp_path))
    return directory


def _job(corpus: Path) -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=300),
        train=TrainSettings(
            steps=STEPS, lanes=LANES, microbatches=1, sequences=ROWS, sequence_tokens=16
        ),
        data=DataSettings(
            sources=(
                CorpusSource(name="cats", path=str(corpus)),
                ContentSource(name="sums", type="mathematics"),
            )
        ),
    )


def _opened(settings: Settings, cache: Path) -> RunOpened:
    recipes = (first_recipe([s.weight for s in settings.data.sources], settings.job.seed),)
    facts = Sources(settings, cache).open()
    return RunOpened(0.0, "r", 1, settings_digest(settings), facts, recipes, "", LANES, 1)


def _block_digests(settings: Settings, cache: Path) -> list[tuple[str, ...]]:
    sources = Sources(settings, cache)
    facts = sources.open()
    recipes = _opened(settings, cache).recipes

    def digest(step: int, lane: int) -> str:
        rows = rows_of_block(recipes, facts, step, lane, lanes=LANES, rows_per_block=ROWS)
        wanted = [row.row for row in rows if row.source == 1]
        assert wanted, "both sources are in every block"
        return sources.build(rows, [(1, sources.make("sums", wanted))])[0]

    return [tuple(digest(step, lane) for lane in range(LANES)) for step in range(STEPS)]


def _write_journal(directory: RunDirectory, digests: list[tuple[str, ...]]) -> None:
    settings = load_job(directory.job)
    directory.journal.unlink(missing_ok=True)
    with JournalWriter.open(directory.journal) as writer:
        writer.append([_opened(settings, directory.root.parent)])
        for step, blocks in enumerate(digests):
            losses = (1.0,) * LANES
            writer.append([StepCommitted(0.0, step, 1, 0, blocks, losses, 1.0, f"w{step}")])


def test_blocks_are_built_again_and_compared(run: RunDirectory) -> None:
    report = audit_run(run.root, run.root.parent)
    assert (report.audit, report.steps, report.blocks) == ("ok", STEPS, STEPS * LANES)
    assert report.digest == f"w{STEPS - 1}"


def test_other_data_are_found(run: RunDirectory) -> None:
    digests = _block_digests(load_job(run.job), run.root.parent)
    digests[1] = (digests[1][1], digests[1][0])
    _write_journal(run, digests)
    report = audit_run(run.root, run.root.parent)
    assert report.audit == "block (1, 0) is not what was trained on"
    assert report.blocks == LANES


def test_damaged_data_are_not_called_other_data(run: RunDirectory) -> None:
    settings = load_job(run.job)
    shard = next(Path(settings.data.sources[0].path).glob("shard-*.h5"))
    _damage(shard)
    report = audit_run(run.root, run.root.parent)
    assert report.audit.startswith("the data cannot be read again: ")
    assert shard.name in report.audit


def test_a_source_that_grew_is_found(run: RunDirectory) -> None:
    settings = load_job(run.job)
    corpus = Path(settings.data.sources[0].path)
    text = run.root.parent / "text.txt"
    text.write_text(text.read_text() + "one line more\n")
    again = IngestOptions(tokenizer=corpus / "tokenizer.json", name="cats")
    ingest_corpus([text], corpus, replace(again, force=True), lambda _: None)
    report = audit_run(run.root, run.root.parent)
    assert report.audit == "the data sources are not those of the run"


def test_a_held_out_row_that_is_trained_on_is_found(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = load_job(run.job)
    held = replace(job, evaluation=EvaluationSettings(held_out=0.1))
    run.job.write_text(dump_toml(held))
    _write_journal(run, _block_digests(held, run.root.parent))
    assert audit_run(run.root, run.root.parent).audit == "ok"
    leaky = RowAddress(0, held_out_row(Sources(held, run.root.parent).open()[0], 0))

    def planted(*args: Any, **kwargs: Any) -> tuple[RowAddress, ...]:
        return (*rows_of_block(*args, **kwargs)[1:], leaky)

    monkeypatch.setattr(audit, "rows_of_block", planted)
    told = audit_run(run.root, run.root.parent).audit
    assert told == f"row {leaky.row} of source 'cats' is held out, but in block (0, 0)"


def _damage(shard: Path) -> None:
    """Change one byte in the middle of the ids, whose chunk then fails its checksum."""
    with h5py.File(shard, "r", locking=False) as file:
        span = file["tokens"].id.get_chunk_info(0)
    data = bytearray(shard.read_bytes())
    data[span.byte_offset + span.size // 2] ^= 1
    shard.write_bytes(data)
