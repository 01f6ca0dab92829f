"""The benchmark of peers keeps its contract with scripts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_peers.py"
NAMES = ["exact", "fast", "bare_compiled", "nanogpt", "nanogpt_compiled", "hf", "hf_trainer"]


@pytest.mark.timeout(700)
def test_it_ends_in_one_object():
    options = ["--precision", "float32", "--threads", "1", "--rounds", "2", "--json"]
    done = subprocess.run(
        [sys.executable, str(BENCH), "--size", "tiny", *options, "--only", "exact_eager,nanogpt"],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ratio_to_bare"]["bare"] == 1.0
    assert told["ratio_to_bare"]["exact_eager"] > 0
    assert set(NAMES) <= set(told["ratio_to_bare"])
    assert told["ratio_to_bare"]["hf"] is None  # it was left out, as if it were not installed
    assert told["utilisation"] > 0
    assert told["peak_gflops"] > 0
