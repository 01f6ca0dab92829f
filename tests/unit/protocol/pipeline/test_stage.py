"""Stages that do their programs side by side give the gradients of one process."""

import queue
import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from unit.protocol.pipeline.cases import Size

from qmpi.config.parallel import PipelineSchedule
from qmpi.protocol.pipeline.actions import Chain, Value
from qmpi.protocol.pipeline.programs import programs_of
from qmpi.protocol.pipeline.schedules import table_of
from qmpi.protocol.pipeline.stage import perform

WIDTH, ROWS, PATIENCE_SECONDS = 5, 3, 20.0

Ways = dict[tuple[int, int], "queue.Queue[Tensor]"]


def layers(count: int) -> list[Tensor]:
    made = torch.Generator().manual_seed(7)
    return [torch.randn(WIDTH, WIDTH, generator=made, dtype=torch.float64) for _ in range(count)]


def rows(microbatches: int) -> list[Tensor]:
    made = torch.Generator().manual_seed(8)
    shape = (ROWS, WIDTH)
    return [torch.randn(shape, generator=made, dtype=torch.float64) for _ in range(microbatches)]


def applied(weight: Tensor, taken: Tensor) -> Tensor:
    return torch.tanh(taken @ weight)


class QueuedStage:
    """A stage whose peers are threads. Each chunk is one layer; the last one ends in a loss."""

    def __init__(
        self,
        chain: Chain,
        stage: int,
        weights: Sequence[Tensor],
        lane: Sequence[Tensor],
        ways: Ways,
    ) -> None:
        self._chain, self._stage, self._ways = chain, stage, ways
        self._weights = [
            weights[chain.place(stage, chunk)].clone().requires_grad_()
            for chunk in range(chain.chunks)
        ]
        self.gradients = [torch.zeros_like(weight) for weight in self._weights]
        self._values = {
            Value(is_gradient=False, place=0, microbatch=m): t for m, t in enumerate(lane)
        }
        self._kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._later: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def forward(self, chunk: int, microbatch: int) -> None:
        place = self._chain.place(self._stage, chunk)
        taken = self._values.pop(Value(is_gradient=False, place=place, microbatch=microbatch))
        taken = taken.detach().requires_grad_()
        made = applied(self._weights[chunk], taken)
        last = place == self._chain.places - 1
        self._kept[chunk, microbatch] = (taken, made.square().sum() if last else made)
        above = Value(is_gradient=False, place=place + 1, microbatch=microbatch)
        if last:
            above = Value(is_gradient=True, place=place, microbatch=microbatch)
        self._values[above] = made.new_ones(()) if last else made.detach()

    def backward(self, chunk: int, microbatch: int) -> None:
        taken, made = self._kept.pop((chunk, microbatch))
        given = self._given(chunk, microbatch)
        ours, weights = torch.autograd.grad(made, (taken, self._weights[chunk]), given)
        self._pass_down(chunk, microbatch, ours)
        self.gradients[chunk] += weights

    def backward_input(self, chunk: int, microbatch: int) -> None:
        taken, made = self._kept.pop((chunk, microbatch))
        given = self._given(chunk, microbatch)
        (ours,) = torch.autograd.grad(made, taken, given, retain_graph=True)
        self._pass_down(chunk, microbatch, ours)
        self._later[chunk, microbatch] = (made, given)

    def backward_weight(self, chunk: int, microbatch: int) -> None:
        made, given = self._later.pop((chunk, microbatch))
        self.gradients[chunk] += torch.autograd.grad(made, self._weights[chunk], given)[0]

    def send(self, peer: int, value: Value) -> None:
        self._ways[self._stage, peer].put(self._values.pop(value), timeout=PATIENCE_SECONDS)

    def receive(self, peer: int, value: Value) -> None:
        self._values[value] = self._ways[peer, self._stage].get(timeout=PATIENCE_SECONDS)

    def left(self) -> list[Value]:
        """Return what nobody took; the lowest place's gradient has no taker."""
        return [value for value in self._values if value.place >= 0]

    def _given(self, chunk: int, microbatch: int) -> Tensor:
        place = self._chain.place(self._stage, chunk)
        return self._values.pop(Value(is_gradient=True, place=place, microbatch=microbatch))

    def _pass_down(self, chunk: int, microbatch: int, gradient: Tensor) -> None:
        below = self._chain.place(self._stage, chunk) - 1
        self._values[Value(is_gradient=True, place=below, microbatch=microbatch)] = gradient


def piped(schedule: PipelineSchedule, size: Size, room: int = 2) -> list[Tensor]:
    """Return the gradient of each layer, as threads compute it."""
    table = table_of(schedule, *size)
    chain = table.chain
    weights, lane = layers(chain.places), rows(chain.microbatches)
    stages = range(chain.stages)
    ways: Ways = {(a, b): queue.Queue(room) for a in stages for b in stages}
    works = [QueuedStage(chain, s, weights, lane if s == 0 else [], ways) for s in stages]
    programs = programs_of(table)
    threads = [
        threading.Thread(target=perform, args=pair, daemon=True)
        for pair in zip(programs, works, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert all(way.empty() for way in ways.values())
    assert not any(work.left() for work in works)
    return [
        works[chain.stage(place)].gradients[chain.chunk(place)] for place in range(chain.places)
    ]


def alone(count: int, microbatches: int) -> list[Tensor]:
    """Return the gradient of each layer, as one process computes it."""
    weights = [weight.requires_grad_() for weight in layers(count)]
    total = torch.zeros((), dtype=torch.float64)
    for taken in rows(microbatches):
        for weight in weights:
            taken = applied(weight, taken)
        total = total + taken.square().sum()
    return list(torch.autograd.grad(total, weights))


@pytest.mark.parametrize(
    ("schedule", "stages", "chunks", "microbatches"),
    [
        *((schedule, 4, 1, 6) for schedule in ("gpipe", "1f1b", "zero_bubble")),
        *((schedule, 3, 1, 2) for schedule in ("gpipe", "1f1b", "zero_bubble")),
        *((schedule, 1, 1, 3) for schedule in ("gpipe", "1f1b", "interleaved", "zero_bubble")),
        ("interleaved", 2, 2, 6),
        ("interleaved", 2, 4, 4),
        ("interleaved", 3, 2, 6),
        ("interleaved", 1, 3, 2),
        ("zero_bubble", 3, 2, 7),
        ("zero_bubble", 4, 2, 2),
        ("zero_bubble", 1, 2, 3),
    ],
)
def test_stages_give_the_gradients_of_one_process(
    schedule: PipelineSchedule, stages: int, chunks: int, microbatches: int
) -> None:
    found = piped(schedule, (stages, chunks, microbatches))
    for ours, theirs in zip(found, alone(stages * chunks, microbatches), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_every_schedule_gives_the_same_bits() -> None:
    cases: list[tuple[PipelineSchedule, Size]] = [
        ("gpipe", (4, 1, 4)),
        ("1f1b", (4, 1, 4)),
        ("zero_bubble", (4, 1, 4)),
        ("interleaved", (2, 2, 4)),
        ("zero_bubble", (2, 2, 4)),
        ("interleaved", (1, 4, 4)),
    ]
    first, *others = [piped(schedule, size) for schedule, size in cases]
    for other in others:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(first, other, strict=True))
