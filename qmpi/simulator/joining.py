"""Joining a group, modelled: apply what is held, reach the state, connect, receive."""

from hashlib import sha256

import msgspec
from msgspec.structs import replace

from qmpi.errors import CorruptData, ExitCode, StorageError, UserError
from qmpi.ports.base import WorkCrashed
from qmpi.ports.engine import GroupJoined, JoinGroup
from qmpi.protocol.portions import WHOLE, Portions, are_covered
from qmpi.simulator.bench import Bench
from qmpi.simulator.line import Meeting, Values
from qmpi.simulator.seating import Seating
from qmpi.simulator.stream_model import State, first_weights
from qmpi.simulator.troubles import CONNECTION, RENDEZVOUS
from qmpi.units import Digest


class Joining(Bench):
    """An engine's part in forming a group."""

    def _join(self, work: JoinGroup) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
            return
        if self._seating is not None:
            self._seating.leave()
            self._seating = None
        if work.finish and self.held is None:
            self._bug(f"rank {self._rank} holds no gradient to apply")
            return
        try:
            if work.finish and self.portions.is_whole:
                self._finished = self._apply(work.generation)
            self.has_moved = self.held is not None and (work.finish or self.has_moved)
            self._reach(work)
        except UserError as error:
            self._diverged(error)
            return
        except StorageError as error:
            self._finish(WorkCrashed(type(error).__name__, str(error), int(ExitCode.MACHINE)))
            return
        self._seating = Seating(self._lines, work, self._size)
        self._stage("connecting")
        if self._is_refused(work):
            return
        self._time_out()
        self._meet("data", "join", (), lambda _: self._connected(work), self._give_up)

    def _is_refused(self, work: JoinGroup) -> bool:
        """Return whether a trouble has ended this connection; a rank alone needs none."""
        troubles = self._around.troubles
        if work.teams * self._size == 1:
            return False
        if troubles.meet(CONNECTION, self._rank):
            self._give_up("Resource temporarily unavailable", own_fault=True)
            return True
        if troubles.meet(RENDEZVOUS, self._rank):
            self._give_up("the rendezvous store is gone")
            return True
        return False

    def _connected(self, work: JoinGroup) -> None:
        if self._size == 1:
            self._linked(work)
            return
        self._meet("team", "join", (), lambda _: self._linked(work), self._give_up)

    def _time_out(self) -> None:
        def late() -> None:
            wait = self._wait
            if wait is not None and wait.open and wait.name == "join":
                wait.open = False
                self._give_up("the rendezvous took too long")

        self._then(self._around.hardware.compute.join_seconds, late)

    def _reach(self, work: JoinGroup) -> None:
        if work.origin == "live" or (work.origin != "initial" and work.team != work.root):
            return
        if work.origin == "initial":
            seed = self._around.settings.job.seed
            weights = first_weights(seed, work.position, self._size)
            self._hold(work.generation, State(0, work.position, weights))
            self.portions = self._next_portions(work)
            return
        payload = self._around.files.read(work.origin, self._host)
        if sha256(payload).hexdigest() != work.origin_digest:
            raise CorruptData(f"{work.origin} is not the snapshot {work.origin_digest}")
        self._hold(work.generation, msgspec.msgpack.decode(payload, type=State))
        self.kept = self._every_lane()
        self.portions = WHOLE

    def _next_portions(self, work: JoinGroup) -> Portions:
        return Portions(work.team, work.teams) if self._is_shared else WHOLE

    def _linked(self, work: JoinGroup) -> None:
        if not self._is_shared:
            self._sync(work)
            return
        self._stage("dealing")
        has = "nothing" if work.receives else "moved" if self.has_moved else "all"
        mine = ((self.portions.index, f"{self.portions.count} {has}"),)
        self._meet("data", "deal", mine, lambda m: self._dealt(work, m.values), self._give_up)

    def _dealt(self, work: JoinGroup, values: Values) -> None:
        told = [(index, *text.split()) for ((index, text),) in values.values()]
        holders = [Portions(index, int(count)) for index, count, has in told if has != "nothing"]
        if not are_covered(holders):
            self._bug(f"generation {work.generation} holds no whole state: {values}")
            return
        if not work.receives:
            try:
                if self.has_moved:
                    self._finished = self._apply(work.generation)
            except UserError as error:
                self._diverged(error)
                return
            self.portions = self._next_portions(work)
        self._sync(work)

    def _sync(self, work: JoinGroup) -> None:
        if not work.transfer:
            self._deal_lanes(work)
            return
        self._stage("syncing")
        # A broadcast wants everybody; the value travels as hexadecimal text.
        mine = self.state
        value = ((mine.step, _sent(mine)),) if mine and work.team == work.root else ()
        self._meet("data", "sync", value, lambda m: self._synced(work, m.values), self._give_up)

    def _synced(self, work: JoinGroup, values: Values) -> None:
        brought = values[work.root]
        if work.receives and brought:
            self._hold(work.generation, replace(_received(brought[0][1]), position=work.position))
            self.portions = self._next_portions(work)
        hardware = self._around.hardware
        seconds = hardware.compute.state_bytes / hardware.link.bytes_per_second
        self._then(seconds, lambda: self._deal_lanes(work))

    def _deal_lanes(self, work: JoinGroup) -> None:
        self._teams = work.teams
        if not self._keeps:
            self._gather_joined(work)
            return
        self._stage("dealing")
        mine = tuple((lane, "") for lane in sorted(self.kept))
        self._meet("data", "lanes", mine, lambda m: self._lanes_dealt(work, m), self._give_up)

    def _lanes_dealt(self, work: JoinGroup, meeting: Meeting) -> None:
        held = {lane for told in meeting.values.values() for lane, _ in told}
        if not self._every_lane().issubset(held):
            self._bug(f"generation {work.generation} holds what the lanes {sorted(held)} keep")
            return
        # What others compute now is kept until they have: a join may be cut off.
        self.kept |= frozenset(work.lanes)
        self._gather_joined(work)

    def _gather_joined(self, work: JoinGroup) -> None:
        state = self.state
        if state is None or state.step != work.step or state.position != work.position:
            self._bug(
                f"generation {work.generation} seats rank {self._rank} at position "
                f"{work.position} before step {work.step}, but it holds {state}"
            )
            return
        if self._size == 1:
            self._joined(work, "")
            return
        self._gather(f"digest {state.step}", lambda d: self._joined(work, d), self._give_up)

    def _joined(self, work: JoinGroup, digest: str) -> None:
        finished, owed = self._finished, self._owed
        self._owed = None
        if owed is not None and owed.step + 1 == work.step:
            finished = replace(owed, weight_digest=Digest(digest))
        kept = self._told_lanes()
        self._finish(
            GroupJoined(work.generation, work.step, finished, work.position, self.portions, kept)
        )


def _sent(state: State) -> str:
    return msgspec.msgpack.encode(state).hex()


def _received(text: str) -> State:
    return msgspec.msgpack.decode(bytes.fromhex(text), type=State)
