"""How long blocks keep a trainer waiting: a real data port, and a trainer that only takes time.

The trainer asks for the blocks of a step and of the steps behind it, as a real one does, and spends
a fixed time on each step. Files are as they are, or as slow as is said (`slow_files.py`). So
what is slow is told apart from a machine that is busy.

    python tests/benchmarks/port_wait.py CORPUS --policy lru --latency 0.045 --rate 22.2
"""

import argparse
import json
import sys
import time
from pathlib import Path
from queue import SimpleQueue

from slow_files import slow_down

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.memory import MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.policy.foresight import Foresight, is_worth_it
from qmpi.policy.reads import coming_blocks, coming_rows
from qmpi.policy.stream import first_recipe
from qmpi.ports.base import Event
from qmpi.ports.data import BlockBuilt, BuildBlock, OpenSources, SourcesOpened
from qmpi.runtime.data import FileData
from qmpi.units import Seconds

RANK, LANES, SEQUENCES = 0, 8, 8


class Trainer:
    """Asks for blocks ahead, and waits for those of its step."""

    def __init__(self, settings: Settings, steps: int) -> None:
        self.settings = settings
        self.port, self.events = FileData(settings, Path("/nowhere")), SimpleQueue[Event]()
        self.port.submit(OpenSources(), self.events.put)
        opened = self.events.get()
        assert isinstance(opened, SourcesOpened), opened
        self.facts, self.recipes = opened.sources, (first_recipe([1.0], settings.job.seed),)
        self.seer, self.here = Foresight(settings, RANK), dict[int, int]()
        blocks = coming_blocks(None, LANES, range(steps), [RANK])
        self.coming = coming_rows(blocks, self.recipes, self.facts, SEQUENCES)

    def ask(self, steps: int) -> None:
        """Ask for the blocks of the next steps."""
        for _ in range(steps * LANES):
            found = next(self.coming, None)
            if found is None:
                return
            block, rows = found
            told = None
            if is_worth_it(self.settings, self.facts):
                told = self.seer.look(block.step, [RANK], self.recipes, self.facts)
            work = BuildBlock(block.step, block.lane, rows, (), told)
            self.port.submit(work, self.events.put)

    def wait(self, step: int) -> float:
        """Return the seconds until all blocks of a step are here."""
        begun = time.monotonic()
        while self.here.get(step, 0) < LANES:
            built = self.events.get()
            assert isinstance(built, BlockBuilt), built
            self.here[built.step] = self.here.get(built.step, 0) + 1
        return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--policy", default="clairvoyant")
    parser.add_argument("--budget", type=int, default=16 << 20)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--skip", type=int, default=15)
    parser.add_argument("--step-seconds", type=float, default=1.0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0, help="MB/s; 0: files as they are")
    options = parser.parse_args()
    if options.rate:
        slow_down(options.latency, options.rate)
    settings = Settings(
        model=ModelSettings(vocab_size=4096),
        train=TrainSettings(steps=1000, lanes=LANES, sequences=SEQUENCES, sequence_tokens=128),
        data=DataSettings(sources=(CorpusSource(name="rows", path=str(options.corpus)),)),
        memory=MemorySettings(policy=options.policy, budget=options.budget),
    )
    trainer, waits = Trainer(settings, options.steps), list[float]()
    trainer.ask(settings.data.prefetch_steps)
    for step in range(options.steps):
        waits.append(trainer.wait(step))
        trainer.ask(1)
        time.sleep(options.step_seconds)
    kept = waits[options.skip :]
    counts = trainer.port._sources._chunks.counts
    found = {
        "policy": options.policy,
        "step_seconds": options.step_seconds,
        "wait_seconds": round(sum(kept) / len(kept), 4),
        "wait_share": round(sum(kept) / (sum(kept) + len(kept) * options.step_seconds), 4),
        "first_steps_wait_seconds": round(sum(waits[: options.skip]), 2),
        "asked_and_not_there": counts.misses,
        "asked": counts.misses + counts.hits,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    trainer.port.settle(Seconds(1.0))


if __name__ == "__main__":
    main()
