"""What every transport must do, written once for all of them.

Theory of operation. A check is a generator that plays one rank and yields whenever it would wait. A
driver resumes it: the MPI driver has one rank and sleeps at each yield; the driver of transports
that share a process resumes all ranks in turn and moves their network in between. Yielding `DIE`
asks the driver to kill the rank. Messages carry the name of their check, so that no barrier is
needed.
"""

from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

from qmpi.ports.base import Frame
from qmpi.ports.transport import Transport
from qmpi.units import Rank, Seconds

DIE = "die"
PATIENCE_YIELDS = 20_000
Steps = Generator[str | None, None, None]
Now = Callable[[], float]


class Letter(NamedTuple):
    """A message of a check: `number` counts from 0 for each sender and receiver."""

    source: int
    number: int
    frames: tuple[Frame, ...]


class Box:
    """A transport whose messages are sorted by check."""

    def __init__(self, transport: Transport, now: Now) -> None:
        self.transport = transport
        self.now = now
        self.rank, self.size = int(transport.rank), transport.size
        self.letters: dict[str, list[Letter]] = {}
        self.losses: list[int] = []
        self.after_loss: list[int] = []

    def send(self, check: str, to: int, number: int, frames: Iterable[Frame] = ()) -> None:
        self.transport.send(Rank(to), f"{check}:{number}".encode(), tuple(frames))

    def poll(self, limit: int = 64) -> int:
        found = self.transport.poll(limit)
        assert len(found) <= limit
        for delivery in found:
            if delivery.source in self.losses:
                self.after_loss.append(int(delivery.source))
            check, number = bytes(delivery.data).decode().split(":")
            letter = Letter(int(delivery.source), int(number), tuple(delivery.frames))
            self.letters.setdefault(check, []).append(letter)
        self.losses += [int(rank) for rank, reason in self.transport.lost() if reason]
        return len(found)

    def collect(self, check: str, number: int, limit: int = 64) -> Steps:
        for _ in range(PATIENCE_YIELDS):
            self.poll(limit)
            if len(self.letters.get(check, [])) >= number:
                break
            yield None
        found = len(self.letters.get(check, []))
        assert found == number, f"{check}: rank {self.rank} got {found} messages of {number}"

    def of(self, check: str, source: int) -> list[Letter]:
        return [letter for letter in self.letters.get(check, []) if letter.source == source]


