"""One engine in a process of its own, so that it can be killed: engine_process.py FOLDER MEMBER.

Reads an order a line, writes an answer a line; both are JSON. Orders: ["submit", NUMBER, WORK,
FIELDS], ["abort"], ["hold", POINT], ["release"]. Answers: ["loaded"] first, then ["event", NUMBER,
KIND, FIELDS] and ["standing"]. Blocks do not travel: both sides make those of `small_job`.
"""

import faulthandler
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec
from conformance.real.engine import Gates, engine_of, step_of

from qmpi.driver.tickets import Tickets, never
from qmpi.ports.base import Event
from qmpi.ports.engine import JoinGroup, PrepareEngine, RunStep
from qmpi.units import Rank

WORKS = {"PrepareEngine": PrepareEngine, "JoinGroup": JoinGroup}


class SpeakingGates(Gates):
    """Tells when the member stands still."""

    def arrived(self) -> None:
        say("standing")


SAYING = threading.Lock()


def say(*answer: object) -> None:
    with SAYING:
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


def main(folder: Path, member: int) -> None:
    faulthandler.register(signal.SIGUSR1)
    gates, tickets = SpeakingGates(), Tickets(Rank(member))
    engine = engine_of(folder, member, gates)
    say("loaded")
    for line in sys.stdin:
        match msgspec.json.decode(line):
            case ["submit", number, "RunStep", fields]:
                work = step_of(**fields)
            case ["submit", number, name, fields]:
                work = msgspec.convert(fields, WORKS[name])
            case ["abort"]:
                tickets.condemn("the group is over")
                continue
            case ["hold", point]:
                gates.hold(point)
                continue
            case ["release"]:
                gates.release()
                continue
        condemned = tickets.issue() if isinstance(work, JoinGroup | RunStep) else never

        def reply(event: Event, number: int = number) -> None:
            say("event", number, type(event).__name__, event)

        engine.submit(work, condemned, reply)
    os._exit(0)


main(Path(sys.argv[1]), int(sys.argv[2]))
