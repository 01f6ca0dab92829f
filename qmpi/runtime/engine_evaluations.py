"""Evaluations of one engine: what is asked is made on another thread, ahead of the first.

Theory of operation. An evaluation is pieces of work: rows that are computed together, and batches
of problems. The pieces follow from what is asked alone, so each gives the same bits whoever does
it, and what they give is added up in integers. A member does its share of the pieces. Before each,
and after each token of an answer, it looks whether it is told to leave.

Ranks of a team do their pieces together, all of rows in one go through the stages. So they first
agree that all of them have the paper: who went on without would leave the others waiting.
"""

import zlib
from collections.abc import Callable, Iterable
from threading import Event as Flag
from typing import TYPE_CHECKING

from qmpi.errors import InputError
from qmpi.policy.evaluation_schedule import own_share
from qmpi.policy.scoring import added_up
from qmpi.ports.base import Event, WorkCrashed
from qmpi.ports.engine import Evaluate, Evaluated
from qmpi.protocol.evaluation import Marks
from qmpi.runtime.worker import Task, Worker

if TYPE_CHECKING:
    from qmpi.corpora.paper import Paper
    from qmpi.training.evaluation import Evaluator
    from qmpi.training.parallel.evaluation import TeamEvaluator

    Measures = Evaluator | TeamEvaluator

MakePaper = Callable[[], "Paper"]

PROBLEMS_TOGETHER = 16
"""Fewer than a whole checkpoint is asked at a time, so that members can share them."""

LOOK_SECONDS = 0.05

UNLIKE = "the ranks of a team have not all the same held-out text; one may not be able to read it"


class EngineEvaluations:
    """Evaluations, one at a time. All calls come from the engine's thread."""

    def __init__(
        self, make: MakePaper | None, now: Callable[[], float], look: Callable[[], None]
    ) -> None:
        """Ask nothing yet.

        Args:
            make: makes what is asked; None: nothing can be.
            now: seconds; used for what an evaluation costs only.
            look: raises `PeerLost` if the work in hand shall end.
        """
        self._make, self._now, self._look = make, now, look
        self._worker = Worker("paper")
        self._made: Flag | None = None
        self._paper: Paper | None = None
        self._fault = ""

    def prepare(self) -> None:
        """Begin to make what is asked, unless that is done or under way."""
        if self._made is None:
            self._made = Flag()
            self._worker.submit(Task(self._prepare, self._refused))

    def evaluate(self, work: Evaluate, evaluator: "Measures") -> Evaluated:
        """Measure a share.

        Args:
            work: which.
            evaluator: of the weights; of a team all ranks measure its share together.

        Returns:
            What was measured, or why nothing was.

        Raises:
            PeerLost: told to leave.
        """
        began = self._now()
        paper, fault = self._whole(), self._fault
        if not evaluator.agrees(_mark(paper)):
            paper, fault = None, fault or UNLIKE
        marks = added_up(self._marks(work, evaluator, paper)) if paper is not None else ()
        return Evaluated(
            generation=work.generation,
            step=work.step,
            part=work.part,
            parts=work.parts,
            marks=marks,
            left_out=paper.left_out if paper is not None else (),
            seconds=self._now() - began,
            fault=fault,
        )

    def _prepare(self) -> Event | None:
        if self._make is None:
            raise InputError("this rank has no sources")
        self._paper = self._make()
        self._end("")
        return None

    # The engine trains on: that nothing could be measured is told at each evaluation.
    def _refused(self, event: Event) -> None:
        self._end(event.reason if isinstance(event, WorkCrashed) else repr(event))

    def _end(self, fault: str) -> None:
        self._fault = fault
        if self._made is not None:
            self._made.set()

    def _whole(self) -> "Paper | None":
        if self._paper is None and self._fault:
            # What could not be read may be there by now.
            self._made, self._fault = None, ""
        self.prepare()
        while self._made is not None and not self._made.wait(LOOK_SECONDS):
            self._look()
        return self._paper

    def _marks(self, work: Evaluate, evaluator: "Measures", paper: "Paper") -> Iterable[Marks]:
        from qmpi.training.decode import batches_of

        together = evaluator.rows_together
        starts = range(0, paper.rows, together)
        batches = list(batches_of(paper.prompts, paper.budgets, PROBLEMS_TOGETHER))
        pieces = own_share(len(starts) + len(batches), work.part, work.parts)
        spans = [
            (starts[piece], min(starts[piece] + together, paper.rows))
            for piece in pieces
            if piece < len(starts)
        ]
        parts = [(paper.block(first, last), last - first) for first, last in spans]
        for (first, _), told in zip(spans, evaluator.losses(parts, self._look), strict=True):
            yield from paper.marks_of_rows(first, told)
        for piece in pieces[len(spans) :]:
            self._look()
            yield from self._answers(batches[piece - len(starts)], evaluator, paper)

    def _answers(self, batch: list[int], evaluator: "Measures", paper: "Paper") -> Iterable[Marks]:
        def ended(number: int, added: list[int]) -> bool:
            self._look()
            return paper.ended(number, added)

        added = evaluator.batch(batch, paper.prompts, paper.budgets, ended, _ignore)
        return paper.marks_of_answers(batch, added)


def _mark(paper: "Paper | None") -> int:
    """Return a number of 31 bits that stands for a paper; -1: there is none."""
    if paper is None:
        return -1
    rows = zlib.crc32(paper.block(0, paper.rows))
    return zlib.crc32(repr(paper.prompts).encode(), rows) >> 1


def _ignore(more: int) -> None:
    del more
