"""Trials that every family has to stand, and ways to plant errors in its texts."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from qmpi.content.counter import Draw
from qmpi.content.exercise import Exercise, steps_of
from qmpi.content.reasoning.problem import Family

_SWAPS = {
    "yes": "no",
    "no": "yes",
    "Yes": "No",
    "No": "Yes",
    "true": "false",
    "false": "true",
    "left": "right",
    "right": "left",
    "north": "south",
    "south": "north",
    "east": "west",
    "west": "east",
    "on": "off",
    "off": "on",
}
_TOKEN = re.compile(r"\d+|\b[A-Za-z]+\b")


def exercise(name: str, family: Family, number: int, level: int, seed: int = 3) -> Exercise:
    problem = family(Draw(f"{seed}/{name}/{number}".encode()), level)
    return Exercise(problem.text, name, problem.world)


def exercises(name: str, family: Family, count: int) -> list[Exercise]:
    return [exercise(name, family, n, 1 + n % 100) for n in range(count)]


def changes(line: str) -> Iterator[str]:
    """Yield the line with one number, name or decisive word changed."""
    for found in _TOKEN.finditer(line):
        word = found[0]
        if word.isdigit():
            other = str(int(word) + 1)
        elif word in _SWAPS:
            other = _SWAPS[word]
        elif word[0].isupper() and found.start():
            other = "Zzyzx" if len(word) > 1 else ("B" if word == "A" else "A")
        else:
            continue
        yield line[: found.start()] + other + line[found.end() :]


def with_other_answer(given: Exercise, other: str) -> tuple[Exercise, Exercise]:
    """Return the exercise with another answer in its text, and in its certificate as well."""
    answer = str(given.certificate["answer"])
    text = given.text[: -len(answer) - 1] + other + "\n"
    certificate = {**given.certificate, "answer": other}
    return replace(given, text=text), replace(given, text=text, certificate=certificate)


def with_other_step(given: Exercise, number: int) -> list[Exercise]:
    """Return exercises with one step changed, and one with a step left out."""
    steps = steps_of(given.text)
    if not steps:
        return []
    head, _, rest = given.text.partition("\n\n")
    lines = rest.split("\n")
    place = number % len(steps)
    variants = [[*lines[:place], other, *lines[place + 1 :]] for other in changes(lines[place])]
    if len(steps) > 1:
        variants.append(lines[:place] + lines[place + 1 :])
    return [replace(given, text=f"{head}\n\n" + "\n".join(v)) for v in variants]
