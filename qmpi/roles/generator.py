"""Data generator: writes rows of generated text on request.

Theory of operation. A row is a pure function of its address, so a generator has no state: any
generator gives the same row, a lost request is asked again elsewhere, and a request served twice
does no harm.
"""

from qmpi.ports.base import Effect, Event
from qmpi.ports.data import MakeRows, RowsBroken, RowsMade
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import RowsFailed, RowsReply, RowsRequest, frame_digest
from qmpi.protocol.envelope import RoleName
from qmpi.roles.opening import Opening
from qmpi.units import Seconds


class Generator(Opening):
    """A rank that turns addresses into text."""

    role = RoleName.GENERATOR

    opens = "the tokenizer"

    def on_directory(self, now: Seconds) -> list[Effect]:
        """Open what is added."""
        del now
        return [*self.added.follow(self.directory)]

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Make rows, and hand them to who asked."""
        match event:
            case Received(_, RowsRequest(source=source)) if self.added.has_yet_to_open(source):
                return []  # of a source that a newer directory adds; the rows are asked for again
            case Received(header, RowsRequest(step, lane, source, rows)):
                self._activity = f"writing rows for step {step}"
                return [MakeRows(header.source, step, lane, source, rows)]
            case RowsMade(requester, step, lane, source, frame):
                self._activity = "idle"
                reply = RowsReply(step, lane, source, frame_digest(frame))
                return [Send(requester, reply, (frame,))]
            case RowsBroken(requester, step, lane, source, reason):
                return [Send(requester, RowsFailed(step, lane, source, reason))]
            case _:
                return super().on_event(event, now)
