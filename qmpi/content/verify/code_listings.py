"""Holds a listing against the program that it must show.

Theory of operation. The program of the certificate is searched for all names, numbers and texts
that a listing of it must hold; the tree of the listing for those it does hold. Nothing may be
missing, and what is more must be a word of the language. Names are compared without underscores
and capitals, because languages spell them in their own ways.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from qmpi.content.verify.code_grammars import broken_form, parsed, spoken_words, words_of
from qmpi.content.verify.code_spine import Token, folded
from qmpi.content.verify.code_tokens import TokenReader

Node = Any
_SIGNS = "+ - * / % & | ^ << >> < <= > >= == != and or not neg min max abs at len call list map get"
_MORE = (
    "has copy cat str same size char code upper lower either f m new set ret push pop put fail do"
)
_OPERATORS = frozenset(f"{_SIGNS} {_MORE} break".split())
_LITTLE = frozenset({0, 1, 2, 97, 100})
"""Numbers that idioms of a language need."""
_WORDS = {
    "python": """print len min max abs range list str ord int dict bool append get pop upper lower
        self None ValueError error AssertionError name""",
    "javascript": """console log Math min max abs floor push pop get set has length join String
        charCodeAt toUpperCase toLowerCase Map Error assert strictEqual deepStrictEqual throws test
        expect toBe toEqual toThrow it describe require export number string boolean void""",
    "java": """System out println Math min max abs List ArrayList Map HashMap Integer String of get
        set add remove size length put getOrDefault containsKey valueOf charAt equals toUpperCase
        toLowerCase split main args Main java util int boolean void IllegalArgumentException Test
        assertEquals assertThrows assertTrue assertFalse class""",
    "rust": """std collections HashMap Vec String str bool i64 usize new from vec println format len
        iter push pop unwrap insert get unwrap_or contains_key to_string to_vec chars nth map c
        as_bytes min max abs rev step_by to_uppercase to_lowercase panic self Self main entry
        mut assert_eq cfg test tests super should_panic assert mod""",
    "go": """main fmt Println Printf Sprint strings Split ToUpper ToLower int string bool len append
        min max panic it s me p testing T t got want Errorf Fatal slices Equal""",
    "c": """printf main memcpy sizeof self made long int char abs labs stdio stdlib string h assert
        include""",
    "bash": "echo local shift return unset n",
}
_TEXTS = {language: frozenset[str]() for language in _WORDS} | {
    "typescript": frozenset({"string"}),
    "c": frozenset({"d", "ld", "s", "h", "stdio", "stdlib", "string"}),
    "go": frozenset({"v", "fmt", "strings", "testing", "slices", "got"}),
    "python": frozenset({"main", "f"}),
}
"""Words that texts of a language hold beside those of the program."""
_PLACES = frozenset(range(1, 9))
"""Bash takes parameters by their places."""
_ROOMS = frozenset({64, 80, 128})
"""Lengths that C gives to lists that grow."""
_MADE_UP = ("_n", "_len", "_count")


class Needed(Struct):
    """What a listing must hold.

    Attributes:
        names: identifiers, folded.
        numbers: absolute values.
        texts: words inside of texts.
        lengths: of lists that are written out.
        pieces: words that names are joined of.
        classes: names of classes, folded.
    """

    names: set[str]
    numbers: set[int]
    texts: set[str]
    lengths: set[int]
    pieces: set[str]
    classes: set[str]


def needed_of(nodes: Iterable[Node]) -> Needed:
    """Return what a listing of these parts must hold.

    Args:
        nodes: functions, classes, statements or expressions of a program.
    """
    needed = Needed(set(), set(), set(), set(), set(), set())
    for node in nodes:
        _search(node, needed)
    return needed


def _search(node: Node, needed: Needed) -> None:
    if isinstance(node, bool):
        return
    if isinstance(node, int):
        needed.numbers.add(abs(node))
    elif isinstance(node, str):
        needed.names.add(folded(node))
        needed.pieces.update(node.split("_"))
    elif node:
        for part in _inside(node, needed):
            _search(part, needed)


def _inside(node: Node, needed: Needed) -> Iterable[Node]:
    """Return the names, numbers and lists that stand in a part of a program.

    Raises:
        ValueError: there is no such part.
    """
    kind = node[0]
    if kind == "s":
        needed.texts.update(spoken_words(node[1]))
        return ()
    if kind == "list":
        needed.lengths.add(len(node) - 2)
    elif kind == "class":
        needed.classes.add(folded(node[1]))
    if kind == "m" and node[1] == "self":
        return node[2:]
    pick = _PICKED.get(kind)
    if pick is not None:
        return pick(node)
    if kind not in _OPERATORS:
        raise ValueError(f"no part of a program: {str(node)[:60]}")
    return node[1:]


_PICKED: dict[str, Callable[[Node], Iterable[Node]]] = {
    "#": lambda _: (),
    "list": lambda node: node[2:],
    "let": lambda node: (node[1], node[3]),
    "aug": lambda node: node[2:4],
    "print": lambda node: [piece[1] for piece in node[1:]],
    "if": lambda node: (node[1], *node[2], *node[3]),
    "while": lambda node: (node[1], *node[2]),
    "for": lambda node: (*node[1:5], *node[5]),
    "each": lambda node: (node[1], node[3], *node[4]),
    "chars": lambda node: (node[1], node[2], *node[3]),
    "fn": lambda node: (node[1], *[param[0] for param in node[2]], *node[4]),
    "class": lambda node: (
        node[1],
        *[part for field in node[2] for part in (field[0], field[2])],
        *node[3],
    ),
}
"""What stands in a part of a program, where that is not all that follows its kind."""


def listing_faults(
    language: str, text: str, needed: Needed, row: Sequence[Token] | None = None
) -> list[str]:
    """Return what is wrong with a listing.

    Args:
        language: its language.
        text: the listing.
        needed: what it must hold.
        row: of tokens that it must give; None for a mere expression, which is no listing.

    Returns:
        Faults in words.
    """
    root, fault = parsed(language, text)
    if fault is not None and row is not None:
        return [fault]
    found = words_of(root)
    names = {folded(name) for name in found.names}
    own = "javascript" if language == "typescript" else language
    known = needed.names | {folded(word) for word in _WORDS[own].split()}
    known |= {"true", "false", "this", "void"}
    if language == "c":
        known |= _c_names(needed.names)
    if language == "go":
        known |= {"new" + name for name in needed.names}
    faults = [f"{name} is declared nowhere" for name in sorted(names - known)]
    faults += [f"{name} is missing" for name in sorted(needed.names - names - _glued(names))]
    strange = found.numbers - needed.numbers - _LITTLE
    if language == "bash":
        strange -= _PLACES
    if language == "c":
        strange -= _ROOMS | {abs(number) for number in needed.lengths}
    faults += [f"{number} is not in the program" for number in sorted(strange)]
    lost = needed.numbers - found.numbers - _LITTLE
    faults += [f"{number} is missing" for number in sorted(lost)]
    allowed = needed.texts | _TEXTS[language]
    if language == "bash":
        # `unset "name[-1]"` quotes a name.
        allowed |= {*needed.pieces, "1"}
    faults += [f"the text {word!r} is not in the program" for word in sorted(found.texts - allowed)]
    faults += [f"the text {word!r} is missing" for word in sorted(needed.texts - found.texts)]
    broken = broken_form(language, root)
    if broken is not None:
        faults.append(f"braces do not match in {broken!r}")
    if faults or row is None:
        return faults
    reader = TokenReader(_namer(language, needed))
    reader.read(root)
    return _differences(reader.tokens, row)


def _differences(found: Sequence[Token], row: Sequence[Token]) -> list[str]:
    for place, (one, other) in enumerate(zip(found, row, strict=False)):
        if one != other or type(one) is not type(other):
            near = " ".join(map(str, row[max(0, place - 4) : place + 4]))
            return [f"{one} stands where the program has {other}, near: {near}"]
    if len(found) != len(row):
        return [f"it says {len(found)} things, the program {len(row)}"]
    return []


def _namer(language: str, needed: Needed) -> Callable[[str], str | None]:
    """Return what reads an identifier as a name of the program."""
    names = needed.names - needed.classes
    lengths = [folded(end) for end in _MADE_UP]

    def name_of(text: str) -> str | None:
        name = folded(text)
        if name in names:
            return name
        # `main` is not the length of a list named `mai`.
        if language != "c" or text == "main":
            return None
        if name.startswith("at") and name[2:] in names:
            return name
        for end in lengths:
            if name.endswith(end) and name[: -len(end)] in names:
                return name[: -len(end)]
        for made in needed.classes:
            if name.startswith(made) and name[len(made) :] in names:
                return name[len(made) :]
        return None

    return name_of


def _c_names(names: set[str]) -> set[str]:
    made = {name + folded(end) for name in names for end in _MADE_UP}
    made |= {"at" + name for name in names}
    made |= {first + second for first in names for second in names}
    return made | {name + "new" for name in names}


def _glued(names: set[str]) -> set[str]:
    """Return parts of names, for methods that C writes as class_method."""
    return {name[cut:] for name in names for cut in range(1, len(name))}
