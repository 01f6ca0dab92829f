"""Solvers of machines: composed maps, expressions, an interpreter, strings of cells, heaps."""

import re
from heapq import heappop, heappush

from qmpi.content.exercise import Exercise, question_of
from qmpi.content.verify.evaluate import value_of
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    only,
    sorted_out,
    steps_fault,
)

_AUTOMATON = {
    "head": (
        r"A machine built by \w+ in \w+ starts in state {first:w}",
        r"\w+ of \w+ has a device whose first state is {first:w}",
        r"The lock of \w+, says \w+, begins in {first:w}",
    ),
    "asked": (
        "In which state is it after reading {word:w}",
        "Where does the word {word:w} take it",
        "Which state does {word:w} end in",
        "It reads {word:w}",
    ),
    "arrow": (
        "In {state:w}, {x:w} leads to {next:w}",
        "From {state:w}, {x:w} goes to {next:w}",
        "Reading {x:w} in {state:w} means {next:w} next",
        "(?P<x>[a-z]) takes {state:w} to {next:w}",
    ),
}
_AUTOMATON_STEPS = (
    "{x:w}: {next:w}",
    "{x:w} -> {next:w}",
    r"Reading {x:w}, it is in {next:w}\.",
)


def check_automaton(exercise: Exercise, answer: str) -> str | None:
    """Check the last state of an automaton.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _AUTOMATON)
    first = only(found["head"], "the first state")["first"]
    word = only(found["asked"], "the word")["word"]
    # Each letter is a map of states; the word is their composition, on all states at once.
    maps: dict[str, dict[str, str]] = {}
    for v in found["arrow"]:
        if maps.setdefault(v["x"], {}).setdefault(v["state"], v["next"]) != v["next"]:
            return "two arrows leave one state with one letter"
    whole = {state: state for state in maps[word[0]]}
    expected: list[Values] = []
    for letter in word:
        whole = {start: maps[letter][state] for start, state in whole.items()}
        expected.append({"x": letter, "next": whole[first]})
    if whole[first] != answer:
        return f"the state is {whole[first]}, not {answer}"
    return first_fault(
        certificate_fault(exercise, word=word, first=first),
        steps_fault(exercise, _AUTOMATON_STEPS, expected),
    )


_INSTRUCTION = re.compile(r"(?<!\w)(PUSH \d+|ADD|SUB|MUL|DUP|SWAP)(?=[,.\n])")
_STACK_ASKED = re.compile("on top in the end|top of the stack at last|on top when it halts")
_STACK_STEPS = (
    "(?P<op>[A-Z]+(?: {n:d})?): {stack}",
    "(?P<op>[A-Z]+(?: {n:d})?) -> {stack}",
    r"After (?P<op>[A-Z]+(?: {n:d})?) the stack is {stack}\.",
)


def check_stack_machine(exercise: Exercise, answer: str) -> str | None:
    """Check the top of a stack.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    program = _INSTRUCTION.findall(question.partition("\n")[2])
    if not program or not _STACK_ASKED.search(question):
        return "the question lacks the program, or does not ask for the top"
    # The stack holds written expressions; numbers are worked out from these alone.
    stack: list[str] = []
    expected: list[Values] = []
    for op in program:
        name, _, number = op.partition(" ")
        if name == "PUSH":
            stack.append(number)
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "SWAP":
            stack.insert(-1, stack.pop())
        else:
            sign = {"ADD": "+", "SUB": "-", "MUL": "*"}[name]
            right, left = stack.pop(), stack.pop()
            stack.append(str(value_of(f"({left}) {sign} ({right})")))
        shown = {"op": op, "stack": " ".join(stack)}
        expected.append({**shown, "n": number})
    if stack[-1] != answer:
        return f"the top is {stack[-1]}, not {answer}"
    return first_fault(
        certificate_fault(exercise, length=len(program)),
        steps_fault(exercise, _STACK_STEPS, expected),
    )


_LINE = re.compile(r"^(\d+) (?:([A-Z]) = (.+)|if ([A-Z]) > 0 go to (\d+))$", re.MULTILINE)
_REGISTER = {
    "asked": (
        "What is {name:w} when it stops",
        "Which value has {name:w} in the end",
        "Find the last value of {name:w}",
    ),
}
_REGISTER_STEPS = (r"Round {n:d}: {all}", r"Now {all}\.", "{all}")


