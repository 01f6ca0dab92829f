"""Checks of mathematics: proofs line by line, operations and tables tried again.

Theory of operation. A proof is parsed from the text; each line must follow from the lines it cites,
which a truth table decides, and its rule must have the right number of them. Operations are
evaluated from their definition as the text writes it. Table columns are worked out by other means
than the writer's: divisors by trial, roots by counting up, gcd by subtraction. Problem sets are
checked by the solvers of their families.
"""

import re
from itertools import product
from typing import Any

from qmpi.content.document import Document, Fact
from qmpi.content.verify.proof_reading import RULES, parse_formula, value_under

_SIGN = r"[^\w\s()=,]"


def check_mathematics(document: Document) -> list[str]:
    """Check a document of type mathematics.

    Args:
        document: with its certificate.

    Returns:
        Faults in words.
    """
    checks = {"proof": _proof, "theory": _theory, "table": _table}
    check = checks.get(document.genre)
    if check is None:
        return [] if document.problems else ["there is no problem in the text"]
    try:
        return check(document)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"the certificate cannot be read: {error!r}"]


def _said(document: Document, kind: str) -> dict[tuple[Any, ...], str]:
    return {
        tuple(fact.args): document.text[fact.start : fact.end]
        for fact in document.facts
        if fact.kind == kind
    }


def _proof(document: Document) -> list[str]:
    lines: Any = document.world["lines"]
    notation: Any = document.world["notation"]
    shown, numbers = _said(document, "line"), _said(document, "number")
    reasons, premises = _said(document, "reason"), _said(document, "premise")
    faults: list[str] = []
    read = []
    for number, (code, rule, uses) in enumerate(lines):
        term = parse_formula(shown[number,], notation)
        read.append(term)
        if term != parse_formula(code, "code"):
            faults.append(f"line {number + 1} says {shown[number,]!r}, not {code}")
        if numbers[number,] != f"{number + 1}.":
            faults.append(f"line {number + 1} has the number {numbers[number,]!r}")
        cited = ", ".join(str(use + 1) for use in uses)
        if reasons[number,] != f"{rule} {cited}".strip():
            faults.append(f"line {number + 1} gives the reason {reasons[number,]!r}")
        faults += _step_faults(number, rule, uses, read)
        if rule == "premise" and premises.get((number,)) != shown[number,]:
            faults.append(f"line {number + 1} is not among the premises given")
    if parse_formula(_said(document, "theorem")[()], notation) != read[-1]:
        faults.append("the last line is not the theorem")
    return faults


def _step_faults(number: int, rule: str, uses: list[int], read: list[Any]) -> list[str]:
    if rule not in RULES or len(uses) != RULES[rule]:
        return [f"line {number + 1} misuses the rule {rule!r}"]
    if any(use >= number for use in uses):
        return [f"line {number + 1} rests on what comes later"]
    if rule == "premise":
        return []
    grounds = [read[use] for use in uses]
    letters = sorted({letter for term in (*grounds, read[number]) for letter in _letters(term)})
    for values in product((False, True), repeat=len(letters)):
        model = dict(zip(letters, values, strict=True))
        granted = all(value_under(term, model) for term in grounds)
        if granted and not value_under(read[number], model):
            return [f"line {number + 1} does not follow"]
    return []


def _letters(term: Any) -> set[str]:
    if isinstance(term, str):
        return {term}
    return set().union(*(_letters(part) for part in term[1:]))


def _theory(document: Document) -> list[str]:
    size: Any = document.world["size"]
    operations: Any = document.world["operations"]
    tables = []
    faults: list[str] = []
    for (terms, symbol), said in zip(
        operations, _said(document, "definition").values(), strict=True
    ):
        tables.append(_read_table(said, symbol, size))
        a, b, c, d = terms
        for x, y in product(range(size), repeat=2):
            if tables[-1][x][y] != (a * x + b * y + c * x * y + d) % size:
                faults.append(f"the definition {said!r} is not that of the certificate")
                break
    for fact in document.facts:
        if fact.kind == "definition":
            continue
        said, number = document.text[fact.start : fact.end], fact.args[0]
        expected = _claim(fact, tables[int(str(number))], operations[int(str(number))][1])
        if said != expected:
            faults.append(f"{fact.kind} {list(fact.args)}: says {said!r}, not {expected!r}")
    return faults


