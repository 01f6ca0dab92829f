"""Data generator: writes rows of generated text on request.

Theory of operation. A row is a pure function of its address, so a generator has no state: any
generator gives the same row, a lost request is asked again elsewhere, and a request served twice
does no harm.
"""

from qmpi.config.settings import Settings
from qmpi.ports.base import Effect, Event
from qmpi.ports.data import MakeRows, OpenSources, RowsBroken, RowsMade, SourcesOpened
from qmpi.ports.transport import Received, Send
from qmpi.protocol.blocks import RowsFailed, RowsReply, RowsRequest
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.membership import Hello
from qmpi.roles.facts import RankFacts
from qmpi.roles.follower import Follower
from qmpi.roles.opening import Opening
from qmpi.units import Seconds


class Generator(Follower):
    """A rank that turns addresses into text."""

    role = RoleName.GENERATOR

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make a generator that has opened nothing.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.opening = Opening(settings)

    def on_start(self, now: Seconds) -> list[Effect]:
        """Load the tokenizer and the content library before saying hello."""
        del now
        self._activity = "opening the tokenizer"
        return [OpenSources()]

    def on_directory(self, now: Seconds) -> list[Effect]:
        """Open what is added."""
        del now
        return [*self.opening.follow(self.directory)]

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Make rows, and hand them to who asked."""
        del now
        match event:
            case SourcesOpened():
                return self._opened(event)
            case Received(_, RowsRequest(source=source)) if self.opening.has_yet_to_open(source):
                return []  # of a source that a newer directory adds; the rows are asked for again
            case Received(header, RowsRequest(step, lane, source, rows)):
                self._activity = f"writing rows for step {step}"
                return [MakeRows(header.source, step, lane, source, rows)]
            case RowsMade(requester, step, lane, source, frame):
                self._activity = "idle"
                return [Send(requester, RowsReply(step, lane, source), (frame,))]
            case RowsBroken(requester, step, lane, source, reason):
                return [Send(requester, RowsFailed(step, lane, source, reason))]
            case _:
                return []

    def _opened(self, event: SourcesOpened) -> list[Effect]:
        is_first, tried = not self.opening.facts, self.opening.opened(event)
        self._activity = "idle"
        if is_first:
            return [self.tell(Hello(self.facts.host, self.facts.pid, sources=event.sources))]
        return [self.tell(tried)] if tried is not None else []
