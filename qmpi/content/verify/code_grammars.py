"""Parses listings with tree-sitter grammars: is it the language, and which words stand in it?

Theory of operation. The grammars are wheels of their own, loaded when first needed; without them a
listing cannot be checked, and the error says what to install.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct

from qmpi.errors import InputError

Tree = Any
"""A node of tree-sitter, which has no types of its own."""
_MODULES = {
    "python": ("tree_sitter_python", "language"),
    "c": ("tree_sitter_c", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "rust": ("tree_sitter_rust", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "sql": ("tree_sitter_sql", "language"),
    "bash": ("tree_sitter_bash", "language"),
    "json": ("tree_sitter_json", "language"),
    "toml": ("tree_sitter_toml", "language"),
}
LANGUAGES = frozenset(_MODULES)
"""Languages that a listing may be in."""
COMMENTS = frozenset({"comment", "line_comment", "block_comment"})


class Words(Struct, frozen=True):
    """What stands in a listing.

    Attributes:
        names: identifiers.
        numbers: whole numbers.
        texts: words inside of texts.
    """

    names: frozenset[str]
    numbers: frozenset[int]
    texts: frozenset[str]


@cache
def parser_of(language: str) -> Tree:
    """Return a parser.

    Args:
        language: one of `LANGUAGES`.

    Returns:
        A tree-sitter parser.

    Raises:
        InputError: its grammar is not installed.
    """
    name, function = _MODULES[language]
    try:
        library = import_module("tree_sitter")
        grammar = getattr(import_module(name), function)()
    except ImportError as error:
        raise InputError(
            f"listings in {language} are checked by the wheel {name.replace('_', '-')};"
            " pip install 'qmpi[verify]' brings all of them"
        ) from error
    return library.Parser(library.Language(grammar))


def parsed(language: str, text: str) -> tuple[Tree, str | None]:
    """Parse a listing.

    Args:
        language: one of `LANGUAGES`.
        text: the listing.

    Returns:
        The root of its tree, and where it is not the language, if anywhere.
    """
    root = parser_of(language).parse(text.encode()).root_node
    if not root.has_error:
        return root, None
    for node in walk(root):
        if node.is_error or node.is_missing:
            row = node.start_point[0] + 1
            return root, f"line {row} is no {language}: {_text(node)[:40]!r}"
    return root, f"no {language}"


def walk(node: Tree) -> Iterator[Tree]:
    """Return a node and all nodes under it, in order of place."""
    waiting = [node]
    while waiting:
        now = waiting.pop()
        yield now
        waiting.extend(reversed(now.children))


def _text(node: Tree) -> str:
    return node.text.decode(errors="replace")


def words_of(root: Tree) -> Words:
    """Return the words of a listing; comments are left out.

    Args:
        root: of its tree.
    """
    names: set[str] = set()
    numbers: set[int] = set()
    texts: set[str] = set()
    waiting = [(root, False)]
    while waiting:
        node, quoted = waiting.pop()
        if node.type in COMMENTS or is_docstring(node):
            continue
        inside = quoted or "string" in node.type
        if "substitution" in node.type or node.type == "interpolation" or "expansion" in node.type:
            inside = False
        if node.children:
            waiting.extend((child, inside) for child in node.children)
            continue
        text = _text(node)
        if inside:
            texts.update(spoken_words(text))
        elif text.removeprefix("-")[:1].isdigit():
            numbers.add(_number(text.removeprefix("-")))
        elif node.is_named and text[:1].isalpha():
            names.add(text)
    return Words(frozenset(names), frozenset(numbers), frozenset(texts))


def broken_form(language: str, root: Tree) -> str | None:
    """Return a text whose braces do not match, if there is one.

    Args:
        language: Rust formats by braces, Bash expands by them; elsewhere they are text.
        root: of the tree of a listing.
    """
    if language not in {"rust", "bash"}:
        return None
    for node in walk(root):
        if node.type == "string_content":
            text = _text(node)
            if text.count("{") != text.count("}") or text.count("[") != text.count("]"):
                return text
    return None


def is_docstring(node: Tree) -> bool:
    """Return whether a node is a statement that is a text and nothing else."""
    children = node.children
    return (
        node.type == "expression_statement" and len(children) == 1 and children[0].type == "string"
    )


def spoken_words(text: str) -> list[str]:
    """Return the words of a text, without marks of a format.

    Args:
        text: as it stands between quotes.
    """
    for mark in ("\\n", "%ld", "%d", "%s", "%v"):
        text = text.replace(mark, " ")
    return "".join(char if char.isalnum() else " " for char in text).split()


def _number(text: str) -> int:
    digits = "".join(char for char in text if char.isdigit())
    return int(digits) if text.isdigit() else -int(digits) - 1
