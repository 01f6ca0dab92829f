"""Held-out problems: questions to put to a model, with what is needed to judge an answer.

Theory of operation. Documents of the held-out key are gone through, stream by stream in the order
that spreads over the levels; of each one the first problem that is asked for is taken. So a problem
is a function of the source's streams and its number alone, and the same for every job. A problem
whose own text would not be judged right is never posed.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from qmpi.content.address import Place, Stream, held_out_key
from qmpi.content.catalogue import write_document
from qmpi.content.document import Document, Plain, SetProblem
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.mix import coprime_stride
from qmpi.content.verify.answers import is_right

BREAK = "\n\n"
"""Between a question and its steps."""

ROUND_DOCUMENTS = 100
"""Documents taken of a block: all numbers below the first closer are documents of full length."""

TRIES = 60
"""Documents looked at for each problem wanted; some types set few."""

BARREN = 500
"""Documents in a row without a problem that fits, after which the source is given up."""


class PosedProblem(Struct, frozen=True):
    """A question of a held-out document.

    Attributes:
        stream: of the document.
        index: of the document in its stream.
        family: of the problem.
        question: one or more lines, without the empty line behind them.
        solution: steps and answer as the document has them.
        answer: from the certificate.
        world: parameters of its world, from the certificate.
    """

    stream: Stream
    index: int
    family: str
    question: str
    solution: str
    answer: str
    world: dict[str, Plain]

    @property
    def prompt(self) -> str:
        """What a model continues."""
        return self.question + BREAK

    def is_solved_by(self, continuation: str) -> bool:
        """Return whether a continuation of the prompt gives the right answer."""
        return is_right(self.question, continuation, self.family, self.world, self.answer)


def posed(
    streams: Sequence[Stream], count: int, fits: Callable[[PosedProblem], bool]
) -> Iterator[PosedProblem]:
    """Yield held-out problems.

    Args:
        streams: of a source, in order.
        count: how many at most; fewer where the documents set few.
        fits: which are wanted.

    Yields:
        At most one problem a document.
    """
    key, stride = held_out_key(lexicon_digest()), coprime_stride(len(streams))
    found = barren = 0
    for number in range(count * TRIES):
        if found == count or barren == BARREN:
            return
        round_number, place = divmod(number, len(streams))
        stream = streams[place * stride % len(streams)]
        at = Place(round_number // ROUND_DOCUMENTS, round_number % ROUND_DOCUMENTS)
        problem = _first(write_document(key, stream, at), stream, at, fits)
        barren += 1
        if problem is not None:
            found, barren = found + 1, 0
            yield problem


def _first(
    document: Document, stream: Stream, at: Place, fits: Callable[[PosedProblem], bool]
) -> PosedProblem | None:
    for problem in document.problems:
        made = _posed(document, problem, stream, at)
        if fits(made) and made.is_solved_by(made.solution):
            return made
    return None


def _posed(document: Document, problem: SetProblem, stream: Stream, at: Place) -> PosedProblem:
    text = document.text[problem.start : problem.end]
    question, _, solution = text.partition(BREAK)
    return PosedProblem(
        stream=stream,
        index=at.index,
        family=problem.family,
        question=question,
        solution=solution,
        answer=problem.answer,
        world=problem.world,
    )
