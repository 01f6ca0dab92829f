"""SQL: two tables, rows, queries, and the tables that they give."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.content.code.sheet import Sheet
from qmpi.content.code.words import Words
from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.level import sized
from qmpi.content.page import Page

Cell = int | str
Row = list[Cell]
Test = tuple[str, Callable[[Row], bool]]


class _Table(Struct):
    name: str
    columns: list[str]
    texts: list[str]
    rows: list[Row]


class _Query(Struct, frozen=True):
    """A query: its text, the names of its columns, and its rows."""

    text: list[str]
    heads: list[str]
    rows: list[Row]


class _Base:
    """Two tables, the second with a key of the first, and how they are written."""

    def __init__(self, sheet: Sheet) -> None:
        page = sheet.page
        self.draw = page.draw
        self.words = Words(page.draw, page.budget)
        self.small = bool(self.draw.word() & 1)
        self.stack = bool(self.draw.word() & 1)
        budget = page.budget
        self.first = self._table(sized(self.draw, budget.entities, 3, 16), 1)
        self.second = self._table(sized(self.draw, budget.entities, 4, 24), 2)
        key = self.words.function()
        self.second.columns.insert(1, key)
        for row in self.second.rows:
            row.insert(1, 1 + self.draw.below(len(self.first.rows)))

    def _table(self, count: int, numbers: int) -> _Table:
        words, draw = self.words, self.draw
        columns = ["id", words.variable(), *[words.variable() for _ in range(numbers)]]
        kinds = [words.noun() for _ in range(2 + draw.below(3))] if numbers == 2 else []
        rows: list[Row] = []
        for place in range(1, count + 1):
            name = draw.choice(kinds) if kinds else words.phrase()
            rows.append([place, name, *[draw.between(1, 400) for _ in range(numbers)]])
        return _Table(words.plural(), columns, [columns[1]], rows)

    def word(self, text: str) -> str:
        """Return keywords in the case of this document."""
        return text.lower() if self.small else text

    def clauses(self, *parts: str) -> list[str]:
        """Return the clauses of a query on lines of their own, or on one."""
        kept = [self.word_first(part) for part in parts if part]
        kept[-1] += ";"
        return kept if self.stack else [" ".join(kept)]

    def word_first(self, part: str) -> str:
        """Return a clause; its keywords are the words in capitals."""
        if not self.small:
            return part
        return " ".join(w.lower() if w.isupper() else w for w in part.split(" "))

    def created(self, table: _Table) -> list[str]:
        """Return the lines that make a table."""
        pad = "  " if self.draw.word() & 1 else "    "
        lines = [self.word_first(f"CREATE TABLE {table.name} (")]
        for place, column in enumerate(table.columns):
            kind = "TEXT" if column in table.texts else "INTEGER"
            extra = " PRIMARY KEY" if place == 0 else (" NOT NULL", "")[self.draw.word() & 1]
            comma = "," if place + 1 < len(table.columns) else ""
            lines.append(self.word_first(f"{pad}{column} {kind}{extra}") + comma)
        return [*lines, ");"]

    def filled(self, table: _Table) -> list[str]:
        """Return the lines that put rows into a table."""
        columns = f" ({', '.join(table.columns)})" if self.draw.word() & 1 else ""
        head = self.word_first(f"INSERT INTO {table.name}{columns} VALUES")
        rows = [f"({', '.join(map(_literal, row))})" for row in table.rows]
        if self.draw.word() & 1:
            return [f"{head} {row};" for row in rows]
        return [head, *[f"  {row}," for row in rows[:-1]], f"  {rows[-1]};"]

    def test(self, table: _Table, prefix: str = "") -> Test:
        """Return a condition on a row, as text and as a function."""
        draw = self.draw
        places = [p for p, c in enumerate(table.columns) if p > 0 and c not in table.texts]
        place = draw.choice(places)
        column = prefix + table.columns[place]
        values = [row[place] for row in table.rows]
        bound = draw.choice(values) if values else 1
        kind = draw.below(4)
        if kind == 0:
            low = int(bound) - draw.below(90)
            high = int(bound) + draw.below(90)
            return f"{column} BETWEEN {low} AND {high}", lambda row: low <= int(row[place]) <= high
        if kind == 1:
            return f"{column} < {bound}", lambda row: int(row[place]) < int(bound)
        if kind == 2:
            return f"{column} <> {bound}", lambda row: row[place] != bound
        return f"{column} >= {bound}", lambda row: int(row[place]) >= int(bound)


def _literal(cell: Cell) -> str:
    return f"'{cell}'" if isinstance(cell, str) else str(cell)


def _select(base: _Base) -> _Query:
    draw = base.draw
    table = (base.first, base.second)[draw.below(2)]
    count = draw.between(1, len(table.columns) - 1)
    places = sorted(draw.sample(range(len(table.columns)), count))
    check, holds = base.test(table)
    place = draw.below(len(table.columns))
    down = bool(draw.word() & 1)
    rows = [row for row in table.rows if holds(row)]
    rows.sort(key=lambda row: int(row[0]))
    rows.sort(key=lambda row: row[place], reverse=down)
    limit = draw.between(2, 6) if draw.below(3) == 0 else 0
    heads = [table.columns[p] for p in places]
    text = base.clauses(
        f"SELECT {', '.join(heads)}",
        f"FROM {table.name}",
        f"WHERE {check}",
        f"ORDER BY {table.columns[place]}{' DESC' if down else ''}, id",
        f"LIMIT {limit}" if limit else "",
    )
    kept = rows[:limit] if limit else rows
    return _Query(text, heads, [[row[p] for p in places] for row in kept])


_SUMS: dict[str, Callable[[list[int]], int]] = {"SUM": sum, "MAX": max, "MIN": min}


def _grouped(base: _Base) -> _Query:
    draw, table = base.draw, base.second
    text_column, number = table.columns[2], table.columns[3]
    name = draw.choice(list(_SUMS))
    alias = base.words.variable()
    groups: dict[str, list[int]] = {}
    for row in table.rows:
        groups.setdefault(str(row[2]), []).append(int(row[3]))
    rows: list[Row] = [[key, len(held), _SUMS[name](held)] for key, held in sorted(groups.items())]
    least = draw.between(1, 2)
    heads = [text_column, base.words.variable(), alias]
    text = base.clauses(
        f"SELECT {text_column}, COUNT(*) AS {heads[1]}, {name}({number}) AS {alias}",
        f"FROM {table.name}",
        f"GROUP BY {text_column}",
        f"HAVING COUNT(*) >= {least}",
        f"ORDER BY {text_column}",
    )
    return _Query(text, heads, [row for row in rows if int(row[1]) >= least])


def _joined(base: _Base) -> _Query:
    draw, first, second = base.draw, base.first, base.second
    a, b = draw.sample("abcdefgkmpqrtuwxyz", 2)
    check, holds = base.test(second, f"{b}.")
    number = draw.choice((3, 4))
    # Rows stand in the order of their ids, as they were put in.
    kept = [row for row in second.rows if holds(row)]
    rows: list[Row] = [[row[0], first.rows[int(row[1]) - 1][1], row[number]] for row in kept]
    heads = ["id", first.columns[1], second.columns[number]]
    text = base.clauses(
        f"SELECT {b}.id, {a}.{heads[1]}, {b}.{heads[2]}",
        f"FROM {second.name} {b}",
        f"JOIN {first.name} {a} ON {a}.id = {b}.{second.columns[1]}",
        f"WHERE {check}",
        f"ORDER BY {b}.id",
    )
    return _Query(text, heads, rows)


def _counted(base: _Base) -> _Query:
    table = (base.first, base.second)[base.draw.below(2)]
    check, holds = base.test(table)
    alias = base.words.variable()
    text = base.clauses(f"SELECT COUNT(*) AS {alias}", f"FROM {table.name}", f"WHERE {check}")
    return _Query(text, [alias], [[sum(holds(row) for row in table.rows)]])


def _updated(base: _Base) -> _Query:
    draw = base.draw
    table = (base.first, base.second)[draw.below(2)]
    place = len(table.columns) - 1
    check, holds = base.test(table)
    added = draw.between(2, 99)
    column = table.columns[place]
    text = base.clauses(
        f"UPDATE {table.name}", f"SET {column} = {column} + {added}", f"WHERE {check}"
    )
    for row in table.rows:
        if holds(row):
            row[place] = int(row[place]) + added
    return _Query(text, [], [])


_KINDS = (_select, _select, _grouped, _joined, _joined, _counted, _updated)


def _table_text(draw: Draw, heads: Sequence[str], rows: Sequence[Row]) -> list[str]:
    cells = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    if draw.word() & 1:
        return ["|".join(row) for row in cells]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    lines = [
        " | ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip()
        for row in cells
    ]
    lines.insert(1, "-+-".join(["-" * width for width in widths]))
    return lines


def write_sql(page: Page) -> None:
    """Write tables, queries on them, and what they give.

    Args:
        page: an empty document.
    """
    page.genre = "sql"
    sheet = Sheet(page)
    draw = page.draw
    base = _Base(sheet)
    tables = [base.first, base.second]
    page.world["tables"] = {
        table.name: [list(table.columns), [list(row) for row in table.rows]] for table in tables
    }
    sheet.opening()
    lines: list[str] = []
    for table in tables:
        if draw.word() & 1:
            lines.append(f"-- {base.words.comment()}")
        lines += base.created(table)
    for table in tables:
        lines += base.filled(table)
    sheet.listing(lines, "sql", "schema")
    queries: list[Plain] = []
    page.world["queries"] = queries
    for number in range(sized(draw, page.budget.steps, 2, 12)):
        query = draw.choice(_KINDS)(base)
        queries.append(" ".join(query.text))
        if draw.word() & 1:
            sheet.said()
        else:
            page.say(f"{base.words.comment().capitalize()}:\n\n")
        sheet.listing(query.text, "sql", "query", number)
        if query.heads:
            sheet.listing(_table_text(draw, query.heads, query.rows), "rows", number)
    sheet.finish()
