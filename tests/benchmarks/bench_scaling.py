"""Is the rate that docs/scaling.md derives the best one? Short runs of real text at small depths.

Each depth is trained on the same number of tokens at the derived rate times each factor. The rule
is asked for what a run of that length would get: its operations, not those of 20 tokens a
parameter, give tokens a step and rate. Text, loop and held-out rows are those of bench_learning.py;
results are lines of JSON, and what stands there is not done again.

    nice -n 10 python tests/benchmarks/bench_scaling.py --tokens 600000 --depths 2 3 4
    python tests/benchmarks/bench_scaling.py --table
"""

import argparse
import sys
from pathlib import Path

import torch
from bench_learning import add, key, read, train
from learning_arms import CONTEXT, SIZES

from qmpi.planning.scaling import batch, model_of_depth, rate, scaled_job, step_tokens
from qmpi.planning.shape import flops_per_token, parameters, shape_of


def derived(depth, tokens):
    """Return sequences of a step and peak rate that the rules give a run of so many tokens."""
    operations = flops_per_token(shape_of(model_of_depth(depth)), CONTEXT) * tokens
    dealt = batch(step_tokens(operations), CONTEXT)
    return dealt.lanes * dealt.microbatches * dealt.sequences, rate(operations)


def run(depth, tokens, factor, seed, results):
    sequences, peak = derived(depth, tokens)
    size, arm = f"depth {depth}", f"ours muon rate={peak * factor:.2g}"
    SIZES[size] = model_of_depth(depth)
    trained = tokens // (sequences * CONTEXT) * sequences * CONTEXT
    if (size, arm, seed, trained, sequences) in map(key, read(results)):
        return
    row = {**train(arm, size, seed, tokens, sequences), "factor": factor, "depth": depth}
    add(results, row)
    sys.stdout.write(f"depth {depth}, {arm}: {row['held_out']:.4f}, {row['cpu_seconds']} s\n")
    sys.stdout.flush()


def table(rows):
    """Print one line a depth and length: the loss at each factor, and how far the rule is off."""
    heads = "depth|parameters|tokens|a step|steps|whole job's rate|rate derived|loss by factor|"
    sys.stdout.write("|" + heads + "rule - best|\n" + "|---" * 9 + "|\n")
    for depth, tokens, step in sorted({(r["depth"], r["tokens"], r["batch"]) for r in rows}):
        mine = [r for r in rows if (r["depth"], r["tokens"], r["batch"]) == (depth, tokens, step)]
        losses = {}
        for row in mine:
            losses.setdefault(row["factor"], []).append(row["held_out"])
        means = {f: sum(found) / len(found) for f, found in sorted(losses.items())}
        off = f"{means[1.0] - min(means.values()):+.3f}" if 1.0 in means else ""
        model = model_of_depth(depth)
        whole = scaled_job("whole", model).optimizer.learning_rate
        shown = ", ".join(f"{f:g}: {mean:.3f}" for f, mean in means.items())
        sys.stdout.write(
            f"| {depth} | {parameters(shape_of(model)) / 1e6:.2f} M | {tokens / 1e3:.0f} k | "
            f"{step * CONTEXT:,} | {tokens // (step * CONTEXT)} | {whole:g} | "
            f"{derived(depth, tokens)[1]:g} | {shown} | {off} |\n"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--tokens", type=int, default=600_000, help="of each run")
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 0.5, 2.0])
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--results", type=Path, default=Path("scaling.jsonl"))
    parser.add_argument("--table", action="store_true", help="only show what is there")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    for depth in [] if wanted.table else wanted.depths:
        for seed in wanted.seed:
            for factor in wanted.factors:
                run(depth, wanted.tokens, factor, seed, wanted.results)
    table(read(wanted.results))


if __name__ == "__main__":
    main()
