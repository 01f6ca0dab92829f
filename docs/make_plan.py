"""Write the figures of docs/plan.md from the model and from the command; a test holds them equal.

Theory of operation. The page is prose with places for figures, each between a line
`<!-- figures: NAME -->` and a line `<!-- end -->`. What stands between is what the functions below
return, and nothing else of the page is touched.

    python docs/make_plan.py
"""

import re
import shlex
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

import bench_plan  # noqa: E402 - tests/benchmarks is on the path from here on

from qmpi.cli.main import run  # noqa: E402
from qmpi.config.machine import load_machine  # noqa: E402
from qmpi.config.presets import preset  # noqa: E402
from qmpi.planning.advice import Advice, advise  # noqa: E402
from qmpi.planning.shape import flops_per_token, parameters, shape_of  # noqa: E402
from qmpi.planning.wording import amount  # noqa: E402

PAGE = ROOT / "docs" / "plan.md"
QUINTILLION = (
    "qmpi plan jobs/quintillion.toml --ranks 8000 --machine h100 --set machine.node_hour=16"
)
TIGHT = "--set train.sequences=24 --set train.lanes=16"
LAYOUTS = f"qmpi plan jobs/node.toml --machine h100 {TIGHT} --layouts"
COMPARE = "qmpi plan jobs/node.toml --machine h100 --compare"
GPUS = 8000
TOKENS = 10**18
YEAR = 365.25 * 86_400
GPU_HOUR = 2.0
"""USD, as in table 1 of the DeepSeek-V3 report."""


def told(command: str) -> list[str]:
    """Return a command and what it prints, as a block."""
    out = StringIO()
    with chdir(ROOT), redirect_stdout(out):
        code = run(shlex.split(command)[1:])
    if code != 0:
        raise SystemExit(f"{command} ended with {code}")
    return ["```", f"$ {command}", *(line.rstrip() for line in out.getvalue().splitlines()), "```"]


def best_of_eight_thousand() -> Advice:
    """Return the fastest layout of the model of `quintillion` over 8,000 GPUs."""
    settings = preset("quintillion")
    shape, batch = shape_of(settings.model), 4 * GPUS
    found = advise(shape, load_machine("h100"), GPUS, batch, settings.train.sequence_tokens)
    if found is None:
        raise SystemExit("no layout fits")
    return found


def honest() -> list[str]:
    """Return what 10^18 tokens would take on 8,000 GPUs with the best layout known, in words."""
    settings, machine, best = preset("quintillion"), load_machine("h100"), best_of_eight_thousand()
    layout = best.layout
    speed = layout.sequences * layout.sequence_tokens / best.step_seconds
    years = TOKENS / speed / YEAR
    watts = machine.node.watts / machine.node.gpus * machine.prices.overhead
    flops = flops_per_token(shape_of(settings.model), layout.sequence_tokens)
    gpu_years = years * best.gpus
    each = TOKENS / parameters(shape_of(settings.model))
    return [
        f"- 10^18 tokens of a model of 2.6 G parameters are {TOKENS * flops:.2g} operations "
        f"({flops / 1e9:.1f} GFLOP a token).",
        f"- {best.gpus:,} H100 that train at {best.utilisation:.0%} of their peak "
        f"({speed / 1e6:,.0f} M tokens/s) need **{years:,.0f} years**: {gpu_years / 1e6:.1f} "
        "million GPU-years.",
        f"- Energy: {gpu_years * YEAR / 3600 * watts / 1e9:,.0f} GWh "
        f"({watts:,.0f} W a GPU, its share of the node and of the building).",
        f"- Money: {gpu_years * YEAR / 3600 * GPU_HOUR / 1e9:,.0f} thousand million USD at "
        f"{GPU_HOUR:.0f} USD a GPU hour.",
        f"- To be done in one year: {gpu_years / 1e6:.1f} million such GPUs.",
        f"- Affordable instead, on {best.gpus:,} GPUs: {amount(speed * 30 * 86_400)} in 30 days, "
        f"{amount(speed * YEAR)} in a year. Llama 3 read 15.6 T.",
        f"- Per parameter the model would read {each / 1e6:,.0f} million tokens; 20 is what "
        "Chinchilla found best for a given number of operations. So with that much text the limit "
        "is the model, and a larger model takes longer still.",
    ]


PARTS: dict[str, Callable[[], list[str]]] = {
    "quintillion": lambda: told(QUINTILLION),
    "honest": honest,
    "compare": lambda: told(COMPARE),
    "layouts": lambda: told(LAYOUTS),
    "published": bench_plan.table,
    "constants": bench_plan.constants,
    "days": bench_plan.days,
}


def written(text: str) -> str:
    """Return the page with its figures made anew.

    Args:
        text: of the page.

    Returns:
        The page.
    """
    for name, make in PARTS.items():
        place = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise SystemExit(f"docs/plan.md has no place for the figures {name!r}")
        lines = "\n".join(make()) + "\n"
        text = place.sub(lambda found, lines=lines: found[1] + lines + found[2], text)
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
