"""What a check says: its state, what it found in words and figures, and what to do about it."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

State = Literal["ok", "warning", "error"]


class Verdict(Struct, frozen=True):
    """What a check makes of what it found.

    Attributes:
        state: "error": a job fails, or loses what qmpi promises; "warning": it is slower or less
            safe than it could be, or the check could not be made.
        found: words and figures.
        advice: what to do; empty when there is nothing to be done.
    """

    state: State
    found: str
    advice: str = ""


class Finding(Struct, frozen=True):
    """One line of the doctor's report; a contract for scripts.

    Attributes:
        check: name of the check; stable.
        state: as in `Verdict`.
        found: as in `Verdict`.
        advice: as in `Verdict`.
    """

    check: str
    state: State
    found: str
    advice: str


def ok(found: str) -> Verdict:
    """All is well.

    Args:
        found: words and figures.

    Returns:
        The verdict.
    """
    return Verdict("ok", found)


def warning(found: str, advice: str) -> Verdict:
    """It works, but worse than it could.

    Args:
        found: words and figures.
        advice: what to do.

    Returns:
        The verdict.
    """
    return Verdict("warning", found, advice)


def error(found: str, advice: str) -> Verdict:
    """A job would fail, or lose what qmpi promises.

    Args:
        found: words and figures.
        advice: what to do.

    Returns:
        The verdict.
    """
    return Verdict("error", found, advice)


def has_error(findings: Sequence[Finding]) -> bool:
    """Return whether a machine is unfit.

    Args:
        findings: of all checks.
    """
    return any(finding.state == "error" for finding in findings)
