"""Reads a listing as a row of tokens in which every operator follows its operands.

Theory of operation. The tree of a listing is walked once. Names of the program, numbers, words of
texts and operators are written down; keywords, types, brackets, comments and words of the language
are not. Because an operator is written after what it joins, two expressions give the same row only
if they mean the same, whatever brackets and layout they have.
"""

from collections.abc import Callable
from typing import Any

from qmpi.content.verify.code_grammars import COMMENTS, is_docstring, spoken_words

TreeNode = Any
Token = str | int
_SAME = {"===": "==", "!==": "!=", "&&": "and", "||": "or", "//": "/", "//=": "/="}
_WRITTEN = "+ - * / % & | ^ << >> < <= > >= == != and or += -= *= /= %= &= |= ^= <<= >>="
_JOINING = frozenset(_WRITTEN.split(" "))
_UNARY = {"-": "neg", "!": "not", "not": "not"}
_SKIPPED = COMMENTS | {
    "unset_command",
    "import_statement",
    "import_declaration",
    "use_declaration",
    "preproc_include",
    "package_clause",
    "type_annotation",
    "attribute_item",
}
_FRESH = frozenset({"(", "[", ",", "return"})
"""After these a minus has one operand."""
_CHOICE = frozenset({"min", "max"})


class TokenReader:
    """Reads listings of one language.

    Attributes:
        tokens: the row so far.
    """

    def __init__(self, name_of: Callable[[str], str | None]) -> None:
        """Start with an empty row.

        Args:
            name_of: the folded name of the program that an identifier spells, if any.
        """
        self.tokens: list[Token] = []
        self._name_of = name_of

    def read(self, node: TreeNode) -> None:
        """Write down the tokens of a tree.

        Args:
            node: its root.
        """
        kind = node.type
        if kind in _SKIPPED or is_docstring(node) or _is_guard(node):
            return
        children = node.children
        if not children:
            self._leaf(node)
        elif kind == "array_declarator":
            # How much room a list has in C is no part of the program.
            self.read(children[0])
        elif kind == "method_invocation" and self._equals(node):
            return
        elif kind == "token_tree":
            self._flat(children)
        elif "string" in kind and not any(child.is_named for child in children):
            self.tokens += spoken_words(_text(node))
        elif len(children) == 3 and self._joined(children):
            return
        elif len(children) == 2 and _text(children[0]) in _UNARY:
            self.read(children[1])
            self.tokens.append(_UNARY[_text(children[0])])
        else:
            for child in children:
                self.read(child)

    def _joined(self, children: list[TreeNode]) -> bool:
        left, middle, right = children
        if middle.children or (middle.is_named and middle.type != "test_operator"):
            return False
        op = _SAME.get(_text(middle), _text(middle))
        if op not in _JOINING:
            return False
        self.read(left)
        self.read(right)
        self.tokens.append(op)
        return True

    def _equals(self, node: TreeNode) -> bool:
        name = node.child_by_field_name("name")
        if name is None or _text(name) != "equals":
            return False
        self.read(node.child_by_field_name("object"))
        self.read(node.child_by_field_name("arguments"))
        self.tokens.append("==")
        return True

    def _flat(self, children: list[TreeNode]) -> None:
        """Read the inside of a macro, which the grammar leaves as a row of leaves."""
        place = 0
        while place < len(children):
            child = children[place]
            op = _SAME.get(_text(child), _text(child))
            first = place == 0 or _text(children[place - 1]) in _FRESH
            if op in _JOINING and not child.children and not first:
                self.tokens.append(op)
            elif op == "-" and place + 1 < len(children):
                place += 1
                self.read(children[place])
                self.tokens.append("neg")
            else:
                self.read(child)
            place += 1

    def _leaf(self, node: TreeNode) -> None:
        text = _text(node)
        if node.type in _TEXTS:
            self.tokens += spoken_words(text)
        elif text[:1].isdigit():
            self.tokens.append(int(text) if text.isdigit() else text)
        elif text[:1] == "-" and text[1:].isdigit():
            self.tokens += [int(text[1:]), "neg"]
        elif node.is_named and text[:1].isalpha():
            if text in _CHOICE:
                self.tokens.append(text)
                return
            name = self._name_of(text)
            if name is not None:
                self.tokens.append(name)


def _is_guard(node: TreeNode) -> bool:
    return node.type == "comparison_operator" and _text(node).startswith("__name__")


_TEXTS = frozenset(
    {
        "string_content",
        "string_fragment",
        "string_literal_content",
        "interpreted_string_literal_content",
        "multiline_string_fragment",
    }
)


def _text(node: TreeNode) -> str:
    return node.text.decode(errors="replace")
