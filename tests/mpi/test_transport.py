"""What only the MPI transport has: credit, hosts, the order of a death and the last messages."""

from pathlib import Path
from typing import Any

from mpi.harness import run_ranks

SCRIPT = Path(__file__).parent / "transport_ranks.py"
WINDOW_BYTES = 2 << 20


def play(folder: Path, ranks: int, case: str) -> dict[int, Any]:
    run = run_ranks(ranks, SCRIPT, folder, case)
    assert sorted(run.reports) == list(range(ranks)), run.output
    for rank, report in run.reports.items():
        assert not report["error"], f"rank {rank}: {report['error']}"
    return {rank: report["result"] for rank, report in run.reports.items()}


def test_every_rank_learns_all_hosts(tmp_path: Path):
    results = play(tmp_path, 3, "hosts")
    assert len(results[0]) == 3
    assert all(results[0])
    assert results[0] == results[1] == results[2]


def test_a_rank_that_stays_silent_at_start_is_named(tmp_path: Path):
    results = play(tmp_path, 3, "absent")
    assert results[0].startswith("MachineError")
    assert "[2]" in results[0]
    assert results[1].startswith("MachineError")


def test_a_word_that_overtakes_the_meeting_waits(tmp_path: Path):
    story = play(tmp_path, 3, "early")[1]
    assert story[:4] == ["root", "early 0", "early 1", "early 2"]


def test_what_a_dead_rank_sent_comes_before_its_loss(tmp_path: Path):
    story = play(tmp_path, 2, "death")[0]
    assert story == [*map(str, range(40)), "lost 1"]


def test_no_more_than_one_window_is_on_its_way_to_a_rank(tmp_path: Path):
    results = play(tmp_path, 2, "credit")
    assert 0 < results[0]["flying"] <= WINDOW_BYTES
    assert results[0]["pending"] >= 19 << 20
    assert results[1] == list(range(20))
