"""What the ranks of one team do together, seen from one of them.

Theory of operation. Each rank sums its part of the gradient with the ranks of its position in other
teams. What is decided about a step is decided by whole teams: a pass that is of no use for one part
is done again by all, the gradient's norm is that of all parts, and a step is applied when every
rank of every team holds its part. A team of one rank asks nobody.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.model.partition import Partition
from qmpi.protocol.teams import whole_digest
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout
from qmpi.training.norm import global_norm
from qmpi.training.parallel.kernels import Between
from qmpi.training.parallel.owners import Owners
from qmpi.training.parallel.stage import StageRunner
from qmpi.training.parallel.team_norm import TeamNorm
from qmpi.training.reduction.within_teams import Common
from qmpi.units import Digest

COUNTED = ("pipeline", "context", "expert")
"""Axes whose ranks count each something else beside the gradient."""


class TeamLines(NamedTuple):
    """The lines of a rank within its team.

    Attributes:
        tensor: ranks that have the other parts of its matrices.
        context: ranks that have the other tokens of its sequences.
        expert: ranks that have the other experts, and the other sequences.
        pipeline: stages of the same parts of the layers.
        tie: first and last of these; a line of one where there is nothing between them, or this
            rank is neither.
        team: all ranks of the team, in order of position.
    """

    tensor: Comm
    context: Comm
    expert: Comm
    pipeline: Comm
    tie: Comm
    team: Comm

    def along(self, axis: str) -> Comm:
        """Return the line of an axis.

        Args:
            axis: "tensor", "context", "expert" or "pipeline".
        """
        lines: dict[str, Comm] = {
            "tensor": self.tensor,
            "context": self.context,
            "expert": self.expert,
            "pipeline": self.pipeline,
        }
        return lines[axis]


class Team:
    """One rank's part of a team."""

    def __init__(
        self,
        part: Partition,
        layout: Layout,
        between: Between,
        stage: StageRunner | None = None,
        owners: Owners | None = None,
    ) -> None:
        """Take the rank's part.

        Args:
            part: what it holds.
            layout: where that lies.
            between: who has the rest; they meet with the team.
            stage: of the pipeline, likewise; None: there is one stage alone.
            owners: of what is computed with, likewise; None: each rank holds all.
        """
        self.part, self._stage, self._owners = part, stage, owners
        self._rows, self._tokens, self._sequences = between
        self._common = {axis: Common(layout, names) for axis, names in part.common.items()}
        self._norm = TeamNorm(part, layout)
        self._lines: TeamLines | None = None

    @property
    def is_alone(self) -> bool:
        """Whether a team is one rank."""
        return self.part.ranks == 1

    def identity(self) -> str:
        """Return what the bits of a lane depend on besides; "" where a team is one rank."""
        if self.is_alone:
            return ""
        part, chain = self.part, self.part.chain
        layers = f"layers in {part.shares} parts, {chain.stages} x {chain.chunks} chunks"
        return f"; {layers}, sequences in {part.contexts} parts, experts in {part.experts} parts"

    def meet(self, lines: TeamLines | None) -> None:
        """Work with these from now on.

        Args:
            lines: within the team; None: it has one rank.
        """
        self._lines = lines
        self._rows.line = lines.tensor if lines is not None else None
        self._tokens.line = lines.context if lines is not None else None
        self._sequences.line = lines.expert if lines is not None else None
        if self._owners is not None:
            self._owners.line = lines.along(self._owners.axis) if lines is not None else None
        if self._stage is not None:
            self._stage.meet(lines.pipeline, lines.tie) if lines else self._stage.meet(None, None)

    def apart(self, work: Callable[[], None]) -> None:
        """Do work as if the others had not been met: a rehearsal is each rank's own affair.

        Args:
            work: what to do.
        """
        lines = self._lines
        self.meet(None)
        try:
            work()
        finally:
            self.meet(lines)

    def leave(self) -> tuple[Comm, ...]:
        """Work with nobody from now on.

        Returns:
            The lines so far.
        """
        left = self._lines or ()
        self.meet(None)
        return tuple(left)

    @property
    def lines(self) -> TeamLines:
        """The lines within the team.

        Raises:
            InvariantError: there are none.
        """
        if self._lines is None:
            raise InvariantError("a rank of a team works without having met the others")
        return self._lines

    def maximum(self, needs: Tensor) -> None:
        """Take the largest need where chunks are common; see `Within`."""
        for axis, common in self._common.items():
            common.maximum(self.lines.along(axis), needs)

    def add_up(self, total: Tensor, beside: Tensor) -> None:
        """Add the shares of what is common; see `Within`."""
        for axis, common in self._common.items():
            common.add_up(self.lines.along(axis), total, beside)

    def gather(self, counts: Tensor) -> None:
        """Add what other ranks have counted, of other layers or sequences; see `Within`."""
        if self.is_alone or not counts.numel():
            return
        for axis in COUNTED:
            line = self.lines.along(axis)
            if line.size > 1:
                line.allreduce(counts)

    def any_of(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return of each flag whether it is up on some rank of the team."""
        if self.is_alone:
            return tuple(flags)
        told = torch.tensor(flags, dtype=torch.int32)
        self.lines.team.maximum(told)
        return tuple(bool(flag) for flag in told.tolist())

    def norm(self, gradient: Tensor) -> float:
        """Return the Euclidean norm of the whole gradient.

        Args:
            gradient: float32, flat; this rank's part.

        Returns:
            The norm, the same on all ranks of all teams; infinite or NaN if an element is.
        """
        if self.is_alone:
            return global_norm(gradient)
        return self._norm.of(gradient, self.lines.team)

    def vote(self, members: Comm, blocks: Sequence[str]) -> None:
        """Return once every rank of every team has called this.

        Args:
            members: ranks of this position in all teams.
            blocks: digests of the blocks that this rank has computed with.

        Raises:
            InvariantError: another rank of the team has computed with others.
        """
        if not self.is_alone:
            # Who comes out of this knows of its whole team; who then votes speaks for it.
            mark = zlib.crc32("".join(blocks).encode()) >> 1
            if not self.agrees(mark):
                raise InvariantError("ranks of a team have computed a step on different blocks")
        members.vote()

    def agrees(self, mark: int) -> bool:
        """Return whether all ranks of the team give the same number; the same answer everywhere.

        Args:
            mark: of 31 bits, with a sign.
        """
        if self.is_alone:
            return True
        told = torch.tensor([mark, -mark], dtype=torch.int32)
        self.lines.team.maximum(told)
        return int(told[0]) == -int(told[1])

    def digest(self, own: Digest) -> Digest:
        """Return the digest of the whole weights.

        Args:
            own: of this rank's part.

        Returns:
            The digest; "" while a rank of several has not met the others.
        """
        if self.is_alone:
            return own
        if self._lines is None:
            return Digest("")
        raw = torch.frombuffer(bytearray.fromhex(own), dtype=torch.uint8)
        parts = self.lines.team.allgather(raw).view(-1, raw.numel())
        return whole_digest([Digest(bytes(part.tolist()).hex()) for part in parts])
