"""How long trainers wait for data, on files as they are and on a file system ten times as slow.

A real job reads a corpus larger than the budget of its memory rank: the built-in corpus, copied
until it is so large. Its journal says how long the trainer that reports waited for blocks before
each step; steps at the start are left out. A slow file system is one whose reads take ten times
what they would at a given latency and rate: nine times as long is slept (`slow_files.py`).

    python tests/benchmarks/bench_data_wait.py --steps 60 --json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.load import dump_toml
from qmpi.config.memory import MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import JobSettings, RoleSettings, Settings, SnapshotSettings
from qmpi.config.train import TrainSettings
from qmpi.corpora.builtin import resolve
from qmpi.launch.mpirun import LaunchPlan, find_mpirun, rank_environment
from qmpi.protocol.journal import StepCommitted
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import CorpusFacts, ShardFact, write_corpus_facts
from qmpi.storage.journal import read_journal
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.shard_writer import ShardWriter

SLOW_FILES = Path(__file__).with_name("slow_files.py")
TIMES_SLOWER = 10
SHARDS = 4


def make_corpus(folder: Path, size: int) -> Path:
    """Write a corpus of `size` bytes of ids: the built-in one, turned a little with each copy."""
    source = Corpus.open(resolve("builtin:python", default_cache(os.environ)))
    ids = source.read(0, source.tokens)
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(source.tokenizer_path.read_bytes())
    copies, shards = -(-size // (SHARDS * ids.nbytes)), []
    for number in range(SHARDS):
        name = f"shard-{number:06}.h5"
        digest = source.facts.tokenizer_digest
        writer = ShardWriter(folder / name, dtype_name(source.facts.vocab_size), digest)
        writer.start_document()
        for copy in range(copies):
            writer.append(np.roll(ids, (number * copies + copy) * 997))
        writer.close()
        shards.append(ShardFact(name=name, tokens=copies * ids.size, sha256=""))
    tokens = sum(shard.tokens for shard in shards)
    facts = CorpusFacts(
        version=1, name="copies", tokenizer_digest=source.facts.tokenizer_digest,
        vocab_size=source.facts.vocab_size, dtype=source.facts.dtype, tokens=tokens,
        documents=SHARDS, shards=tuple(shards), left_out={}, digest=f"{size} bytes",
    )  # fmt: skip
    write_corpus_facts(folder, facts)
    return folder


def job(corpus: Path, policy: str, options: argparse.Namespace) -> Settings:
    return Settings(
        job=JobSettings(name="data-wait", seed=1),
        roles=RoleSettings(trainer=options.trainers),
        model=ModelSettings(vocab_size=4096, width=options.width, layers=2, heads=2, kv_heads=2),
        train=TrainSettings(
            steps=options.steps, lanes=8, sequences=8, sequence_tokens=128,
            device="cpu", compile="off",
        ),
        data=DataSettings(sources=(CorpusSource(name="copies", path=str(corpus)),)),
        evaluation=EvaluationSettings(every_steps=0),
        snapshot=SnapshotSettings(every_steps=1000, disk_every_steps=1000),
        memory=MemorySettings(policy=policy, budget=options.budget),
    )  # fmt: skip


def run(folder: Path, settings: Settings, slow: tuple[float, float] | None) -> Path:
    """Run a job to its end; return its directory."""
    path, here = folder / "job.toml", folder / "run"
    folder.mkdir()
    path.write_text(dump_toml(settings))
    ranks = 4 + settings.roles.trainer
    plan = LaunchPlan(
        mpirun=find_mpirun(os.environ), ranks=ranks, job=path, run=here,
        environment=rank_environment(settings, os.environ),
    )  # fmt: skip
    command = plan.command()
    if slow is not None:
        at = command.index("-m")
        command[at : at + 2] = [str(SLOW_FILES), *map(str, slow)]
    told = subprocess.run(
        command, check=False, capture_output=True, text=True, env=plan.environment_in(folder)
    )
    if not (here / "end.json").exists():
        raise SystemExit(f"a job did not end ({told.returncode}):\n{told.stdout}{told.stderr}")
    return here


def measured(here: Path, skip: int) -> dict[str, float]:
    """Return the wait and the time of the steps behind the first `skip`."""
    steps = [r for r in read_journal(here / "journal.jsonl") if isinstance(r, StepCommitted)]
    kept = [step for step in steps if step.step >= skip]
    waited, worked = (sum(getattr(s, of) for s in kept) for of in ("wait_seconds", "seconds"))
    return {
        "steps": len(kept),
        "step_seconds": round((waited + worked) / len(kept), 4),
        "wait_seconds": round(waited / len(kept), 5),
        "wait_share": round(waited / (waited + worked), 5),
        "first_steps_wait_seconds": round(sum(s.wait_seconds for s in steps[:skip]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--skip", type=int, default=15)
    parser.add_argument("--trainers", type=int, default=1)
    parser.add_argument("--width", type=int, default=256, help="of a model of two layers")
    parser.add_argument("--budget", type=int, default=64 << 20)
    parser.add_argument("--corpus", type=int, default=144 << 20, help="bytes of ids")
    parser.add_argument("--files", type=Path, help="a corpus that is there, in place of one")
    parser.add_argument("--latency", type=float, default=0.005, help="seconds, before slowing")
    parser.add_argument("--rate", type=float, default=200.0, help="MB/s, before slowing")
    parser.add_argument("--policies", nargs="+", default=["clairvoyant", "lru"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    more = TIMES_SLOWER - 1
    files = {"as they are": None, "ten times slower": (more * options.latency, options.rate / more)}
    found = []
    with tempfile.TemporaryDirectory(prefix="data-wait-") as name:
        folder = Path(name)
        corpus = options.files or make_corpus(folder / "corpus", options.corpus)
        for policy in options.policies:
            for speed, slow in files.items():
                settings = job(corpus, policy, options)
                here = run(folder / f"{policy}-{'slow' if slow else 'quick'}", settings, slow)
                figures = measured(here, options.skip)
                found.append({"policy": policy, "files": speed, **figures})
                sys.stderr.write(f"{found[-1]}\n")
    if options.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    sys.stdout.write("| policy | files | step, s | wait, s | share |\n|---|---|---|---|---|\n")
    for row in found:
        cells = (row["policy"], row["files"], row["step_seconds"], row["wait_seconds"])
        sys.stdout.write(f"| {' | '.join(map(str, cells))} | {row['wait_share']:.2%} |\n")


if __name__ == "__main__":
    main()
