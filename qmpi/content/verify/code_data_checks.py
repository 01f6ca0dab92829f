"""Checks of what is no program: SQL, shell sessions, configuration.

Theory of operation. SQL is run by SQLite in memory, without access to files and with a bounded
number of steps. Commands of a shell session are read and run by a few functions over the files of
the certificate. Configuration is parsed by the standard library.
"""

import json
import shlex
import sqlite3
import tomllib
from typing import Any

from qmpi.content.verify.code_grammars import parsed

_MOST_STEPS = 200


class Base:
    """A data base in memory that the listings of one document are run on."""

    def __init__(self, world: Any) -> None:
        """Start empty.

        Args:
            world: of the certificate.
        """
        self._world = world
        self._link = sqlite3.connect(":memory:")
        self._link.set_authorizer(_authorized)
        self._left = _MOST_STEPS
        self._link.set_progress_handler(self._step, 1000)
        self._heads: list[str] = []
        self._rows: list[tuple[Any, ...]] = []

    def _step(self) -> int:
        self._left -= 1
        return int(self._left < 0)

    def close(self) -> None:
        """Give the memory back."""
        self._link.close()

    def faults(self, text: str, args: tuple[Any, ...]) -> list[str]:
        """Run a listing.

        Args:
            text: SQL.
            args: "schema", or "query" and its number.

        Returns:
            Faults in words.
        """
        _, fault = parsed("sql", text)
        if fault is not None:
            return [fault]
        try:
            if args[0] == "schema":
                self._link.executescript(text)
                return self._held()
            cursor = self._link.execute(text)
            self._heads = [part[0] for part in cursor.description or ()]
            self._rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            return [f"SQLite refuses it: {error}"]
        wanted = self._world["queries"][args[1]]
        if " ".join(text.split()) != wanted:
            return [f"it is not the query {wanted}"]
        return []

    def _held(self) -> list[str]:
        faults: list[str] = []
        for name, (columns, rows) in self._world["tables"].items():
            cursor = self._link.execute(f'SELECT * FROM "{name}" ORDER BY id')
            heads = [part[0] for part in cursor.description]
            kinds = {row[2].upper() for row in self._link.execute(f'PRAGMA table_info("{name}")')}
            if kinds != {"INTEGER", "TEXT"}:
                faults.append(f"the columns of {name} are of types {sorted(kinds)}")
            held = [list(row) for row in cursor.fetchall()]
            if heads != list(columns) or held != [list(row) for row in rows]:
                faults.append(f"{name} holds {held}, not {rows}")
        return faults

    def shown(self, text: str) -> list[str]:
        """Compare a table with what the last query gave.

        Args:
            text: the table.

        Returns:
            Faults in words.
        """
        lines = [line for line in text.split("\n") if not set(line) <= set("-+")]
        cells = [[cell.strip() for cell in line.split("|")] for line in lines]
        expected = [self._heads, *[[str(cell) for cell in row] for row in self._rows]]
        return [] if cells == expected else [f"the query gives {expected}, not {cells}"]


