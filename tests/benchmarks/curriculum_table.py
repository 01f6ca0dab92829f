"""What the results of bench_curriculum say: means, paired differences, tokens saved."""

import statistics
import sys

import numpy as np

DRAWS = 4000
"""Samples of the seeds, drawn with replacement, that an interval is taken from."""

LOWER_IS_BETTER = {"answers": True, "accuracy": False, "rows": True}
HARM = 0.005
"""Share by which the loss on real text may be higher."""


def interval(values):
    """Return the bounds between which 95 % of the means of resampled values lie."""
    drawn = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    means = np.asarray(values)[drawn].mean(1)
    return tuple(float(each) for each in np.quantile(means, [0.025, 0.975]))


def grouped(rows):
    """Return the results by arm and share of the budget, then by seed."""
    groups = {}
    for row in rows:
        groups.setdefault((row["arm"], row["share"]), {})[row["seed"]] = row
    return groups


def paired(own, other, metric):
    """Return the differences of two groups, seed by seed."""
    return [own[seed][metric] - other[seed][metric] for seed in sorted(own.keys() & other.keys())]


def saving(shares, values, goal, *, lower):
    """Return the share of tokens saved: read off the budgets tried, and between them.

    Args:
        shares: of the budget, that were tried.
        values: mean of the metric at each.
        goal: what the other ends at with the whole budget.
        lower: less is better.

    Returns:
        1 less the smallest share that reaches the goal, and 1 less where a line between it and the
        next smaller one does; None twice: no share reaches it.
    """
    side = 1.0 if lower else -1.0
    told = sorted(zip(shares, (side * (v - goal) for v in values), strict=True))
    reaching = [number for number, (_, lack) in enumerate(told) if lack <= 0.0]
    first = len(told) - 1
    # From above: what reaches it by luck below a larger budget that does not saves nothing.
    if first not in reaching:
        return None, None
    while first - 1 in reaching:
        first -= 1
    share, lack = told[first]
    if first == 0:
        return 1.0 - share, 1.0 - share
    below, more = told[first - 1]
    return 1.0 - share, 1.0 - (share - (share - below) * -lack / (more - lack))


def table(rows, against):
    """Print means, differences to an arm of the same share, and what it saves."""
    groups = grouped(rows)
    out = sys.stdout.write
    heads = ["arm", "budget", "seeds", "answer loss", "accuracy", "difference of loss"]
    heads += ["difference of accuracy", "over at window", "controller"]
    out(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for line, share in sorted(groups, key=lambda k: (k[0].split()[0] != against, k[0], -k[1])):
        own, other = groups[line, share], groups.get((against, 1.0), {})
        told = [
            f"{statistics.mean(r[m] for r in own.values()):.4f}" for m in ("answers", "accuracy")
        ]
        for metric in ("answers", "accuracy"):
            gaps = paired(own, other, metric)
            told.append(_shown(gaps) if len(gaps) > 1 and line != against else "")
        off = " ".join(str(own[seed]["off"]) for seed in sorted(own) if own[seed]["off"])
        spent = statistics.mean(r["controller_seconds"] / r["cpu_seconds"] for r in own.values())
        out(f"| {line} | {share:g} | {len(own)} | {' | '.join(told)} | {off} | {spent:.1%} |\n")
    for metric in ("answers", "accuracy"):
        for line in sorted({line for line, _ in groups} - {against}):
            _tell_saving(groups, line, against, metric)
    _bands(groups)


def _shown(gaps):
    low, high = interval(gaps)
    return f"{statistics.mean(gaps):+.4f} ({low:+.4f} to {high:+.4f})"


def _tell_saving(groups, line, against, metric):
    base = groups.get((against, 1.0))
    shares = sorted(share for name, share in groups if name == line)
    if not base or len(shares) < 2:
        return
    seeds = sorted(set(base).intersection(*(groups[line, share] for share in shares)))
    lower = LOWER_IS_BETTER[metric]

    def of(drawn):
        means = [statistics.mean(groups[line, s][n][metric] for n in drawn) for s in shares]
        goal = statistics.mean(base[n][metric] for n in drawn)
        return saving(shares, means, goal, lower=lower)

    tried, between = of(seeds)
    name = {"answers": "answer loss", "accuracy": "accuracy"}[metric]
    if tried is None:
        sys.stdout.write(f"{line}, {name}: no gain\n")
        return
    draws = np.random.default_rng(0).integers(0, len(seeds), (400, len(seeds)))
    # A sample in which nothing is saved counts as none saved.
    saved = [of([seeds[n] for n in drawn])[1] or 0.0 for drawn in draws]
    low, high = np.quantile(saved, [0.025, 0.975])
    gain = f"saves {tried:.0%} of the tokens" if tried > 0.0 else "no gain at the budgets tried"
    sys.stdout.write(
        f"{line}, {name}: {gain} ({between:.1%} between budgets, {low:.1%} to {high:.1%}), "
        f"{len(seeds)} seeds\n"
    )


def _bands(groups):
    """Print the accuracy by band and by source at the whole budget."""
    for field in ("by_band", "by_source"):
        names = list(next(iter(next(iter(groups.values())).values()))[field])
        sys.stdout.write(f"\n| arm | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n")
        for line in sorted(line for line, share in groups if share == 1.0):
            own = groups[line, 1.0].values()
            told = [f"{statistics.mean(row[field][name] for row in own):.3f}" for name in names]
            sys.stdout.write(f"| {line} | {' | '.join(told)} |\n")


def corpora_table(rows, against):
    """Print the loss of held-out rows, weighed as the job weighs their sources."""
    groups = grouped(rows)
    base = groups.get((against, 1.0), {})
    sys.stdout.write("| arm | seeds | nats, weighed | relative to it | each seed | verdict |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for (line, share), own in sorted(groups.items()):
        seeds = sorted(own.keys() & base.keys())
        ratios = [own[seed]["rows"] / base[seed]["rows"] - 1.0 for seed in seeds]
        if share != 1.0 or not ratios:
            continue
        mean = statistics.mean(row["rows"] for row in own.values())
        verdict = "" if line == against else _verdict(ratios)
        each = " ".join(f"{ratio:+.2%}" for ratio in ratios)
        sys.stdout.write(
            f"| {line} | {len(own)} | {mean:.4f} | {statistics.mean(ratios):+.2%} | {each} | "
            f"{verdict} |\n"
        )


def _verdict(ratios):
    if max(ratios) > HARM:
        return f"worse by more than {HARM:.1%} on a seed"
    return f"never worse by more than {HARM:.1%}"
