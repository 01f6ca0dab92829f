"""Attention within bands, by blocks of queries, with its gradient: linear in the sequence's length.

Theory of operation. As `query_blocks`, but a block multiplies its queries with its own columns
alone: its sinks, then its band of keys (`qmpi.model.bands`). Two forms. `KeptBands` is given tables
made beforehand and keeps probabilities, which is fastest for short sequences on a CPU. `Bands`
keeps queries, keys and values, and computes probabilities again in the backward pass; tables are
made block by block. To a compiler it is one operation, so that a graph does not grow with the
sequence.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from qmpi.model.bands import WHOLE, Band, Block, Table, cut, nearer, table_of
from qmpi.model.fused.query_blocks import BACKWARD
from qmpi.model.plain import from_rows, to_rows

LENGTHS = {"cpu": (64, 128), "cuda": (128, 512)}
"""Queries of a block of `Bands` by kind of device: a quarter of a window, within these. A long one
multiplies much that is hidden, a short one is calls of kernels that do little."""


class Rows(NamedTuple):
    """Queries, keys and values by key head, as `to_rows` orders them.

    Attributes:
        q: [B * K, S * group, D], of the S queries that are there.
        k: [B * K, T, D].
        v: [B * K, T, D].
        batch: B.
        group: query heads of a key head.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    batch: int
    group: int

    @classmethod
    def of(cls, q: Tensor, k: Tensor, v: Tensor) -> Self:
        """Return the rows of what comes as [B, T, heads, D]."""
        batch, _, kv_heads, _ = k.shape
        group = q.shape[2] // kv_heads
        # In one piece: what picks sinks of a view would copy all keys for each block.
        q, k, v = (to_rows(x, kv_heads).contiguous() for x in (q, k, v))
        return cls(q, k, v, batch, group)

    def queries(self, block: Block) -> slice:
        """Return the rows of a block's queries."""
        size = block.end - block.start
        return slice(block.row * self.group, (block.row + size) * self.group)

    def chances(self, table: Table) -> Tensor:
        """Return a block's probabilities [B * K, queries * group, columns], in the compute type."""
        block, hidden = table.block, table.hidden
        keys = self.columns(self.k, block, table.sinks)
        scores = torch.bmm(self.q[:, self.queries(block)], keys.transpose(1, 2)).float()
        split = (self.batch, -1, hidden.shape[2], scores.shape[1] // hidden.shape[2])
        scores.view(*split, scores.shape[-1]).add_(hidden)
        return torch.softmax(scores, dim=-1).to(self.q.dtype)

    def columns(self, x: Tensor, block: Block, sinks: Tensor | None) -> Tensor:
        """Return what a block sees of keys or values: its sinks, then its band."""
        near = x[:, block.low : block.end]
        if not block.sinks:
            return near
        if sinks is None:
            far = x[:, : block.sinks]
        else:
            far = x.flatten(0, 1).index_select(0, self.places(sinks))
            far = far.view(len(x), -1, x.shape[-1])
        return torch.cat((far, near), dim=1)

    def places(self, sinks: Tensor) -> Tensor:
        """Return the places of sinks [B, sinks] among the keys of all sequences and heads."""
        count, tokens, _ = self.k.shape
        base = torch.arange(count, device=sinks.device).mul_(tokens).view(self.batch, -1, 1)
        return (base + sinks.unsqueeze(1)).flatten()


class Gradients:
    """Gradients of queries, keys and values, block by block."""

    def __init__(self, rows: Rows, gradient: Tensor) -> None:
        """Begin with none.

        Args:
            rows: that are attended to.
            gradient: of the result [B, T, H, D].
        """
        self._rows = rows
        self._gradient = to_rows(gradient, rows.k.shape[0] // rows.batch)
        self._of_q = torch.empty_like(rows.q)
        # Keys gather from several blocks: in float32, whatever the compute type.
        shape, device = rows.k.shape, rows.k.device
        self._of_k, self._of_v = (torch.zeros(shape, device=device) for _ in range(2))

    def add(self, block: Block, sinks: Tensor | None, chances: Tensor) -> None:
        """Add what a block gives.

        Args:
            block: which.
            sinks: of its table.
            chances: its probabilities.
        """
        rows, queries = self._rows, self._rows.queries(block)
        part = self._gradient[:, queries]
        self._spread(self._of_v, block, sinks, torch.bmm(chances.transpose(1, 2), part))
        of_chances = torch.bmm(part, rows.columns(rows.v, block, sinks).transpose(1, 2))
        of_scores = BACKWARD(of_chances, chances, -1, chances.dtype)
        self._of_q[:, queries] = torch.bmm(of_scores, rows.columns(rows.k, block, sinks))
        of_keys = torch.bmm(of_scores.transpose(1, 2), rows.q[:, queries])
        self._spread(self._of_k, block, sinks, of_keys)

    def whole(self, heads: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of q, k and v as [B, T, heads, D].

        Args:
            heads: query heads H.
        """
        batch, kind = self._rows.batch, self._of_q.dtype
        kv_heads = self._of_k.shape[0] // batch
        return (
            from_rows(self._of_q, batch, heads),
            from_rows(self._of_k.to(kind), batch, kv_heads),
            from_rows(self._of_v.to(kind), batch, kv_heads),
        )

    def _spread(self, total: Tensor, block: Block, sinks: Tensor | None, part: Tensor) -> None:
        """Add to the gradients of keys or values those of a block's columns."""
        total[:, block.low : block.end].add_(part[:, block.sinks :])
        if block.sinks and sinks is None:
            total[:, : block.sinks].add_(part[:, : block.sinks])
        elif sinks is not None:
            far = part[:, : block.sinks].flatten(0, 1).to(total.dtype)
            total.flatten(0, 1).index_add_(0, self._rows.places(sinks), far)


class KeptBands(torch.autograd.Function):
    """softmax(q k' + hidden) v of short sequences; queries come scaled."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        q: Tensor,
        k: Tensor,
        v: Tensor,
        tables: Sequence[Table],
    ) -> Tensor:
        """Attend.

        Args:
            ctx: of autograd.
            q: [B, S, H, D], scaled; those of the blocks.
            k: [B, T, K, D].
            v: [B, T, K, D].
            tables: of all blocks.

        Returns:
            [B, S, H, D].
        """
        heads, rows = q.shape[2], Rows.of(q, k, v)
        out, kept = torch.empty_like(rows.q), []
        for table in tables:
            chances = rows.chances(table)
            seen = rows.columns(rows.v, table.block, table.sinks)
            out[:, rows.queries(table.block)] = torch.bmm(chances, seen)
            kept += [chances, table.sinks]
        ctx.save_for_backward(rows.q, rows.k, rows.v, *kept)
        ctx.rest = (rows.batch, heads, tuple(table.block for table in tables))
        return from_rows(out, rows.batch, heads)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of q, k and v."""
        q, k, v, *kept = ctx.saved_tensors
        batch, heads, blocks = ctx.rest
        total = Gradients(Rows(q, k, v, batch, heads * batch // len(k)), gradients[0])
        for block, chances, sinks in zip(blocks, kept[::2], kept[1::2], strict=True):
            total.add(block, sinks, chances)
        return *total.whole(heads), None


class Bands(torch.autograd.Function):
    """The same for sequences of any length, in memory that grows with it."""

    @staticmethod
    def forward(  # noqa: PLR0913 - autograd takes no other form
        ctx: Any,  # noqa: ANN401
        q: Tensor,
        k: Tensor,
        v: Tensor,
        first: Tensor | None,
        band: Band,
        pieces: Sequence[int] = WHOLE,
    ) -> Tensor:
        """Attend.

        Args:
            ctx: of autograd.
            q: [B, S, H, D], scaled; those of the pieces.
            k: [B, T, K, D].
            v: [B, T, K, D].
            first: of the sequences, int64 [B, T]; None: each is one document.
            band: of the layer.
            pieces: first token of each piece of queries.

        Returns:
            [B, S, H, D].
        """
        ctx.save_for_backward(q, k, v, first)
        ctx.rest = list(band), list(pieces)
        form = torch.ops.qmpi.banded if torch.compiler.is_compiling() else banded
        return form(q, k, v, first, *ctx.rest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of q, k and v."""
        compiling = torch.compiler.is_compiling()
        form = torch.ops.qmpi.banded_gradients if compiling else banded_gradients
        q, k, v, first = ctx.saved_tensors
        return *form(gradients[0], q, k, v, first, *ctx.rest), None, None, None


def banded(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    first: Tensor | None,
    band: Sequence[int],
    pieces: Sequence[int],
) -> Tensor:
    """Return what `Bands` does, and keep nothing.

    Args:
        q: [B, S, H, D], scaled.
        k: [B, T, K, D].
        v: [B, T, K, D].
        first: of the sequences, int64 [B, T], or None.
        band: window and sinks of the layer.
        pieces: first token of each piece of queries.

    Returns:
        [B, S, H, D].
    """
    rows = Rows.of(q, k, v)
    out = torch.empty_like(rows.q)
    for table in _tables(q, first, Band(*band), pieces):
        seen = rows.columns(rows.v, table.block, table.sinks)
        out[:, rows.queries(table.block)] = torch.bmm(rows.chances(table), seen)
    return from_rows(out, rows.batch, q.shape[2]).contiguous()


def banded_gradients(  # noqa: PLR0913 - those of `banded`, as a compiler is shown them
    gradient: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    first: Tensor | None,
    band: Sequence[int],
    pieces: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v; probabilities are computed again.

    Args:
        gradient: of the result [B, S, H, D].
        q: as of `banded`.
        k: likewise.
        v: likewise.
        first: likewise.
        band: likewise.
        pieces: likewise.

    Returns:
        Gradients, like q, k and v.
    """
    rows = Rows.of(q, k, v)
    total = Gradients(rows, gradient)
    for table in _tables(q, first, Band(*band), pieces):
        total.add(table.block, table.sinks, rows.chances(table))
    of_q, of_k, of_v = total.whole(q.shape[2])
    return of_q.contiguous(), of_k.contiguous(), of_v.contiguous()


def _tables(q: Tensor, first: Tensor | None, band: Band, pieces: Sequence[int]) -> Iterator[Table]:
    least, most = LENGTHS.get(q.device.type, LENGTHS["cuda"])
    length = min(most, max(least, band.window // 4))
    made: dict[tuple[int, int], Table] = {}
    for block in cut(q.shape[1], length, band, pieces, documents=first is not None):
        if first is not None:
            # On a GPU the host would wait for each block's answer.
            near = nearer(block, first) if first.device.type == "cpu" else block
            yield table_of(near, band, first, q.device)
            continue
        # Blocks that begin behind all sinks are alike, but for the last if it is shorter.
        place = (block.end - block.start, min(block.low, band.sinks + 1))
        if place not in made or not block.low:
            made[place] = table_of(block, band, None, q.device)
        yield made[place]._replace(block=block)


def _like_q(q: Tensor, *_: object) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)


def _like_all(
    _: Tensor, q: Tensor, k: Tensor, v: Tensor, *_others: object
) -> tuple[Tensor, Tensor, Tensor]:
    return _like_q(q), _like_q(k), _like_q(v)


# A compiler is shown these names, not the loops behind them.
torch.library.custom_op("qmpi::banded", banded, mutates_args=()).register_fake(_like_q)
torch.library.custom_op("qmpi::banded_gradients", banded_gradients, mutates_args=()).register_fake(
    _like_all
)