def check_register_machine(exercise: Exercise, answer: str) -> str | None:
    """Check the last value of a register.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    asked = only(sorted_out(exercise, _REGISTER)["asked"], "the register")["name"]
    lines = _LINE.findall(question_of(exercise.text))
    if [int(line[0]) for line in lines] != list(range(1, len(lines) + 1)):
        return "the lines are not numbered from 1"
    values: dict[str, int] = {}
    expected: list[Values] = []
    at = 0
    for _ in range(5000):
        if at == len(lines):
            break
        _, target, term, tested, goal = lines[at]
        at += 1
        if target:
            values[target] = _term(term, values)
            continue
        shown = ", ".join(f"{name} = {values[name]}" for name in sorted(values))
        expected.append({"n": str(len(expected) + 1), "all": shown})
        at = int(goal) - 1 if values[tested] > 0 else at
    else:
        return "the program does not stop"
    if str(values[asked]) != answer:
        return f"{asked} is {values[asked]}, not {answer}"
    return first_fault(
        certificate_fault(exercise, lines=len(lines), asked=asked),
        steps_fault(exercise, _REGISTER_STEPS, expected),
    )


def _term(term: str, values: dict[str, int]) -> int:
    spelled = re.sub("[A-Z]", lambda found: f"({values[found[0]]})", term)
    return int(value_of(spelled))


_CELLS = {
    "head": (
        r"\w+ of \w+ keeps a ring of cells, {live} alive and {dead} dead, each next to two others",
        r"On a ring in \w+ \w+ paints living cells as {live} and dead ones as {dead}",
        r"In \w+ \w+ watches cells in a ring; {live} stands for a living, {dead} for a dead one",
    ),
    "rule": (
        "Each time a cell lives if left neighbour, itself and right neighbour were "
        "{patterns}, else not",
        "A cell will live if it and its neighbours read, from the left, {patterns}, and be dead "
        "otherwise",
        "Only the patterns {patterns} of left neighbour, cell and right neighbour give a living "
        "cell",
    ),
    "asked": (
        "How does the ring look after {n:d} generations?",
        "Which row is there after {n:d} generations?",
        "What becomes of it in {n:d} generations?",
    ),
}


def check_cells(exercise: Exercise, answer: str) -> str | None:
    """Check a ring of cells some generations on.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _CELLS)
    head, rule = only(found["head"], "the cells"), only(found["rule"], "the rule")
    generations = min(int(only(found["asked"], "the row")["n"]), 99)
    live, dead = head["live"], head["dead"]
    patterns = set(re.split(", | or ", rule["patterns"]))
    first = question_of(exercise.text).split("\n")[1]
    if set(first) - {live, dead} or len(first) < 3:
        return "the row holds other signs"
    row, expected = first, list[Values]()
    for _ in range(generations):
        around = row[-1] + row + row[0]
        row = "".join(live if around[n : n + 3] in patterns else dead for n in range(len(row)))
        expected.append({"row": row})
    if row != answer:
        return f"the row is {row}, not {answer}"
    return first_fault(
        certificate_fault(exercise, first=first, generations=generations),
        steps_fault(exercise, ("{row}",), expected),
    )


_SORT = {
    "head": (
        r"\w+ of \w+ sorts {numbers}, smallest first",
        r"In \w+ \w+ puts {numbers} in order, from small to large",
        r"The cards of \w+ in \w+ show {numbers} and are to be sorted upwards",
    ),
    "insertion": (
        "One pass takes the first number not yet placed and inserts it among those before it",
        "At each pass the next number, the second one first, moves left to its place",
    ),
    "selection": (
        "One pass swaps the smallest number not yet placed with the first one not yet placed",
        "At each pass the least of the rest changes places with the first of the rest",
    ),
    "bubble": (
        "One pass goes from left to right and swaps neighbours that are in the wrong order",
        "At each pass neighbours are compared from the left and exchanged if the left is larger",
    ),
    "asked": (
        "What is the order after {n:d} pass(?:es)?",
        "How do they stand after {n:d} pass(?:es)?",
        "Give the list after {n:d} pass(?:es)?",
    ),
}


def check_sorting(exercise: Exercise, answer: str) -> str | None:
    """Check a list after some passes.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _SORT)
    numbers = [int(n) for n in re.findall(r"\d+", only(found["head"], "the list")["numbers"])]
    passes = int(only(found["asked"], "the passes")["n"])
    ways = [way for way in ("insertion", "selection", "bubble") if found[way]]
    if len(ways) != 1 or passes > len(numbers) or len(set(numbers)) != len(numbers):
        return "the way of sorting is not told"
    rows = [_after(numbers, ways[0], done) for done in range(1, passes + 1)]
    expected = [{"row": ", ".join(map(str, row))} for row in rows]
    if expected[-1]["row"] != answer:
        return f"the list is {expected[-1]['row']}, not {answer}"
    return first_fault(
        certificate_fault(exercise, numbers=numbers, passes=passes),
        steps_fault(exercise, ("{row}",), expected),
    )


# What is known of each method, in place of its loops: insertion sorts the beginning; bubbling k
# times lets each place take the least of a heap of k + 1; selection alone is followed swap by swap.
def _after(numbers: list[int], way: str, done: int) -> list[int]:
    if way == "insertion":
        return sorted(numbers[: done + 1]) + numbers[done + 1 :]
    if way == "bubble":
        heap, row = list[int](), list[int]()
        for number in numbers:
            heappush(heap, number)
            if len(heap) > done:
                row.append(heappop(heap))
        return row + sorted(heap)
    at = {number: place for place, number in enumerate(numbers)}
    for place, least in enumerate(sorted(numbers)[:done]):
        here = next(number for number, where in at.items() if where == place)
        at[here], at[least] = at[least], place
    return sorted(at, key=at.__getitem__)


CHECKS: dict[str, Check] = {
    "automaton": check_automaton,
    "stack_machine": check_stack_machine,
    "register_machine": check_register_machine,
    "cells": check_cells,
    "sorting": check_sorting,
}
"""Solvers by family."""
