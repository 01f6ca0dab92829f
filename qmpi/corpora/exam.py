"""Problems for a job's model: posed from its generated sources, encoded, and judged.

Theory of operation. Each generated source of the job but that of a warm-up sets as many problems as
another, from documents with the held-out key. A problem is taken if question and solution fit the
sequence that the model was trained on. The model continues the question behind an end-of-text
token; what it writes counts up to its first answer.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.config.ladder import generated_sources
from qmpi.config.settings import Settings
from qmpi.content.level import band_of
from qmpi.content.problems import PosedProblem, posed
from qmpi.content.rows import streams_of
from qmpi.content.verify.answers import answer_in
from qmpi.policy.scoring import Label
from qmpi.storage.tokenizer import Tokenizer

MARGIN_TOKENS = 64
"""More tokens than the document's own solution takes that a model may use."""


class Question(Struct, frozen=True):
    """A problem, ready for the model.

    Attributes:
        label: what it belongs to.
        problem: with its certificate.
        prompt: token ids.
        budget: most tokens of an answer.
    """

    label: Label
    problem: PosedProblem
    prompt: tuple[int, ...]
    budget: int


class Exam:
    """Problems for one job.

    Attributes:
        questions: source by source.
    """

    def __init__(
        self,
        settings: Settings,
        tokenizer: Tokenizer,
        count: int,
        progress: Callable[[int], None],
    ) -> None:
        """Pose the problems.

        Args:
            settings: the job.
            tokenizer: of the job.
            count: problems wanted of all sources together; rounded up to equal shares, fewer
                where a source's documents set few that fit.
            progress: told how many more are posed.
        """
        self._tokenizer = tokenizer
        self._window = settings.train.sequence_tokens
        sources = generated_sources(settings.data)
        self.questions: list[Question] = []
        for source in sources:
            for problem in posed(streams_of(source), -(-count // len(sources)), self._fits):
                self.questions.append(self._question(source.name, problem))
                progress(1)

    def ended(self, number: int, added: Sequence[int]) -> bool:
        """Return whether a continuation has given its answer, or the document has ended.

        Args:
            number: of the question.
            added: tokens so far, at least one.
        """
        del number
        if added[-1] == self._tokenizer.end_of_text:
            return True
        if "\n" not in self._tokenizer.decode(added[-1:]):
            return False
        return answer_in(self._tokenizer.decode(added)) is not None

    def is_right(self, number: int, added: Sequence[int]) -> bool:
        """Judge a continuation.

        Args:
            number: of the question.
            added: its tokens.

        Returns:
            Whether it gives the right answer.
        """
        return self.questions[number].problem.is_solved_by(self._text(added))

    def _text(self, added: Sequence[int]) -> str:
        ids = list(added)
        if ids and ids[-1] == self._tokenizer.end_of_text:
            # A document may end right behind its answer, without a line break.
            return self._tokenizer.decode(ids[:-1]) + "\n"
        return self._tokenizer.decode(ids)

    def _fits(self, problem: PosedProblem) -> bool:
        return 1 + len(self._tokenizer.encode(problem.prompt + problem.solution)) <= self._window

    def _question(self, source: str, problem: PosedProblem) -> Question:
        whole = self._tokenizer.encode(problem.prompt + problem.solution)
        asked = self._prefix(whole, problem.prompt)
        room = self._window - 1 - len(asked)
        stream = problem.stream
        return Question(
            label=Label(source, stream.type, band_of(stream.level), stream.level),
            problem=problem,
            prompt=(self._tokenizer.end_of_text, *asked),
            budget=min(room, len(whole) - len(asked) + MARGIN_TOKENS),
        )

    # The tokens of the question as they stand before a solution: alone it may end in others.
    def _prefix(self, whole: list[int], prompt: str) -> list[int]:
        alone = self._tokenizer.encode(prompt)
        for count in range(max(1, len(alone) - 2), min(len(alone) + 3, len(whole))):
            if self._tokenizer.decode(whole[:count]) == prompt:
                return whole[:count]
        return alone
