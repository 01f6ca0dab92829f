"""Ask many hosts at once, and wait for none longer than a limit.

Theory of operation. One process a host, some dozens at a time, each in a session of its own so that
a signal for the group of this command does not look like the death of every host. Whoever has not
answered when its time is over is ended and counts as dead, with what it last said as the reason.

How long that is depends on the others. A batch system or a machine that is busy with the death of
one host answers late for all of them: so while nobody has answered, and where those that have were
slow, more time is given. And a host that did answer before is asked once more when its question
fails at once, for a busy batch system refuses steps.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from qmpi.units import Seconds

AT_ONCE = 64
LOOK_SECONDS = 0.02
SHOWN_LETTERS = 200
TIMES_SLOWER = 3


class Patience(NamedTuple):
    """How long hosts are waited for.

    Attributes:
        usual: seconds that each may take.
        longest: seconds that each may take while none has answered.
    """

    usual: float
    longest: float

    def limit(self, taken: Collection[float]) -> float:
        """Return the seconds that a host may take.

        Args:
            taken: seconds of each host that has answered.
        """
        if not taken:
            return self.longest
        return min(self.longest, max(self.usual, TIMES_SLOWER * max(taken)))


class Answer(Struct, frozen=True):
    """What came of a visit.

    Attributes:
        alive: whether the host can be used.
        reason: why not, in words; "" if it can.
        seconds: until it answered, or was given up.
        host: what the host calls itself; "" if it said nothing.
        ended: processes of an earlier start that were found there and ended.
    """

    alive: bool
    reason: str
    seconds: float
    host: str = ""
    ended: int = 0


class _Report(Struct):
    host: str
    ended: int


class _Call:
    """One host being asked."""

    def __init__(self, words: list[str], environ: Mapping[str, str], now: Seconds) -> None:
        self.since = now
        self.fault = ""
        self.out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.process = subprocess.Popen(
                words,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=self.out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self.fault = f"{words[0]} cannot be run: {error.strerror}"

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def has_failed(self) -> bool:
        return self.process is not None and self.process.poll() not in (None, 0)

    def answer(self, now: Seconds, limit: float) -> Answer:
        """Return what came of it; a call that still goes on is ended."""
        took = now - self.since
        late, said = not self.has_ended(), self._said()
        last = said[-1][:SHOWN_LETTERS] if said else ""
        self.close()
        if late:
            reason = f"no answer within {limit:.0f} s" + (f", but {last!r}" if last else "")
            return Answer(alive=False, reason=reason, seconds=took)
        code = self.process.returncode if self.process is not None else -1
        report = _report(said)
        if code == 0 and report is not None:
            return Answer(alive=True, reason="", seconds=took, host=report.host, ended=report.ended)
        reason = self.fault or last or f"exit code {code} without a word"
        return Answer(alive=False, reason=reason, seconds=took)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.out.close()

    def _said(self) -> list[str]:
        self.out.seek(0)
        text = self.out.read().decode("utf-8", "replace")
        return [line.strip() for line in text.splitlines() if line.strip()]


def ask_all(
    calls: Mapping[str, list[str]],
    environ: Mapping[str, str],
    patience: Patience,
    now: Callable[[], Seconds],
    rest: Callable[[float], None],
    again: Collection[str] = (),
) -> dict[str, Answer]:
    """Run one command for each host.

    Args:
        calls: command by host, from `reach`.
        environ: environment of the commands.
        patience: how long each is waited for.
        now: clock.
        rest: sleeps for some seconds; may raise to give up.
        again: hosts that are asked a second time when their command fails.

    Returns:
        Answers, in the order of `calls`.
    """
    waiting, second = list(calls), set(again)
    under_way: dict[str, _Call] = {}
    answers: dict[str, Answer] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < AT_ONCE:
                host = waiting.pop(0)
                under_way[host] = _Call(calls[host], environ, now())
            limit = patience.limit([answer.seconds for answer in answers.values() if answer.alive])
            for host, call in list(under_way.items()):
                failed = call.has_failed()
                if call.has_ended() or now() - call.since > limit:
                    answers[host] = call.answer(now(), limit)
                    del under_way[host]
                if failed and host in second:
                    second.discard(host)
                    waiting.append(host)
            if under_way:
                rest(LOOK_SECONDS)
    finally:
        for call in under_way.values():
            call.close()
    return {host: answers[host] for host in calls}


def _report(said: list[str]) -> _Report | None:
    # A login shell may greet before or after.
    for line in said:
        try:
            return msgspec.json.decode(line, type=_Report)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None
