"""Solvers of machines on text: alphabets turned back, groups, patterns, counted letters."""

import re
from collections import Counter
from itertools import groupby

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sorted_out,
    steps_fault,
    told,
)

_TEXT = r"(?P<text>[A-Z]+(?: [A-Z]+)*)"
_SHIFT = r"(?:by turns )?(?P<keys>\d+(?:, \d+)*(?: and \d+)?) places?"
_CIPHER = {
    "hide": (
        rf"\w+ of \w+ makes {_TEXT} a secret by moving each letter {_SHIFT} ahead in the "
        "alphabet, A after Z",
        rf"To hide {_TEXT}, \w+ in \w+ replaces each letter by the one {_SHIFT} further on, A "
        "following Z",
        rf"In \w+ \w+ enciphers {_TEXT}; each letter goes {_SHIFT} forward, from Z on to A",
    ),
    "show": (
        rf"\w+ of \w+ gets {_TEXT}, in which each letter was moved {_SHIFT} ahead in the alphabet, "
        "A after Z",
        rf"In \w+ \w+ finds {_TEXT}; whoever wrote it shifted each letter {_SHIFT} forward, from Z "
        "on to A",
        rf"A note to \w+ in \w+ reads {_TEXT}, each letter standing {_SHIFT} further on than "
        "meant, A after Z",
    ),
    "ask hide": ("What is the secret text", "How does it read then", "Write the result"),
    "ask show": ("What was meant", "What is the plain text", "How does it read"),
}
_CIPHER_STEPS = (
    "{a:w} -> {b:w}",
    r"{a:w} becomes {b:w}\.",
    "{a:w}: {b:w}",
    "{b:w}, from {a:w}",
)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_cipher(exercise: Exercise, answer: str) -> str | None:
    """Check a shifted text.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _CIPHER)
    values = only(found["hide"] + found["show"], "the text")
    keys = [int(key) for key in re.findall(r"\d+", values["keys"])]
    kind = "hide" if found["hide"] else "show"
    if len(found[f"ask {kind}"]) != 1:
        return "the question does not ask for that text"
    given = values["text"].split()
    # Hidden texts are shown again and compared; shown ones are found by turned alphabets.
    turned = [
        str.maketrans(_ALPHABET, _ALPHABET[key % 26 :] + _ALPHABET[: key % 26])
        for key in (keys if kind == "hide" else [-key for key in keys])
    ]
    wanted = [
        "".join(letter.translate(turned[n % len(turned)]) for n, letter in enumerate(word))
        for word in given
    ]
    if " ".join(wanted) != answer:
        return f"it reads {' '.join(wanted)}, not {answer}"
    expected = [{"a": a, "b": b} for a, b in zip(given, wanted, strict=True)]
    return first_fault(
        certificate_fault(exercise, given=values["text"], keys=keys),
        steps_fault(exercise, _CIPHER_STEPS, expected),
    )


_RUNS = {
    "pack": (
        "How is (?P<text>[A-Z]+) written",
        "Shorten (?P<text>[A-Z]+) that way",
        "What becomes of (?P<text>[A-Z]+)",
    ),
    "unpack": (
        r"Which text is (?P<text>(?:\d+[A-Z])+)",
        r"Write out (?P<text>(?:\d+[A-Z])+) in full",
        r"What does (?P<text>(?:\d+[A-Z])+) stand for",
    ),
}
_RUN_STEPS = ("{a:w}: {b:w}", "{a:w} -> {b:w}", "{a:w} gives {b:w}")


def check_run_length(exercise: Exercise, answer: str) -> str | None:
    """Check a text written as runs.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _RUNS)
    text = only(found["pack"] + found["unpack"], "the text")["text"]
    if found["pack"]:
        pieces = ["".join(group) for _, group in groupby(text)]
        codes = [f"{len(piece)}{piece[0]}" for piece in pieces]
        plain, right, before, after = text, "".join(codes), pieces, codes
    else:
        codes = re.findall(r"\d+[A-Z]", text)
        pieces = [code[-1] * min(int(code[:-1]), 999) for code in codes]
        plain = right = "".join(pieces)
        before, after = codes, pieces
    if right != answer:
        return f"it is {right}, not {answer}"
    expected = [{"a": a, "b": b} for a, b in zip(before, after, strict=True)]
    return first_fault(
        certificate_fault(exercise, text=plain, runs=len(codes)),
        steps_fault(exercise, _RUN_STEPS, expected),
    )


