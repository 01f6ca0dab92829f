"""Is a run called specialised that is, and a balanced one balanced?

Small runs in one process each: the data, the losses by source, the journal, the reference and the
verdict are the product's. First runs with seeds of their own make a reference, then further ones
are held against it: balanced ones, and ones with ten times the weight of mathematics. A run keeps
its directory in --out, and one that is there is not done again; several processes may add to one
folder, each with seeds of its own. A run takes some 15 s of a core, all of them half an hour.

    python tests/benchmarks/bench_specialisation.py --out /tmp/specialisation
    python tests/benchmarks/bench_specialisation.py --out /tmp/quick --reference 5 --balanced 1 \
        --special 1
"""

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from qmpi.config.load import dump_toml, parse_job
from qmpi.corpora.sources import Sources
from qmpi.corpora.tokenizer import find_kinds
from qmpi.launch.reference import make_reference
from qmpi.launch.specialisation import hold_against
from qmpi.monitor.specialisation_text import verdicts
from qmpi.policy.recipes import begun_recipes, course_of
from qmpi.policy.stream import rows_of_block
from qmpi.protocol.hyperparameters import first_hyperparameters
from qmpi.protocol.journal import RunOpened, StepCommitted
from qmpi.protocol.progress import mean_loss
from qmpi.storage.cache import default_cache
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.specialisation_file import write_reference
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine

TYPES = ("mathematics", "code", "creative", "technical")
SPECIAL = "mathematics"

JOB = """
[job]
name = "specialisation"
seed = {seed}
[model]
vocab_size = 4096
width = 48
layers = 2
heads = 2
kv_heads = 1
[train]
steps = {steps}
lanes = 1
microbatches = 1
sequences = 16
sequence_tokens = 128
device = "cpu"
threads = 1
compile = "off"
[data]
tokenizer = "builtin:python"
"""

SOURCE = """
[[data.sources]]
kind = "content"
name = "{name}"
type = "{name}"
weight = {weight}
min_level = {level}
max_level = {level}
"""

FIRST_BALANCED, FIRST_SPECIAL = 1000, 2000
"""Seeds of the runs that are held against the reference; those of the reference count from 1."""


def job_of(seed, wanted, weight=1.0):
    sources = (
        SOURCE.format(name=name, level=wanted.level, weight=weight if name == SPECIAL else 1.0)
        for name in TYPES
    )
    return parse_job(JOB.format(seed=seed, steps=wanted.steps) + "".join(sources))


def train(settings, root):
    """Train a run to its end, and write its journal as a coordinator would."""
    directory, cache = RunDirectory(root), default_cache(os.environ)
    sources = Sources(settings, cache)
    facts, train = sources.open(), settings.train
    recipes, log = begun_recipes(settings, course_of(settings, ())), first_hyperparameters(settings)
    engine = Engine(settings, time.monotonic, lambda: None, kinds=find_kinds(settings, cache))
    engine.warm_up()
    engine.initialise()
    alone = partial(Comm, store=None, index=0, size=1, timeout_seconds=60, aborted=lambda: None)
    engine.join(alone(name="g1"))
    identity, run_id = engine.identity(), f"seed {settings.job.seed}"
    records = [
        RunOpened(0.0, run_id, 1, "", facts, recipes, identity, train.lanes, 1, (log,))
    ]  # fmt: skip
    rows_of = partial(rows_of_block, recipes, facts, lanes=1, rows_per_block=train.sequences)
    for step in range(train.steps):
        rows = rows_of(step, 0)
        digest, block = sources.build_all(rows)
        told = [[row.source for row in rows]]
        outcome = engine.run_step(step, [0], [block], [digest], digest_due=False, sources=told)
        losses = outcome.lane_losses
        records.append(
            StepCommitted(
                float(step), step, 1, 0, (digest,), losses, mean_loss(losses), "",
                outcome.gradient_norm, outcome.learning_rate, sources=outcome.sources,
            )
        )  # fmt: skip
    directory.create()
    directory.job.write_text(dump_toml(settings))
    with JournalWriter.open(directory.journal) as writer:
        writer.append(records)
    return losses[0]


def runs_of(wanted, name, first, count, weight=1.0):
    """Return the directories of runs, trained as far as they are not there."""
    found = []
    for seed in range(first, first + count):
        root = wanted.out / f"{name}-{wanted.steps}-{wanted.level}-{weight:g}-{seed}"
        found.append(root)
        if RunDirectory(root).journal.exists():
            continue
        begun = time.process_time()
        loss = train(job_of(seed, wanted, weight), root)
        seconds = time.process_time() - begun
        sys.stdout.write(f"{name} seed {seed}: {seconds:.1f} s of a core, last loss {loss:.3f}\n")
        sys.stdout.flush()
    return found


def judged(runs, reference):
    """Print how runs stand beside a reference; return how many have a type that stands out."""
    alarms = 0
    for run in runs:
        told = hold_against(run, reference)
        alarms += bool(told.specialised or told.weak)
        words = "; ".join(f"{name}: {words}" for name, words in verdicts(told))
        figures = ", ".join(f"{each.type} {each.relative_z:+.1f}" for each in told.types)
        sys.stdout.write(f"{run.name}: {words} [{figures}]\n")
    return alarms


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder of the runs; default: a fresh one")
    parser.add_argument("--reference", type=int, default=10, help="runs that it is made of")
    parser.add_argument("--balanced", type=int, default=20)
    parser.add_argument("--special", type=int, default=3)
    parser.add_argument("--weight", type=float, default=10.0, help=f"of {SPECIAL} in those")
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--level", type=int, default=4)
    wanted = parser.parse_args()
    wanted.out = wanted.out or Path(tempfile.mkdtemp(prefix="specialisation-"))
    wanted.out.mkdir(parents=True, exist_ok=True)
    known = runs_of(wanted, "reference", 1, wanted.reference)
    balanced = runs_of(wanted, "balanced", FIRST_BALANCED, wanted.balanced)
    special = runs_of(wanted, "special", FIRST_SPECIAL, wanted.special, wanted.weight)
    path = wanted.out / "reference.json"
    reference = make_reference(known)
    write_reference(path, reference)
    for name, told in reference.types.items():
        spread = f"{told.end.deviation:.3f} from run to run, {told.relative.deviation:.3f} relative"
        sys.stdout.write(f"{name}: {told.end.mean:.3f}, {spread}\n")
    alarms, hits = judged(balanced, path), judged(special, path)
    sys.stdout.write(f"alarms: {alarms} of {len(balanced)} balanced runs\n")
    sys.stdout.write(f"found: {hits} of {len(special)} with {wanted.weight:g} times {SPECIAL}\n")


if __name__ == "__main__":
    main()