# The definition is read from the text and tabled by adding, term by term.
def _read_table(text: str, symbol: str, size: int) -> list[list[int]]:
    found = re.fullmatch(rf"x {re.escape(symbol)} y = (.+) \(mod (\d+)\)", text)
    if found is None or int(found[2]) != size:
        raise ValueError(f"{text!r} is no definition")
    table = [[0] * size for _ in range(size)]
    for part in found[1].split(" + "):
        term = re.fullmatch(r"(\d*)(xy|x|y|)", part)
        if term is None:
            raise ValueError(f"{part!r} is no term")
        factor = int(term[1] or 1)
        for x, y in product(range(size), repeat=2):
            power = {"xy": x * y, "x": x, "y": y, "": 1}[term[2]]
            table[x][y] = (table[x][y] + factor * power) % size
    return table


def _claim(fact: Fact, table: list[list[int]], sign: str) -> str:
    every = range(len(table))
    args: Any = fact.args[1:]
    match fact.kind:
        case "value":
            return f"{args[0]} {sign} {args[1]} = {table[args[0]][args[1]]}"
        case "left":
            x, y, z = args
            return f"({x} {sign} {y}) {sign} {z} = {table[table[x][y]][z]}"
        case "right":
            x, y, z = args
            return f"{x} {sign} ({y} {sign} {z}) = {table[x][table[y][z]]}"
        case "asked":
            return f"({args[0]} {sign} {args[1]}) {sign} {args[2]}"
        case "answer":
            return str(table[table[args[0]][args[1]]][args[2]])
        case "commutes":
            holds = all(table[x][y] == table[y][x] for x in every for y in every)
            return "it is commutative" if holds else "it is not commutative"
        case "associates":
            triples = product(every, repeat=3)
            holds = all(table[table[x][y]][z] == table[x][table[y][z]] for x, y, z in triples)
            return "it is associative" if holds else "it is not associative"
        case "identity":
            columns = list(zip(*table, strict=True))
            found = [e for e in every if table[e] == list(every) == list(columns[e])]
            return f"it is {found[0]}" if found else "there is none"
        case "idempotents":
            return ", ".join(str(x) for x in every if table[x][x] == x) or "none"
        case _:
            raise ValueError(f"no fact is called {fact.kind}")


def _table(document: Document) -> list[str]:
    world: dict[str, Any] = document.world
    columns, rows, constant = world["columns"], world["rows"], world["constant"]
    values = {
        place: [_entry(column, n, constant) for n in rows] for place, column in enumerate(columns)
    }
    faults: list[str] = []
    for fact in document.facts:
        said = document.text[fact.start : fact.end]
        expected = _cell(fact, world, values, said)
        if said != expected:
            faults.append(f"{fact.kind} {list(fact.args)}: says {said!r}, not {expected!r}")
    told = [fact.args[0] for fact in document.facts if fact.kind == "row"]
    return faults + ([] if told == list(range(len(rows))) else ["not every row is told once"])


def _cell(fact: Fact, world: dict[str, Any], values: dict[int, list[int]], said: str) -> str:
    args: Any = fact.args
    columns, rows, constant = world["columns"], world["rows"], world["constant"]
    match fact.kind:
        case "title" if args[0] == 0:
            return "n"
        case "title" | "column":
            column = columns[args[0] - (fact.kind == "title")]
            return _heading(column, constant)
        case "row":
            cells = [rows[args[0]], *(column[args[0]] for column in values.values())]
            shown = re.split(r" \| |, |\t| ; ", said)
            return said if shown == [str(cell) for cell in cells] else f"the cells {cells}"
        case "sum":
            return str(sum(values[args[0]]))
        case "largest":
            return str(sorted(values[args[0]])[-1])
        case "smallest":
            return str(sorted(values[args[0]])[0])
        case "even":
            return str(len([v for v in values[args[0]] if not v & 1]))
        case "asked":
            return str(args[0])
        case "answer":
            return str(_entry(columns[args[0]], args[1], constant))
        case _:
            raise ValueError(f"no fact is called {fact.kind}")


def _heading(column: str, constant: int) -> str:
    return {
        "square": "n^2",
        "cube": "n^3",
        "root": "floor of root n",
        "digits": "sum of digits",
        "divisors": "divisors",
        "mod": f"n mod {constant}",
        "gcd": f"gcd(n, {constant})",
        "double": f"2n + {constant}",
        "triangle": "n(n+1)/2",
    }[column]


def _entry(column: str, n: int, constant: int) -> int:
    match column:
        case "square" | "cube":
            return pow(n, 2 if column == "square" else 3)
        case "root":
            root = 0
            while (root + 1) * (root + 1) <= n:
                root += 1
            return root
        case "digits":
            total = 0
            while n:
                n, digit = divmod(n, 10)
                total += digit
            return total
        case "divisors":
            return len([d for d in range(1, n + 1) if n % d == 0])
        case "mod":
            return n - n // constant * constant
        case "gcd":
            return max(d for d in range(1, min(n, constant) + 1) if n % d == constant % d == 0)
        case "double":
            return n + n + constant
        case _:
            return sum(range(n + 1))