_REWRITE = {
    "rule": (
        "(?P<a>[A-Z]+) may be replaced by (?P<b>[A-Z]+)",
        "(?P<a>[A-Z]+) turns into (?P<b>[A-Z]+)",
        "(?P<a>[A-Z]+) becomes (?P<b>[A-Z]+)",
        "For (?P<a>[A-Z]+) write (?P<b>[A-Z]+)",
    ),
    "word": ("Start from (?P<word>[A-Z]+)",),
    "asked": (
        "What is left of (?P<word>[A-Z]+) after {n:d} turns, or earlier if no rule fits",
        "Which word is there after {n:d} turns, or when no rule fits any more",
        "Play (?P<word>[A-Z]+) for {n:d} turns, fewer if no rule fits",
    ),
}
_REWRITE_STEPS = (
    "{a:w} -> {b:w}: {now:w}",
    "{now:w} by {a:w} -> {b:w}",
    "{a:w} to {b:w} gives {now:w}",
)


def check_rewriting(exercise: Exercise, answer: str) -> str | None:
    """Check a word rewritten by rules.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _REWRITE)
    asked = only(found["asked"], "the word")
    word = asked.get("word") or only(found["word"], "the word")["word"]
    rules = [(v["a"], v["b"]) for v in found["rule"]]
    expected: list[Values] = []
    now = word
    for _ in range(min(int(asked["n"]), 99)):
        # Rank first, then place: the least pair of both.
        places = [(rank, now.index(a)) for rank, (a, _) in enumerate(rules) if a in now]
        if not places:
            break
        rank, at = min(places)
        a, b = rules[rank]
        now = now[:at] + b + now[at + len(a) :]
        expected.append({"a": a, "b": b, "now": now})
    if now != answer:
        return f"the word is {now}, not {answer}"
    return first_fault(
        certificate_fault(exercise, word=word, turns=int(asked["n"])),
        steps_fault(exercise, _REWRITE_STEPS, expected),
    )


_CAPITALS = "(?P<words>[A-Z]+(?:, [A-Z]+)* and [A-Z]+)"
_ANAGRAM = {
    "asked": (
        f"Which of {_CAPITALS} has exactly the letters of {{given:w}}",
        f"Out of {_CAPITALS}, which can be {{given:w}}",
        f"{{given:w}} is one of {_CAPITALS}, mixed up",
        f"Find the one of {_CAPITALS} that rearranges to {{given:w}}",
    ),
}
_ANAGRAM_STEPS = (
    "{word:w}: {sorted:w}",
    "{word:w} has {sorted:w}",
    "{sorted:w} is {word:w} in order",
)


def check_anagram(exercise: Exercise, answer: str) -> str | None:
    """Check which word has the given letters.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    asked = only([v for _, v in told(exercise, _ANAGRAM)], "the words")
    words = listed(asked["words"])
    fitting = [word for word in words if Counter(word) == Counter(asked["given"])]
    if fitting != [answer]:
        return f"{fitting} have these letters, not {answer}"
    expected = [
        {"word": word, "sorted": "".join(x * word.count(x) for x in _ALPHABET)}
        for word in (asked["given"], *words)
    ]
    return first_fault(
        certificate_fault(exercise, given=asked["given"], words=words),
        steps_fault(exercise, _ANAGRAM_STEPS, expected),
    )


CHECKS: dict[str, Check] = {
    "cipher": check_cipher,
    "run_length": check_run_length,
    "rewriting": check_rewriting,
    "anagram": check_anagram,
}
"""Solvers by family."""
