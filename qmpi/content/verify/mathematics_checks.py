"""Checks of mathematics that go beyond the solvers of the families."""

from qmpi.content.document import Document


def check_mathematics(document: Document) -> list[str]:
    """Check a document of type mathematics.

    Args:
        document: with its certificate.

    Returns:
        Faults in words.
    """
    return [] if document.problems else ["there is no problem in the text"]
