"""Is a run that says 'running' alive? A dead one cannot say so itself."""

from msgspec.structs import replace

from qmpi.protocol.status import EndMarker, StatusReport

STALE_SECONDS = 15.0
"""Silence after which a run counts as dead. It writes every second, but a busy machine lags."""


def judge(report: StatusReport, end: EndMarker | None, now: float) -> StatusReport:
    """Return the report with the state that holds now.

    Args:
        report: as the coordinator wrote it last.
        end: the end marker, if there is one.
        now: seconds since the epoch.

    Returns:
        The report; "stale" if the run has stopped giving signs of life.
    """
    if report.state in ("finished", "stopped", "failed"):
        return report
    if end is not None:
        # The marker is the proof; a coordinator killed between the two left the older status
        # behind.
        return replace(report, state=end.state, reason=end.reason, eta_seconds=None)
    silent = now - report.updated
    if silent < STALE_SECONDS:
        return report
    reason = (
        f"no sign of life for {silent:.0f} s: the run died, or its machine cannot be reached; "
        "go on with `qmpi train --resume`"
    )
    ranks = tuple(replace(rank, alive=False, activity="unknown") for rank in report.ranks)
    return replace(
        report, state="stale", reason=reason, ranks=ranks, tokens_per_second=0.0, eta_seconds=None
    )
