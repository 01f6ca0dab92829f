"""The real data: a small corpus of three shards, and generated text of one level."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest
from conformance.real.moving import Threads
from unit.corpora.small_corpus import make_all, quick_plan, use_quick_maker

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.content.address import BLOCK_TOKENS
from qmpi.runtime.data import FileData
from qmpi.storage.remedy import MANIFEST_NAME
from qmpi.units import Seconds

TOKENS = 64
SHARD = "shard-000001.h5"
PATIENCE = Seconds(60.0)


def _corpus(below: Path) -> Path:
    """Make the corpus once a session; worlds work on copies of it."""
    corpus = below / "corpus-of-all-worlds"
    if not corpus.exists():
        with pytest.MonkeyPatch.context() as patch:
            use_quick_maker(patch)
            make_all(quick_plan(corpus))
    return corpus


class RealWorld(Threads):
    """Data of one rank over files."""

    def __init__(self, folder: Path, kind: type[FileData] = FileData) -> None:
        self._folder = folder
        self._corpus = folder / "corpus"
        self._kind = kind
        shutil.copytree(_corpus(folder.parent), self._corpus)
        # As if it were ingested: what is damaged is not made anew behind the port.
        (self._corpus / MANIFEST_NAME).unlink()
        self.artefact = SHARD
        self._path = self._corpus / SHARD
        rows = 3 * BLOCK_TOKENS // TOKENS
        self.further = ContentSource(name="more", type="code", max_level=1, weight=0.0)
        self.absent = CorpusSource(name="gone", path=str(folder / "gone"), weight=0.0)
        self.sound, self.doomed = (3, 1, 7), (rows + 3, rows + 5)
        self._ports: list[FileData] = []
        self.data = self.another()

    def close(self) -> None:
        for port in self._ports:
            assert port.close(PATIENCE, PATIENCE)

    def another(self) -> FileData:
        sources = (
            CorpusSource(name="shards", path=str(self._corpus)),
            ContentSource(name="made", type="mathematics", min_level=1, max_level=2),
        )
        settings = Settings(
            data=DataSettings(sources=sources),
            model=ModelSettings(vocab_size=4096),
            train=TrainSettings(sequence_tokens=TOKENS),
        )
        self._ports.append(self._kind(settings, self._folder / "cache"))
        return self._ports[-1]

    def lose_absent(self) -> None:
        """It was never there."""

    def damage(self) -> None:
        with h5py.File(self._path, locking=False) as shard:
            chunk = shard["tokens"].id.get_chunk_info(0)
        data = bytearray(self._path.read_bytes())
        data[chunk.byte_offset + chunk.size // 2] ^= 0x10
        self._path.write_bytes(data)

    def remove(self) -> None:
        self._path.unlink()

    def lose(self) -> None:
        self._corpus.rename(self._folder / "elsewhere")

    def find(self) -> None:
        (self._folder / "elsewhere").rename(self._corpus)

    def mend(self) -> None:
        shutil.copyfile(_corpus(self._folder.parent) / SHARD, self._path)


@contextmanager
def real_world(folder: Path, kind: type[FileData] = FileData) -> Iterator[RealWorld]:
    """Offer data whose sources are whole; the caller may damage them."""
    world = RealWorld(folder, kind)
    yield world
    world.close()
