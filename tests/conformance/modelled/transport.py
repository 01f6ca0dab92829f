"""The modelled transport: ranks that share a simulated network."""

import random

from conformance.transport_suite import play_together

from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Link
from qmpi.simulator.network import Network
from qmpi.units import Rank


def play(ranks: int, victim: int | None, seed: int) -> None:
    """Play the suite on so many ranks, one of which may die at its end."""
    agenda = Agenda()
    network = Network(agenda, random.Random(seed), Link(), ranks)

    def pump() -> None:
        # A few events, then time moves on even if nothing is planned, as sleeping ranks see it.
        for _ in range(20):
            if not agenda.step():
                agenda.now += 0.001
                return

    def kill(rank: int) -> None:
        network.remove(Rank(rank), "killed", flushed=False)

    play_together(list(network.ends), pump, kill, lambda: agenda.now, victim)
