"""The conformance suite over the simulated network."""

import random

import pytest
from conformance.transport_suite import play_together

from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Link
from qmpi.simulator.network import Network
from qmpi.units import Rank


@pytest.mark.parametrize(("ranks", "victim"), [(1, None), (2, 1), (3, 0), (5, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_the_simulated_network_keeps_the_promises(ranks: int, victim: int | None, seed: int):
    agenda = Agenda()
    network = Network(agenda, random.Random(seed), Link(), ranks)

    def pump():
        # A few events, then time moves on even if nothing is planned, as sleeping ranks see it.
        for _ in range(20):
            if not agenda.step():
                agenda.now += 0.001
                return

    def kill(rank: int):
        network.remove(Rank(rank), "killed", flushed=False)

    play_together(list(network.ends), pump, kill, lambda: agenda.now, victim)
