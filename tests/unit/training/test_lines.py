"""Lines keep their promises over every library: one program plays all scenarios, once a library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from unit.training.line_scenarios import OPERATIONS, SCENARIOS
from unit.training.on_cuda import NEEDS_CUDA

from qmpi.training.comm.pieces import even_counts, sum_in_order
from qmpi.training.comm.place import Place

pytestmark = pytest.mark.timeout(600)
"""All scenarios are played for the first test; on a busy machine that takes minutes."""

PROGRAM = Path(__file__).with_name("line_scenarios.py")

A_GPU_A_MEMBER = pytest.mark.skipif(torch.cuda.device_count() < 8, reason="needs eight GPUs")

LIBRARIES = ("gloo", pytest.param("nccl", marks=[*NEEDS_CUDA, A_GPU_A_MEMBER], id="cuda"))


@pytest.fixture(scope="module", params=LIBRARIES)
def told(request):
    """What the members of each scenario said."""
    environment = os.environ | {
        "GLOO_SOCKET_IFNAME": "lo", "TORCH_GLOO_LAZY_INIT": "1", "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "FATAL", "PYTHONPATH": str(Path(__file__).parents[3]),
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(PROGRAM), request.param],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize(
    "name", [name for name in SCENARIOS if not name.startswith(("killed", "told"))]
)
def test_all_members_find_the_promises_held(told, name):
    assert told[name] == ["held"] * SCENARIOS[name][0], _faults(told[name])


@pytest.mark.parametrize("operation", [*OPERATIONS, "sums by host"])
def test_a_member_killed_in_an_operation_is_lost_to_all_others(told, operation):
    *survivors, dead = told[f"killed in {operation}"]
    assert dead is None
    assert survivors == ["left"] * len(survivors), _faults(survivors)


def test_who_is_told_to_leave_leaves_every_operation(told):
    late, held = told["told to leave"]
    assert held == "held", _faults([held])
    # At the first look that sees the flag.
    assert late == [1] * len(OPERATIONS), _faults([late])


def test_counts_are_as_even_as_can_be():
    assert even_counts(7, 3) == (3, 2, 2)
    assert even_counts(2, 3) == (1, 1, 0)
    assert even_counts(0, 2) == (0, 0)


def test_a_sum_in_order_rounds_bfloat16_once():
    parts = [torch.tensor([value], dtype=torch.bfloat16) for value in (256.0, 1.0, 1.0)]
    assert sum_in_order(parts).item() == 258
    assert (parts[0] + parts[1] + parts[2]).item() == 256
    assert parts[0].item() == 256


@pytest.mark.parametrize("size", range(1, 7))
@pytest.mark.parametrize("reach", range(4))
def test_ways_are_agreed_on_by_both_ends_and_connected_in_one_order(size, reach):
    places = [Place(index, size, reach).ways() for index in range(size)]
    everything = sorted({way for ways in places for way in ways}, key=lambda way: sorted(way))
    for index, ways in enumerate(places):
        assert sorted(ways) == sorted(way for way in everything if index in way)
        assert [sorted(way) for way in ways] == sorted(sorted(way) for way in ways)
        for source, target in ways:
            assert min((source - target) % size, (target - source) % size) <= reach


def _faults(said):
    return "\n".join(str(one.get("fault")) for one in said if isinstance(one, dict))
