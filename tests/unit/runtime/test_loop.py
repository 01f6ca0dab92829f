"""The loop: it turns until the rank leaves, sleeps as told, and wakes for results."""

import threading
import time

import pytest

from qmpi.driver.inbox import Inbox, Result
from qmpi.driver.process import Rest
from qmpi.protocol.envelope import RoleName
from qmpi.runtime.loop import Loop


class Turns:
    """A process whose turns rest as a test says, and which leaves after the last."""

    def __init__(self, *rests, on_turn=None):
        self.rests = list(rests)
        self.on_turn = on_turn
        self.started = ()
        self.moments = []

    @property
    def leaving(self):
        return not self.rests

    def start(self, roles):
        self.started = tuple(roles)

    def turn(self):
        self.moments.append(time.monotonic())
        if self.on_turn:
            self.on_turn(len(self.moments))
        return self.rests.pop(0)


def run(turns, wake=None):
    began = time.monotonic()
    loop = Loop(turns, wake or threading.Event())
    loop.run([RoleName.HERALD, RoleName.SPARE])
    return time.monotonic() - began


def test_roles_start_in_order_and_busy_turns_do_not_sleep():
    turns = Turns(*[Rest(0.0, None)] * 1000)
    assert run(turns) < 0.5
    assert len(turns.moments) == 1000
    assert turns.started == (RoleName.HERALD, RoleName.SPARE)


def test_an_idle_turn_sleeps_as_long_as_it_is_told():
    assert run(Turns(Rest(0.2, None), Rest(0.0, None))) == pytest.approx(0.2, abs=0.15)


def test_a_result_ends_the_sleep():
    wake = threading.Event()
    inbox = Inbox(wake.set)
    result = Result(RoleName.SPARE, None, "")
    threading.Timer(0.2, lambda: inbox.put(result)).start()
    assert run(Turns(Rest(30.0, None), Rest(0.0, None)), wake) < 5
    assert inbox.take() == [result]


def test_a_result_that_arrives_in_a_turn_is_not_slept_on():
    wake = threading.Event()
    turns = Turns(Rest(30.0, None), Rest(0.0, None), on_turn=lambda n: n == 1 and wake.set())
    assert run(turns, wake) < 5


def test_a_rank_that_leaves_does_not_sleep_first():
    assert run(Turns(Rest(30.0, None))) < 5
