"""Is an answer that somebody else wrote the right one?

Theory of operation. Of a continuation the first whole line counts that begins as answers do. The
answer must be the one that the certificate holds, and the solver of the problem's family, which
reads the question alone, must find it right as well.
"""

from qmpi.content.document import Plain
from qmpi.content.exercise import ENDINGS, Exercise
from qmpi.content.verify.problem_checks import verify


def answer_in(continuation: str) -> str | None:
    """Return the answer that a continuation of a question gives.

    Args:
        continuation: steps and answer, as far as they are written.

    Returns:
        What stands behind the opening words of the first answer; None until its line is whole.
    """
    for line in continuation.split("\n")[:-1]:
        for words in ENDINGS:
            if line.startswith(words):
                return line.removeprefix(words)
    return None


def is_right(
    question: str, continuation: str, family: str, world: dict[str, Plain], answer: str
) -> bool:
    """Judge a continuation of a question.

    Args:
        question: one or more lines, up to the empty line behind them.
        continuation: what was written behind that.
        family: of the problem.
        world: parameters of its world, from the certificate.
        answer: from the certificate.

    Returns:
        Whether its answer is right, by certificate and by solver.
    """
    given = answer_in(continuation)
    if given is None or given != answer:
        return False
    text = f"{question}\n\n{ENDINGS[0]}{given}\n"
    certificate = {**world, "answer": given}
    return verify(Exercise(text, family, certificate)) is None
