"""Writes unit tests: calls and the values they must have, in the manner of each language."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.content.code.operators import Value
from qmpi.content.code.sheet import call_text, literal
from qmpi.content.code.template import Node
from qmpi.content.code.unit import Case, Studio


class Group(Struct, frozen=True):
    """Tests that belong together.

    Attributes:
        name: of the group, an identifier.
        title: the same in words.
        cases: what is called, and what it must come to.
    """

    name: str
    title: str
    cases: Sequence[Case]


Lines = list[str]


def _value(studio: Studio, value: Value) -> str:
    return studio.dialect.expr(literal(value))


def _python(studio: Studio, groups: Sequence[Group]) -> Lines:
    pad = studio.dialect.indent
    out: Lines = []
    for group in groups:
        out.append(f"def test_{group.name}():")
        for case in group.cases:
            call = call_text(studio, case)
            if case.failed:
                out += [f"{pad}try:", f"{pad}{pad}{call}", f"{pad}{pad}assert False"]
                out += [f"{pad}except ValueError:", f"{pad}{pad}pass"]
            elif isinstance(case.outcome, bool):
                out.append(f"{pad}assert {'' if case.outcome else 'not '}{call}")
            else:
                out.append(f"{pad}assert {call} == {_value(studio, case.outcome)}")
        out.append("")
    return out[:-1]


def _javascript(studio: Studio, groups: Sequence[Group]) -> Lines:
    pad, end = studio.dialect.indent, studio.dialect.ending
    jest = bool(studio.draw.word() & 1)
    word = ("test", "it")[studio.draw.word() & 1]
    out: Lines = []
    for group in groups:
        out.append(f"{word}({studio.dialect.expr(['s', group.title])}, () => {{")
        for case in group.cases:
            call, value = call_text(studio, case), _value(studio, case.outcome)
            listed = isinstance(case.outcome, list)
            if case.failed:
                line = f"expect(() => {call}).toThrow()" if jest else f"assert.throws(() => {call})"
            elif jest:
                line = f"expect({call}).{'toEqual' if listed else 'toBe'}({value})"
            else:
                line = f"assert.{'deepStrictEqual' if listed else 'strictEqual'}({call}, {value})"
            out.append(f"{pad}{line}{end}")
        out += [f"}}){end}", ""]
    return out[:-1]


def _java(studio: Studio, groups: Sequence[Group]) -> Lines:
    pad = studio.dialect.indent
    out: Lines = []
    for group in groups:
        out += [f"{pad}@Test", f"{pad}void {group.name}() {{"]
        for case in group.cases:
            call, value = call_text(studio, case), _value(studio, case.outcome)
            if case.failed:
                line = f"assertThrows(IllegalArgumentException.class, () -> {call});"
            elif isinstance(case.outcome, bool):
                line = f"assert{'True' if case.outcome else 'False'}({call});"
            else:
                line = f"assertEquals({value}, {call});"
            out.append(f"{pad}{pad}{line}")
        out += [pad + "}", ""]
    return out[:-1]


def _rust(studio: Studio, groups: Sequence[Group]) -> Lines:
    out: Lines = ["#[cfg(test)]", "mod tests {", "    use super::*;"]
    for group in groups:
        failing = any(case.failed for case in group.cases)
        out += ["", "    #[test]"]
        if failing:
            out.append("    #[should_panic]")
        out.append(f"    fn {group.name}() {{")
        for case in group.cases:
            call, value = call_text(studio, case), _value(studio, case.outcome)
            line = f"{call};" if case.failed else f"assert_eq!({call}, {value});"
            out.append(f"        {line}")
        out.append("    }")
    return [*out, "}"]


def _go(studio: Studio, groups: Sequence[Group]) -> Lines:
    out: Lines = []
    for group in groups:
        out.append(f"func Test{group.name[0].upper()}{group.name[1:]}(t *testing.T) {{")
        for case in group.cases:
            if case.failed:
                continue
            call, value = call_text(studio, case), _value(studio, case.outcome)
            differ = f"got != {value}"
            if isinstance(case.outcome, list):
                differ = f"!slices.Equal(got, {value})"
            out += [f"\tif got := {call}; {differ} {{", '\t\tt.Errorf("got %v", got)', "\t}"]
        out += ["}", ""]
    return out[:-1]


def _c(studio: Studio, groups: Sequence[Group]) -> Lines:
    pad = studio.dialect.indent
    out: Lines = []
    for group in groups:
        out.append(f"void {group.name}(void) {{")
        for case in group.cases:
            body: Lines = []
            args: list[Node] = []
            for arg in case.args:
                if type(arg) is list and arg[0] == "list":
                    name = studio.words.plural()
                    studio.dialect.body([["let", name, "ints", arg]], body, pad)
                    studio.unit.setdefault("given", []).append(["let", name, "ints", arg])
                    args.append(name)
                else:
                    args.append(arg)
            call = studio.dialect.expr(["call", case.name, *args])
            if isinstance(case.outcome, bool):
                line = f"assert({'' if case.outcome else '!'}{call});"
            else:
                line = f"assert({call} == {_value(studio, case.outcome)});"
            out += [*body, pad + line]
        out += ["}", ""]
    return out[:-1]


_STYLES: dict[str, Callable[[Studio, Sequence[Group]], Lines]] = {
    "python": _python,
    "javascript": _javascript,
    "typescript": _javascript,
    "java": _java,
    "rust": _rust,
    "go": _go,
    "c": _c,
}


def tests_of(studio: Studio, groups: Sequence[Group]) -> Lines:
    """Return the lines of tests.

    Args:
        studio: of the program.
        groups: at least one, none of them empty.
    """
    return _STYLES[studio.dialect.name](studio, groups)
