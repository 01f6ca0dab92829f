"""Threads that read ahead: each chunk once, within the budget; faults and hangs harm nobody."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from qmpi.errors import CorruptData
from qmpi.runtime.read_ahead import ReadAhead
from qmpi.storage.shard_layout import ChunkKey

SIZE = 8
PATIENCE = 60.0


def chunk(number: int) -> ChunkKey:
    return ChunkKey(0, 0, number)


class Shelf:
    """Chunks whose reading ends when a test lets it."""

    def __init__(self, *, budget: int, readers: int = 3, is_open: bool = True) -> None:
        self.asked: list[int] = []
        self.broken: set[int] = set()
        self.gate = threading.Event()
        self.most, self.now = 0, 0
        self._books = threading.Condition()
        if is_open:
            self.gate.set()
        self.cache = ReadAhead(budget * SIZE, clock=lambda: 0.0, readers=readers)
        self.cache.serve(self.read, lambda _: SIZE)

    def read(self, key: ChunkKey) -> np.ndarray:
        with self._books:
            self.asked.append(key.chunk)
            self.now += 1
            self.most = max(self.most, self.now)
            self._books.notify_all()
        assert self.gate.wait(PATIENCE)
        with self._books:
            self.now -= 1
            self._books.notify_all()
        if key.chunk in self.broken:
            raise CorruptData("a bit fell over")
        return np.full(SIZE, key.chunk, np.uint8)

    def until(self, holds) -> None:
        with self._books:
            assert self._books.wait_for(holds, PATIENCE)

    def foresee(self, *numbers: int) -> None:
        coming = [(place, [chunk(n)]) for place, n in enumerate(numbers)]
        self.cache.foresee(coming, 0, is_anew=True)

    def ask(self, number: int) -> np.ndarray:
        """Do as a corpus does."""
        found = self.cache.get(chunk(number))
        if found is None:
            found = self.read(chunk(number))
            self.cache.put(chunk(number), found, found.nbytes)
        assert (found == number).all()
        return found


@pytest.fixture
def shelves() -> Iterator[list[Shelf]]:
    made: list[Shelf] = []
    yield made
    for shelf in made:
        shelf.gate.set()
        assert shelf.cache.stop(PATIENCE)


def test_nothing_is_read_ahead_of_who_knows_no_future(shelves: list[Shelf]) -> None:
    shelves.append(shelf := Shelf(budget=8))
    for number in (1, 2, 1):
        shelf.ask(number)
    assert shelf.asked == [1, 2]
    assert not shelf.cache._threads


def test_a_chunk_that_is_being_read_is_waited_for_and_read_once(shelves: list[Shelf]) -> None:
    shelves.append(shelf := Shelf(budget=8, is_open=False))
    shelf.foresee(4, 5, 6, 7)
    shelf.until(lambda: shelf.now == 3)
    found: list[np.ndarray] = []
    asker = threading.Thread(target=lambda: found.append(shelf.ask(4)))
    asker.start()
    shelf.gate.set()
    asker.join(PATIENCE)
    assert found
    for number in (5, 6, 7, 4, 5):
        shelf.ask(number)
    assert sorted(shelf.asked) == [4, 5, 6, 7]
    assert shelf.cache.counts.misses == 0


def test_slow_askers_cost_no_memory(shelves: list[Shelf]) -> None:
    budget, many = 16, range(200)
    shelves.append(shelf := Shelf(budget=budget, readers=4))
    shelf.foresee(*many, *many)
    shelf.until(lambda: len(shelf.asked) == budget and not shelf.now)
    for number in (*many, *many):
        shelf.ask(number)
        with shelf.cache._lock:
            assert shelf.cache.bytes + shelf.cache.reserved <= budget * SIZE
        assert shelf.most <= 5  # four threads, and who asks
    # A few chunks of the credit may be read and go again; no more.
    assert len(shelf.asked) <= 2 * len(many) + budget


def test_a_fault_while_reading_ahead_is_met_again_by_who_asks(shelves: list[Shelf]) -> None:
    shelves.append(shelf := Shelf(budget=8, readers=1))
    shelf.broken = {2}
    shelf.foresee(1, 2, 3)
    shelf.until(lambda: 3 in shelf.asked and not shelf.now)
    shelf.ask(1)
    with pytest.raises(CorruptData):
        shelf.ask(2)
    shelf.broken.clear()
    shelf.ask(2)
    shelf.ask(3)
    assert shelf.asked == [1, 2, 3, 2, 2]
    assert shelf.cache.reserved == 0


def test_a_thread_that_hangs_does_not_keep_a_process(shelves: list[Shelf]) -> None:
    shelves.append(shelf := Shelf(budget=8, readers=2, is_open=False))
    shelf.foresee(1, 2, 3)
    shelf.until(lambda: shelf.now == 2)
    assert not shelf.cache.stop(0.01)
    assert all(thread.daemon for thread in shelf.cache._threads)
    shelf.gate.set()
    assert shelf.cache.stop(PATIENCE)
    assert sorted(shelf.asked) == [1, 2]


def test_without_threads_chunks_are_read_as_they_are_asked_for(
    shelves: list[Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    shelves.append(shelf := Shelf(budget=8))
    shelf.foresee(1, 2)
    for number in (1, 2, 1):
        shelf.ask(number)
    assert shelf.asked == [1, 2]
    assert shelf.cache._most == 0
