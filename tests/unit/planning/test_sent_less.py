"""What a plan says that trainers send, beside what was counted (docs/benchmarks)."""

import pytest

from qmpi.config.load import parse_job
from qmpi.config.machine import Machine
from qmpi.planning.engine_time import direction_bytes_told, engine_time
from qmpi.planning.loads import loads
from qmpi.planning.workload import Counts, Workload, speeds_of_cores, workload

SPEEDS = speeds_of_cores((1e11, 1e10, 1e10, 1e10, 1e9, 1e-6, False))
DEMO = "[model]\nvocab_size = 4096\nlayers = 4\nwidth = 128\nheads = 4\nkv_heads = 2\n"


def planned(train: str, trainers: int = 2) -> Workload:
    settings = parse_job(f"{DEMO}[train]\nlanes = {max(6, trainers)}\n{train}")
    return workload(settings, Counts(ranks=9, trainers=trainers), Machine(), SPEEDS, None)


@pytest.mark.parametrize(
    ("train", "share"),
    [
        ("reduction_bits = 16", 0.5),
        ('compression = "topk"\ncompression_share = 0.045', 0.043),
        ('compression = "powersgd"\ncompression_rank = 4', 0.042),
        ('compression = "powersgd"\ncompression_rank = 16', 0.166),
    ],
)
def test_a_plan_tells_what_lanes_send(train: str, share: float) -> None:
    all_sent, less = (loads(planned(way), 1.0).reduce_bytes for way in ("", train))
    assert less / all_sent == pytest.approx(share, rel=0.3)


def test_the_largest_of_many_members_are_more_than_a_dense_sum() -> None:
    topk = 'compression = "topk"\ncompression_share = 0.3'
    assert loads(planned(topk, 24), 1.0).reduce_bytes > loads(planned("", 24), 1.0).reduce_bytes


def test_muon_is_not_shared_where_lanes_send_less() -> None:
    whole, less = planned(""), planned("reduction_bits = 16")
    assert direction_bytes_told(whole, SPEEDS) > direction_bytes_told(less, SPEEDS) == 0
    assert engine_time(less, SPEEDS).reduce < engine_time(whole, SPEEDS).reduce
    assert engine_time(less, SPEEDS).apply > engine_time(whole, SPEEDS).apply
