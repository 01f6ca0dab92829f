"""Data: blocks of the sources' rows; what is damaged is named, and harms nothing else."""

import logging
from pathlib import Path
from queue import SimpleQueue

import pytest

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, InputError, ProtocolError
from qmpi.ports.base import WorkCrashed
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import SourceFact
from qmpi.runtime.data import FileData
from qmpi.units import Seconds

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

    def build(self, rows, made):
        del made
        for row in rows:
            if row in self.faults:
                raise self.faults[row]
        return "digest", bytes(rows)

    def makes(self, source):
        return source == "made"

    def make(self, source, rows):
        del source
        if rows[0] in self.faults:
            raise self.faults[rows[0]]
        return bytes(rows)


class Reader:
    def __init__(self, shelf):
        self.port = FileData(Settings(), Path("/nowhere"))
        self.port._sources = shelf
        self.events = SimpleQueue()

    def do(self, work):
        self.port.submit(work, self.events.put)
        return self.events.get(timeout=20)


def block(*rows):
    return BuildBlock(3, 1, rows, ())


def rows(*numbers, source="made"):
    return MakeRows(REQUESTER, 3, 1, source, numbers)


def test_sources_blocks_and_rows():
    reader = Reader(Shelf())
    assert reader.do(OpenSources()) == SourcesOpened((SourceFact("made", 0, "d"),))
    assert reader.do(block(1, 2)) == BlockBuilt(3, 1, "digest", b"\x01\x02")
    assert reader.do(rows(7)) == RowsMade(REQUESTER, 3, 1, "made", b"\x07")


def test_who_leaves_closes_the_sources_and_says_what_came_of_chunks(caplog):
    idle = Reader(Shelf())
    assert idle.port.settle(Seconds(20))
    assert not hasattr(idle.port._sources, "closed")
    reader = Reader(Shelf())
    reader.do(OpenSources())
    with caplog.at_level(logging.INFO):
        assert reader.port.settle(Seconds(20))
    assert reader.port._sources.closed
    assert "chunks: memory 9 hits" in caplog.text


def test_a_damaged_artefact_is_named_and_the_next_block_is_built():
    faults = {2: CorruptData("shard 9 is damaged"), 4: ProtocolError("half a row of source 1")}
    reader = Reader(Shelf(faults))
    for row, error in faults.items():
        assert reader.do(block(1, row)) == BlockBroken(3, 1, str(error))
        assert isinstance(reader.do(block(1)), BlockBuilt)


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


def test_a_corpus_that_is_not_there_is_a_crash(tmp_path):
    sources = (CorpusSource(name="web", path=str(tmp_path / "none"), weight=1),)
    settings = Settings(data=DataSettings(sources=sources, tokenizer=str(tmp_path)))
    reader = Reader(Sources(settings, tmp_path))
    assert reader.do(OpenSources()).exit_code in {2, 3}
