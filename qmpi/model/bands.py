"""Which keys a query sees: windows, sinks and documents, block by block of queries.

Theory of operation. Query i sees key j if j is not after i, is of i's document, and is within the
window (i - j < window) or among the document's first `sinks` tokens. A block of queries needs the
band of keys from its first query's window to its end, and before that band nothing but sinks: those
of the document that its first query is in, since a document that begins later begins in the band.
So no table is longer than a band.

`first` is the index of the first token of each token's document, int64 [B, T]; None: a sequence is
one document. A block's columns are its sinks, then its band. Queries may be those of some pieces
of the sequence alone, all of one length, which lie one behind the other; keys are of all of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

HIDDEN = float("-inf")

WHOLE = (0,)
"""Queries of a whole sequence: one piece, from its first token on."""


class Band(NamedTuple):
    """What a layer's queries see.

    Attributes:
        window: keys, the query's own included; as many as the sequence has: all before it.
        sinks: first keys of the document that are seen beside them.
    """

    window: int
    sinks: int = 0


class Block(NamedTuple):
    """A block of queries.

    Attributes:
        start: its first query.
        end: behind its last query, and behind the last key of its band.
        low: first key of its band.
        sinks: columns before the band.
        row: place of its first query among those that are there.
    """

    start: int
    end: int
    low: int
    sinks: int
    row: int


class Table(NamedTuple):
    """What a block needs besides queries, keys and values.

    Attributes:
        block: which.
        hidden: float32 [B or 1, 1, queries, 1, columns]: -inf where a key is not seen, else 0.
        sinks: int64 [B, sinks], which keys the block's sinks are; None: the sequence's first.
    """

    block: Block
    hidden: Tensor
    sinks: Tensor | None


def cut(
    tokens: int, length: int, band: Band, pieces: Sequence[int] = WHOLE, *, documents: bool
) -> tuple[Block, ...]:
    """Cut queries into blocks.

    Args:
        tokens: queries that are there, of all pieces.
        length: queries of a block.
        band: of the layer.
        pieces: first token of each.
        documents: whether they are masked: a block's sinks may then lie anywhere before its band.

    Returns:
        The blocks.
    """
    blocks: list[Block] = []
    size = tokens // len(pieces)
    for number, first in enumerate(pieces):
        for start in range(first, first + size, length):
            low = max(0, start - band.window + 1)
            sinks = (band.sinks if low else 0) if documents else min(band.sinks, low)
            end = min(start + length, first + size)
            blocks.append(Block(start, end, low, sinks, start - first + number * size))
    return tuple(blocks)


def nearer(block: Block, first: Tensor) -> Block:
    """Return a block without keys that are in none of its documents; waits for `first`.

    Args:
        block: of queries.
        first: of the sequences.
    """
    least = int(first[:, block.start].min())
    return block if least <= block.low else block._replace(low=least, sinks=0)


def table_of(block: Block, band: Band, first: Tensor | None, device: torch.device) -> Table:
    """Make the table of a block.

    Args:
        block: of queries.
        band: of the layer.
        first: of the sequences; None: each is one document.
        device: where it goes.

    Returns:
        The table.
    """
    query = torch.arange(block.start, block.end, device=device).unsqueeze(1)
    key = torch.arange(block.low, block.end, device=device)
    begin = torch.zeros_like(query).unsqueeze(0)
    if first is not None:
        begin = first[:, block.start : block.end].unsqueeze(-1)
    near = query - key < band.window
    if band.sinks:
        near = near | (key - begin < band.sinks)
    seen = (key <= query) & (key >= begin) & near
    where = None
    if block.sinks and first is None:
        seen = torch.cat((seen.new_ones(1, query.shape[0], block.sinks), seen), dim=-1)
    elif block.sinks:
        place = begin[:, :1] + torch.arange(block.sinks, device=device)
        # Those that lie in the band are seen there.
        sink = (place < block.low) & (begin == begin[:, :1])
        seen = torch.cat((sink, seen), dim=-1)
        where = place.squeeze(1).clamp(max=block.end - 1)
    hidden = torch.zeros(seen.shape, device=device).masked_fill_(~seen, HIDDEN)
    return Table(block, hidden[:, None, :, None], where)


def tables_of(
    blocks: tuple[Block, ...], band: Band, first: Tensor | None, device: torch.device
) -> tuple[Table, ...]:
    """Make the tables of all blocks.

    Args:
        blocks: of queries.
        band: of the layer.
        first: of the sequences; None: each is one document.
        device: where they go.

    Returns:
        A table for each.
    """
    return tuple(table_of(block, band, first, device) for block in blocks)


def dense(tokens: int, band: Band, first: Tensor | None, device: torch.device) -> Tensor:
    """Return which keys are seen, as torch's attention takes it.

    Args:
        tokens: T.
        band: of the layer.
        first: of the sequences; None: each is one document.
        device: where it goes.

    Returns:
        Booleans [B or 1, 1, T, T].
    """
    whole = Block(0, tokens, 0, 0, 0)
    return table_of(whole, band, first, device).hidden.squeeze(3) == 0


def starts(ids: Tensor, divider: int) -> Tensor:
    """Find the first token of each token's document.

    The token that ends a document is the first of the next: as in sampling, that begins with it.

    Args:
        ids: int64 [B, T].
        divider: id of the token that ends a document.

    Returns:
        Indices, int64 [B, T]; 0 before the first of these tokens.
    """
    index = torch.arange(ids.shape[1], device=ids.device)
    return torch.where(ids == divider, index, torch.zeros_like(index)).cummax(dim=1).values
