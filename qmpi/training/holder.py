"""What an engine holds between steps: a state, perhaps a reduced gradient; and what comes of them.

Theory of operation. Between calls the weights are those before `state_step`; and, if
`holds_reduced`, the reduced gradient of that step is at hand. Where teams share out moments a step
is applied in two parts (see `update`), and the exchange between them may be cut off; the step then
counts as held, and `deal` ends it in the next group.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import torch

from qmpi.config.loss_scale import FIRST
from qmpi.config.settings import Settings
from qmpi.errors import CorruptData, InvariantError, OutOfMemory, PeerLost
from qmpi.protocol.portions import WHOLE, Portions, Spans
from qmpi.training.comm.line import Comm
from qmpi.training.dealing import Has
from qmpi.training.flat_state import host_view
from qmpi.training.lanes import Block
from qmpi.training.out_of_memory import Made, with_memory_told
from qmpi.training.outcome import Held, StepOutcome
from qmpi.training.pretrained import first_weights
from qmpi.training.share import share
from qmpi.training.station import Station
from qmpi.training.update import Update, changes
from qmpi.units import Bytes, Digest


class Holder:
    """State and reduced gradient of one station; `at` is what is computed with."""

    def __init__(self, settings: Settings, at: Station) -> None:
        """Hold no state.

        Args:
            settings: the job.
            at: of the position.
        """
        self._settings = settings
        self._comm: Comm | None = None
        self._held: Held | None = None
        self._has_moved = False
        self._sit(at)

    def _sit(self, at: Station) -> None:
        """Work with a station from now on; it holds no state."""
        self._take_held()
        self.at, self._team, self._state = at, at.team, at.state
        self._update = Update(at)

    @property
    def state_step(self) -> int:
        """Weights are those before this step; -1: no state."""
        return self._state.step

    @property
    def holds_reduced(self) -> bool:
        """Whether the reduced gradient of `state_step` is at hand."""
        return self._held is not None

    @property
    def skipped(self) -> int:
        """Steps skipped in a row, up to now."""
        return self._state.skipped

    @property
    def portions(self) -> Portions:
        """Which moments are held here."""
        return self._state.portions

    @property
    def kept_lanes(self) -> Spans:
        """Lanes whose kept part is here whether the step at hand is applied or done again."""
        held = self._held
        if held is not None and changes(held):
            return self.at.kept.told_in_hand
        return self.at.kept.told

    @property
    def copies_alone(self) -> bool:
        """Whether this member has all that a copy of the state needs."""
        return self._state.portions.is_whole and not self.at.kept.needs_others

    def initialise(self, portions: Portions = WHOLE) -> None:
        """Take the initial weights, the job's or those of its seed: the state before step 0.

        Args:
            portions: of the moments that are to be held here, where teams share them out.

        Raises:
            InputError: the job's are not there, or are others than it names.
            StorageError: they cannot be read.
        """
        self._take_held()
        self.at.kept.clear()
        self.at.dealing.begin(portions)
        self._state.reset()
        if self.at.means.precision == torch.float16:
            self._state.set_scaling(FIRST, 0)
        first_weights(self._state, self._settings, self.at.part)

    def sync_state(self, root: int, *, receives: bool) -> None:
        """Give the root's state to those that need it; every member of the line calls this.

        A member that is cut off keeps what it had.

        Args:
            root: index of the member whose state counts.
            receives: this member takes it.
        """
        if share(self._group(), self._state, root, receives=receives):
            self._take_held()
            self.at.kept.clear()

    def deal_lanes(self, lanes: Sequence[int]) -> None:
        """Bring what lanes keep to who computes them next; every member of the line calls this.

        All have the state of one step. A member that is cut off keeps what it had.

        Args:
            lanes: of this member, neighbours.

        Raises:
            PeerLost: a member is gone.
            InvariantError: nobody holds what a lane keeps.
        """
        self.at.kept.deal(self._group(), lanes)

    def dealt(self, root: int, *, receives: bool, is_needed: bool) -> Iterator[StepOutcome]:
        """Share the moments out among the group, whatever each has; all of the line call this.

        A member that is cut off keeps what it had, or holds its new portions already.

        Args:
            root: index of the member whose state counts.
            receives: this member has no state, or another.
            is_needed: some member does.

        Yields:
            The outcome of the step whose weights this member lacked, as soon as it has them,
            whatever becomes of the rest.

        Raises:
            PeerLost: a member is gone.
            InvariantError: nobody holds a part of the state.
        """
        weights: Has = "nothing" if receives else "moved" if self._lacks_weights else "all"
        own = self._own_digest if self._team.is_alone else lambda: Digest("")
        for _ in self.at.dealing.deal(self._group(), weights, root, is_needed=is_needed):
            yield self._end(own)
        if receives:
            self._take_held()
            self.at.kept.clear()

    @property
    def payload_bytes(self) -> Bytes:
        """Bytes of a snapshot."""
        return Bytes(self._state.total_bytes + self.at.kept.copied_bytes)

    def asked_for_copy(self, *, wants: bool) -> int:
        """Say who of the line wants a copy of the state now; all of the line call this.

        Args:
            wants: this member does.

        Returns:
            Index of the first that does; -1: nobody.
        """
        return self.at.dealing.asked(self._group(), wants=wants)

    def copied(self, keeper: int) -> Iterator[memoryview]:
        """Bring the whole state to one member of the line; all walk through this together.

        Args:
            keeper: index of the one that gets it.

        Yields:
            Parts of a snapshot's payload, in order; for others nothing of use.
        """
        state, line = self._state, self._group()
        if state.portions.is_whole:
            # Each has all of the state by itself.
            yield from state.to_parts() if line.index == keeper else ()
        else:
            yield from map(host_view, self.at.dealing.copied(line, keeper))
        yield from map(host_view, self.at.kept.copied(line, keeper))

    def snapshot(self) -> tuple[Digest, list[memoryview]]:
        """Return the state, without a copy.

        Returns:
            SHA-256 of the payload, and its parts; valid until the engine's next call.
        """
        parts = [*self._state.to_parts(), *self.at.kept.parts()]
        digest = sha256()
        for part in parts:
            digest.update(part)
        return Digest(digest.hexdigest()), parts

    def load_snapshot(self, step: int, payload: Block) -> None:
        """Take over a snapshot.

        Args:
            step: that its state must be before.
            payload: joined parts of `snapshot`.

        Raises:
            CorruptData: it is not of this model, or of these lanes.
            InvariantError: it is of another step.
        """
        self._take_held()
        raw = memoryview(payload).cast("B")
        size = self._state.total_bytes if self.at.total.sends_less else raw.nbytes
        self._state.load(raw[:size])
        if self._state.step != step:
            found = self._state.step
            self._state.forget()
            raise InvariantError(f"a snapshot named step {step} holds the state of step {found}")
        try:
            self.at.kept.load(raw[size:])
        except CorruptData:
            self._state.forget()
            raise

    def apply_held(self) -> StepOutcome | None:
        """Apply the reduced gradient at hand, as far as this member can by itself.

        Returns:
            The outcome; None: it is still held, for others have a part of the weights (see `deal`).

        Raises:
            InvariantError: there is none.
            UserError: the run has diverged.
            OutOfMemory: memory was refused; there is no state any more.
        """
        self._move()
        return None if self._lacks_weights else self._end(self._told_digest)

    def _move(self) -> None:
        held = self._held
        if held is None:
            raise InvariantError(f"no reduced gradient of step {self._state.step} is held")
        if not self._has_moved:
            self._or_forget(lambda: self._update.move(held))
            self._has_moved = True

    def _end(self, told_digest: Callable[[], Digest]) -> StepOutcome:
        held = self._take_held()
        if held is None:
            raise InvariantError(f"no reduced gradient of step {self._state.step} is held")
        return self._or_forget(lambda: self._update.end(held, told_digest))

    def _take_held(self) -> Held | None:
        held, self._held, self._has_moved = self._held, None, False
        return held

    def _or_forget(self, work: Callable[[], Made]) -> Made:
        try:
            return self._told(self._state.step, work)
        except OutOfMemory:
            # It may be half of one step and half of the next.
            self._state.forget()
            self._take_held()
            raise

    @property
    def _lacks_weights(self) -> bool:
        """Whether a step is applied here, but to what this member moves by itself alone."""
        held = self._held
        moved = self._has_moved and held is not None and changes(held)
        return moved and not self._state.portions.is_whole

    def whole_digest(self) -> Digest:
        """Return the digest of the whole weights; all ranks of a team call this together.

        Returns:
            The digest; "" while a rank of several has not met the others.

        Raises:
            PeerLost: a rank is gone.
        """
        return self._team.digest(self._state.digest())

    def _own_digest(self) -> Digest:
        return self._state.digest()

    def _told_digest(self) -> Digest:
        try:
            return self.whole_digest()
        except PeerLost:
            # The step is applied: that costs the digest, which the next group can tell.
            return Digest("")

    def _told(self, step: int, work: Callable[[], Made]) -> Made:
        return with_memory_told(self._settings.train, f"step {step}", work)

    def _group(self) -> Comm:
        if self._comm is None:
            raise InvariantError("the engine works without having joined a group")
        return self._comm
