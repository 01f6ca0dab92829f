"""Blocks that a trainer has asked for ahead; part of the trainer's state machine.

Invariants: every block of the window [step, step + prefetch_steps) x own lanes is either held or
asked for; nothing outside the window is asked for.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.policy.homes import home_of
from qmpi.policy.hyperparameters import Log
from qmpi.policy.shares import Share
from qmpi.ports.base import Effect, Frame
from qmpi.ports.data import Block
from qmpi.ports.transport import Send
from qmpi.protocol.blocks import BlockFailed, BlockReply, BlockRequest, frame_digest
from qmpi.protocol.envelope import Address, RoleName
from qmpi.units import Lane, Rank, Seconds, Step

Key = tuple[Step, Lane]
Taken = tuple[tuple[int, ...], tuple[Block, ...]]

RETRY_SECONDS = 5.0
"""A block not answered within this time is asked for again; replies are idempotent."""

MOST_REFUSALS = 3
"""Memory ranks that may fail to make a block: one may have a bad disk, three have bad data."""

MOST_DAMAGED = 3
"""Times that a block may arrive damaged before its sender counts as one that cannot make it."""


class Prefetch:
    """Window of blocks ahead of the step.

    Attributes:
        revision: of the oldest directory by whose recipes blocks may be made.
    """

    def __init__(self, settings: Settings) -> None:
        """Make an empty window.

        Args:
            settings: the job; `data.prefetch_steps` is the window.
        """
        self.depth = settings.data.prefetch_steps
        self.steps = Step(settings.train.steps)
        self.share: Share | None = None
        self.horizon = self.steps
        self.revision = 0
        self.held: dict[Key, Block] = {}
        self.asked: dict[Key, tuple[Rank | None, Seconds]] = {}
        self.refusals: dict[Key, set[Rank]] = {}
        self.damaged: dict[Key, int] = {}
        self._arrived_at: dict[Step, Seconds] = {}

    def aim(
        self,
        step: Step,
        end: Step,
        share: Share,
        memories: Sequence[Rank],
        now: Seconds,
    ) -> list[Effect]:
        """Set the window for a new group.

        Args:
            step: first step of the group.
            end: first step that never runs.
            share: own lanes of each step.
            memories: live memory ranks.
            now: clock.

        Returns:
            Requests for what is not held yet.
        """
        self.steps, self.share = end, share
        # Where later steps may still get more lanes, only what is granted is known for good.
        self.horizon = self._known(step, end)
        window = {(s, lane) for s in self._range(step) for lane in self._lanes(s)}
        self.held = {k: v for k, v in self.held.items() if k in window}
        self.asked = {k: v for k, v in self.asked.items() if k in window}
        self.refusals = {k: v for k, v in self.refusals.items() if k in window}
        self.damaged = {k: v for k, v in self.damaged.items() if k in window}
        return self._ask_window(step, memories, now)

    def reach(
        self, log: Log, until: Step, step: Step, memories: Sequence[Rank], now: Seconds
    ) -> list[Effect]:
        """Look as far as a grant says that the lanes of steps are known.

        Args:
            log: the hyperparameter log, if it has changed; else empty.
            until: first step that is not granted.
            step: first step of the window.
            memories: live memory ranks.
            now: clock.

        Returns:
            Requests for the steps that came into the window.
        """
        if self.share is None or not self.share.is_open:
            return []
        self.share = replace(self.share, log=log or self.share.log)
        self.horizon = self._known(until, self.steps)
        return self._ask_window(step, memories, now)

    def _known(self, until: Step, end: Step) -> Step:
        """Return the first step whose lanes are not known, of what is granted up to a step."""
        if self.share is None or not self.share.is_open:
            return end
        # A stage sets lanes no earlier than anybody may have asked for their blocks.
        return Step(min(end, until + self.depth)) if self.share.is_staged else until

    def advance(self, step: Step, memories: Sequence[Rank], now: Seconds) -> list[Effect]:
        """Move the window past `step`, which runs now.

        Args:
            step: the step that runs.
            memories: live memory ranks.
            now: clock.

        Returns:
            Requests for the steps that came into the window.
        """
        return self._ask_window(Step(step + 1), memories, now)

    def complete(self, step: Step) -> bool:
        """Return True when every block of `step` is held.

        Args:
            step: the step about to run.
        """
        return all((step, lane) in self.held for lane in self._lanes(step))

    def take(self, step: Step) -> Taken:
        """Return lanes and blocks of a step that is `complete`.

        Args:
            step: the step about to run.

        Returns:
            Everything `RunStep` needs; the blocks stay held until `done`, for the case of a redo.
        """
        lanes = self._lanes(step)
        return lanes, tuple(self.held[(step, lane)] for lane in lanes)

    def _lanes(self, step: Step) -> tuple[Lane, ...]:
        lanes = self.share.of(step) if self.share is not None else ()
        return tuple(map(Lane, lanes))

    def done(self, step: Step) -> None:
        """Forget the blocks of an applied step.

        Args:
            step: it and everything before it is forgotten.
        """
        self.held = {k: v for k, v in self.held.items() if k[0] > step}
        self._arrived_at = {s: at for s, at in self._arrived_at.items() if s > step}

    def arrived_at(self, step: Step) -> Seconds:
        """Return when the last block of a step came.

        Args:
            step: one that is `complete`.

        Returns:
            Time; 0 if it has no blocks here.
        """
        return self._arrived_at.get(step, Seconds(0.0))

    def arrived(
        self, reply: BlockReply, frame: Frame, by: Rank, memories: Sequence[Rank], now: Seconds
    ) -> list[Effect] | None:
        """Take a block, if its bytes are what the digest says.

        Args:
            reply: the message.
            frame: the block.
            by: who sent it.
            memories: live memory ranks.
            now: clock.

        Returns:
            A new request if the block was damaged on its way; None if nobody is left to ask.
        """
        key = (reply.step, reply.lane)
        asked = self.asked.get(key)
        if asked is None:
            return []
        # What is compressed is checked before anything decodes it, and its ids once they are there.
        if frame_digest(frame) != (reply.sent if reply.codec else reply.digest):
            return self._again(key, by, memories, now)
        del self.asked[key]
        self.refusals.pop(key, None)
        self.damaged.pop(key, None)
        self.held[key] = Block(reply.digest, frame, reply.codec, reply.sent, reply.sources)
        self._arrived_at[reply.step] = now
        return []

    def _again(
        self, key: Key, by: Rank, memories: Sequence[Rank], now: Seconds
    ) -> list[Effect] | None:
        if self.asked[key][0] != by:
            return []
        self.damaged[key] = self.damaged.get(key, 0) + 1
        if self.damaged[key] < MOST_DAMAGED:
            return [self._ask(key, by, now)]
        del self.damaged[key]
        return self._elsewhere(key, by, memories, now)

    def refused(
        self, failed: BlockFailed, by: Rank, memories: Sequence[Rank], now: Seconds
    ) -> list[Effect] | None:
        """Ask another memory rank for a block that one cannot make.

        Args:
            failed: the answer.
            by: who gave it.
            memories: live memory ranks.
            now: clock.

        Returns:
            A new request; None if enough of them have refused, so that the data are at fault.
        """
        key = (failed.step, failed.lane)
        return self._elsewhere(key, by, memories, now) if key in self.asked else []

    def _elsewhere(
        self, key: Key, by: Rank, memories: Sequence[Rank], now: Seconds
    ) -> list[Effect] | None:
        refused = self.refusals.setdefault(key, set())
        refused.add(by)
        others = [rank for rank in memories if rank not in refused]
        if not others or len(refused) >= MOST_REFUSALS:
            return None
        return [self._ask(key, home_of(*key, others), now)]

    def retarget(self, memories: Sequence[Rank], now: Seconds) -> list[Effect]:
        """Ask again where the home of a block has changed.

        Args:
            memories: live memory ranks.
            now: clock.

        Returns:
            Requests.
        """
        moved = [(key, self._home(key, memories)) for key in self.asked if memories]
        return [self._ask(key, home, now) for key, home in moved if home != self.asked[key][0]]

    def retry(self, memories: Sequence[Rank], now: Seconds) -> list[Effect]:
        """Ask again for what is overdue.

        Args:
            memories: live memory ranks.
            now: clock.

        Returns:
            Requests.
        """
        late = [k for k, (_, at) in self.asked.items() if now - at > RETRY_SECONDS and memories]
        return [self._ask(key, self._home(key, memories), now) for key in late]

    def _home(self, key: Key, memories: Sequence[Rank]) -> Rank:
        refused = self.refusals.get(key, set())
        return home_of(*key, [rank for rank in memories if rank not in refused] or memories)

    def _range(self, step: Step) -> list[Step]:
        end = min(step + self.depth, self.steps, self.horizon)
        return [Step(s) for s in range(step, end)]

    def _ask_window(self, step: Step, memories: Sequence[Rank], now: Seconds) -> list[Effect]:
        requests: list[Effect] = []
        for wanted in self._range(step):
            for lane in self._lanes(wanted):
                key = (wanted, lane)
                if key in self.held or key in self.asked:
                    continue
                if memories:
                    requests.append(self._ask(key, home_of(*key, memories), now))
                else:
                    self.asked[key] = (None, now)
        return requests

    def _ask(self, key: Key, home: Rank, now: Seconds) -> Effect:
        self.asked[key] = (home, now)
        block = self.share.block(*key) if self.share is not None else -1
        return Send(Address(home, RoleName.MEMORY), BlockRequest(*key, block, self.revision))
