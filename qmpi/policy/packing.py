"""Rows of whole documents: which ids fill which row, when documents are packed by best fit.

Theory of operation. A row has room for `length` targets. Documents are taken in windows of
`WINDOW`. Of one that is longer than a row, each full length fills a row by itself, and the tail is
packed like a document. The pieces of a window are packed by best-fit decreasing (Ding et al., arXiv
2404.10830): the longest first, each into the fullest row that has room for it.

Best fit leaves gaps. The loss knows no padding, and rows of unlike lengths could not be counted, so
gaps are filled to the last id: row by row, some are taken apart and poured into the others. First
those that hold only tails, then full lengths from inside long documents, and only then whole
documents, from the emptiest rows. So few documents are cut, each into many pieces, where padding
would have been. Giving each gap the head of another document was rejected: it cuts one a gap, and
what follows in that document begins outside its row.

What is left of the last row of a window goes on to the next window. So whatever the documents, all
rows but the last are full: n ids make n // length rows, which is arithmetic, as an address needs.

Invariants: no id is in two rows; each row holds `length` ids; fewer than `length` ids are in none.
Memory and order follow from the documents alone.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

WINDOW = 1 << 16
"""Documents packed together: many enough that gaps are rare, few enough to hold in memory."""

PACKING_VERSION = 1
"""Of the rules of this module: other rules make other rows."""


class Piece(NamedTuple):
    """Neighbouring ids of one document.

    Attributes:
        start: place of the first id in the corpus.
        size: ids, >= 1.
        begins: the document begins here.
        ends: the document ends here.
    """

    start: int
    size: int
    begins: bool
    ends: bool


Row = list[Piece]


def pack(counts: Iterable[int], length: int, window: int = WINDOW) -> Iterator[Row]:
    """Pack documents that lie end to end into rows.

    Args:
        counts: ids of each document, >= 1, in order.
        length: ids of a row, >= 1.
        window: documents that are packed together, >= 1.

    Yields:
        Rows in order: window by window, in a window by their earliest id. What begins inside a
        document stands first in its row, what ends inside one last.
    """
    documents = iter(counts)
    start = 0
    rest: Row = []
    while taken := list(islice(documents, window)):
        packing = _Window(length)
        for piece in rest:
            packing.add(piece)
        for count in taken:
            packing.add_document(start, count)
            start += count
        rows, rest = packing.pack()
        yield from sorted(map(_ordered, rows), key=_earliest)


def _ordered(row: Row) -> Row:
    # Only a row's first piece has the id before it in the row. After a piece that does not end with
    # its document, the next would begin without an end token before it.
    return sorted(row, key=lambda piece: (not piece.ends, piece.begins, piece.start))


def _earliest(row: Row) -> int:
    return min(piece.start for piece in row)


class _Window:
    """One window: `full` rows, `inner` ones of full lengths from inside documents, other pieces."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._full: list[Row] = []
        self._inner: list[Row] = []
        self._pieces: list[Piece] = []

    def add(self, piece: Piece) -> None:
        self._pieces.append(piece)

    def add_document(self, start: int, count: int) -> None:
        length, begins = self._length, True
        while count >= length:
            piece = Piece(start, length, begins, count == length)
            # The last length of a document has its end token; what is poured out has none.
            (self._full if begins or piece.ends else self._inner).append([piece])
            start, count, begins = start + length, count - length, False
        if count:
            self.add(Piece(start, count, begins, ends=True))

    def pack(self) -> tuple[list[Row], Row]:
        """Pack what was added.

        Returns:
            Full rows, and the pieces of the one that is not.
        """
        rows = _best_fit(self._pieces, self._length)
        gaps: list[Row] = []
        for row in rows:
            (self._full if _size(row) == self._length else gaps).append(row)
        rest = _Pouring(gaps, self._inner, self._length, self._full).pour()
        return self._full + self._inner, rest


def _size(row: Row) -> int:
    return sum(piece.size for piece in row)


def _best_fit(pieces: Sequence[Piece], length: int) -> list[Row]:
    # A bit stands for each room that some row has, so the smallest that is large enough is found by
    # a shift instead of a search tree.
    rows: list[Row] = []
    by_room: dict[int, list[Row]] = {}
    rooms = 0
    for piece in sorted(pieces, key=lambda piece: (-piece.size, piece.start)):
        fitting = rooms >> piece.size
        room = piece.size + (fitting & -fitting).bit_length() - 1 if fitting else length
        row: Row = by_room[room].pop() if fitting else []
        if not fitting:
            rows.append(row)
        elif not by_room[room]:
            rooms &= ~(1 << room)
        row.append(piece)
        if room > piece.size:
            by_room.setdefault(room - piece.size, []).append(row)
            rooms |= 1 << (room - piece.size)
    return rows


class _Pouring:
    """Fills the gaps of rows with what other rows hold.

    Args:
        gaps: rows with room left.
        inner: full rows that may be taken apart; those that are leave the list.
        length: of a row.
        full: takes each row as it becomes full.
    """

    def __init__(self, gaps: list[Row], inner: list[Row], length: int, full: list[Row]) -> None:
        self._inner, self._length, self._full = inner, length, full
        order = sorted(range(len(gaps)), key=lambda n: (length - _size(gaps[n]), n))
        self._rows = gaps
        # (room, number of the row), smallest room first; what is not poured out yet.
        self._rooms = [(length - _size(gaps[n]), n) for n in order]
        tails = [entry for entry in self._rooms if not any(p.begins for p in gaps[entry[1]])]
        self._tails = [number for _, number in tails]
        self._open = {number for _, number in self._rooms}

    def pour(self) -> Row:
        """Fill gaps until at most one row has one.

        Returns:
            The pieces of that row.
        """
        while len(self._rooms) > 1:
            for piece in self._donor():
                rest = self._give(piece)
                if rest is not None:
                    # There was no other row, so the list stays sorted.
                    self._rooms.append((self._length, len(self._rows)))
                    self._open.add(len(self._rows))
                    self._rows.append([])
                    self._give(rest)
        return self._rows[self._rooms[0][1]] if self._rooms else []

    def _donor(self) -> Row:
        while self._tails:
            number = self._tails.pop()
            if number in self._open:
                return self._taken(number)
        if self._inner:
            return self._inner.pop()
        return self._taken(self._rooms[-1][1])

    def _taken(self, number: int) -> Row:
        row = self._rows[number]
        self._rooms.remove((self._length - _size(row), number))
        self._open.remove(number)
        return sorted(row, key=lambda piece: (-piece.size, piece.start))

    def _give(self, piece: Piece) -> Piece | None:
        """Give a piece to rows, whole if one has room for it.

        Returns:
            What no row had room for.
        """
        while self._rooms:
            at = bisect_left(self._rooms, (piece.size, -1))
            if at == len(self._rooms):
                # The beginning of a document serves best where much of it fits.
                at = len(self._rooms) - 1 if piece.begins else 0
            room, number = self._rooms.pop(at)
            taken = min(room, piece.size)
            whole = taken == piece.size
            row = self._rows[number]
            row.append(Piece(piece.start, taken, piece.begins, piece.ends and whole))
            if room > taken:
                insort(self._rooms, (room - taken, number))
            else:
                self._full.append(row)
                self._open.remove(number)
            if whole:
                return None
            piece = Piece(piece.start + taken, piece.size - taken, begins=False, ends=piece.ends)
        return piece
