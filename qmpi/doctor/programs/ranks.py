"""One rank of a trial start: `mpirun ... -n N python -m qmpi.doctor.programs.ranks FOLDER`.

Theory of operation. The ranks come up as those of a job do: same flags, same imports, same
transport. Each tells rank 0 what that took. Rank 0 then measures the clocks of the other hosts by
the quickest of some round trips, lets them look at a file that it has locked in the folder of the
run, and at last orders the last rank to kill itself, to see whether the others are told. What is
known is printed before that: without fault tolerance, mpirun ends them all.
"""

import fcntl
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from qmpi.doctor.programs.files import nearest
from qmpi.doctor.programs.lines import Death, Job, RankStart, tell
from qmpi.errors import MachineError
from qmpi.runtime.clock import Clock
from qmpi.storage.rank_files import start_ticks
from qmpi.transport.mpi import MpiTransport, start_mpi
from qmpi.units import Rank, Seconds

ANSWER_SECONDS = 30.0
DEATH_SECONDS = 10.0
TURN_SECONDS = 0.0005
ROUND_TRIPS = 10

HELLO, CLOCK, SHARED, DIE, LOST, BYE = b"hello", b"clock", b"shared", b"die", b"lost", b"bye"
LEVELS = ("single", "funneled", "serialized", "multiple")


class Ranks:
    """Messages between rank 0 and the others; plain bytes, one request at a time."""

    def __init__(self, transport: MpiTransport, clock: Clock) -> None:
        """Use a transport.

        Args:
            transport: connected.
            clock: clock.
        """
        self.transport = transport
        self._clock = clock
        self.dead: set[int] = set()

    def send(self, to: int, what: bytes) -> None:
        """Send.

        Args:
            to: rank.
            what: message.
        """
        self.transport.send(Rank(to), what, ())

    def turns(self, limit: float) -> Iterator[list[tuple[int, bytes]]]:
        """Let messages move.

        Args:
            limit: seconds.

        Yields:
            What has arrived, turn by turn, until the limit.
        """
        deadline = self._clock.now() + limit
        while self._clock.now() < deadline:
            found = [(int(one.source), bytes(one.data)) for one in self.transport.poll(64)]
            self.dead |= {int(rank) for rank, _ in self.transport.lost()}
            yield found
            if not found:
                self._clock.sleep(TURN_SECONDS)

    def reports(self, ranks: set[int]) -> dict[int, bytes]:
        """Answer the first message of each, and wait for what it reports.

        Args:
            ranks: whose.

        Returns:
            Reports by rank; those that did not come in time are missing.
        """
        found: dict[int, bytes] = {}
        for arrived in self.turns(ANSWER_SECONDS):
            for source, what in arrived:
                if what == HELLO:
                    self.send(source, HELLO)
                else:
                    found[source] = what
            if ranks <= set(found):
                break
        return found

    def ask(self, rank: int, what: bytes) -> bytes:
        """Ask one rank.

        Args:
            rank: whom.
            what: message.

        Returns:
            Its answer.

        Raises:
            MachineError: it did not answer in time.
        """
        self.send(rank, what)
        for arrived in self.turns(ANSWER_SECONDS):
            for source, told in arrived:
                if source == rank:
                    return told
        raise MachineError(f"rank {rank} did not answer")


class Lead:
    """Rank 0: asks the others and tells what it learns."""

    def __init__(self, ranks: Ranks, clock: Clock, folder: Path) -> None:
        """Ask nothing yet.

        Args:
            ranks: way to the others.
            clock: clock.
            folder: where the run is to lie.
        """
        self._ranks = ranks
        self._clock = clock
        self._folder = folder
        self._others = set(range(1, ranks.transport.size))

    def run(self, own: RankStart, job: Job) -> None:
        """Carry out the trial.

        Args:
            own: how this rank came up.
            job: what holds for all.
        """
        ranks = self._ranks
        told = ranks.reports(self._others)
        starts = [own, *(msgspec.json.decode(one, type=RankStart) for one in told.values())]
        first = {start.host: start.rank for start in sorted(starts, key=lambda one: -one.rank)}
        skews = {host: self._skew(rank) for host, rank in first.items() if rank}
        shared = self._look(sorted(rank for host, rank in first.items() if host != own.host))
        for start in sorted(starts, key=lambda one: one.rank):
            tell(
                replace(
                    start,
                    skew=skews.get(start.host, 0.0) if start.host != own.host else 0.0,
                    shared=shared.get(first[start.host], ""),
                )
            )
        tell(job)
        if self._others:
            tell(self._kill(max(self._others)))
        for rank in self._others - ranks.dead:
            ranks.send(rank, BYE)

    def _skew(self, rank: int) -> float:
        best, skew = float("inf"), 0.0
        for _ in range(ROUND_TRIPS):
            sent = self._clock.now()
            there = float(self._ranks.ask(rank, CLOCK))
            back = self._clock.now()
            if back - sent < best:
                best, skew = back - sent, there - (sent + back) / 2
        return skew

    def _look(self, ranks: list[int]) -> dict[int, str]:
        if not ranks:
            return {}
        folder = nearest(self._folder)
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".qmpi-doctor-") as file:
                file.write(HELLO)
                file.flush()
                os.fsync(file.fileno())
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
                request = SHARED + b" " + os.fsencode(file.name)
                return {rank: self._ranks.ask(rank, request).decode() for rank in ranks}
        except OSError as problem:
            why = f"{folder} takes no file: {problem.strerror or problem}"
            return dict.fromkeys(ranks, why)

    def _kill(self, victim: int) -> Death:
        began = self._clock.now()
        self._ranks.send(victim, DIE)
        survivors = (self._others | {0}) - {victim}
        told: set[int] = set()
        for arrived in self._ranks.turns(DEATH_SECONDS):
            told |= {source for source, what in arrived if what == LOST}
            told |= {0} if victim in self._ranks.dead else set()
            if told >= survivors:
                break
        return Death(victim, len(survivors), len(told), self._clock.now() - began)


