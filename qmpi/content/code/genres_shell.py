"""A shell session on small files: commands, pipes, and what they print."""

from collections.abc import Callable

from qmpi.content.code.sheet import Sheet
from qmpi.content.code.words import Words
from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.level import sized
from qmpi.content.page import Page

Lines = list[str]
Filter = tuple[str, Callable[[Lines], Lines]]

_ENDINGS = (".txt", ".log", ".dat", ".list", "", ".tsv", ".out")
_PROMPTS = ("$ ", "% ", "> ")


def _second(line: str) -> int:
    return int(line.split(" ")[1])


def _filters(draw: Draw, held: Lines) -> list[Filter]:
    """Return filters for a pipe, drawn for these lines."""
    count = draw.between(1, 5)
    word = draw.choice(held).split(" ")[0]
    part = word[: draw.between(1, 3)]
    bound = _second(draw.choice(held))
    return [
        (f"head -n {count}", lambda lines: lines[:count]),
        (f"tail -n {count}", lambda lines: lines[-count:]),
        ("sort", sorted),
        ("sort -r", lambda lines: sorted(lines, reverse=True)),
        ("sort -k 2 -n", lambda lines: sorted(lines, key=lambda line: (_second(line), line))),
        (f"grep {word}", lambda lines: [line for line in lines if word in line]),
        (f"grep -v {part}", lambda lines: [line for line in lines if part not in line]),
        (
            f"awk '$2 > {bound}'",
            lambda lines: [line for line in lines if _second(line) > bound],
        ),
    ]


def _enders(draw: Draw) -> list[Filter]:
    """Return filters that may only stand last: their lines have no second column."""
    factor = draw.between(2, 9)
    return [
        ("wc -l", lambda lines: [str(len(lines))]),
        ("cut -d ' ' -f 1", lambda lines: [line.split(" ")[0] for line in lines]),
        ("cut -d ' ' -f 2", lambda lines: [line.split(" ")[1] for line in lines]),
        (
            "awk '{ s += $2 } END { print s + 0 }'",
            lambda lines: [str(sum(map(_second, lines)))],
        ),
        (
            f"awk '{{ print $1, $2 * {factor} }}'",
            lambda lines: [f"{line.split(' ')[0]} {_second(line) * factor}" for line in lines],
        ),
    ]


def _command(draw: Draw, name: str, held: Lines, length: int) -> tuple[str, Lines]:
    """Return a pipe that starts from a file, and what it prints."""
    pipe = [draw.choice(_filters(draw, held)) for _ in range(draw.below(length) + 1)]
    if draw.word() & 1:
        pipe.append(draw.choice(_enders(draw)))
    lines = held
    for _, change in pipe:
        lines = change(lines)
    if draw.word() & 1:
        return " | ".join([f"cat {name}", *[text for text, _ in pipe]]), lines
    # The first filter reads the file itself.
    texts = [text for text, _ in pipe]
    texts[0] += f" < {name}" if "wc" in texts[0] or draw.word() & 1 else f" {name}"
    return " | ".join(texts), lines


def write_shell(page: Page) -> None:
    """Write a session at a shell's prompt.

    Args:
        page: an empty document.
    """
    page.genre = "shell session"
    sheet = Sheet(page)
    draw, budget = page.draw, page.budget
    words = Words(draw, budget)
    files: dict[str, Lines] = {}
    for _ in range(sized(draw, budget.distractors, 1, 4)):
        names = [words.noun() for _ in range(sized(draw, budget.entities, 4, 20))]
        names += [draw.choice(names) for _ in range(draw.below(3))]
        held = [f"{name} {draw.between(1, 999)}" for name in names]
        files[words.plural() + draw.choice(_ENDINGS)] = held
    page.world["files"] = {name: list(held) for name, held in files.items()}
    prompt = draw.choice(_PROMPTS)
    lines: Lines = []
    for name, held in files.items():
        lines += [f"{prompt}cat {name}", *held]
    sheet.opening()
    commands: list[Plain] = [f"cat {name}" for name in files]
    page.world["commands"] = commands
    first = 0
    parts = sized(draw, budget.steps, 3, 18)
    for number in range(parts):
        if draw.below(5) == 0:
            remark = f"# {words.comment()}"
            commands.append(remark)
            lines.append(prompt + remark)
        name = draw.choice(list(files))
        text, shown = _command(draw, name, files[name], 1 + budget.structure // 30)
        commands.append(text)
        lines += [prompt + text, *shown]
        if draw.below(4) == 0 and number + 1 < parts:
            sheet.listing(lines, "shell", prompt, first)
            sheet.said()
            lines = []
            first = len(commands)
    if lines:
        sheet.listing(lines, "shell", prompt, first)
    if draw.word() & 1:
        sheet.said(1 + draw.below(2))
    sheet.finish()
