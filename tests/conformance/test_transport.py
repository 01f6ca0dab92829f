"""The suite of transport over real MPI and over the simulated network."""

from pathlib import Path

import pytest
from conformance.modelled import transport as modelled
from conformance.real import transport as real


@pytest.mark.parametrize(("ranks", "victim"), [(2, None), (2, 1), (3, 0), (5, 4), (5, 2)])
def test_mpi_keeps_the_promises(tmp_path: Path, ranks: int, victim: int | None):
    real.play(tmp_path, ranks, victim)


@pytest.mark.parametrize(("ranks", "victim"), [(1, None), (2, 1), (3, 0), (5, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_the_simulated_network_keeps_the_promises(ranks: int, victim: int | None, seed: int):
    modelled.play(ranks, victim, seed)
