"""Writes down the row of tokens that a program must have in a language.

Theory of operation. The counterpart of `code_tokens`: from the program of a certificate, by the
idioms of each language (how it counts, how a list grows, what stands for a minimum), comes the row
that its listing must give, every operator after its operands. What follows here is for languages
that say things as the program does; others override it.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.verify.code_grammars import spoken_words

Node = Any
Token = str | int
_JOINING = frozenset((*"+-*/%&|^<>", "<<", ">>", "<=", ">=", "==", "!=", "and", "or"))


def folded(name: str) -> str:
    """Return a name without underscores and capitals."""
    return name.replace("_", "").lower()


class Spine:
    """The row of a program in a language much like the program itself.

    Attributes:
        tokens: the row so far.
    """

    counting: ClassVar[bool] = True
    """A loop counts in three parts."""

    def __init__(self, unit: Node) -> None:
        """Start with an empty row.

        Args:
            unit: the program, for the parameters of its functions.
        """
        self.tokens: list[Token] = []
        self._kinds = {node[1]: [kind for _, kind in node[2]] for node in unit["functions"]}

    def name(self, name: str) -> None:
        """Write a name."""
        self.tokens.append(folded(name))

    def all(self, nodes: Sequence[Node]) -> None:
        """Write expressions one after the other."""
        for node in nodes:
            self.expr(node)

    def expr(self, node: Node) -> None:
        """Write an expression.

        Args:
            node: of the program.
        """
        if isinstance(node, bool):
            return
        if isinstance(node, int):
            self.tokens.append(abs(node))
            if node < 0:
                self.tokens.append("neg")
        elif isinstance(node, str):
            self.name(node)
        elif node[0] in _JOINING:
            self.joined(node)
        else:
            getattr(self, "x_" + node[0])(node)

    def joined(self, node: Node) -> None:
        """Write an operator with two operands."""
        self.all(node[1:3])
        self.tokens.append(node[0])

    def x_s(self, node: Node) -> None:
        """Write a text."""
        self.tokens += spoken_words(node[1])

    def x_not(self, node: Node) -> None:
        """Write a negation."""
        self.expr(node[1])
        self.tokens.append(node[0])

    x_neg = x_not

    def x_min(self, node: Node) -> None:
        """Write a minimum or maximum."""
        self.tokens.append(node[0])
        self.all(node[1:3])

    x_max = x_min

    def x_plain(self, node: Node) -> None:
        """Write operands alone: the operator is a word of the language."""
        self.all(node[1:])

    x_abs = x_at = x_len = x_copy = x_get = x_has = x_size = x_char = x_plain
    x_str = x_upper = x_lower = x_call = x_either = x_f = x_plain

    def x_list(self, node: Node) -> None:
        """Write a list."""
        self.all(node[2:])

    def x_map(self, node: Node) -> None:
        """Write an empty map, or a new object: nothing."""

    x_new = x_map

    def x_m(self, node: Node) -> None:
        """Write a call of a method."""
        if node[1] != "self":
            self.name(node[1])
        self.name(node[2])
        self.all(node[3:])

    def x_cat(self, node: Node) -> None:
        """Write two texts joined."""
        self.joined(["+", *node[1:]])

    def x_same(self, node: Node) -> None:
        """Write two texts compared."""
        self.joined(["==", *node[1:]])

    def x_code(self, node: Node) -> None:
        """Write the number of a letter."""
        self.expr(node[1])
        self.tokens += [0, 97, "-"]

    # Statements.

    def body(self, nodes: Sequence[Node]) -> None:
        """Write statements.

        Args:
            nodes: of the program.
        """
        for node in nodes:
            if node[0] != "#":
                getattr(self, "s_" + node[0])(node)

    def s_let(self, node: Node) -> None:
        """Write a declaration."""
        self.name(node[1])
        self.expr(node[3])

    def s_set(self, node: Node) -> None:
        """Write an assignment."""
        self.all(node[1:3])

    s_push = s_set

    def s_put(self, node: Node) -> None:
        """Write an entry of a map."""
        self.all(node[1:4])

    def s_aug(self, node: Node) -> None:
        """Write an assignment with an operator."""
        if node[1] == "/":
            self.s_set(["set", node[2], ["/", node[2], node[3]]])
            return
        self.all(node[2:4])
        self.tokens.append(node[1] + "=")

    def s_ret(self, node: Node) -> None:
        """Write what leaves a function, or a statement that is an expression."""
        self.expr(node[1])

    s_do = s_fail = s_ret

    def s_break(self, node: Node) -> None:
        """Write nothing."""

    def s_pop(self, node: Node) -> None:
        """Write a declaration of what is taken off a list."""
        self.name(node[1])
        self.expr(node[2])

    def s_print(self, node: Node) -> None:
        """Write what is printed."""
        self.all([piece[1] for piece in node[1:]])

    def s_if(self, node: Node) -> None:
        """Write a condition and two branches."""
        self.expr(node[1])
        self.body(node[2])
        self.body(node[3])

    def s_while(self, node: Node) -> None:
        """Write a condition and a body."""
        self.expr(node[1])
        self.body(node[2])

    def s_for(self, node: Node) -> None:
        """Write a counting loop in three parts."""
        _, name, low, high, step, body = node
        ahead = not isinstance(step, int) or step > 0
        self.all([name, low])
        self.joined(["<" if ahead else ">", name, high])
        self.name(name)
        if step not in (1, -1):
            self.expr(step if ahead else -step)
            self.tokens.append("+=" if ahead else "-=")
        self.body(body)

    def s_each(self, node: Node) -> None:
        """Write a loop over a list."""
        self.name(node[1])
        self.expr(node[3])
        self.body(node[4])

    def s_chars(self, node: Node) -> None:
        """Write a loop over the letters of a text."""
        self.name(node[1])
        self.expr(node[2])
        self.body(node[3])

    # Programs.

    def function(self, node: Node) -> None:
        """Write a function.

        Args:
            node: ["fn", ...].
        """
        self.name(node[1])
        for name, kind in node[2]:
            self.param(name, kind)
        self.body(node[4])

    def param(self, name: str, kind: str) -> None:
        """Write a parameter."""
        del kind
        self.name(name)

    def made(self, node: Node) -> None:
        """Write a class.

        Args:
            node: ["class", ...].
        """
        for name, _, first in node[2]:
            self.name(name)
            self.expr(first)
        for method in node[3]:
            self.function(method)

    def case(self, call: Node, outcome: Node, *, failed: bool) -> None:
        """Write a test of a call.

        Args:
            call: an expression.
            outcome: what it must be, an expression.
            failed: it must fail.
        """
        self.expr(call)
        if not failed:
            self.expr(outcome)
