"""What the network takes along with the dead, and what it holds back."""

import random

import pytest

from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Link
from qmpi.simulator.network import Network
from qmpi.units import Rank, Seconds


def network(seed: int = 0) -> tuple[Agenda, Network]:
    agenda = Agenda()
    return agenda, Network(agenda, random.Random(seed), Link(latency_seconds=Seconds(0.01)), 3)


def run_out(agenda: Agenda) -> None:
    while agenda.step():
        pass


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_rank_takes_the_end_of_its_words_along(seed):
    agenda, ranks = network(seed)
    heard: list[bytes] = []
    ranks.ends[1].on_news = lambda: heard.extend(d.data for d in ranks.ends[1].poll(9))
    for number in range(60):
        agenda.at(0.001 * number, lambda n=number: ranks.ends[0].send(Rank(1), bytes([n]), ()))
    agenda.at(0.06, lambda: ranks.remove(Rank(0), "killed", flushed=False))
    run_out(agenda)
    assert heard == [bytes([number]) for number in range(len(heard))]
    assert 20 < len(heard) < 60


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_is_told_after_what_still_arrives(seed):
    agenda, ranks = network(seed)
    told: list[str] = []

    def news():
        told.extend("word" for _ in ranks.ends[1].poll(9))
        told.extend("loss" for _ in ranks.ends[1].lost())

    ranks.ends[1].on_news = news
    ranks.cut(frozenset({Rank(0)}), 5.0)
    ranks.ends[0].send(Rank(1), b"held back", ())
    ranks.remove(Rank(0), "it left", flushed=True)
    run_out(agenda)
    assert told == ["word", "loss"]
    assert agenda.now > 5.0
