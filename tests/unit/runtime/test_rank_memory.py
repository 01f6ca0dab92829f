"""A memory rank holds its budget, and little beside it, however much it reads."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qmpi.config.memory import CHUNK_TOKENS
from qmpi.storage.corpus_index import CorpusFacts, ShardFact, write_corpus_facts
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.tokenizer import train_tokenizer

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "rank_memory.py"
MIB = 1 << 20
CHUNKS = 400
BESIDE = 24 * MIB
"""What is known of the future, what reading threads have in hand, what an allocator keeps."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 100 MiB of ids that shrink to little."""
    folder = tmp_path_factory.mktemp("rank-memory") / "corpus"
    folder.mkdir()
    tokenizer = train_tokenizer(["the quick brown fox jumps over the lazy dog"] * 3, 300)
    tokenizer.save(folder / "tokenizer.json")
    writer = ShardWriter(folder / "shard-000000.h5", "uint16", tokenizer.digest)
    writer.start_document()
    for number in range(CHUNKS):
        writer.append(np.full(CHUNK_TOKENS, number % 250, np.uint16))
    writer.close()
    tokens = CHUNKS * CHUNK_TOKENS
    facts = CorpusFacts(
        version=1, name="rows", tokenizer_digest=tokenizer.digest, vocab_size=tokenizer.size,
        dtype="uint16", tokens=tokens, documents=1, left_out={}, digest="rows",
        shards=(ShardFact(name="shard-000000.h5", tokens=tokens, sha256=""),),
    )  # fmt: skip
    write_corpus_facts(folder, facts)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("budget", [8 * MIB, 64 * MIB, 256 * MIB])
def test_a_rank_holds_its_budget_and_little_beside_it(corpus: Path, budget: int) -> None:
    command = [sys.executable, str(PROGRAM), str(corpus), str(budget), "600"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    held = json.loads(done.stdout)
    keeps = min(budget, CHUNKS * 2 * CHUNK_TOKENS)
    assert held["kept"] <= keeps
    assert held["most"] - held["start"] <= keeps + BESIDE, held
