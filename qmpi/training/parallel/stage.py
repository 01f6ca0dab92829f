"""Lanes on a rank that has some chunks of the layers: one stage of a pipeline.

Theory of operation. All microbatches of a step, of all its lanes, pass the pipeline in one go, so
it fills and drains once a step. A schedule says what a stage does in which order
(`qmpi.protocol.pipeline`); here stands how. Whatever the schedule, gradients of a chunk are
completed in the order of microbatches, so they are the same bits.

A microbatch's loss is computed when its backward pass begins, not when its forward pass ends: the
gradient of the head then grows in the order of backward passes too, and belongs to one lane at a
time. Only the last stage knows the losses, and tells the others at the end.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError
from qmpi.model.layer import Layers
from qmpi.model.partition import Partition
from qmpi.protocol.pipeline.actions import Value
from qmpi.protocol.pipeline.programs import Program, programs_of
from qmpi.protocol.pipeline.schedules import table_of
from qmpi.protocol.pipeline.stage import perform
from qmpi.training.comm.line import Comm
from qmpi.training.comm.pending import Pending
from qmpi.training.comm.waits import Aborted
from qmpi.training.ends import Ends
from qmpi.training.gradients import Gradients
from qmpi.training.lane_squares import LaneSquares
from qmpi.training.lanes import Work, leave_if, read_block
from qmpi.training.out_of_memory import with_memory_told
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.parallel.sequences import Sequences
from qmpi.training.parallel.shelf import Shelf
from qmpi.training.parallel.tie import Tie
from qmpi.training.reduction.kinds import Sum
from qmpi.training.source_losses import NOT_KNOWN, LaneSources
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Weights


class StageParts(NamedTuple):
    """What a stage computes with beside its weights.

    Attributes:
        part: what the rank holds.
        ends: embedding and head, as far as they are here.
        tie: of the head to the embedding.
        norm: (x, weight, epsilon, type) to RMSNorm.
        tokens: those that are computed here.
        sequences: of a microbatch, and who has the others.
        shelf: keeps what a schedule that splits backward passes puts off.
        squares: takes each gradient too; None: the noise is not measured.
    """

    part: Partition
    ends: Ends
    tie: Tie
    norm: Callable[[Tensor, Tensor, float, torch.dtype], Tensor]
    tokens: OwnTokens
    sequences: Sequences
    shelf: Shelf
    squares: LaneSquares | None = None


class StageRunner:
    """Computes the lanes of a step together with the other stages."""

    def __init__(
        self, settings: Settings, weights: Weights, parts: StageParts, watch: Stopwatch
    ) -> None:
        """Take the parts.

        Args:
            settings: the job, as if the model were what this rank holds of each layer.
            weights: of what the rank holds.
            parts: what else it computes with.
            watch: measures forward, backward, and waiting.
        """
        self._settings, self._weights, self._watch = settings, weights, watch
        self._part, self._ends, self._tie, self._norm = parts[:4]
        self._tokens, self._sequences, self._shelf, self._squares = parts[4:]
        self._sources = self._tokens.sources
        self._chain = self._part.chain
        self._gradients = Gradients(weights, watch, self._squares)
        self._programs = dict[int, Program]()
        self._line: Comm | None = None
        self.resize(settings.train)
        self.begin_pass(1.0)

    def meet(self, line: Comm | None, tie: Comm | None) -> None:
        """Work with these from now on.

        Args:
            line: stages of the team's pipeline; None: nobody.
            tie: first and last of them; None, or a line of one: this rank is neither.
        """
        self._line, self._tie.line = line, tie

    def refresh(self) -> None:
        """Bring what is borrowed up to date; before a step.

        Raises:
            PeerLost: a stage is gone.
        """
        self._tie.refresh()

    def resize(self, train: TrainSettings) -> None:
        """Cut lanes into other microbatches from now on.

        Args:
            train: how many, of how many sequences; the rows of a lane stay as many.
        """
        self._train = train
        self._gradients.resize()
        self._ends.resize(self._tokens.rows(train))

    def begin_pass(self, factor: float) -> None:
        """Drop what an aborted pass left.

        Args:
            factor: as `Gradients.begin_pass` takes it.
        """
        self._factor = factor
        self._gradients.begin_pass(factor)
        self._kept = dict[tuple[int, int], tuple[Tensor, Tensor]]()
        self._values = dict[Value, Tensor]()
        self._sent = list[Pending]()
        self._microbatches: list[Tensor] = []
        self._losses: list[float] = []
        self._lanes: list[int] = []
        self._tallied = dict[int, tuple[Tensor, Tensor]]()
        self._sum: Sum | None = None
        self._shelf.clear()
        self._sources.clear()
        self._known: list[LaneSources] = []
        if self._squares is not None:
            self._squares.clear()
        self._ends.begin_lane()

    def run_all(self, layers: Layers, work: Work, total: Sum, aborted: Aborted) -> None:
        """Compute lanes, and add the gradients of what is here, and what they tell.

        Args:
            layers: function of each layer of the model.
            work: the lanes; the same on all stages.
            total: the reduction.
            aborted: looked at before each microbatch.

        Raises:
            PeerLost: `aborted` says so, or a stage is gone.
            InvariantError: the other stages have not been met.
        """
        train = self._train
        line = self._met()
        self._layers, self._sum, self._aborted = layers, total, aborted
        self._lanes = [each.lane for each in work]
        for each in work:
            ids = read_block(each.block, self._sequences.rows_of(train), train.sequence_tokens + 1)
            own = self._sequences.own(ids, train)
            self._microbatches += own.to(self._weights.device).split(train.sequences)
            sources = each.sources if self._part.is_last else ()
            known = self._sources.lane(sources, partial(self._sequences.own, train=train), own)
            self._known.append(known)
        self._losses = [0.0] * len(work)
        perform(self._program(len(self._microbatches)), self)
        for pending in self._sent:
            pending.wait()
        losses = torch.tensor(self._losses, dtype=torch.float64)
        if self._part.is_last:
            losses = self._sequences.mean_of(losses)
        line.broadcast(losses, self._chain.stages - 1)
        means = self._tokens.means_of(losses.tolist())
        squares = self._square_norms(line)
        for each, loss, square in zip(work, means, squares, strict=True):
            total.tail.put(each.lane, loss / train.microbatches, each.digest, square)
        self._sources.add_to(total.counts)
        for kept in self._tallied.values():
            self._weights.tallies.resume(kept)
            self._weights.tallies.add_to(total.counts)
        self._watch.lap("communication")

    def rehearse(self, layers: Layers) -> None:
        """Run a microbatch of the true shape through each chunk; gradients go nowhere.

        Args:
            layers: function of each layer of the model.

        Raises:
            OutOfMemory: memory was refused.
        """
        with_memory_told(self._train, "a microbatch", lambda: self._rehearse(layers))

    def forward(self, chunk: int, microbatch: int) -> None:
        """Compute a chunk; as `StageWork.forward`."""
        leave_if(self._aborted)
        ids = self._microbatches[microbatch]
        place = self._chain.place(self._part.stage, chunk)
        if place == 0:
            x = self._ends.embedded(self._tokens.inputs(ids))
        else:
            x = self._values.pop(_activation(place, microbatch)).requires_grad_()
        y = self._through(chunk, microbatch // self._train.microbatches, x, ids)
        if place == self._chain.places - 1:
            weights, epsilon = self._weights, self._settings.model.norm_eps
            y = self._norm(y, weights.final_norm, epsilon, weights.kind)
        else:
            self._values[_activation(place + 1, microbatch)] = y.detach()
        self._kept[chunk, microbatch] = x, y
        self._watch.lap("forward")

    def backward(self, chunk: int, microbatch: int) -> None:
        """Compute the gradients of a chunk; as `StageWork.backward`."""
        leave_if(self._aborted)
        x, y = self._kept.pop((chunk, microbatch))
        place, many = self._chain.place(self._part.stage, chunk), self._train.microbatches
        lane, number = divmod(microbatch, many)
        if place == self._chain.places - 1:
            targets = self._tokens.targets(self._microbatches[microbatch])
            share = self._factor / (many * self._part.experts * self._tokens.ranks)
            loss, gradient = self._ends.loss(y, targets, share)
            self._losses[lane] += loss
            known = self._known[lane].of(number, self._train.sequences)
            self._tokens.tell(known, self._ends.losses)
        else:
            gradient = self._values.pop(_gradient(place, microbatch))
        self._expect(lane, number)
        if number == many - 1 and self._sum is not None:
            self._sum.begin_lane(self._lanes[lane])
        torch.autograd.backward([y], [gradient])
        if x.grad is not None:
            if place == 0:
                self._ends.take(self._tokens.inputs(self._microbatches[microbatch]), x.grad)
            else:
                self._values[_gradient(place - 1, microbatch)] = x.grad
        self._watch.lap("backward")
        if number == many - 1 and self._sum is not None:
            self._end_lane(place, self._sum)

    def backward_input(self, chunk: int, microbatch: int) -> None:
        """Put off the gradients of matrices; as `StageWork.backward_input`."""
        self.backward(chunk, microbatch)
        self._shelf.lay(chunk, microbatch)

    def backward_weight(self, chunk: int, microbatch: int) -> None:
        """Compute the gradients that were put off; as `StageWork.backward_weight`."""
        leave_if(self._aborted)
        many = self._train.microbatches
        lane, number = divmod(microbatch, many)
        self._expect(lane, number)
        self._shelf.settle(chunk, microbatch)
        self._watch.lap("backward")
        if number == many - 1 and self._sum is not None:
            # The first half of the next lane's pass may have been added before.
            self._gradients.flush(self._sum)
            self._sum.fold()

    def send(self, peer: int, value: Value) -> None:
        """Send a value; as `StageWork.send`."""
        self._sent.append(self._met().start.send(self._values.pop(value).contiguous(), peer))

    def receive(self, peer: int, value: Value) -> None:
        """Wait for a value; as `StageWork.receive`."""
        buffer = self._stream()
        self._met().receive(buffer, peer)
        self._values[value] = buffer
        self._watch.lap("communication")

    def _through(self, chunk: int, lane: int, x: Tensor, ids: Tensor) -> Tensor:
        """Return what the layers of a chunk make of the stream, for a microbatch of a lane."""
        weights, at = self._weights, self._tokens.positions(ids[:, :-1])
        tallies = weights.tallies
        # Forward passes of several lanes are under way; what experts are told of is a lane's.
        if tallies.size:
            tallies.resume(self._tallied.get(lane))
        for number in self._part.blocks[chunk]:
            x = weights.through(self._layers[number], x, at, weights.blocks[number])
        if tallies.size:
            self._tallied[lane] = tallies.kept()
        return x

    def _expect(self, lane: int, number: int) -> None:
        """Say which microbatch of which lane the gradients that come next belong to."""
        self._gradients.expect(number, self._train.microbatches, self._sum)
        if self._squares is not None:
            self._squares.take_up(lane)

    def _square_norms(self, line: Comm) -> list[tuple[float, ...]]:
        """Return the squared norm of each lane's gradient, of all stages; where it is measured."""
        count = len(self._lanes)
        if self._squares is None or not count:
            return [()] * count
        own = torch.tensor(self._squares.totals(range(count)), dtype=torch.float64)
        total = torch.zeros_like(own)
        for told in line.gather_numbers(own):
            total += told
        return [(square,) for square in total.tolist()]

    def _met(self) -> Comm:
        if self._line is None:
            raise InvariantError("a stage works without having met the others")
        return self._line

    def _stream(self) -> Tensor:
        """Return room for the rows that this rank has of a microbatch's stream."""
        shape = (self._tokens.rows(self._train) // self._part.shares, self._settings.model.width)
        return torch.zeros(shape, device=self._weights.device)

    def _end_lane(self, place: int, total: Sum) -> None:
        """Add what belongs to an end of the model, and begin the next lane there."""
        is_head, is_table = place == self._chain.places - 1, place == 0
        if is_head and self._tie.borrows:
            self._sent += self._tie.give(self._ends.of_head)
        if is_table and self._tie.lends:
            self._tie.take(self._ends.of_table)
        if is_head or is_table:
            for part, gradient in self._ends.gradients():
                self._gradients.add(total, part, gradient)
            self._gradients.flush(total)
            self._ends.begin_lane()
        self._gradients.flush(total)
        total.fold()
        self._watch.lap("sweep")

    def _program(self, microbatches: int) -> Program:
        if microbatches not in self._programs:
            schedule, chain = self._settings.parallel.schedule, self._chain
            table = table_of(schedule, chain.stages, chain.chunks, microbatches)
            self._programs[microbatches] = programs_of(table)[self._part.stage]
        return self._programs[microbatches]

    def _rehearse(self, layers: Layers) -> None:
        self.begin_pass(1.0)
        self._layers, self._aborted, self._losses = layers, _never, [0.0]
        self._known = [NOT_KNOWN]
        shape = (self._train.sequences, self._train.sequence_tokens + 1)
        self._microbatches = [torch.zeros(shape, dtype=torch.int64, device=self._weights.device)]
        for chunk in range(self._chain.chunks):
            place = self._chain.place(self._part.stage, chunk)
            self._values[_activation(place, 0)] = self._stream()
            self._values[_gradient(place, 0)] = self._stream()
            self.forward(chunk, 0)
            self.backward_input(chunk, 0)
            self.backward_weight(chunk, 0)
        self.begin_pass(1.0)


def _activation(place: int, microbatch: int) -> Value:
    return Value(is_gradient=False, place=place, microbatch=microbatch)


def _gradient(place: int, microbatch: int) -> Value:
    return Value(is_gradient=True, place=place, microbatch=microbatch)


def _never() -> None:
    """Return None: nothing ends a rehearsal."""
    return
