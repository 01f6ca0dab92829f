"""The work farm: units dealt to ranks, and what comes of them.

A unit is one piece of a plan that any rank can do and that ends in a file. Doing a unit twice does
no harm, so every message here is a fact or an order that may be repeated.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct


class UnitProgress(Struct, frozen=True):
    """How far a unit is.

    Attributes:
        documents: documents so far.
        tokens: tokens so far.
        bytes: bytes of text read or written so far.
        counters: whatever else a plan counts, by name.
    """

    documents: int = 0
    tokens: int = 0
    bytes: int = 0
    counters: dict[str, int] = {}


class UnitReport(Struct, frozen=True):
    """What a unit came to; fields as in `UnitProgress`.

    Attributes:
        digest: identity of the result, "" if the plan has none.
    """

    documents: int = 0
    tokens: int = 0
    bytes: int = 0
    counters: dict[str, int] = {}
    digest: str = ""


def joined(reports: Iterable[UnitReport]) -> UnitReport:
    """Add up what units came to.

    Args:
        reports: of different units.

    Returns:
        The sums; without a digest.
    """
    documents = tokens = size = 0
    counters: Counter[str] = Counter()
    for report in reports:
        documents += report.documents
        tokens += report.tokens
        size += report.bytes
        counters.update(report.counters)
    return UnitReport(documents, tokens, size, dict(counters))


class WorkGrant(Struct, frozen=True, tag="work_grant"):
    """To a worker: do this unit."""

    stage: int
    unit: int


class WorkProgress(Struct, frozen=True, tag="work_progress"):
    """From a worker: how far it is with its unit."""

    stage: int
    unit: int
    progress: UnitProgress


class WorkReport(Struct, frozen=True, tag="work_report"):
    """From a worker: the unit's result is on disk."""

    stage: int
    unit: int
    report: UnitReport


class WorkFailed(Struct, frozen=True, tag="work_failed"):
    """From a worker: the unit cannot be done here.

    Attributes:
        reason: why, in words; names the bad artefact.
        exit_code: whose fault it is, as an exit code: 3 (machine) is tried elsewhere.
    """

    stage: int
    unit: int
    reason: str
    exit_code: int


class WorkStatus(Struct, frozen=True, kw_only=True):
    """The farm's part of status.json.

    Attributes:
        stage: name of the stage.
        stages: their number.
        stage_number: of this one, from 0.
        units: units of this stage.
        units_done: of them, done.
        documents: so far, units under way and those of earlier runs included.
        tokens: so far.
        bytes: so far.
        bytes_per_second: over the last few seconds, of this run alone.
        counters: sums over all units, by name.
        dealt_again: units that were dealt more than once.
    """

    stage: str
    stages: int
    stage_number: int
    units: int
    units_done: int
    documents: int
    tokens: int
    bytes: int
    bytes_per_second: float = 0.0
    counters: dict[str, int] = {}
    dealt_again: int = 0
