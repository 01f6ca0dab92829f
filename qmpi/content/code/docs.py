"""Comments on functions and classes: what they make, of what, and what goes in and comes out."""

from collections.abc import Sequence

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.words import Words

_TAGGED = frozenset({"javascript", "typescript", "java"})


def doc_of(words: Words, docs: Sequence[str]) -> list[str]:
    """Return the lines of a comment on a function or class.

    Args:
        words: of the document.
        docs: what it makes, in several words.

    Returns:
        None, one, or two.
    """
    draw = words.draw
    kind = draw.below(10)
    if kind == 0:
        return []
    what = draw.choice(docs)
    of = f"{words.word('a')} {words.word('p')}" if kind & 1 else words.word("p")
    first = (
        f"{what} of {of}",
        f"{what} for the {words.noun()}",
        f"{what}: {words.comment()}",
        f"return the {what} of {of}",
        f"{words.word('v')} {of}: {what}",
    )[draw.below(5)]
    lines = [first[0].upper() + first[1:] + "."]
    if kind > 6:
        lines.append(words.comment().capitalize() + ".")
    return lines


def tags_of(
    words: Words, dialect: Dialect, params: Sequence[Sequence[str]], result: str
) -> list[str]:
    """Return lines on parameters and result, in the manner of the language.

    Args:
        words: of the document.
        dialect: the language.
        params: name and type of each.
        result: type of the result.

    Returns:
        None for languages without such a manner.
    """
    if dialect.name == "python":
        given = [f"{dialect.indent}{param}: {words.phrase()}." for param, _ in params]
        return ["", "Args:", *given]
    if dialect.name in _TAGGED:
        lines = [f"@param {param} {words.phrase()}" for param, _ in params]
        return lines if result == "void" else [*lines, f"@return {words.phrase()}"]
    return []
