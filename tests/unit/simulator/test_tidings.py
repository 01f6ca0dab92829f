"""Word of a death reaches everyone who lives, once, and costs nothing for those who have left."""

import random
from collections import Counter
from functools import partial

import pytest

from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Link
from qmpi.simulator.network import Network
from qmpi.simulator.tidings import WAVES
from qmpi.units import Rank


def run_out(agenda: Agenda) -> None:
    while agenda.step():
        pass


@pytest.mark.parametrize("size", [2, 3, 50, 400])
@pytest.mark.parametrize("seed", range(3))
def test_each_death_is_told_once_to_each_who_lives(size, seed):
    agenda = Agenda()
    network = Network(agenda, random.Random(seed), Link(), size)
    dead = random.Random(seed).sample(range(size), max(1, size // 3))
    heard = Counter()
    for rank in dead:
        network.remove(Rank(rank), "killed", flushed=False)
    run_out(agenda)
    for end in network.ends:
        heard.update((end.rank, rank) for rank, _ in end.lost())
    assert all(count == 1 for count in heard.values())
    living = [rank for rank in range(size) if rank not in dead]
    assert set(heard) == {(rank, gone) for rank in living for gone in dead}


def note(order, agenda, rank):
    order.append((agenda.now, rank))


def test_ranks_hear_at_different_times_in_different_orders():
    orders = []
    for seed in range(6):
        agenda = Agenda()
        network = Network(agenda, random.Random(seed), Link(), 12)
        order: list[tuple[float, int]] = []
        for end in network.ends:
            end.on_news = partial(note, order, agenda, end.rank)
        network.remove(Rank(0), "killed", flushed=False)
        run_out(agenda)
        assert len({at for at, _ in order}) > 6
        orders.append(tuple(rank for _, rank in order))
    assert len(set(orders)) == 6


def test_when_all_leave_together_nobody_plans_word_for_the_others():
    agenda = Agenda()
    network = Network(agenda, random.Random(1), Link(), 2000)
    for rank in range(2000):
        network.remove(Rank(rank), "it left", flushed=True)
    run_out(agenda)
    assert agenda.done < 2000 * 2 * WAVES / 32


def test_bytes_on_the_way_are_counted_as_they_come_and_go():
    agenda = Agenda()
    network = Network(agenda, random.Random(1), Link(), 3)
    network.ends[0].send(Rank(1), b"12345", (b"678", b""))
    network.ends[0].send(Rank(0), b"1", ())
    assert network.ends[0].pending_bytes == 9
    run_out(agenda)
    assert network.ends[0].pending_bytes == 0
