"""What weights that a team shares make of held-out rows; in float32, all ranks together.

Theory of operation. Rows are taken in pieces of as many as a microbatch has sequences, so that what
divides these divides those; the last piece is filled up with zeros. A piece is shared out as a
microbatch is, and passes the pipeline forward alone. The last stage has the losses, and adds them
row by row; sums over the parts of a sequence are in order of the ranks. So a row has the same bits
in every team, and on all its ranks.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.protocol.evaluation import RowLoss
from qmpi.protocol.pipeline.actions import Value
from qmpi.protocol.pipeline.programs import Receive, Send, programs_of
from qmpi.protocol.pipeline.schedules import forward_table
from qmpi.training.answers import KINDS, told_losses
from qmpi.training.comm.line import Comm
from qmpi.training.comm.pending import Pending
from qmpi.training.lanes import Block
from qmpi.training.parallel.forward import Forward
from qmpi.training.station import Station


class TeamEvaluator:
    """The weights of a moment, of which each rank of a team has a part.

    All ranks of a team make the same calls in the same order.
    """

    def __init__(self, at: Station) -> None:
        """Lay out what a rank computes with.

        Args:
            at: of its position.
        """
        self._team, self._between, self._forward = at.team, at.between, Forward(at)

    @property
    def rows_together(self) -> int:
        """Rows that are computed at a time; the bits of a row may depend on its neighbours."""
        return self._forward.rows

    def agrees(self, mark: int) -> bool:
        """Return whether all ranks measure the same; see `Team.agrees`."""
        return self._team.agrees(mark)

    @torch.no_grad()
    def losses(
        self, parts: Sequence[tuple[Block, int]], look: Callable[[], None]
    ) -> list[list[RowLoss]]:
        """Return the cross-entropy of each row, and that of its answers.

        Args:
            parts: blocks of rows, and how many each has, at most `rows_together`.
            look: called before each is computed; what it raises ends the work.

        Returns:
            Losses of the rows of each part; the same on all ranks.

        Raises:
            PeerLost: a rank of the team is gone.
        """
        if not parts:
            return []
        forward, lines = self._forward, self._team.lines
        forward.refresh(lines.tie)
        pieces = [forward.own(block, rows) for block, rows in parts]
        found = _Pass(forward, lines.pipeline, pieces, look).run()
        lines.pipeline.broadcast(found, forward.part.chain.stages - 1)
        whole = self._between.tokens.sum_of(found.flatten()).view_as(found)
        every = self._between.sequences.all_of(whole.flatten(0, 1)).view(len(parts), KINDS, -1)
        return [told_losses(sums[:, :rows]) for sums, (_, rows) in zip(every, parts, strict=True)]

    def batch(self, *_: object) -> list[list[int]]:
        """Refuse: no job may ask a team for answers.

        Raises:
            InvariantError: always.
        """
        raise InvariantError("ranks that share a model were asked for answers to problems")


class _Pass:
    """Pieces on their way through the stages."""

    def __init__(
        self, forward: Forward, line: Comm, pieces: Sequence[Tensor], look: Callable[[], None]
    ) -> None:
        self._forward, self._line, self._pieces, self._look = forward, line, pieces, look
        self._values = dict[Value, Tensor]()
        self._found = torch.zeros(len(pieces), KINDS, forward.sequences, dtype=torch.float64)

    def run(self) -> Tensor:
        """Return losses, float64 [pieces, `KINDS`, sequences]; zeros but on the last stage."""
        part, sent = self._forward.part, list[Pending]()
        table = forward_table(part.chain.stages, part.chain.chunks, len(self._pieces))
        for step in programs_of(table)[part.stage]:
            match step:
                case Receive(peer, value):
                    self._values[value] = self._forward.room()
                    self._line.receive(self._values[value], peer)
                case Send(peer, value):
                    sent.append(self._line.start.send(self._values.pop(value), peer))
                case _:
                    self._compute(step.action.chunk, step.action.microbatch)
        for pending in sent:
            pending.wait()
        return self._found

    def _compute(self, chunk: int, piece: int) -> None:
        self._look()
        forward, ids = self._forward, self._pieces[piece]
        chain = forward.part.chain
        place = chain.place(forward.part.stage, chunk)
        x = self._values.pop(_entering(place, piece)) if place else forward.embedded(ids)
        y = forward.through(chunk, x, ids)
        if place == chain.places - 1:
            self._found[piece] = forward.row_losses(y, ids)
        else:
            self._values[_entering(place + 1, piece)] = y.contiguous()


def _entering(place: int, piece: int) -> Value:
    return Value(is_gradient=False, place=place, microbatch=piece)
