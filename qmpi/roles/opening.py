"""What roles that serve data have in common: they open the sources before they say hello.

Theory of operation. A role may be taken on while the file system is away. Opening is tried again
then, until patience is over; whoever cannot open the sources at all leaves, and another rank takes
the role on. Sources that are added while the run goes on are opened behind them
(`qmpi.roles.added_sources`).
"""

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, StorageError
from qmpi.policy.outage import Outage
from qmpi.ports.base import Effect, Event, WorkCrashed
from qmpi.ports.clock import Slept
from qmpi.ports.data import OpenSources, SourcesAway, SourcesOpened
from qmpi.protocol.membership import Hello
from qmpi.roles.added_sources import AddedSources
from qmpi.roles.facts import RankFacts
from qmpi.roles.follower import Follower
from qmpi.units import Seconds

SOURCES = "the sources"


class Opening(Follower):
    """Base of memory and generator."""

    retries = True
    opens = "the sources"
    """What is opened, for people."""

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make the role with nothing open.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.patience = Seconds(settings.memory.patience_seconds)
        self._opening = Outage[str](self.patience)
        self.added = AddedSources(settings)

    def on_start(self, now: Seconds) -> list[Effect]:
        """Open the sources before saying hello."""
        self._activity = f"opening {self.opens}"
        return self._open(now)

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Say hello once the sources are open."""
        match event:
            case SourcesOpened():
                self._opening.answered(SOURCES, now)
                return self._opened(event, now)
            case SourcesAway(reason):
                self._activity = f"waiting for files: {reason}"
                again = self._opening.failed(SOURCES, reason, now)
                return [] if again else self._give_up(reason)
            case Slept(seconds):
                self._opening.forgive(seconds)
                return []
            case _:
                return []

    def on_retry(self, now: Seconds) -> list[Effect]:
        """Try again to open the sources, or wait no longer."""
        if self._opening.hung(now):
            return self._give_up("opening them hangs")
        return self._open(now) if self._opening.due(now) else []

    def _opened(self, event: SourcesOpened, now: Seconds) -> list[Effect]:
        del now
        is_first, tried = not self.added.facts, self.added.opened(event)
        self._activity = "idle"
        if is_first:
            return [self.tell(Hello(self.facts.host, self.facts.pid, sources=event.sources))]
        return [self.tell(tried)] if tried is not None else []

    def _open(self, now: Seconds) -> list[Effect]:
        self._opening.begin(SOURCES, now)
        return [OpenSources(*self.added.named)]

    def _give_up(self, reason: str) -> list[Effect]:
        words = f"the sources were out of reach for {self.patience:.0f} s: {reason}"
        return self._crashed(WorkCrashed(StorageError.__name__, words, ExitCode.MACHINE))
