"""What every role that obeys the chief has in common: the way to it, retries, work that crashes.

Orders that concern the whole rank (take on a role, fence, leave) go to its herald; a follower hears
of the directory from there.
"""

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode
from qmpi.ports.base import Effect, Event, Started, WorkCrashed
from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.processes import LeaveJob
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.membership import Crashed, Hello
from qmpi.protocol.messages import Message
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.interface import RoleState
from qmpi.units import Generation, Seconds

RETRY = "retry"
"""Name of the timer."""


class Follower:
    """Base of the roles that follow a chief.

    Invariants: `generation` never falls; `directory.revision` never falls.
    """

    role: RoleName
    retries = False
    """Whether `on_retry` is called about once a heartbeat."""

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make the role in its first state.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        self.settings = settings
        self.facts = facts
        self.directory = Directory()
        self._generation = Generation(0)
        self._activity = "starting"

    @property
    def name(self) -> RoleName:
        """Which role this is."""
        return self.role

    @property
    def generation(self) -> Generation:
        """Newest generation this role knows of."""
        return self._generation

    @property
    def state(self) -> RoleState:
        """What it is doing right now."""
        return RoleState(self.role, self._activity)

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event.

        Args:
            event: what happened.
            now: the driver's clock, seconds.

        Returns:
            What shall happen, in order.
        """
        match event:
            case Started():
                return [*self._again(now), *self.on_start(now)]
            case TimerFired(name) if name == RETRY:
                return [*self._again(now), *self.on_retry(now)]
            case DirectoryChanged(directory):
                if directory.revision <= self.directory.revision:
                    return []
                self.directory = directory
                return self.on_directory(now)
            case WorkCrashed():
                return self._crashed(event)
            case _:
                return self.on_event(event, now)

    def check(self) -> None:
        """Raise `InvariantError` if a state field breaks its invariant."""

    def on_start(self, now: Seconds) -> list[Effect]:
        """Say hello; roles that must prepare first override this."""
        del now
        return [self.hello()]

    def on_retry(self, now: Seconds) -> list[Effect]:
        """Ask again for what did not come; nothing by default."""
        del now
        return []

    def on_directory(self, now: Seconds) -> list[Effect]:
        """React to a new `self.directory`; nothing by default."""
        del now
        return []

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Take an event that is this role's own business; nothing by default."""
        del event, now
        return []

    def hello(self) -> Effect:
        """Return the effect that introduces this role instance."""
        return self.tell(Hello(self.facts.host, self.facts.pid))

    def tell(self, message: Message) -> Effect:
        """Return the effect that sends `message` to the chief."""
        return Send(self.facts.chief, message)

    def _again(self, now: Seconds) -> list[Effect]:
        due = Seconds(now + self.settings.failure.heartbeat_seconds)
        return [SetTimer(RETRY, due)] if self.retries else []

    def _crashed(self, event: WorkCrashed) -> list[Effect]:
        crashed = self.tell(Crashed(event.what, event.reason, event.exit_code))
        if event.exit_code != ExitCode.MACHINE:
            # The chief ends the run; leaving first could take it along, end marker unwritten.
            self._activity = f"failed: {event.what}"
            return [crashed]
        return [crashed, LeaveJob(event.exit_code, f"{event.what} failed: {event.reason}")]