def pattern(size: int, seed: int) -> bytes:
    """Bytes that show a shift, a swap or a missing chunk."""
    return (b"%08x" % (seed * 7919 + 13) * (size // 8 + 1))[: max(0, size - 8)] + (b"%08d" % size)[
        : min(8, size)
    ]


def check_order(box: Box) -> Steps:
    """Messages of each pair arrive complete, once, in order; a rank may write to itself."""
    count = 100
    for number in range(count):
        for to in range(box.size):
            box.send("order", to, number)
    yield from box.collect("order", count * box.size, limit=7)
    for source in range(box.size):
        assert [letter.number for letter in box.of("order", source)] == list(range(count))


SIZES = ((), (0,), (1,), (0, 5, 0), (4096, 65536, 3), tuple(range(60)), (3_500_001, 0, 70_000))


def check_frames(box: Box) -> Steps:
    """Frames of no, any and large size arrive as they were, from any kind of buffer."""
    kinds = (bytes, bytearray, lambda data: memoryview(bytearray(data)))
    for number, sizes in enumerate(SIZES):
        for to in range(box.size):
            kind = kinds[(number + to) % 3]
            box.send("frames", to, number, [kind(pattern(s, box.rank + number)) for s in sizes])
    yield from box.collect("frames", len(SIZES) * box.size)
    for source in range(box.size):
        letters = box.of("frames", source)
        assert [letter.number for letter in letters] == list(range(len(SIZES)))
        for letter in letters:
            sizes = SIZES[letter.number]
            wanted = [pattern(size, source + letter.number) for size in sizes]
            assert [bytes(frame) for frame in letter.frames] == wanted


def check_sends_never_block(box: Box) -> Steps:
    """A ring: nobody receives before it has sent all, so that blocking sends would hang."""
    to, source = (box.rank + 1) % box.size, (box.rank - 1) % box.size
    for number in range(2000):
        box.send("flood", to, number)
    for number in range(2000, 2004):
        box.send("flood", to, number, [bytes(2 << 20)])
    yield from box.collect("flood", 2004)
    assert [letter.number for letter in box.of("flood", source)] == list(range(2004))


def check_flush(box: Box) -> Steps:
    """Ranks that flush large frames to each other all finish, and nothing is pending then."""
    for to in range(box.size):
        if to != box.rank:
            box.send("flush", to, 0, [bytes(1 << 20)])
    assert box.transport.flush(Seconds(box.now() + 20.0))
    assert box.transport.pending_bytes == 0
    yield from box.collect("flush", box.size - 1)


def check_loss(box: Box, victim: int) -> Steps:
    """A death is told once, after a prefix of what the dead rank sent; the others go on."""
    if box.rank == victim:
        yield from _die(box, victim)
    for _ in range(PATIENCE_YIELDS):
        box.poll()
        if victim in box.losses:
            break
        # Sending towards a death, before and after it is known, must not raise.
        box.send("doomed", victim, 0, [bytes(100_000)])
        yield None
    numbers = [letter.number for letter in box.of("last", victim)]
    assert numbers == list(range(len(numbers)))
    for letter in box.of("last", victim):
        assert [bytes(frame) for frame in letter.frames] == [pattern(100_000, letter.number)]
    box.send("doomed", victim, 1, [bytes(100_000)])
    living = [rank for rank in range(box.size) if rank != victim]
    for number in range(50):
        for to in living:
            box.send("after", to, number, [pattern(number * 100, number)])
    yield from box.collect("after", 50 * len(living))
    for source in living:
        assert [letter.number for letter in box.of("after", source)] == list(range(50))
    assert box.losses.count(victim) == 1
    assert victim not in box.after_loss
    assert box.transport.flush(Seconds(box.now() + 20.0))


def _die(box: Box, victim: int) -> Steps:
    for number in range(30):
        for to in range(box.size):
            if to != victim:
                box.send("last", to, number, [pattern(100_000, number)])
    for _ in range(3):
        box.poll()
        yield None
    yield DIE


CHECKS = (check_order, check_frames, check_sends_never_block, check_flush)


def whole_suite(box: Box, victim: int | None) -> Steps:
    """Play one rank through all checks.

    Args:
        box: its transport.
        victim: rank that dies at the end; None: nobody.

    Yields:
        None to wait, `DIE` to be killed.
    """
    for check in CHECKS:
        yield from check(box)
    if victim is not None:
        yield from check_loss(box, victim)
    # Nobody leaves while another may still need it; one that has left needs nobody.
    living = [rank for rank in range(box.size) if rank != victim]
    for to in living:
        box.send("done", to, 0)
    while any(not box.of("done", rank) and rank not in box.losses for rank in living):
        box.poll()
        yield None
    assert box.transport.flush(Seconds(box.now() + 20.0))


def play_together(
    transports: list[Transport],
    pump: Callable[[], object],
    kill: Callable[[int], None],
    now: Now,
    victim: int | None,
) -> None:
    """Run the suite on transports that share a process.

    Args:
        transports: by rank.
        pump: moves their network.
        kill: takes a rank off it.
        now: their clock.
        victim: rank that dies; None: nobody.
    """
    players = {t.rank: whole_suite(Box(t, now), victim) for t in transports}
    for _ in range(100 * PATIENCE_YIELDS):
        for rank, player in list(players.items()):
            wish = next(player, "done")
            if wish == DIE:
                kill(int(rank))
            if wish is not None:
                del players[rank]
        if not players:
            return
        pump()
    raise AssertionError(f"ranks {sorted(players)} never finished")
