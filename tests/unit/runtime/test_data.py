"""Data: blocks of the sources' rows; what is damaged is named, and harms nothing else."""

import errno
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import ClassVar

import pytest
from unit.corpora.small_corpus import make_all, quick_plan, use_quick_maker

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, InputError, ProtocolError, StorageError
from qmpi.ports.base import WorkCrashed
from qmpi.ports.data import (
    Block,
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesAway,
    SourcesOpened,
)
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import ComingReads, RowAddress
from qmpi.runtime.data import FileData
from qmpi.units import Seconds


def refused(code):
    error = StorageError(f"cannot read shard 9: {os.strerror(code)}")
    error.__cause__ = OSError(code, "")
    return error


STALE = refused(errno.ESTALE)
LEVELS = (LevelUse("memory", 2, 0, 8, 0.1),)
REQUESTER = Address(4, RoleName.MEMORY)


class Shelf:
    """Sources that hold what a test says."""

    def __init__(self, faults=None):
        self.faults = faults or {}

    def close(self):
        self.closed = True
        return "chunks: memory 9 hits"

    def open(self):
        if "open" in self.faults:
            raise self.faults["open"]
        return (SourceFact("made", 0, "d"),)

    def add(self, added, proposed=()):
        assert not added
        assert not proposed

    @property
    def facts(self):
        return self.open()

    def is_absent(self):
        return "absent" in self.faults

    def build(self, rows, made):
        del made
        for row in rows:
            if row in self.faults:
                raise self.faults[row]
        return "digest", bytes(rows)

    def uses(self):
        return LEVELS

    def makes(self, source):
        return source == "made"

    def make(self, source, rows):
        del source
        if rows[0] in self.faults:
            raise self.faults[rows[0]]
        return bytes(rows)


class Reader:
    ports: ClassVar = []

    def __init__(self, shelf):
        self.port = FileData(Settings(), Path("/nowhere"))
        self.port._sources = shelf
        self.events = SimpleQueue()
        self.ports.append(self.port)

    def do(self, work):
        self.port.submit(work, self.events.put)
        return self.events.get(timeout=20)


@pytest.fixture(autouse=True)
def leaves_no_threads():
    yield
    while Reader.ports:
        assert Reader.ports.pop().close(Seconds(20))


def block(*rows):
    return BuildBlock(3, 1, rows, ())


def rows(*numbers, source="made"):
    return MakeRows(REQUESTER, 3, 1, source, numbers)


def test_sources_blocks_and_rows():
    reader = Reader(Shelf())
    assert reader.do(OpenSources()) == SourcesOpened((SourceFact("made", 0, "d"),))
    assert reader.do(block(1, 2)) == BlockBuilt(3, 1, Block("digest", b"\x01\x02"), levels=LEVELS)
    assert reader.do(rows(7)) == RowsMade(REQUESTER, 3, 1, "made", b"\x07")


def test_who_leaves_closes_the_sources_and_says_what_came_of_chunks(caplog):
    idle = Reader(Shelf())
    assert idle.port.close(Seconds(20))
    assert not hasattr(idle.port._sources, "closed")
    reader = Reader(Shelf())
    reader.do(OpenSources())
    with caplog.at_level(logging.INFO):
        assert reader.port.close(Seconds(20))
    assert reader.port._sources.closed
    assert "chunks: memory 9 hits" in caplog.text


def test_who_leaves_leaves_no_thread_behind(tmp_path):
    before, corpus = set(threading.enumerate()), tmp_path / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        make_all(quick_plan(corpus))
    settings = Settings(
        data=DataSettings(sources=(CorpusSource(name="shards", path=str(corpus)),)),
        model=ModelSettings(vocab_size=4096),
        train=TrainSettings(sequence_tokens=64),
    )
    port, events = FileData(settings, tmp_path / "cache"), SimpleQueue()
    addresses = tuple(RowAddress(0, number) for number in range(3))
    coming = ComingReads(
        is_anew=True, passed=0, blocks=((0, addresses), (1, (RowAddress(0, 5000),)))
    )
    port.submit(BuildBlock(0, 0, addresses, (), coming), events.put)
    built = events.get(timeout=20)
    assert [use.level for use in built.levels] == ["memory", "shards", "anew"]
    assert sum(use.hits + use.misses for use in built.levels) > 0
    assert len({*threading.enumerate()} - before) >= 2
    assert port.close(Seconds(20), Seconds(20))
    assert set(threading.enumerate()) <= before
    assert port.close(Seconds(20))


