"""Hot spare: torch loaded, model built, waiting to become what recovery assigns.

Theory of operation. The slow part of a trainer's start (loading torch, building the model, opening
the rendezvous store) is done while nothing is wrong. `Assign` then only changes the role object;
the engine that the driver prepared stays.
"""

from qmpi.ports.base import Effect, Event
from qmpi.ports.engine import EngineReady, PrepareEngine
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.membership import Hello
from qmpi.roles.follower import Follower
from qmpi.units import Seconds


class Spare(Follower):
    """A rank that waits, warm."""

    role = RoleName.SPARE

    def on_start(self, now: Seconds) -> list[Effect]:
        """Warm up before saying hello: the coordinator counts only spares that are ready."""
        del now
        self._activity = "warming up"
        return [PrepareEngine()]

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Say hello once warm."""
        del now
        match event:
            case EngineReady(identity, store_address, snapshots, peak_flops):
                self._activity = "waiting, warm"
                return [
                    self.tell(
                        Hello(
                            host=self.facts.host,
                            pid=self.facts.pid,
                            identity=identity,
                            store_address=store_address,
                            snapshots=snapshots,
                            peak_flops=peak_flops,
                        )
                    )
                ]
            case _:
                return []
