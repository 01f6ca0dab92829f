"""Does a curriculum that follows the losses save tokens? Ways to choose data, side by side.

One small model a run, in one process; what is judged is the product's: sources and bands, the
curriculum and its constants, generated rows, held-out problems, the judge of answers. Runs of a
seed begin with the same weights and are judged by the same problems. A run of a smaller share of
the budget has a schedule of its own. All tokens count, those of probes too. With --corpora the bed
is real text beside generated text, and the question is whether the curriculum does harm there.

An arm is a line, see curriculum_rules. Each result is a line of JSON in --results, and what stands
there is not done again; several processes may add to one file.

    python tests/benchmarks/bench_curriculum.py --arm target ours --seed 1 2 3 4 5
    python tests/benchmarks/bench_curriculum.py --arm ours --share 0.9 0.8 0.75 0.6 --seed 1 2 3 4 5
    python tests/benchmarks/bench_curriculum.py --table
"""

import argparse
import sys
from pathlib import Path

import torch
from bench_learning import add, read
from curriculum_bed import Bed, Plan
from curriculum_rules import read_line
from curriculum_run import Judge, Pupil, Recipe, Run, train
from curriculum_table import corpora_table, table


def options():
    """Return what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arm", nargs="+", default=[])
    parser.add_argument("--share", type=float, nargs="+", default=[1.0], help="of the budget")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--corpora", action="store_true", help="real text beside generated text")
    parser.add_argument("--kind", default="mathematics", help="generated type of the bed")
    parser.add_argument("--families", nargs="+", default=[], help="a source each, of type drills")
    parser.add_argument("--hardest", type=int, default=100, help="level")
    parser.add_argument("--row", type=int, default=64, help="tokens of a row")
    parser.add_argument("--bank", type=int, default=1400, help="rows made of each arm")
    parser.add_argument("--problems", type=int, default=16, help="held out, of each arm")
    for field in Recipe._fields:
        default = Recipe._field_defaults[field]
        parser.add_argument(f"--{field}", type=type(default), default=default)
    parser.add_argument("--results", type=Path, default=Path("curriculum.jsonl"))
    parser.add_argument("--folder", type=Path, default=Path("curriculum_beds"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--against", default="target", help="arm that others are held against")
    return parser.parse_args()


def main():
    """Do what is missing; print what is asked for."""
    wanted = options()
    torch.set_num_threads(1)
    recipe = Recipe(*(getattr(wanted, field) for field in Recipe._fields))
    kind = "corpora" if wanted.corpora else wanted.kind
    problems = 0 if wanted.corpora else wanted.problems
    plan = Plan(kind, wanted.row, wanted.bank, problems, wanted.hardest, tuple(wanted.families))
    place = {"plan": [*plan[:-1], [*plan.families]], "recipe": [*recipe]}
    for line in wanted.arm:
        read_line(line)
    runs = [(s, line, n) for n in wanted.seed for line in wanted.arm for s in wanted.share]
    made = None
    for share, line, seed in runs:
        own = {**place, "arm": line, "seed": seed, "share": share}
        if any(own.items() <= row.items() for row in read(wanted.results)):
            continue
        if made is None:
            bed = Bed(plan, wanted.folder)
            made = bed, Judge(bed), Pupil(recipe.shape(bed.vocabulary), recipe), recipe
        row = {**place, **train(*made, Run(line, seed, share))}
        add(wanted.results, row)
        told = {k: row.get(k) for k in ("answers", "accuracy", "rows", "off", "cpu_seconds")}
        sys.stdout.write(f"{line}, share {share:g}, seed {seed}: {told}\n")
        sys.stdout.flush()
    if wanted.table:
        rows = [row for row in read(wanted.results) if place.items() <= row.items()]
        (corpora_table if wanted.corpora else table)(rows, wanted.against)


if __name__ == "__main__":
    main()
