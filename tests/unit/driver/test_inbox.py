"""The inbox: results come out once, in order, whichever thread put them in."""

import threading

from qmpi.driver.inbox import Inbox, Result
from qmpi.ports.clock import TimerFired
from qmpi.protocol.envelope import RoleName


def result(thread: int, number: int) -> Result:
    return Result(RoleName.TRAINER, TimerFired(f"{thread}"), f"{number}")


def test_each_result_wakes_and_comes_out_once():
    wakes = []
    inbox = Inbox(lambda: wakes.append(len(inbox._results)))
    for number in range(3):
        inbox.put(result(0, number))
    # A wake that came before the result would let the sleeper find nothing and sleep again.
    assert wakes == [1, 2, 3]
    assert [r.cause for r in inbox.take()] == ["0", "1", "2"]
    assert inbox.take() == []


def test_threads_lose_nothing_and_keep_their_order():
    inbox = Inbox(lambda: None)
    count, threads = 2000, 4

    def put(thread: int) -> None:
        for number in range(count):
            inbox.put(result(thread, number))

    workers = [threading.Thread(target=put, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    taken: list[Result] = []
    while any(worker.is_alive() for worker in workers):
        taken += inbox.take()
    taken += inbox.take()
    for thread in range(threads):
        mine = [int(r.cause) for r in taken if r.event == TimerFired(f"{thread}")]
        assert mine == list(range(count))
