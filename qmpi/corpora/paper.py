"""What an evaluation asks: held-out rows and problems, and what is made of the answers.

Theory of operation. A paper follows from the job and two numbers alone, so that each rank makes the
same. Rows and problems are numbered, and what each of them gives can be added up in any order:
ranks may share a paper as they like.
"""

from collections.abc import Callable, Iterable, Sequence

from qmpi.config.settings import Settings
from qmpi.corpora.exam import Exam
from qmpi.corpora.held_out import HeldOutRows, read_held_out
from qmpi.corpora.sources import Sources
from qmpi.policy.scoring import answer_marks, row_marks
from qmpi.protocol.evaluation import Marks, RowLoss

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


class Paper:
    """Rows and problems.

    Attributes:
        held: the rows; None if none were asked for.
        prompts: of the problems, token ids.
        budgets: most tokens of each answer.
        left_out: sources of which nothing is held out.
    """

    def __init__(
        self, sequence_tokens: int, held: HeldOutRows | None = None, exam: Exam | None = None
    ) -> None:
        """Join rows and problems.

        Args:
            sequence_tokens: targets of a row.
            held: the rows, if any.
            exam: the problems, if any.
        """
        self.held, self._exam, self._tokens = held, exam, sequence_tokens
        questions = exam.questions if exam is not None else []
        self.prompts = [question.prompt for question in questions]
        self.budgets = [question.budget for question in questions]
        self.left_out = held.left_out if held is not None else ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.held.labels) if self.held is not None else 0

    def block(self, first: int, last: int) -> memoryview:
        """Return neighbouring rows as a block.

        Args:
            first: number of the first row.
            last: of the row after the last.
        """
        whole = memoryview(self.held.block if self.held is not None else b"")
        size = whole.nbytes // self.rows if self.rows else 0
        return whole[first * size : last * size]

    def ended(self, number: int, added: Sequence[int]) -> bool:
        """Return whether an answer is complete.

        Args:
            number: of the problem.
            added: tokens so far, at least one.
        """
        return self._exam is not None and self._exam.ended(number, added)

    def marks_of_rows(self, first: int, losses: Sequence[RowLoss]) -> Iterable[Marks]:
        """Yield what rows give.

        Args:
            first: number of the first.
            losses: of each.

        Yields:
            Marks, a row each.
        """
        if self.held is None:
            return
        for row, loss in enumerate(losses, first):
            yield row_marks(self.held.labels[row], loss, self._tokens, self.held.sizes[row])

    def marks_of_answers(
        self, numbers: Sequence[int], added: Sequence[Sequence[int]]
    ) -> Iterable[Marks]:
        """Yield what answers give.

        Args:
            numbers: of the problems.
            added: tokens of the answer to each.

        Yields:
            Marks, a problem each.
        """
        if self._exam is None:
            return
        for number, tokens in zip(numbers, added, strict=True):
            label = self._exam.questions[number].label
            yield answer_marks(label, right=self._exam.is_right(number, tokens))


def make_paper(
    settings: Settings, sources: Sources, tokens: int, problems: int, progress: Progress
) -> Paper:
    """Make a paper.

    Args:
        settings: the job.
        sources: of the job.
        tokens: held-out targets of all sources together; 0: no rows.
        problems: of all generated sources together; 0: none.
        progress: told how far it is.

    Returns:
        The paper.

    Raises:
        InputError: rows are wanted, and no source has anything held out.
        StorageError: a shard is damaged, or cannot be read.
    """
    progress("opening the sources", 0, 0)
    sources.open()
    held = exam = None
    if tokens:
        progress("reading held-out text", 0, 0)
        held = read_held_out(settings, sources, tokens)
    if problems:
        told = counter("posing problems", problems, progress)
        exam = Exam(settings, sources.tokenizer, problems, told)
    return Paper(settings.train.sequence_tokens, held, exam)


def counter(what: str, of: int, progress: Progress) -> Callable[[int], None]:
    """Return what counts how far something is.

    Args:
        what: is being done.
        of: how much there is of it.
        progress: told.
    """
    done = 0

    def told(more: int) -> None:
        nonlocal done
        for _ in range(more):
            done += 1
            progress(what, done, of)

    return told