def _authorized(action: int, name: Any, *_: Any) -> int:
    denied = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}
    if action in denied or (action == sqlite3.SQLITE_PRAGMA and name != "table_info"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def shell_faults(world: Any, text: str, prompt: str, first: Any) -> list[str]:
    """Run the commands of a session.

    Args:
        world: of the certificate, with lines of files and commands.
        text: the session.
        prompt: what a command is typed after.
        first: number of its first command.

    Returns:
        Faults in words.
    """
    faults: list[str] = []
    files = world["files"]
    lines = text.split("\n")
    place, number = 0, int(first)
    while place < len(lines):
        if not lines[place].startswith(prompt):
            return [*faults, f"{lines[place]!r} is what no command printed"]
        command = lines[place][len(prompt) :]
        if command != world["commands"][number]:
            faults.append(f"{command} is not {world['commands'][number]}")
        number += 1
        place += 1
        shown: list[str] = []
        while place < len(lines) and not lines[place].startswith(prompt):
            shown.append(lines[place])
            place += 1
        fault = parsed("bash", command)[1]
        if fault is not None:
            faults.append(fault)
        elif _piped(files, command) != shown:
            faults.append(f"{command} prints {_piped(files, command)}, not {shown}")
    return faults


def _piped(files: Any, command: str) -> list[str]:
    if command.startswith("#"):
        return []
    lines: list[str] = []
    words: list[str] = []
    for word in [*shlex.split(command), "|"]:
        if word != "|":
            words.append(word)
            continue
        if "<" in words:
            at = words.index("<")
            lines = list(files[words[at + 1]])
            del words[at : at + 2]
        lines = _ran(files, words, lines)
        words = []
    return lines


def _ran(files: Any, words: list[str], lines: list[str]) -> list[str]:
    """Return what one command makes of lines.

    Raises:
        ValueError: no session has such a command.
    """
    name, *rest = words
    if rest and rest[-1] in files:
        lines = list(files[rest.pop()])
    if name == "sort":
        return _sorted(rest, lines)
    match name, rest:
        case "cat", []:
            return lines
        case "head", ["-n", count]:
            return lines[: int(count)]
        case "tail", ["-n", count]:
            return lines[len(lines) - int(count) :] if int(count) < len(lines) else lines
        case "wc", ["-l"]:
            return [str(len(lines))]
        case "cut", ["-d", mark, "-f", field]:
            return [line.split(mark)[int(field) - 1] for line in lines]
        case "awk", [program]:
            return _awk(program, lines)
        case "grep", [*inverse, word]:
            return [line for line in lines if (word in line) != (inverse == ["-v"])]
    raise ValueError(f"no such command: {words}")


def _sorted(options: list[str], lines: list[str]) -> list[str]:
    match options:
        case []:
            return sorted(lines)
        case ["-r"]:
            return sorted(lines)[::-1]
        case ["-k", "2", "-n"]:
            return [line for _, line in sorted((int(line.split()[1]), line) for line in lines)]
    raise ValueError(f"no such options: {options}")


def _awk(program: str, lines: list[str]) -> list[str]:
    match program.split():
        case ["$2", ">", bound]:
            return [line for line in lines if int(line.split()[1]) > int(bound)]
        case ["{", "s", "+=", "$2", "}", "END", "{", "print", "s", "+", "0", "}"]:
            return [str(sum(int(line.split()[1]) for line in lines))]
        case ["{", "print", "$1,", "$2", "*", factor, "}"]:
            pairs = [line.split() for line in lines]
            return [f"{word} {int(number) * int(factor)}" for word, number in pairs]
    raise ValueError(f"no such program: {program}")


def config_faults(language: str, text: str, tree: Any) -> list[str]:
    """Compare a configuration file with the certificate.

    Args:
        language: "json" or "toml".
        text: the file.
        tree: what it must hold.

    Returns:
        Faults in words.
    """
    fault = parsed(language, text)[1]
    if fault is not None:
        return [fault]
    try:
        held = json.loads(text) if language == "json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        return [f"no {language}: {error}"]
    # Compared as text: True equals 1 in Python, but not in a file.
    if json.dumps(held, sort_keys=True) != json.dumps(tree, sort_keys=True):
        return [f"it holds {held}, not {tree}"]
    return []


def override_faults(text: str, mark: str, overrides: Any) -> list[str]:
    """Compare lines of overrides with the certificate.

    Args:
        text: a line each.
        mark: between the keys of a path.
        overrides: paths and values.

    Returns:
        Faults in words.
    """
    held: list[list[Any]] = []
    for line in text.split("\n"):
        path, _, value = line.partition("=")
        held.append([path.split(mark), json.loads(value)])
    return [] if held == overrides else [f"the overrides are {overrides}, not {held}"]


def in_force(world: Any, path: Any) -> Any:
    """Return the value of a setting after all overrides.

    Args:
        world: of the certificate.
        path: keys from the outermost.
    """
    for other, value in reversed(world["overrides"]):
        if other == path:
            return value
    held = world["config"]
    for key in path:
        held = held[key]
    return held
