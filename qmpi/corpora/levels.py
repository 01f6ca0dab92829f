"""The levels of one process below its cache of decoded chunks: opened, told of the future, closed.

Theory of operation. Each level has an order of going of its own, of the kind that the job names.
One that knows the future is told the same accesses as the cache above; those that are served there
pass by. A level that cannot be opened is left out with a warning: shards hold every chunk.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from qmpi.config.settings import Settings
from qmpi.errors import StorageError
from qmpi.memory.cache import Cache
from qmpi.memory.levels import FrameKey, Levels
from qmpi.policy.eviction.choice import order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.order import Order
from qmpi.storage.frame_folder import ONE_THREAD, FrameFolder
from qmpi.storage.frame_tree import clear_tree, open_folder, tree_path
from qmpi.units import Bytes, Seconds

logger = logging.getLogger(__name__)


class ToldLevel:
    """A level with what it knows of the future."""

    def __init__(self, folder: FrameFolder, order: Order[FrameKey]) -> None:
        """Join the two.

        Args:
            folder: the level.
            order: what goes from it first.
        """
        self.folder, self._order = folder, order

    def pass_by(self, place: int, *, is_anew: bool) -> None:
        """Wait no longer for accesses before a place, or for any.

        Args:
            place: first one that may still come.
            is_anew: all that was told is void.
        """
        if isinstance(self._order, Clairvoyant):
            with self.folder.lock:
                if is_anew:
                    self._order.forget()
                self._order.pass_by(place)

    def foresee(self, place: int, keys: Sequence[FrameKey]) -> None:
        """Learn of accesses that come together.

        Args:
            place: not before that of what is known already.
            keys: what will be asked for.
        """
        if isinstance(self._order, Clairvoyant):
            with self.folder.lock:
                self._order.foresee(place, keys)


class FrameLevels:
    """The levels of a process."""

    def __init__(self, told: Sequence[ToldLevel] = ()) -> None:
        """Join them.

        Args:
            told: the nearest first.
        """
        self._told = tuple(told)
        self.chain = Levels([level.folder for level in told])

    def pass_by(self, place: int, *, is_anew: bool) -> None:
        """Wait no longer for accesses before a place, or for any.

        Args:
            place: first one that may still come.
            is_anew: all that was told is void.
        """
        for level in self._told:
            level.pass_by(place, is_anew=is_anew)

    def foresee(self, place: int, keys: Iterable[FrameKey]) -> None:
        """Learn of accesses that come together.

        Args:
            place: not before that of what is known already.
            keys: what will be asked for.
        """
        asked = list(keys) if self._told else []
        for level in self._told:
            level.foresee(place, asked)


def _one_thread() -> AbstractContextManager[object]:
    return ONE_THREAD


def open_levels(
    settings: Settings,
    run_id: str,
    run: Path,
    clock: Callable[[], Seconds],
    lock: Callable[[], AbstractContextManager[object]] = _one_thread,
) -> FrameLevels:
    """Open the levels that a job names, as far as this host has them.

    Args:
        settings: the job.
        run_id: identity of the run.
        run: directory of the run.
        clock: tells how long an access took.
        lock: makes what keeps threads apart; needed if several look for chunks.

    Returns:
        The levels; those that cannot be opened are left out.
    """
    told: list[ToldLevel] = []
    for level in settings.memory.levels:
        order: Order[FrameKey] = order_of(settings.memory.policy, settings.job.seed)
        index: Cache[FrameKey, Bytes] = Cache(level.budget, order)
        try:
            own = open_folder(tree_path(level.place, run_id, run))
        except StorageError as error:
            logger.warning("no %s level here, and the job goes on without: %s", level.kind, error)
            continue
        told.append(ToldLevel(FrameFolder(level.kind, own, index, clock, lock()), order))
    return FrameLevels(told)


def clear_levels(places: Iterable[str], run_id: str, run: Path) -> int:
    """Remove what processes of a run that are gone have left in the levels of this host.

    Args:
        places: directories that levels of the run ever lay in.
        run_id: identity of the run.
        run: directory of the run.

    Returns:
        Folders removed.
    """
    return sum(clear_tree(tree_path(place, run_id, run)) for place in dict.fromkeys(places))
