"""A generated corpus without the generator: blocks of chance from their addresses, quickly."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from qmpi.content.address import BLOCK_TOKENS, Stream
from qmpi.content.block_maker import Block
from qmpi.content.mix import ContentMix
from qmpi.corpora import generate_plan
from qmpi.corpora import repair as shard_repair
from qmpi.corpora.generate_plan import GeneratePlan, GenerateSpec
from qmpi.protocol.work import UnitProgress
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

MIX = (ContentMix("code", 1, 9), ContentMix("multilingual", 50, 50))
BLOCKS, SHARD_BLOCKS = 7, 3


class QuickMaker:
    """Stands for `BlockMaker`; counts what it makes."""

    made: ClassVar[list[str]] = []

    def __init__(self, tokenizer: Tokenizer, key: bytes) -> None:
        self._size = tokenizer.size
        self._key = int.from_bytes(key[:4], "little")

    def make(self, stream: Stream, block: int) -> Block:
        self.made.append(f"{stream}/{block}")
        seed = [self._key, block, *str(stream).encode()]
        chance = np.random.default_rng(seed)
        ids = (chance.integers(0, 40, BLOCK_TOKENS) ** 2 % self._size).astype(np.uint32)
        starts = np.unique(chance.integers(0, BLOCK_TOKENS, 50))
        starts[0] = 0
        return Block(ids, tuple(starts.tolist()), tuple(range(len(starts))), 0)


def use_quick_maker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(generate_plan, "BlockMaker", QuickMaker)
    patch.setattr(shard_repair, "BlockMaker", QuickMaker)
    patch.setattr("qmpi.content.block_maker.BlockMaker", QuickMaker)
    patch.setattr(QuickMaker, "made", [])


def quick_plan(out: Path, *, seed: int = 3) -> GeneratePlan:
    tokenizer = train_tokenizer(["the quick brown fox jumps over the lazy dog"] * 3, 300)
    (out / "work").mkdir(parents=True, exist_ok=True)
    tokenizer.save(out / TOKENIZER_NAME)
    spec = GenerateSpec(
        name="quick",
        blocks=BLOCKS,
        shard_blocks=SHARD_BLOCKS,
        seed=seed,
        mix=MIX,
        tokenizer_digest=tokenizer.digest,
    )
    return GeneratePlan(spec, out, out / "work")


def make_all(plan: GeneratePlan) -> dict:
    def ignore(progress: UnitProgress) -> None:
        del progress

    for unit in range(plan.units(0)):
        plan.run(0, unit, ignore)
    return plan.finish()
