"""Measuring a core: short, of the job's own compute type, and by the times that are asked for."""

import itertools
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
import torch

from qmpi.config.load import parse_job
from qmpi.training.speed import PEAK_SECONDS, SECONDS, measure, peak

DEMO = (Path(__file__).parents[3] / "jobs" / "demo.toml").read_text(encoding="utf-8")


def test_rates_are_positive_and_of_the_jobs_type() -> None:
    ticks = itertools.count()
    # A clock that moves by a third of the time at each look: three batches of each kind.
    speed = measure(
        parse_job(DEMO, ["train.precision=float32"]), lambda: next(ticks) * SECONDS / 3, median
    )
    assert speed.half is False
    assert min(speed[:6]) > 0


def test_a_measurement_loads_no_library_of_symbols() -> None:
    program = (
        "import itertools, sys\n"
        "from qmpi.config.settings import Settings\n"
        "from qmpi.training.speed import measure\n"
        "ticks = itertools.count()\n"
        "measure(Settings(), lambda: float(next(ticks)))\n"
        "sys.exit('sympy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_fastest_batch_counts(precision: str) -> None:
    settings = parse_job(DEMO, [f"train.precision={precision}"])

    def uneven(gaps: tuple[float, float]) -> object:
        moments = itertools.accumulate(itertools.cycle(gaps))
        return lambda: next(moments)

    least = measure(settings, uneven((0.02, 0.06)), min)  # pyright: ignore[reportArgumentType]
    most = measure(settings, uneven((0.02, 0.06)), max)  # pyright: ignore[reportArgumentType]
    assert least.half is (precision == "bfloat16")
    assert least.products == pytest.approx(3 * most.products)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_the_peak_is_that_of_the_fastest_product_in_a_short_time(kind: torch.dtype) -> None:
    gaps = itertools.cycle((0.02, 0.01, 0.04))
    moments = itertools.accumulate(gaps)
    looks: list[float] = []

    def clock() -> float:
        looks.append(next(moments))
        return looks[-1]

    assert peak(kind, torch.device("cpu"), clock) == pytest.approx(2 * 512**3 / 0.01)
    assert looks[-1] - looks[0] < PEAK_SECONDS + 0.04
