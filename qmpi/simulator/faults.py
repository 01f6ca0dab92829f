"""Faults: what goes wrong, when. One line each as text.

    at 12.5 kill rank 4
    when step 20 kill trainer 0
    on JoinGroup of rank 3 #2 kill rank 4
    at 30 hang rank 3 for 60
    at 40 part ranks 2,3 for 5
    at 50 kill all
    at 50 lose host host1               # or several at once: `lose hosts host0,host1`
    when step 30 corrupt ram of rank 3
    when step 30 corrupt all
    at 9 stop
    when step 5 profile rank 3 for 4    # steps; no fault, but it may meet one
    at 5 break block of rank 4          # the next; also `rows`, `source`; `x3` or `for ever` behind
    at 5 break connection of rank 4 x3  # it cannot join a group; `rendezvous`: for want of others
    at 5 lose files for 30              # no data file can be read for so long; `of rank 4`: there
    at 5 hang files of rank 4 for 30    # reads do not end before that
    at 5 fill ram of rank 3             # all of its host; freed again by `free ram of rank 3`
    at 5 fill disk                      # freed again by `free disk`
    on reducing of rank 3 #4 crash engine of rank 3    # the machine's fault; or `as bug`, `as user`
    on voting of rank 3 #4 cut group of rank 3
    on computing of rank 3 #4 exhaust memory of rank 3     # for one step; or `x3` behind
    when step 12 change optimizer.learning_rate = 0.001    # for the next start; also `and replan`
    on end go back to 10                                   # the user goes on with a run that ended
    when step 9 weigh python = 0.5, mathematics = 0 at 20  # no fault either; without `at`: soon
    when step 9 add corpus law = 0.5, python = 0 at 20     # `law` is new; also `add content ...`

`on NAME` fires right after the n-th time that an event, a message received or an effect of that
name was handled (on that rank), or that an engine's work came to the stage of that name
(`qmpi.simulator.ports.engine.STAGES`); so every phase of the protocol can be struck.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from qmpi.config.data import ContentSource, CorpusSource, Source
from qmpi.errors import ExitCode, InputError
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.troubles import FOR_EVER
from qmpi.units import Rank, Seconds, Step


class AtTime(Struct, frozen=True):
    """At a moment on the virtual clock."""

    at: Seconds


class WhenStep(Struct, frozen=True):
    """As soon as `step` steps are committed."""

    step: Step


class OnEvent(Struct, frozen=True):
    """After the `count`-th handling of `name`, on `rank` or, if it is None, anywhere."""

    name: str
    rank: Rank | None
    count: int


Trigger = AtTime | WhenStep | OnEvent


class Kill(Struct, frozen=True):
    """The process of a rank ends without a word."""

    rank: Rank


class KillRole(Struct, frozen=True):
    """The `index`-th rank that plays `role`, in rank order among the living, is killed."""

    role: RoleName
    index: int


class KillAll(Struct, frozen=True):
    """Every process of the job ends at once."""


class LoseHost(Struct, frozen=True):
    """Machines are gone with their RAM, and the MPI job too; the next job runs without them."""

    hosts: tuple[str, ...]


class Hang(Struct, frozen=True):
    """A process stands still, then goes on."""

    rank: Rank
    seconds: Seconds


class Partition(Struct, frozen=True):
    """Ranks cannot reach the others for a time."""

    ranks: tuple[Rank, ...]
    seconds: Seconds


class Corrupt(Struct, frozen=True):
    """A bit flips in the newest snapshot in "ram" (of `rank`, if given) or on "disk"; in "all"."""

    place: str
    rank: Rank | None = None


class Stop(Struct, frozen=True):
    """The user or the batch system asks the run to stop."""


class Profile(Struct, frozen=True):
    """The user asks for a profile of a rank."""

    rank: Rank
    steps: int


class Break(Struct, frozen=True):
    """The next `times` pieces of work of a rank fail.

    That is "block", "rows", "source", "connection" or "rendezvous".
    """

    work: str
    rank: Rank
    times: int


class LoseFiles(Struct, frozen=True):
    """The files of the data are out of reach for a time, for one rank or all; or reads hang."""

    rank: Rank | None
    seconds: Seconds
    hangs: bool


class Fill(Struct, frozen=True):
    """A place is full: the RAM of a rank's host, or the disk if `rank` is None."""

    rank: Rank | None


class Free(Struct, frozen=True):
    """A place has room again."""

    rank: Rank | None


class CrashEngine(Struct, frozen=True):
    """The engine's work in hand raises an error, or else its next."""

    rank: Rank
    code: ExitCode


class Exhaust(Struct, frozen=True):
    """The next attempts of a rank at a step find no memory."""

    rank: Rank
    times: int


class CutGroup(Struct, frozen=True):
    """The lines that a rank sits on break, though all their members live."""

    rank: Rank


class Change(Struct, frozen=True):
    """The next start reads another value of a setting, given as JSON."""

    section: str
    key: str
    value: str
    replan: bool


class Weigh(Struct, frozen=True):
    """The user asks for other weights of the sources from a step on; -1: soon.

    Some of them may be sources that the run does not have yet.
    """

    weights: tuple[tuple[str, float], ...]
    at: int
    added: tuple[Source, ...] = ()


class GoBack(Struct, frozen=True):
    """The next start goes back to a step."""

    step: Step


Deed = (
    Kill
    | KillRole
    | KillAll
    | LoseHost
    | Hang
    | Partition
    | Corrupt
    | Stop
    | Profile
    | Break
    | LoseFiles
    | Fill
    | Free
    | CrashEngine
    | CutGroup
    | Exhaust
    | Change
    | GoBack
    | Weigh
)


