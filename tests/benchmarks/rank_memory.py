"""What a memory rank holds: its data port in a process of its own, over a corpus of any size.

Blocks are built and dropped as the role does once they are sent; what the role keeps of them is its
own budget. Prints bytes as JSON: `start` when the sources are open and the first block is built,
`most` of all samples since, one after each block.

    python tests/benchmarks/rank_memory.py CORPUS BUDGET BLOCKS
"""

import json
import sys
from pathlib import Path
from queue import SimpleQueue

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.policy.foresight import Foresight
from qmpi.policy.reads import coming_blocks, coming_rows
from qmpi.policy.stream import first_recipe
from qmpi.ports.base import Event
from qmpi.ports.data import BlockBuilt, BuildBlock, OpenSources, SourcesOpened
from qmpi.runtime.data import FileData
from qmpi.storage.memory_here import resident_bytes
from qmpi.units import Seconds

RANK, LANES = 0, 8


def job(corpus: Path, budget: int, vocabulary: int) -> Settings:
    return Settings(
        model=ModelSettings(vocab_size=vocabulary),
        train=TrainSettings(steps=100_000, lanes=LANES, sequences=8, sequence_tokens=128),
        data=DataSettings(sources=(CorpusSource(name="rows", path=str(corpus)),)),
        memory=MemorySettings(budget=budget),
    )


def held(settings: Settings, blocks: int) -> dict[str, int]:
    """Build blocks; return what the process held."""
    port, events = FileData(settings, Path("/nowhere")), SimpleQueue[Event]()
    port.submit(OpenSources(), events.put)
    opened = events.get()
    assert isinstance(opened, SourcesOpened), opened
    recipes, seer = (first_recipe([1.0], settings.job.seed),), Foresight(settings, RANK)
    own = coming_blocks(None, LANES, range(-(-blocks // LANES)), [RANK])
    start, most = 0, 0
    for block, rows in coming_rows(own, recipes, opened.sources, 8):
        coming = seer.look(block.step, [RANK], recipes, opened.sources)
        port.submit(BuildBlock(block.step, block.lane, rows, (), coming), events.put)
        built = events.get()
        assert isinstance(built, BlockBuilt), built
        start = start or resident_bytes()
        most = max(most, resident_bytes())
    counts, kept = port._sources._chunks.counts, port._sources._chunks.bytes
    port.close(Seconds(60.0))
    return {"start": start, "most": most, "kept": kept, "misses": counts.misses}


if __name__ == "__main__":
    corpus, budget, blocks = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sys.stdout.write(json.dumps(held(job(corpus, budget, 4096), blocks)) + "\n")
