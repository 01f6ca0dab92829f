"""The conformance suite over real MPI, and what mpirun makes of ranks that just leave."""

from pathlib import Path

import pytest
from mpi.harness import run_ranks

SCRIPT = Path(__file__).parent / "mpi_ranks.py"


@pytest.mark.parametrize(("ranks", "victim"), [(2, -1), (2, 1), (3, 0), (5, 4), (5, 2)])
def test_mpi_keeps_the_promises(tmp_path: Path, ranks: int, victim: int):
    run = run_ranks(ranks, SCRIPT, tmp_path, victim, timeout=40)
    errors = {rank: report["error"] for rank, report in run.reports.items() if report["error"]}
    assert not errors, "\n".join(f"rank {r}: {text}" for r, text in errors.items())
    assert sorted(run.reports) == list(range(ranks)), run.output
    assert all(report["fault_tolerant"] for report in run.reports.values())
    # Ranks left without MPI_Finalize; with fault tolerance on, mpirun is content.
    assert run.returncode == 0, run.output
