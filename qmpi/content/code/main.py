"""The main part of a program: calls, objects in use, and what is printed."""

from qmpi.content.code.shapes import FunctionShape
from qmpi.content.code.template import Node
from qmpi.content.code.unit import Case, Made, Studio

_SEPARATORS = (": ", " = ", " ", " -> ", ": ", " is ")


def _say(text: str) -> Node:
    return ["print", ["lit", ["s", text]]]


def printed(studio: Studio, label: str, kind: str, value: Node) -> list[Node]:
    """Return statements that print a value after a label.

    Args:
        studio: of the program.
        label: words.
        kind: type of the value.
        value: an expression.

    Returns:
        One statement, or a choice of two for a truth value.
    """
    if kind == "bool":
        yes, no = studio.words.phrase(), studio.words.phrase()
        return [["if", value, [_say(f"{label} {yes}")], [_say(f"{label} {no}")]]]
    separator = studio.draw.choice(_SEPARATORS)
    return [["print", ["lit", ["s", label + separator]], [kind, value]]]


def use(studio: Studio, made: Made, case: Case) -> None:
    """Add to the main part a call of a function and the printing of its result.

    Args:
        studio: of the program.
        made: the function.
        case: the call.
    """
    args: list[Node] = []
    main = studio.unit["main"]
    for (_, kind), value in zip(made.node[2], case.args, strict=True):
        if kind in {"ints", "strs"} and (studio.apart or studio.draw.below(3)):
            name = studio.words.plural()
            main.append(["let", name, kind, value])
            args.append(name)
        else:
            args.append(value)
    call = ["call", made.node[1], *args]
    if made.node[3] == "int" and studio.draw.below(4) == 0:
        name = studio.words.variable()
        main.append(["let", name, "int", call])
        call = name
    main += printed(studio, studio.words.phrase(), made.node[3], call)


def use_class(studio: Studio, node: Node, shapes: dict[str, FunctionShape], turns: int) -> None:
    """Add to the main part an object and calls of its methods.

    Args:
        studio: of the program.
        node: the class.
        shapes: of its methods.
        turns: number of calls.
    """
    main, draw = studio.unit["main"], studio.draw
    name = studio.words.variable()
    main.append(["let", name, node[1], ["new", node[1]]])
    texts = [studio.words.noun() for _ in range(2)]
    methods = node[3]
    for turn in range(turns):
        method = methods[0] if turn < 2 else draw.choice(methods)
        shape = shapes[method[1]]
        args = [
            ["s", draw.choice(texts)] if kind == "str" else studio.number(role)
            for role, kind in shape.params
        ]
        call = ["m", name, method[1], *args]
        if draw.below(3) == 0 and turn + 1 < turns:
            main.append(["do", call])
        else:
            main += printed(studio, studio.words.phrase(), method[3], call)
    studio.unit.setdefault("objects", []).append(name)
