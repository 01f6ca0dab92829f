"""In which state is a run really? A dead one cannot say that it is dead.

Theory of operation. The coordinator writes a status every second or so, and an end marker when it
ends on purpose. Who looks from outside sees the age of the status, and, on the host of the run
itself, whether the command that starts the job again lives and whether the ranks do. A status that
says how the run ended holds, unless a command took the run later: then it is starting. One that
says "running" holds while it is young. An old one means "starting" if a command is there to start
the job again, and "stale" if not; where the ranks are seen to be gone nobody waits for it to age.
Ranks are seen from their own host alone, a command from any: it beats.
"""

from msgspec import Struct
from msgspec.structs import replace

from qmpi.protocol.status import EndMarker, StatusReport

STALE_SECONDS = 15.0
"""Silence after which a run counts as dead. It writes every second, but a busy machine lags."""

GONE_SECONDS = 1.0
"""The same where its ranks are seen to be gone: less would call a run dead that is just ending."""

ENDED = ("finished", "stopped", "failed")
LEFT = "left"
CHIEFS = ("coordinator", "dealer")


class Signs(Struct, frozen=True):
    """What this host sees of a run besides what the run says of itself.

    Attributes:
        host: name of this host.
        commanded_since: when the command that starts the job again began, or a moment after that;
            None if no such command is seen.
        ranks_gone: every rank that had written itself down was of this host, and none lives.
        alone: ranks of this host live, and for sure no command would start them again.
    """

    host: str = ""
    commanded_since: float | None = None
    ranks_gone: bool = False
    alone: bool = False


NO_SIGNS = Signs()


def judge(
    report: StatusReport, end: EndMarker | None, now: float, signs: Signs = NO_SIGNS
) -> StatusReport:
    """Return the report with the state that holds now.

    Args:
        report: as the coordinator wrote it last.
        end: the end marker, if there is one.
        now: seconds since the epoch.
        signs: what is seen of the run.

    Returns:
        The report; "stale" if the run has stopped giving signs of life.
    """
    since = signs.commanded_since
    over = report.state in ENDED or end is not None
    if over and not (since is not None and since > max(report.updated, end.time if end else 0.0)):
        return _ended(report, end)
    silent = now - report.updated
    quiet = silent >= STALE_SECONDS or (signs.ranks_gone and silent >= GONE_SECONDS)
    if since is not None and (over or quiet):
        reason = "a command has taken the run, and its ranks are coming up"
        return _without_life(replace(report, state="starting", reason=reason))
    if not quiet:
        return replace(report, unsupervised=signs.alone)
    return _without_life(replace(report, state="stale", reason=_why_stale(report, silent, signs)))


def _ended(report: StatusReport, end: EndMarker | None) -> StatusReport:
    ranks = tuple(replace(rank, activity=LEFT if rank.alive else "") for rank in report.ranks)
    report = replace(report, ranks=ranks)
    if report.state in ENDED or end is None:
        return report
    # The marker is the proof; a coordinator killed between the two left the older status behind.
    return replace(report, state=end.state, reason=end.reason, eta_seconds=None)


def _without_life(report: StatusReport) -> StatusReport:
    ranks = tuple(replace(rank, alive=False, activity="unknown") for rank in report.ranks)
    return replace(report, ranks=ranks, tokens_per_second=0.0, eta_seconds=None)


def _why_stale(report: StatusReport, silent: float, signs: Signs) -> str:
    if signs.ranks_gone:
        return "its ranks on this host are gone; go on with `qmpi train --resume`"
    chief = next((rank.host for rank in report.ranks if rank.role in CHIEFS), "")
    where = f" (it ran on {chief}: look there)" if chief and chief != signs.host else ""
    return (
        f"no sign of life for {silent:.0f} s: the run died, or its machine cannot be reached"
        f"{where}; go on with `qmpi train --resume`"
    )
