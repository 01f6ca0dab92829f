"""A simulated rank: news turn the shipped driver, which stands still when the process does."""

import random

from qmpi.driver.ports import Ports
from qmpi.driver.router import Router
from qmpi.ports.base import Event, Started
from qmpi.ports.clock import SetTimer, Slept, TimerFired
from qmpi.ports.processes import LeaveJob, StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Leave
from qmpi.roles.interface import RoleState
from qmpi.simulator.agenda import Agenda
from qmpi.simulator.files import Files
from qmpi.simulator.hardware import Link
from qmpi.simulator.life import Life
from qmpi.simulator.network import Network
from qmpi.simulator.ports.clock import SimulatedClock
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.simulator.process import Identity, SimulatedProcess
from qmpi.units import Generation, Rank, Seconds

SPARE = RoleName.SPARE
MESSAGE = Leave(0, "a message")


class Diary:
    """A role that writes down what happens, and does what it is told to."""

    name = SPARE
    generation = Generation(0)
    state = RoleState(SPARE, "writes")

    def __init__(self, on: dict):
        self.on = on
        self.events: list[tuple[float, Event]] = []

    def handle(self, event: Event, now: Seconds):
        self.events.append((now, event))
        return list(self.on.get(type(event), ()))

    def check(self) -> None:
        pass

    def kinds(self) -> list[type]:
        return [type(event) for _, event in self.events]


class Job:
    def __init__(self, *on: dict):
        self.agenda = Agenda()
        self.network = Network(self.agenda, random.Random(1), Link(), len(on))
        self.turns = [0] * len(on)
        self.left: list[int] = []
        self.diaries = [Diary(reactions) for reactions in on]
        self.processes = [self._process(Rank(rank)) for rank in range(len(on))]

    def _process(self, rank: Rank) -> SimulatedProcess:
        ports = Ports(
            clock=SimulatedClock(self.agenda),
            transport=self.network.ends[rank],
            processes=SimulatedProcesses("host0", rank, lambda *_: None, Files(1)),
        )
        router = Router(rank, lambda _, __: self.diaries[rank])
        identity = Identity(rank, "host0", rank)
        process = SimulatedProcess(
            identity, Life(self.agenda), ports, router, lambda _: None, self._leave
        )
        turn = process.driver.turn

        def counted():
            self.turns[rank] += 1
            return turn()

        process.driver.turn = counted
        process.start([SPARE])
        return process

    def _leave(self, process: SimulatedProcess) -> None:
        self.left.append(process.rank)
        process.end()

    def until(self, moment: float) -> None:
        while (following := self.agenda.next_time()) is not None and following <= moment:
            self.agenda.step()
        self.agenda.now = Seconds(moment)


def to(rank: int) -> Send:
    return Send(Address(Rank(rank), SPARE), MESSAGE)


def test_news_wake_it_and_nothing_else_does():
    job = Job({Started: (to(1), to(1), SetTimer("late", Seconds(50.0)))}, {})
    job.until(100.0)
    assert job.diaries[1].kinds() == [Started, Received, Received]
    assert job.diaries[0].kinds() == [Started, TimerFired]
    assert job.diaries[0].events[1][0] == 50.0
    # One after the start, one for each message or timer: nobody polls.
    assert job.turns[0] <= 2
    assert job.turns[1] <= 3


def test_a_timer_set_anew_fires_once_at_its_new_moment():
    timers = (SetTimer("a", Seconds(5.0)), SetTimer("a", Seconds(9.0)), SetTimer("b", Seconds(7.0)))
    job = Job({Started: timers})
    job.until(60.0)
    fired = [(at, e.name) for at, e in job.diaries[0].events if isinstance(e, TimerFired)]
    assert fired == [(7.0, "b"), (9.0, "a")]


def test_a_stopped_process_hears_of_the_gap_before_all_that_waited():
    again = (SetTimer("beat", Seconds(3.0)),)
    job = Job({Started: again}, {TimerFired: (to(0),), Started: (SetTimer("x", Seconds(10.0)),)})
    job.until(1.0)
    job.processes[0].life.hang(Seconds(40.0))
    job.until(39.0)
    assert job.diaries[0].kinds() == [Started]
    job.until(60.0)
    assert job.diaries[0].kinds() == [Started, Slept, Received, TimerFired]
    assert job.diaries[0].events[1][0] == 41.0
    assert job.diaries[0].events[1][1].seconds == 38.0
    assert job.turns[0] <= 3


def test_the_dead_do_nothing_and_those_who_leave_are_told_once():
    leave = (SetTimer("a", Seconds(2.0)), LeaveJob(0, "done"), LeaveJob(3, "again"))
    job = Job({Started: (SetTimer("a", Seconds(5.0)),)}, {Started: leave})
    assert job.left == [1]
    job.processes[0].end()
    job.network.ends[0].on_news()
    job.until(10.0)
    assert job.diaries[0].kinds() == [Started]
    assert job.left == [1]


def test_a_loss_and_a_request_are_told():
    job = Job({}, {})
    job.network.remove(Rank(1), "killed", flushed=False)
    job.until(1.0)
    job.processes[0].ports.processes.ask_stop("please")
    assert job.diaries[0].kinds() == [Started, RankLost, StopRequested]


def test_one_turn_takes_all_that_waited():
    many = tuple(to(0) for _ in range(5000))
    job = Job({}, {Started: (*many, SetTimer("x", Seconds(1.0)))})
    job.processes[0].life.hang(Seconds(10.0))
    job.until(20.0)
    moments = {at for at, event in job.diaries[0].events if isinstance(event, Received)}
    assert moments == {10.0}
    assert len(job.diaries[0].events) == 5001
