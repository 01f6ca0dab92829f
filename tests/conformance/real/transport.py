"""The real transport: ranks of an MPI job, each of which plays the suite and reports."""

from pathlib import Path

from mpi.harness import run_ranks

SCRIPT = Path(__file__).with_name("mpi_ranks.py")


def play(folder: Path, ranks: int, victim: int | None) -> None:
    """Play the suite on so many ranks, one of which may die at its end."""
    number = -1 if victim is None else victim
    run = run_ranks(ranks, SCRIPT, folder, number, timeout=40)
    errors = {rank: report["error"] for rank, report in run.reports.items() if report["error"]}
    assert not errors, "\n".join(f"rank {r}: {text}" for r, text in errors.items())
    assert sorted(run.reports) == list(range(ranks)), run.output
    assert all(report["fault_tolerant"] for report in run.reports.values())
    # Ranks left without MPI_Finalize; with fault tolerance on, mpirun is content.
    assert run.returncode == 0, run.output
