"""Copies that one engine takes: of its whole state, or together with its line.

Theory of operation. Where teams share out moments no member holds the whole state. The one that
keeps the copy asks the others along the line; then each piece of the state, in the order of the
file, comes from who holds it and is written at once, so that the keeper never holds all moments.
Likewise where lanes keep something, which each member has of its own lanes.
Whoever keeps a copy says so before each try: RAM may refuse it, and disk is tried then.
"""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from qmpi.errors import PeerLost, StorageError
from qmpi.ports.base import Frame
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import CopyCutOff, GiveMoments, MomentsGiven, TakeSnapshot
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.copy_files import DISK, RAM, CopyFiles
from qmpi.units import Digest

if TYPE_CHECKING:
    from qmpi.training.engine import Engine

logger = logging.getLogger(__name__)


class EngineCopies:
    """Copies, one at a time. All calls come from the engine's thread."""

    def __init__(
        self, files: CopyFiles, now: Callable[[], float], look: Callable[[], None]
    ) -> None:
        """Copy nothing yet.

        Args:
            files: where copies go.
            now: seconds.
            look: raises `PeerLost` if the work in hand shall end.
        """
        self._files, self._now, self._look = files, now, look
        self._seconds = 0.0

    def seconds(self) -> float:
        """Return the seconds spent on copies since this was asked last."""
        spent, self._seconds = self._seconds, 0.0
        return spent

    def take(
        self, work: TakeSnapshot, engine: "Engine | None", position: int
    ) -> SnapshotTaken | SnapshotBroken | CopyCutOff:
        """Copy the state of a step.

        Args:
            work: which step, and where to.
            engine: has it; None: there is none yet.
            position: whose part of the state it is.

        Returns:
            What became of it.
        """
        began = self._now()
        try:
            if engine is None or engine.state_step != work.step:
                return SnapshotBroken(work.step, "the engine has moved on", position)
            if engine.copies_alone:
                return self._copied(work, engine, position)
            return self._together(work, engine, position)
        except PeerLost as error:
            return CopyCutOff(work.generation, work.step, str(error))
        finally:
            self._seconds += self._now() - began

    def give(self, work: GiveMoments, engine: "Engine") -> MomentsGiven | CopyCutOff:
        """Give what is held here alone to who copies the state.

        Args:
            work: which step.
            engine: holds some.

        Returns:
            What became of it.
        """
        began = self._now()
        try:
            self._look()
            if engine.state_step != work.step:
                return CopyCutOff(work.generation, work.step, "the engine has moved on")
            if not engine.copies_alone:
                while (keeper := engine.asked_for_copy(wants=False)) >= 0:
                    _walk(engine.copied(keeper))
            return MomentsGiven(work.step)
        except PeerLost as error:
            return CopyCutOff(work.generation, work.step, str(error))
        finally:
            self._seconds += self._now() - began

    def _copied(
        self, work: TakeSnapshot, engine: "Engine", position: int
    ) -> SnapshotTaken | SnapshotBroken:
        digest, parts = engine.snapshot()

        def write(place: str) -> SnapshotFact:
            return self._files.write(_wanted(place, work, engine, position, digest), parts)

        # A group whose moments are shared out cannot be asked again.
        return _kept(work, engine, position, write, to_disk=work.to_disk or work.generation > 0)

    def _together(
        self, work: TakeSnapshot, engine: "Engine", position: int
    ) -> SnapshotTaken | SnapshotBroken:
        self._look()

        def write(place: str) -> SnapshotFact:
            parts = engine.copied(engine.asked_for_copy(wants=True))
            wanted = _wanted(place, work, engine, position, Digest(""))
            try:
                return self._files.write_stream(wanted, parts, engine.payload_bytes)
            except StorageError:
                # The others give on: what comes is left unwritten.
                _walk(parts)
                raise

        told = _kept(work, engine, position, write, to_disk=True)
        engine.asked_for_copy(wants=False)
        return told


def _kept(
    work: TakeSnapshot,
    engine: "Engine",
    position: int,
    write: Callable[[str], SnapshotFact],
    *,
    to_disk: bool,
) -> SnapshotTaken | SnapshotBroken:
    try:
        return SnapshotTaken(write(RAM), engine.payload_bytes)
    except StorageError as error:
        fault = str(error)
    if not to_disk:
        return SnapshotBroken(work.step, fault, position, RAM)
    logger.warning("step %d gets its checkpoint without a copy in RAM: %s", work.step, fault)
    try:
        return SnapshotTaken(write(DISK), engine.payload_bytes, fault)
    except StorageError as error:
        return SnapshotBroken(work.step, f"{fault}; {error}", position)


def _wanted(
    place: str, work: TakeSnapshot, engine: "Engine", position: int, digest: Digest
) -> SnapshotFact:
    return SnapshotFact(work.step, digest, place, "", position, work.branch, engine.skipped)


def _walk(parts: Iterator[Frame]) -> None:
    for _ in parts:
        pass
