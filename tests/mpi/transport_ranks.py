"""One rank of a case that only MPI has: transport_ranks.py OUT CASE."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from qmpi.errors import MachineError
from qmpi.transport.gathering import await_root, exchange_hosts, host_name
from qmpi.transport.mpi import MpiTransport, start_mpi
from qmpi.units import Rank, Seconds

WINDOW_BYTES = 2 << 20


def now() -> Seconds:
    return Seconds(time.monotonic())


def hosts(transport: MpiTransport) -> object:
    listed = exchange_hosts(transport, host_name(), now, time.sleep, now() + 10)
    assert transport.flush(Seconds(now() + 10))
    leave_together(transport)
    return listed


def absent_rank(transport: MpiTransport) -> object:
    """The last rank never reports its host; the others must not wait for ever."""
    if transport.rank == transport.size - 1:
        time.sleep(2.0)
        return "silent"
    try:
        exchange_hosts(transport, host_name(), now, time.sleep, now() + 0.5)
    except MachineError as error:
        time.sleep(1.5)
        return f"{type(error).__name__}: {error}"
    return "no error"


def early_word(transport: MpiTransport) -> object:
    """Rank 2 speaks to rank 1 before rank 0 does; rank 1 waits for rank 0 first."""
    if transport.rank == 2:
        for number in range(3):
            transport.send(Rank(1), f"early {number}".encode(), ())
        transport.flush(Seconds(now() + 10))
        time.sleep(0.5)
        transport.send(Rank(0), b"spoken", ())
    if transport.rank == 0:
        await_source(transport, 2)
        transport.send(Rank(1), b"root", ())
    story: list[str] = []
    if transport.rank == 1:
        story = [await_root(transport, now, time.sleep, now() + 10).decode()]
        transport.send(Rank(1), b"late", ())
        while story[-1] != "late":
            story += [delivery.data.decode() for delivery in transport.poll(1)]
    leave_together(transport)
    return story


def await_source(transport: MpiTransport, source: int) -> None:
    while source not in {int(delivery.source) for delivery in transport.poll(1)}:
        time.sleep(0.001)


def death_after_sending(transport: MpiTransport) -> object:
    """Rank 1 sends 40 messages and dies; rank 0 looks late, and takes one message at a time."""
    if transport.rank == 1:
        for number in range(40):
            transport.send(Rank(0), str(number).encode(), ())
        assert transport.flush(Seconds(now() + 10))
        (Path(sys.argv[1]) / "1.json").write_text(json.dumps({"error": "", "result": "sent"}))
        os.kill(os.getpid(), signal.SIGKILL)
    # Know of the death before the first message is taken: that is the case which must not lose any.
    end = now() + 10
    while 1 not in transport._dead and now() < end:
        transport._comm.Iprobe(tag=99)  # finds nothing, so that MPI makes progress
        transport._look_for_dead()
        time.sleep(0.001)
    assert 1 in transport._dead
    story: list[str] = []
    while "lost 1" not in story and now() < end:
        story += [delivery.data.decode() for delivery in transport.poll(1)]
        story += [f"lost {rank}" for rank, _ in transport.lost()]
    return story


def credit(transport: MpiTransport) -> object:
    """Rank 0 sends ten windows while rank 1 does not look; only one window may be on its way."""
    if transport.rank == 0:
        for number in range(20):
            transport.send(Rank(1), str(number).encode(), [bytes([number]) * (1 << 20)])
        lines = transport._departures._lines.values()
        flying, pending = sum(line.in_flight for line in lines), transport.pending_bytes
        assert transport.flush(Seconds(now() + 20))
        leave_together(transport)
        return {"flying": flying, "pending": pending}
    time.sleep(0.3)
    got: list[int] = []
    while len(got) < 20:
        got += [delivery.frames[0][-1] for delivery in transport.poll(4)]
        time.sleep(0.001)
    leave_together(transport)
    return got


def leave_together(transport: MpiTransport) -> None:
    for rank in range(transport.size):
        transport.send(Rank(rank), b"done", ())
    # A set: one that said "done" may be gone a moment later, and must not count twice.
    missing = set(range(transport.size))
    while missing:
        missing -= {int(d.source) for d in transport.poll(8) if d.data == b"done"}
        missing -= {int(rank) for rank, _ in transport.lost()}
        time.sleep(0.001)
    transport.flush(Seconds(now() + 10))


CASES: dict[str, Callable[[MpiTransport], object]] = {
    "hosts": hosts,
    "absent": absent_rank,
    "early": early_word,
    "death": death_after_sending,
    "credit": credit,
}


def main(out: Path, case: str) -> None:
    started = start_mpi(now, time.sleep, os.environ)
    transport = MpiTransport(started._comm, now, time.sleep, window_bytes=WINDOW_BYTES)
    report: dict[str, object] = {"error": "", "result": None}
    try:
        report["result"] = CASES[case](transport)
    except BaseException:  # noqa: BLE001  whatever it is, pytest must read it
        report["error"] = traceback.format_exc()
    (out / f"{transport.rank}.json").write_text(json.dumps(report))
    os._exit(0)


main(Path(sys.argv[1]), sys.argv[2])
