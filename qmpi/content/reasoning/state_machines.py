"""Machines with a state: automata, stacks, registers, cells, sorting by passes."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    spelled,
    woven,
)

_ARROW = (
    "In {0}, {1} leads to {2}.",
    "From {0}, {1} goes to {2}.",
    "Reading {1} in {0} means {2} next.",
    "{1} takes {0} to {2}.",
)
_AUTOMATON_HEAD = (
    "A machine built by {0} in {1} starts in state {2}.",
    "{0} of {1} has a device whose first state is {2}.",
    "The lock of {1}, says {0}, begins in {2}.",
)
_AUTOMATON_ASK = (
    "In which state is it after reading {0}?",
    "Where does the word {0} take it?",
    "Which state does {0} end in?",
    "It reads {0}. Which state is reached?",
)


def automaton(draw: Draw, level: int) -> Problem:
    """The state in which a finite automaton ends.

    Args:
        draw: chance.
        level: 1 to 100; more states and letters, longer words.

    Returns:
        The problem.
    """
    states = draw.sample(QUALITIES, grown(draw, level, 2, 6))
    letters = draw.sample("abcdefghkmnpqrstuvwxyz", 2 if level < 60 else 3)
    table = {(s, x): draw.choice(states) for s in states for x in letters}
    told = [draw.choice(_ARROW).format(s, x, t) for (s, x), t in table.items()]
    draw.shuffle(told)
    word = "".join(draw.choice(letters) for _ in range(grown(draw, level, 5, 24)))
    state = states[0]
    head = draw.choice(_AUTOMATON_HEAD).format(people(draw, 1)[0], places(draw, 1)[0], state)
    told = [head, *woven(draw, level, told), draw.choice(_AUTOMATON_ASK).format(word)]
    style = draw.choice(("{0}: {1}", "{0} -> {1}", "Reading {0}, it is in {1}."))
    steps: list[str] = []
    for letter in word:
        state = table[state, letter]
        steps.append(style.format(letter, state))
    world: Certificate = {"word": word, "first": states[0], "answer": state}
    return lay_out(draw, " ".join(told), numbered(draw, steps), state, world)


_STACK_HEAD = (
    "{0}, {2} in {1}, runs a program on an empty stack.",
    "In {1} {0} feeds a stack machine, empty at first.",
    "A calculator of {1}, lent by {0}, keeps numbers on a stack that is empty now.",
)
_STACK_RULE = (
    ("ADD, SUB and MUL ", "MUL, ADD and SUB ", "SUB, MUL and ADD "),
    ("take off ", "remove ", "consume "),
    ("the two top numbers ", "two numbers from the top ", "the upper two entries "),
    ("and put back ", "and leave ", "and push "),
    ("sum, lower minus top, or product", "their sum, the lower less the top one, or their product"),
    ("; DUP ", ", DUP ", "; moreover DUP "),
    ("doubles the top entry", "copies the top", "pushes the top again"),
    (", SWAP ", " and SWAP ", ", while SWAP "),
    ("exchanges the two top ones.", "lets the two top ones change places.",
     "reverses the upper two."),
)  # fmt: skip
_STACK_ASK = (
    "Which number is on top in the end?",
    "What is the top of the stack at last?",
    "What stands on top when it halts?",
)


def stack_machine(draw: Draw, level: int) -> Problem:
    """A program of a stack machine; what is on top in the end?

    Args:
        draw: chance.
        level: 1 to 100; longer programs, larger numbers.

    Returns:
        The problem.
    """
    largest, stack = 9 + level // 2, list[int]()
    program: list[str] = []
    steps: list[str] = []
    style = draw.choice(("{0}: {1}", "{0} -> {1}", "After {0} the stack is {1}."))
    for _ in range(grown(draw, level, 4, 22)):
        kind = draw.below(7)
        if len(stack) < 2 or kind < 3 or max(map(abs, stack[-2:])) > 99_999:
            stack.append(draw.between(1, largest))
            program.append(f"PUSH {stack[-1]}")
        elif kind == 3:
            stack.append(stack[-1])
            program.append("DUP")
        elif kind == 4:
            stack[-2:] = [stack[-1], stack[-2]]
            program.append("SWAP")
        else:
            name = draw.choice(("ADD", "SUB", "MUL"))
            top, lower = stack.pop(), stack.pop()
            stack.append(
                lower + top if name == "ADD" else lower - top if name == "SUB" else lower * top
            )
            program.append(name)
        steps.append(style.format(program[-1], " ".join(map(str, stack))))
    head = draw.choice(_STACK_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    lines = [" ".join(woven(draw, level, [head, spelled(draw, _STACK_RULE)]))]
    lines += program if draw.below(2) else [f"Program {', '.join(program)}."]
    lines.append(draw.choice(_STACK_ASK))
    world: Certificate = {"length": len(program), "answer": str(stack[-1])}
    return lay_out(draw, "\n".join(lines), steps, str(stack[-1]), world)


_REGISTER_HEAD = (
    "{0} of {1} has written this program.",
    "In {1} {0}, {2}, runs a small program.",
    "A program by {0}, found in {1}, has these lines.",
)
_REGISTER_ASK = (
    "What is {0} when it stops?",
    "Which value has {0} in the end?",
    "Find the last value of {0}.",
)


def register_machine(draw: Draw, level: int) -> Problem:
    """A numbered program with one loop; the last value of a register.

    Args:
        draw: chance.
        level: 1 to 100; more registers, longer bodies, more rounds.

    Returns:
        The problem.
    """
    names = draw.sample("ABCDEFGHKMNPRSTUVWXYZ", grown(draw, level, 2, 5) + 1)
    counter, others = names[0], names[1:]
    rounds = grown(draw, level, 2, 9)
    step = draw.between(1, 3)
    values = {name: draw.between(1, 20 + level) for name in others}
    values[counter] = rounds * step - draw.below(step)
    lines = [f"{name} = {values[name]}" for name in draw.sample(names, len(names))]
    loop, body = len(lines) + 1, list[tuple[str, str, str, int | str]]()
    for _ in range(grown(draw, level, 1, 6)):
        target, sign = draw.choice(others), draw.choice("++-")
        source: int | str = draw.choice(names) if draw.below(2) else draw.between(1, 9 + level // 5)
        body.append((target, draw.choice(others), sign, source))
    lines += [f"{t} = {left} {sign} {right}" for t, left, sign, right in body]
    lines += [f"{counter} = {counter} - {step}", f"if {counter} > 0 go to {loop}"]
    steps: list[str] = []
    style = draw.choice(("{0}", "Now {0}.", "Round {1}: {0}"))
    order = sorted(names)
    while True:
        for target, left, sign, right in body:
            number = values[right] if isinstance(right, str) else right
            values[target] = values[left] + number if sign == "+" else values[left] - number
        values[counter] -= step
        shown = ", ".join(f"{name} = {values[name]}" for name in order)
        steps.append(style.format(shown, len(steps) + 1))
        if values[counter] <= 0:
            break
    asked = draw.choice(others)
    head = draw.choice(_REGISTER_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    text = [" ".join(woven(draw, level, [head]))]
    text += [f"{n} {line}" for n, line in enumerate(lines, 1)]
    text.append(draw.choice(_REGISTER_ASK).format(asked))
    world: Certificate = {"lines": len(lines), "asked": asked, "answer": str(values[asked])}
    return lay_out(draw, "\n".join(text), steps, str(values[asked]), world)


_CELL_HEAD = (
    "{0} of {1} keeps a ring of cells, {2} alive and {3} dead, each next to two others.",
    "On a ring in {1} {0} paints living cells as {2} and dead ones as {3}.",
    "In {1} {0} watches cells in a ring; {2} stands for a living, {3} for a dead one.",
)
_CELL_RULE = (
    "Each time a cell lives if left neighbour, itself and right neighbour were {0}, else not.",
    "A cell will live if it and its neighbours read, from the left, {0}, and be dead otherwise.",
    "Only the patterns {0} of left neighbour, cell and right neighbour give a living cell.",
)
_CELL_ASK = (
    "How does the ring look after {0} generation{1}?",
    "Which row is there after {0} generation{1}?",
    "What becomes of it in {0} generation{1}?",
)


def cells(draw: Draw, level: int) -> Problem:
    """A ring of cells under a rule of three neighbours, some generations on.

    Args:
        draw: chance.
        level: 1 to 100; longer rings, more generations.

    Returns:
        The problem.
    """
    width = grown(draw, level, 8, 26)
    live, dead = draw.choice(("#-", "X-", "O_", "*=", "10", "@o", "AB", "+~", "Yv", "H/"))
    rule = draw.between(1, 127) * 2
    row = [draw.below(2) for _ in range(width)]
    generations = grown(draw, level, 1, 9)
    patterns = [f"{n:03b}".replace("1", live).replace("0", "\0") for n in range(8) if rule >> n & 1]
    patterns = [pattern.replace("\0", dead) for pattern in patterns]
    draw.shuffle(patterns)
    first = "".join(live if cell else dead for cell in row)
    steps: list[str] = []
    for _ in range(generations):
        row = [
            rule >> (4 * row[n - 1] + 2 * row[n] + row[(n + 1) % width]) & 1 for n in range(width)
        ]
        steps.append("".join(live if cell else dead for cell in row))
    head = draw.choice(_CELL_HEAD).format(people(draw, 1)[0], places(draw, 1)[0], live, dead)
    told = woven(draw, level, [head, draw.choice(_CELL_RULE).format(joined(patterns, "or"))])
    ask = draw.choice(_CELL_ASK).format(generations, "s" if generations > 1 else "")
    answer = steps[-1]
    world: Certificate = {"first": first, "generations": generations, "answer": answer}
    question = "\n".join([" ".join(told), first, ask])
    return lay_out(draw, question, numbered(draw, steps), answer, world)


_SORT_HEAD = (
    "{0} of {1} sorts {2}, smallest first.",
    "In {1} {0} puts {2} in order, from small to large.",
    "The cards of {0} in {1} show {2} and are to be sorted upwards.",
)
_SORT_WAY = {
    "insertion": (
        "One pass takes the first number not yet placed and inserts it among those before it.",
        "At each pass the next number, the second one first, moves left to its place.",
    ),
    "selection": (
        "One pass swaps the smallest number not yet placed with the first one not yet placed.",
        "At each pass the least of the rest changes places with the first of the rest.",
    ),
    "bubble": (
        "One pass goes from left to right and swaps neighbours that are in the wrong order.",
        "At each pass neighbours are compared from the left and exchanged if the left is larger.",
    ),
}
_SORT_ASK = (
    "What is the order after {0} pass{1}?",
    "How do they stand after {0} pass{1}?",
    "Give the list after {0} pass{1}.",
)


def sorting(draw: Draw, level: int) -> Problem:
    """A list after some passes of a sorting method.

    Args:
        draw: chance.
        level: 1 to 100; longer lists, more passes.

    Returns:
        The problem.
    """
    count = grown(draw, level, 5, 14)
    numbers = draw.sample(range(10, 100 + 9 * level), count)
    way = draw.choice(tuple(_SORT_WAY))
    passes = draw.between(1, 1 + (count - 2) * level // 100)
    first = joined([str(number) for number in numbers])
    head = draw.choice(_SORT_HEAD).format(people(draw, 1)[0], places(draw, 1)[0], first)
    told = woven(draw, level, [head, draw.choice(_SORT_WAY[way])])
    told.append(draw.choice(_SORT_ASK).format(passes, "es" if passes > 1 else ""))
    row, steps = list(numbers), list[str]()
    for n in range(passes):
        _pass(row, way, n)
        steps.append(", ".join(map(str, row)))
    answer = steps[-1]
    world: Certificate = {"numbers": tuple(numbers), "passes": passes, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _pass(row: list[int], way: str, done: int) -> None:
    if way == "insertion":
        number, at = row.pop(done + 1), 0
        while at <= done and row[at] < number:
            at += 1
        row.insert(at, number)
    elif way == "selection":
        least = min(range(done, len(row)), key=row.__getitem__)
        row[done], row[least] = row[least], row[done]
    else:
        for n in range(len(row) - 1):
            if row[n] > row[n + 1]:
                row[n], row[n + 1] = row[n + 1], row[n]


FAMILIES: dict[str, Family] = {
    "automaton": automaton,
    "stack_machine": stack_machine,
    "register_machine": register_machine,
    "cells": cells,
    "sorting": sorting,
}
"""Families of this module by name."""
