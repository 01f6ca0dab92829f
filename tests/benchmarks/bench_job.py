"""A whole job against a bare loop, in turn, in one run: what roles, blocks and exact sums cost.

The job has one trainer; coordinator, memory, generator and replica run beside it, and its rows come
from pre-made shards. The bare loop trains the same model on random tokens with the same dtype and
threads. Step times of the job are the gaps between its commits.

    python tests/benchmarks/bench_job.py --rounds 3 --steps 14
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import msgspec
import torch
from bench_trainer import SEQUENCES, TOKENS, Bare, Ours, job, make_blocks

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.load import dump_toml
from qmpi.config.settings import SnapshotSettings
from qmpi.protocol.journal import StepCommitted
from qmpi.storage.journal import read_journal

SKIPPED = 3
"""First steps: kernels are chosen, scales settle."""


def job_gaps(folder: Path, settings: object, steps: int, number: int) -> list[float]:
    path, run = folder / f"job{number}.toml", folder / f"run{number}"
    path.write_text(dump_toml(settings))
    command = [sys.executable, "-m", "qmpi.cli.main", "train", str(path), "--run-dir", str(run)]
    command += ["--set", f"train.steps={steps}", "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    times = [r.time for r in read_journal(run / "journal.jsonl") if isinstance(r, StepCommitted)]
    return [b - a for a, b in zip(times[SKIPPED:], times[SKIPPED + 1 :], strict=False)]


def bare_seconds(bare: Bare, settings: object, steps: int) -> list[float]:
    seconds = []
    for step in range(steps):
        blocks = make_blocks(settings, step)
        start = time.perf_counter()
        bare.run(blocks)
        seconds.append(time.perf_counter() - start)
    return seconds[SKIPPED:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--size", default="laptop")
    options = parser.parse_args()
    base = job(options.size, "exact", options.lanes, 1)
    source = CorpusSource(name="python", path="builtin:python")
    data = DataSettings(sources=(source,))
    settings = msgspec.structs.replace(
        base, data=data, snapshot=SnapshotSettings(every_steps=10, disk_every_steps=50)
    )
    torch.set_num_threads(1)
    identity = Ours(settings).engine.identity()
    bare = Bare(settings, torch.bfloat16 if "bfloat16" in identity else torch.float32)
    ratios, job_all, bare_all = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            plain = bare_seconds(bare, settings, options.steps)
            gaps = job_gaps(Path(folder), settings, options.steps, number)
            ratios.append(median(plain) / median(gaps))
            sys.stderr.write(f"round {number}: {ratios[-1]:.4f}\n")
            job_all += gaps
            bare_all += plain
    tokens = options.lanes * SEQUENCES * TOKENS
    sys.stdout.write(
        json.dumps(
            {
                "identity": identity,
                "ratio_by_round": [round(r, 4) for r in ratios],
                "ratio_of_medians": round(median(bare_all) / median(job_all), 4),
                "job_tokens_per_second": round(tokens / median(job_all)),
                "bare_tokens_per_second": round(tokens / median(bare_all)),
                "job_quartiles_seconds": [round(q, 4) for q in quantiles(job_all, n=4)],
                "bare_quartiles_seconds": [round(q, 4) for q in quantiles(bare_all, n=4)],
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
