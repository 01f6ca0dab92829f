"""Books: what the coordinator writes down. Journal, status, end marker.

Promises, held by one conformance suite. Entries are written in the order asked, each whole before
the call returns; the end marker is on disk only after every journal record before it. What cannot
be written is answered by `BooksBroken`; nothing of it stays, and what stood before stays readable.

A journal that lacks records takes no others until those are given again, alone or with later ones.
Until then there is no end marker but one that says that the run failed. A status that could not be
written keeps nothing else from being written.
"""

from typing import Protocol

from qmpi.ports.base import Effect, Event
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.status import EndMarker, StatusReport


class Entry(Effect, frozen=True):
    """Something to write down; done when the call returns."""


class AppendJournal(Entry, frozen=True):
    """Append records, in order, to the run's journal."""

    records: tuple[JournalRecord, ...]


class WriteStatus(Entry, frozen=True):
    """Replace RUN/status.json."""

    report: StatusReport


class WriteEnd(Entry, frozen=True):
    """Write RUN/end.json, after the journal is on disk."""

    marker: EndMarker


class BooksBroken(Event, frozen=True):
    """An entry could not be written (a full disk, no permission); `reason` says why.

    Attributes:
        entry: name of the entry: "AppendJournal", "WriteStatus" or "WriteEnd".
        exit_code: whose fault it is, as an exit code.
    """

    entry: str
    reason: str
    exit_code: int


class Books(Protocol):
    """The books of a run; open on the coordinator's rank only."""

    def write(self, entry: Entry) -> BooksBroken | None:
        """Write an entry.

        Args:
            entry: what to write.

        Returns:
            None if it is written.
        """
        ...