class Fault(Struct, frozen=True):
    """A deed and its trigger."""

    trigger: Trigger
    deed: Deed


def parse_fault(line: str) -> Fault:
    """Read one line.

    Args:
        line: as above.

    Returns:
        The fault.

    Raises:
        InputError: the line is no fault.
    """
    for pattern, trigger in _TRIGGERS:
        begin = pattern.match(line.strip())
        if begin is None:
            continue
        rest = line.strip()[begin.end() :]
        for shape, deed in _DEEDS:
            found = shape.fullmatch(rest)
            if found is not None:
                return Fault(trigger(begin), deed(found))
    raise InputError(f"not a fault: {line!r}; see qmpi/simulator/faults.py for the forms")


def _rank(text: str | None) -> Rank | None:
    return None if text is None else Rank(int(text))


def _weights(text: str) -> tuple[tuple[str, float], ...]:
    pairs = (part.split(" = ") for part in text.split(", "))
    return tuple((name, float(share)) for name, share in pairs)


def _added(kind: str, name: str) -> Source:
    if kind == "corpus":
        return CorpusSource(name=name, path=f"/{name}", weight=0.0)
    return ContentSource(name=name, type="code", weight=0.0)


_NUMBER = r"(\d+(?:\.\d+)?)"
_TRIGGERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Trigger]], ...] = (
    (re.compile(rf"at {_NUMBER} "), lambda m: AtTime(Seconds(float(m[1])))),
    (re.compile(r"when step (\d+) "), lambda m: WhenStep(Step(int(m[1])))),
    (
        re.compile(r"on (\w+)(?: of rank (\d+))?(?: #(\d+))? "),
        lambda m: OnEvent(m[1], _rank(m[2]), int(m[3] or 1)),
    ),
)
_CODES = {None: ExitCode.MACHINE, "bug": ExitCode.BUG, "user": ExitCode.USER}
_ROLES = "|".join(RoleName)
_DEEDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Deed]], ...] = (
    (re.compile(r"kill rank (\d+)"), lambda m: Kill(Rank(int(m[1])))),
    (re.compile(rf"kill ({_ROLES}) (\d+)"), lambda m: KillRole(RoleName(m[1]), int(m[2]))),
    (re.compile(r"kill all"), lambda _: KillAll()),
    (re.compile(r"lose hosts? (\w+(?:,\w+)*)"), lambda m: LoseHost(tuple(m[1].split(",")))),
    (
        re.compile(rf"hang rank (\d+) for {_NUMBER}"),
        lambda m: Hang(Rank(int(m[1])), Seconds(float(m[2]))),
    ),
    (
        re.compile(rf"part ranks (\d+(?:,\d+)*) for {_NUMBER}"),
        lambda m: Partition(tuple(Rank(int(r)) for r in m[1].split(",")), Seconds(float(m[2]))),
    ),
    (
        re.compile(r"corrupt (ram|disk|all)(?: of rank (\d+))?"),
        lambda m: Corrupt(m[1], _rank(m[2])),
    ),
    (re.compile(r"stop"), lambda _: Stop()),
    (
        re.compile(r"profile rank (\d+) for (\d+)"),
        lambda m: Profile(Rank(int(m[1])), int(m[2])),
    ),
    (
        re.compile(
            r"break (block|rows|source|connection|rendezvous) of rank (\d+)(?: x(\d+)| (for ever))?"
        ),
        lambda m: Break(m[1], Rank(int(m[2])), FOR_EVER if m[4] else int(m[3] or 1)),
    ),
    (
        re.compile(rf"(lose|hang) files(?: of rank (\d+))? for {_NUMBER}"),
        lambda m: LoseFiles(_rank(m[2]), Seconds(float(m[3])), m[1] == "hang"),
    ),
    (re.compile(r"fill ram of rank (\d+)"), lambda m: Fill(Rank(int(m[1])))),
    (re.compile(r"free ram of rank (\d+)"), lambda m: Free(Rank(int(m[1])))),
    (re.compile(r"fill disk"), lambda _: Fill(None)),
    (re.compile(r"free disk"), lambda _: Free(None)),
    (
        re.compile(r"crash engine of rank (\d+)(?: as (bug|user))?"),
        lambda m: CrashEngine(Rank(int(m[1])), _CODES[m[2]]),
    ),
    (re.compile(r"cut group of rank (\d+)"), lambda m: CutGroup(Rank(int(m[1])))),
    (
        re.compile(r"exhaust memory of rank (\d+)(?: x(\d+))?"),
        lambda m: Exhaust(Rank(int(m[1])), int(m[2] or 1)),
    ),
    (
        re.compile(r"change (\w+)\.(\w+) = (.+?)( and replan)?"),
        lambda m: Change(m[1], m[2], m[3], bool(m[4])),
    ),
    (re.compile(r"go back to (\d+)"), lambda m: GoBack(Step(int(m[1])))),
    (
        re.compile(r"weigh (\w+ = [\d.]+(?:, \w+ = [\d.]+)*)(?: at (\d+))?"),
        lambda m: Weigh(_weights(m[1]), int(m[2] or -1)),
    ),
    (
        re.compile(r"add (corpus|content) (\w+ = [\d.]+(?:, \w+ = [\d.]+)*)(?: at (\d+))?"),
        lambda m: Weigh(_weights(m[2]), int(m[3] or -1), (_added(m[1], _weights(m[2])[0][0]),)),
    ),
)
