"""The planner's model of time against published runs, and what a constant owes to which of them.

Times of a step are compared: what a source publishes as TFLOP/s was turned into seconds by its own
way of counting. `matmul` and `attention` are the only constants that were calibrated: they minimise
the mean of |ln(predicted / published)| over all rows. To show what is then a prediction, each
source is left out in turn, both are calibrated on the others, and the rows left out are predicted.

    python tests/benchmarks/bench_plan.py
"""

import math
import sys
from collections.abc import Sequence

from published_runs import LLAMA_405B, RUNS, Run

from qmpi.config.machine import load_machine
from qmpi.planning.rates import Rates, links
from qmpi.planning.step_time import StepTime, step_time

MATMUL = [share / 100 for share in range(55, 90)]
ATTENTION = [share / 100 for share in range(30, 100, 5)]
MACHINES = {name: load_machine(name) for name in {run.machine for run in RUNS}}
TERA = 1e12
DAY = 86_400.0

LLAMA_TOKENS = 15.6e12
LLAMA_GPU_HOURS = 30.84e6
"""Llama 3.1 model card: H100 hours for the 405B model."""
LLAMA_TRAINING_SHARE = 0.90
"""Llama 3, section 3.3.4: "higher than 90 % effective training time"."""
DEEPSEEK_TOKENS = 14.8e12
DEEPSEEK_GPU_HOURS = 2.664e6


def predict(run: Run, rates: Rates) -> StepTime:
    """Return the time of a published run's step."""
    return step_time(run.shape, run.layout, links(MACHINES[run.machine], rates))


def calibrate(runs: Sequence[Run]) -> Rates:
    """Return the constants that predict runs best, on a grid."""
    offers = [Rates(matmul=m, attention=a) for m in MATMUL for a in ATTENTION]
    return min(offers, key=lambda rates: miss(runs, rates))


def miss(runs: Sequence[Run], rates: Rates) -> float:
    """Return the mean of |ln(predicted / published)|."""
    return sum(abs(math.log(predict(r, rates).total / r.seconds)) for r in runs) / len(runs)


def families() -> list[str]:
    """Return the sources in the order of the table."""
    return list(dict.fromkeys(run.family for run in RUNS))


def error(run: Run, rates: Rates) -> float:
    """Return by how much a step is predicted too long, as a share."""
    return predict(run, rates).total / run.seconds - 1


def table() -> list[str]:
    """Return the table of all rows, in Markdown."""
    left_out = {f: calibrate([r for r in RUNS if r.family != f]) for f in families()}
    lines = [
        "| run | layout | published | s a step published | predicted | error | left out | MFU "
        "published | predicted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for family in families():
        lines.append(f"| **{family}** | | | | | | | | |")
        lines += [_row(run, left_out[family]) for run in RUNS if run.family == family]
    return lines


def _row(run: Run, without: Rates) -> str:
    layout, seconds = run.layout, predict(run, Rates()).total
    axes = [("DP", layout.data), ("TP", layout.tensor), ("PP", layout.pipeline)]
    axes += [("CP", layout.context), ("EP", layout.expert)]
    words = " ".join(f"{name}{size}" for name, size in axes if size > 1)
    share = run.convention / (layout.gpus * run.peak * TERA) if run.peak else 0.0
    used = (f"{share / run.seconds:.0%}", f"{share / seconds:.0%}") if share else ("", "")
    return (
        f"| {run.name} | {words} | {run.published} | {run.seconds:.2f} | {seconds:.2f} | "
        f"{error(run, Rates()):+.0%} | {error(run, without):+.0%} | {used[0]} | {used[1]} |"
    )


def constants() -> list[str]:
    """Return what is calibrated with each source left out, in Markdown."""
    lines = ["| calibrated without | matmul | attention | mean error of the rows left out |"]
    lines.append("|---|---|---|---|")
    for family in ["", *families()]:
        rates = calibrate([run for run in RUNS if run.family != family])
        rows = [run for run in RUNS if run.family == (family or run.family)]
        wrong = math.exp(miss(rows, rates)) - 1
        lines.append(
            f"| {family or 'nothing: as shipped'} | {rates.matmul:.2f} | {rates.attention:.2f} | "
            f"{wrong:.0%}{'' if family else ' (all rows)'} |"
        )
    return lines


def days() -> list[str]:
    """Return days of the two runs whose GPU hours are published, in Markdown."""
    llama = next(run for run in RUNS if run.name == "405B, 16,384 H100, 8K")
    deepseek = next(run for run in RUNS if run.family == "DeepSeek-V3")
    rows = [
        ("Llama 3 405B, 15.6 T tokens, 16,384 H100", llama, LLAMA_TOKENS, LLAMA_GPU_HOURS),
        ("DeepSeek-V3, 14.8 T tokens, 2,048 H800", deepseek, DEEPSEEK_TOKENS, DEEPSEEK_GPU_HOURS),
    ]
    lines = ["| run | days published | days predicted | error |", "|---|---|---|---|"]
    for name, run, tokens, hours in rows:
        published = hours / run.layout.gpus / 24
        steps = tokens / (run.layout.sequences * run.layout.sequence_tokens)
        share = LLAMA_TRAINING_SHARE if run.shape == LLAMA_405B else 1.0
        planned = steps * predict(run, Rates()).total / DAY / share
        lines.append(
            f"| {name} | {published:.1f} | {planned:.1f} | {planned / published - 1:+.0%} |"
        )
    return lines


def main() -> None:
    """Print the tables."""
    sys.stdout.write("\n".join([*table(), "", *constants(), "", *days(), ""]))


if __name__ == "__main__":
    main()
