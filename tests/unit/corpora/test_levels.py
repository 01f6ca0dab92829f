"""Corpora read through levels: the same blocks, shards that need not be opened, a known future."""

import logging
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import CHUNK_TOKENS, LevelSettings, MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.levels import clear_levels, open_levels
from qmpi.corpora.read_order import open_job_data
from qmpi.corpora.sources import Sources
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.memory.compare import Room, Sizes, compare_orders
from qmpi.policy.foresight import Foresight
from qmpi.policy.reads import coming_blocks, coming_rows
from qmpi.storage import frame_tree
from qmpi.storage.atomic_file import short_host
from qmpi.storage.corpus import Corpus
from qmpi.storage.frame_tree import tree_path

STEPS, RANK = 30, 0
CHUNK = 2 * CHUNK_TOKENS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of some ten shards of one chunk each."""
    folder, draw = tmp_path_factory.mktemp("levels"), random.Random(5)
    words = [f"{draw.choice('abcdefgh')}{draw.randrange(99)}" for _ in range(4000)]
    (folder / "text.txt").write_text("\n\n".join(" ".join(words[n::40]) for n in range(40)))
    options = IngestOptions(vocab_size=300, shard_tokens=1000)
    ingest_corpus([folder / "text.txt"], folder / "corpus", options, lambda _: None)
    return folder / "corpus"


def job(corpus: Path, tmp_path: Path, host: int = 0, disk: int = 0, budget: int = CHUNK):
    sizes = {"host": host, "disk": disk}
    for kind in sizes:
        (tmp_path / kind).mkdir(exist_ok=True)
    levels = tuple(
        LevelSettings(kind=kind, budget=size, directory=str(tmp_path / kind))
        for kind, size in sizes.items()
        if size
    )
    return Settings(
        model=ModelSettings(vocab_size=300),
        train=TrainSettings(steps=STEPS, lanes=1, microbatches=1, sequences=2, sequence_tokens=64),
        data=DataSettings(sources=(CorpusSource(name="words", path=str(corpus)),)),
        memory=MemorySettings(budget=budget, levels=levels),
    )


def opened(settings: Settings, tmp_path: Path, run: str = "run") -> Sources:
    return Sources(
        settings,
        tmp_path,
        levels=lambda: open_levels(settings, "abc", tmp_path / run, time.monotonic),
    )


def blocks(settings: Settings, sources: Sources, tmp_path: Path, *, foreseen: bool = False):
    """Build all blocks as a memory rank does."""
    data, facts = open_job_data(settings, tmp_path), sources.open()
    seer = Foresight(settings, RANK)
    for block, rows in coming_rows(
        coming_blocks(None, 1, range(STEPS), [RANK]), data.recipes, facts, 2
    ):
        if foreseen:
            sources.foresee(seer.look(block.step, [RANK], data.recipes, facts))
        yield sources.build(rows, ())[0]


def counts(sources: Sources):
    return {level.kind: level.counts for level in sources._levels.chain.levels}


def test_levels_change_no_block_and_leave_nothing(corpus: Path, tmp_path: Path) -> None:
    bare = job(corpus, tmp_path)
    said = list(blocks(bare, Sources(bare, tmp_path), tmp_path))
    settings = job(corpus, tmp_path, host=3 << 13, disk=1 << 20)
    sources = opened(settings, tmp_path)
    assert list(blocks(settings, sources, tmp_path, foreseen=True)) == said
    found = counts(sources)
    assert found["host"].hits
    assert found["disk"].hits
    told = sources.close()
    assert told.startswith("chunks: memory ")
    assert f"; host {found['host'].hits} hits (" in told
    assert f"; disk {found['disk'].hits} hits (" in told
    assert not list((tmp_path / "host").iterdir())
    assert not list((tmp_path / "disk").iterdir())


def test_a_chunk_of_a_level_needs_no_shard(corpus: Path, tmp_path: Path) -> None:
    settings = job(corpus, tmp_path, host=1 << 20)
    levels = open_levels(settings, "abc", tmp_path / "run", time.monotonic)
    whole = Corpus.open(corpus).read(0, Corpus.open(corpus).tokens)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in corpus.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    first = Corpus.open(copy, levels=levels.chain)
    assert (first.read(0, first.tokens) == whole).all()
    for path in copy.glob("*.h5"):
        path.unlink()
    second = Corpus.open(copy, levels=levels.chain)
    assert not list(copy.glob("*.h5"))
    assert (second.read(0, second.tokens) == whole).all()
    assert second.layout() == first.layout()
    levels.chain.close()


def test_two_ranks_of_a_host_read_each_chunk_once(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = job(corpus, tmp_path, host=1 << 20)
    ranks = [opened(settings, tmp_path) for _ in range(2)]
    built = []
    for name, rank in zip("ab", ranks, strict=True):
        monkeypatch.setattr(frame_tree, "short_host", lambda name=name: name)
        built.append(list(blocks(settings, rank, tmp_path)))
    assert built[0] == built[1]
    assert counts(ranks[0])["host"].misses
    assert counts(ranks[1])["host"].misses == 0
    for rank in ranks:
        rank.close()
    assert not list((tmp_path / "host").iterdir())


def test_who_knows_the_future_keeps_what_comes(corpus: Path, tmp_path: Path) -> None:
    settings = job(corpus, tmp_path, host=4 << 13)
    hits = {}
    for foreseen in (False, True):
        sources = opened(settings, tmp_path)
        list(blocks(settings, sources, tmp_path, foreseen=foreseen))
        hits[foreseen] = counts(sources)["host"].hits + sources._chunks.counts.hits
        sources.close()
    assert hits[True] > hits[False]


def test_a_level_that_cannot_be_opened_is_left_out(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = LevelSettings(kind="disk", budget=1 << 20, directory=str(tmp_path / "nowhere"))
    settings = job(corpus, tmp_path, host=1 << 20)
    memory = replace(settings.memory, levels=(*settings.memory.levels, gone))
    sources = opened(replace(settings, memory=memory), tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(list(blocks(settings, sources, tmp_path))) == STEPS
    assert [record.message for record in caplog.records if "no disk level here" in record.message]
    assert set(counts(sources)) == {"host"}
    sources.close()


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    place = str(tmp_path)
    tree = tree_path(place, "abc", tmp_path / "run")
    (tree / f"{short_host()}-4194304-5").mkdir(parents=True)
    assert clear_levels([place, place], "other", tmp_path / "run") == 0
    assert clear_levels([place, place, str(tmp_path / "none")], "abc", tmp_path / "run") == 1
    assert not tree.exists()


TRACES = st.lists(st.lists(st.integers(0, 9), max_size=40), min_size=1, max_size=2)


@given(traces=TRACES, rooms=st.lists(st.integers(0, 12), max_size=2), budget=st.integers(0, 8))
@examples(max_examples=60, deadline=None)
def test_levels_that_are_played_serve_all_that_memory_does_not(traces, rooms, budget) -> None:
    names = [Room(name, room) for name, room in zip(("host", "disk"), rooms, strict=False)]
    sizes = Sizes(lambda key: 2 + key % 2, lambda _: 1)
    bare = compare_orders(traces, sizes, budget, 1)
    for name, found in compare_orders(traces, sizes, budget, 1, names).items():
        levels = found.bytes_by_level
        assert levels["memory"] == bare[name].bytes_by_level["memory"]
        whole = sum(sizes.decoded(key) for trace in traces for key in trace)
        assert sum(levels.values()) == whole
        distinct = sum(sizes.decoded(key) for trace in traces for key in set(trace))
        assert levels["shards"] >= distinct
        if any(room.budget >= 10 for room in names):
            assert levels["shards"] == distinct


def test_the_played_future_beats_every_other_order() -> None:
    draw = random.Random(1)
    trace = [key for _ in range(6) for key in draw.sample(range(30), 30)]
    sizes = Sizes(lambda _: 1, lambda _: 1)
    found = compare_orders([trace], sizes, 4, 1, [Room("host", 8), Room("disk", 16)])
    shards = {name: each.bytes_by_level["shards"] for name, each in found.items()}
    assert shards["clairvoyant"] < min(n for name, n in shards.items() if name != "clairvoyant")
