"""What a job is said to read is what it reads, and whoever knows it keeps the right chunks."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import CHUNK_TOKENS, MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.read_order import open_job_data, reads_of
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.memory.compare import Sizes, compare_orders
from qmpi.policy.foresight import Foresight
from qmpi.policy.reads import coming_blocks, coming_rows
from qmpi.runtime.read_ahead import ReadAhead

CHUNK = 2 * CHUNK_TOKENS
LANES, STEPS, RANK = 2, 24, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora of some ten shards of one chunk each."""
    folder, draw = tmp_path_factory.mktemp("order"), random.Random(3)
    for name in ("one", "two"):
        (folder / name).mkdir()
        for number in range(40):
            words = [f"{draw.choice('abcdefgh')}{draw.randrange(99)}" for _ in range(100)]
            (folder / name / f"{number:03}.txt").write_text(" ".join(words))
        options = IngestOptions(vocab_size=300, shard_tokens=1000, tokenizer=_first(folder, name))
        ingest_corpus([folder / name], folder / f"{name}-corpus", options, lambda _: None)
    return folder


def _first(folder: Path, name: str) -> Path | None:
    return None if name == "one" else folder / "one-corpus" / "tokenizer.json"


def job(folder: Path, packing: str = "concatenate", **memory) -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=300),
        train=TrainSettings(
            steps=STEPS, lanes=LANES, microbatches=1, sequences=3, sequence_tokens=64
        ),
        data=DataSettings(
            packing=packing,
            sources=tuple(
                CorpusSource(name=name, path=str(folder / f"{name}-corpus"))
                for name in ("one", "two")
            ),
        ),
        memory=MemorySettings(**{"budget": 4 * CHUNK, **memory}),
    )


def told(settings: Settings, folder: Path):
    data = open_job_data(settings, folder)
    blocks = list(coming_blocks(None, LANES, range(STEPS), [RANK]))
    return data, blocks, reads_of(settings, data, blocks, [RANK]).chunks[RANK]


def played(settings: Settings, folder: Path, *, foreseen: bool) -> tuple[list, int]:
    """Build all blocks as a memory rank does; return the reads and the hits."""
    data, blocks, _ = told(settings, folder)
    sources = Sources(settings, folder)
    facts = sources.open()
    assert [(f.rows, f.held_out) for f in facts] == [(f.rows, f.held_out) for f in data.facts]
    asked, get = [], sources._chunks.get
    sources._chunks.get = lambda key: (asked.append(key), get(key))[1]
    seer = Foresight(settings, RANK)
    for block, rows in coming_rows(blocks, data.recipes, facts, 3):
        if foreseen:
            sources.foresee(seer.look(block.step, [RANK], data.recipes, facts))
        sources.build(rows, ())
    assert sources._chunks.bytes <= settings.memory.budget
    return asked, sources._chunks.counts.hits


@pytest.mark.parametrize("packing", ["concatenate", "best_fit"])
def test_what_is_said_is_what_is_read(folder: Path, packing: str) -> None:
    settings = job(folder, packing)
    asked, _ = played(settings, folder, foreseen=False)
    _, _, said = told(settings, folder)
    assert asked == said
    assert len(set(said)) > 15


def test_a_rank_that_knows_its_future_has_the_hits_of_the_best_order(folder: Path) -> None:
    settings = job(folder)
    _, _, said = told(settings, folder)
    best = compare_orders([said], Sizes(lambda _: CHUNK, lambda _: CHUNK), settings.memory.budget)
    _, seen = played(settings, folder, foreseen=True)
    _, blind = played(settings, folder, foreseen=False)
    assert blind == best["lru"].hits < best["clairvoyant"].hits
    # Rows of one block have one place, so a few of the best decisions are not to be seen.
    assert best["clairvoyant"].hits * 0.93 < seen <= best["clairvoyant"].hits
    fifo = replace(settings, memory=MemorySettings(policy="fifo", budget=4 * CHUNK))
    assert played(fifo, folder, foreseen=True)[1] == best["fifo"].hits < seen


def test_blocks_are_the_same_when_chunks_are_read_ahead(folder: Path) -> None:
    settings = job(folder)
    data, blocks, _ = told(settings, folder)
    ahead = ReadAhead(settings.memory.budget, clock=lambda: 0.0)
    blind, seeing = Sources(settings, folder), Sources(settings, folder, ahead=ahead)
    facts, seer = blind.open(), Foresight(settings, RANK)
    seeing.open()
    for block, rows in coming_rows(blocks, data.recipes, facts, 3):
        seeing.foresee(seer.look(block.step, [RANK], data.recipes, facts))
        assert seeing.build(rows, ()) == blind.build(rows, ())
    assert ahead._threads
    assert ahead.stop(60.0)


def test_what_is_told_late_with_a_block_that_was_put_off_does_no_harm(folder: Path) -> None:
    settings = job(folder)
    data, blocks, _ = told(settings, folder)
    blind, seeing = Sources(settings, folder), Sources(settings, folder)
    facts, seer = blind.open(), Foresight(settings, RANK)
    seeing.open()
    rows = [rows for _, rows in coming_rows(blocks, data.recipes, facts, 3)]
    looks = [seer.look(block.step, [RANK], data.recipes, facts) for block in blocks[:4]]
    assert [look.is_anew for look in looks] == [True, False, False, False]
    assert all(look.blocks for look in looks)
    for look, wanted in zip([looks[0], looks[2], looks[1], looks[3]], rows, strict=False):
        seeing.foresee(look)
        assert seeing.build(wanted, ()) == blind.build(wanted, ())


def test_more_than_the_machine_has_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"memory\.budget = .* more than this machine has"):
        Sources(job(folder, budget=1 << 60), folder).open()