def test_a_read_that_hangs_is_not_waited_for_by_who_leaves():
    gate, reader = threading.Event(), Reader(Shelf())
    reader.port._sources.makes = lambda _: gate.wait(20)
    reader.port.submit(rows(1), reader.events.put)
    assert not reader.port.close(Seconds(0.05))
    gate.set()
    assert isinstance(reader.events.get(timeout=20), RowsMade)


def test_a_damaged_artefact_is_named_and_the_next_block_is_built():
    faults = {2: CorruptData("shard 9 is damaged"), 4: ProtocolError("half a row of source 1")}
    reader = Reader(Shelf(faults))
    for row, error in faults.items():
        assert reader.do(block(1, row)) == BlockBroken(3, 1, str(error))
        assert isinstance(reader.do(block(1)), BlockBuilt)


def test_what_is_out_of_reach_is_told_apart_and_once(caplog):
    reader = Reader(Shelf({2: STALE}))
    for _ in range(3):
        assert reader.do(block(1, 2)) == BlockBroken(3, 1, str(STALE), is_away=True)
    assert len(caplog.records) == 1
    assert isinstance(reader.do(block(1)), BlockBuilt)


AWAY = [
    {"open": STALE},
    {"open": OSError(5, "Input/output error")},
    {"open": InputError("there is no corpus"), "absent": True},
]


@pytest.mark.parametrize("faults", AWAY)
def test_sources_that_are_out_of_reach_may_be_opened_later(faults):
    shelf = Shelf(faults)
    reader, reason = Reader(shelf), str(faults["open"])
    assert reader.do(OpenSources()) == SourcesAway(reason)
    assert reader.do(block(1)) == BlockBroken(3, 1, reason, is_away=True)
    assert reader.do(rows(1)) == RowsBroken(REQUESTER, 3, 1, "made", reason)
    shelf.faults = {}
    assert isinstance(reader.do(OpenSources()), SourcesOpened)
    assert isinstance(reader.do(block(1)), BlockBuilt)


def test_a_full_disk_is_not_waited_for():
    crashed = Reader(Shelf({"open": refused(errno.ENOSPC)})).do(OpenSources())
    assert (crashed.what, crashed.exit_code) == ("StorageError", 3)


def test_rows_that_cannot_be_made_are_told():
    reader = Reader(Shelf({5: CorruptData("the grammar is damaged")}))
    assert reader.do(rows(5)) == RowsBroken(REQUESTER, 3, 1, "made", "the grammar is damaged")
    assert isinstance(reader.do(rows(1, source="nobody's")), RowsBroken)
    assert isinstance(reader.do(rows(1)), RowsMade)


@pytest.mark.parametrize("work", [OpenSources(), block(1), rows(1)])
def test_a_source_that_does_not_fit_the_job_is_a_crash(work):
    reader = Reader(Shelf({"open": InputError("another tokenizer")}))
    crashed = reader.do(work)
    assert isinstance(crashed, WorkCrashed)
    assert (crashed.what, crashed.exit_code) == ("InputError", 2)


def reader_of(corpus, tmp_path):
    sources = (CorpusSource(name="web", path=str(corpus), weight=1),)
    settings = Settings(data=DataSettings(sources=sources, tokenizer=str(tmp_path)))
    return Reader(Sources(settings, tmp_path))


def test_a_directory_without_a_corpus_is_a_crash_and_one_that_is_not_there_is_away(tmp_path):
    assert reader_of(tmp_path, tmp_path).do(OpenSources()).exit_code in {2, 3}
    assert isinstance(reader_of(tmp_path / "none", tmp_path).do(OpenSources()), SourcesAway)


def test_a_process_whose_reader_hangs_leaves_all_the_same(tmp_path):
    program = (
        "import os, sys, pathlib; from qmpi import main\n"
        "from qmpi.config.settings import Settings; from qmpi.runtime.data import FileData\n"
        "from qmpi.ports.data import OpenSources\n"
        "class Hung:\n"
        "    def open(self):\n"
        "        print('reads', flush=True); os.read(os.pipe()[0], 1)\n"
        "def train(options):\n"
        "    port = FileData(Settings(), pathlib.Path(sys.argv[1])); port._sources = Hung()\n"
        "    port.submit(OpenSources(), print); print('answers', flush=True)\n"
        "    return main.Exit(0, True)\n"
        "main.run_training = train; sys.argv[1:] = ['job.toml']; main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "answers" in done.stdout