def follow(ranks: Ranks, clock: Clock) -> None:
    """Answer rank 0 until it says goodbye, falls silent or dies.

    Args:
        ranks: way to rank 0.
        clock: clock.
    """
    known: set[int] = set()
    heard = clock.now()
    for arrived in ranks.turns(10 * ANSWER_SECONDS):
        if 0 in ranks.dead or clock.now() - heard > 2 * ANSWER_SECONDS:
            return
        if ranks.dead - known:
            known |= ranks.dead
            ranks.send(0, LOST)
        for _, what in arrived:
            heard = clock.now()
            if what == BYE:
                return
            _answer(ranks, clock, what)


def _answer(ranks: Ranks, clock: Clock, what: bytes) -> None:
    if what == CLOCK:
        ranks.send(0, repr(float(clock.now())).encode())
    elif what == DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    elif what.startswith(SHARED):
        ranks.send(0, seen_there(Path(os.fsdecode(what.partition(b" ")[2]))).encode())


def seen_there(path: Path) -> str:
    """Look from another host at a file that rank 0 has locked.

    Args:
        path: of the file.

    Returns:
        What is wrong; "" if nothing.
    """
    try:
        with path.open("rb+") as file:
            if file.read() != HELLO:
                return "it does not see what rank 0 wrote"
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return ""
            return "it gets the lock that rank 0 holds"
    except OSError as problem:
        return f"it does not see the file of rank 0: {problem.strerror}"


def process_seconds() -> float:
    """Return the age of this process in seconds, to a hundredth."""
    try:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, uptime - start_ticks(os.getpid()) / os.sysconf("SC_CLK_TCK"))


def run(folder: Path) -> None:
    """Run this rank.

    Args:
        folder: where the run is to lie.
    """
    clock, python = Clock(), process_seconds()
    began = clock.now()
    import qmpi.runtime.bootstrap  # noqa: F401 - what a rank of a job loads

    imports = clock.now() - began
    began = clock.now()
    transport = start_mpi(clock.now, clock.sleep, os.environ)
    init = clock.now() - began
    rank, ranks = int(transport.rank), Ranks(transport, clock)
    limit = getrlimit(RLIMIT_NOFILE)[0]
    files = -1 if limit == RLIM_INFINITY else limit
    own = RankStart(rank, socket.gethostname(), python, imports, init, 0.0, files)
    if rank == 0:
        threads, library = facts()
        job = Job(transport.size, threads, transport.fault_tolerant, library)
        Lead(ranks, clock, folder).run(own, job)
    else:
        began = clock.now()
        ranks.ask(0, HELLO)
        own = replace(own, message=clock.now() - began)
        ranks.send(0, msgspec.json.encode(own))
        follow(ranks, clock)
    transport.flush(Seconds(clock.now() + 1.0))


def facts() -> tuple[str, str]:
    """Return the thread level that MPI granted, and what the MPI library says it is."""
    from mpi4py import MPI

    library = MPI.Get_library_version().strip("\0 \n").partition("\n")[0]
    return LEVELS[int(MPI.Query_thread())], library


def main() -> NoReturn:
    """Run the rank and leave; a reason goes to standard error."""
    code = 0
    try:
        run(Path(sys.argv[1]))
    except MachineError as problem:
        sys.stderr.write(f"{problem}\n")
        code = int(problem.exit_code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
