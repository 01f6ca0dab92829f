"""Machines on text: ciphers, run lengths, rewriting, anagrams."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    NOUNS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    woven,
)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ENCODE = (
    "{0} of {1} makes {2} a secret by moving each letter {3} ahead in the alphabet, A after Z.",
    "To hide {2}, {0} in {1} replaces each letter by the one {3} further on, A following Z.",
    "In {1} {0} enciphers {2}; each letter goes {3} forward, from Z on to A.",
)
_DECODE = (
    "{0} of {1} gets {2}, in which each letter was moved {3} ahead in the alphabet, A after Z.",
    "In {1} {0} finds {2}; whoever wrote it shifted each letter {3} forward, from Z on to A.",
    "A note to {0} in {1} reads {2}, each letter standing {3} further on than meant, A after Z.",
)
_ENCODE_ASK = ("What is the secret text?", "How does it read then?", "Write the result.")
_DECODE_ASK = ("What was meant?", "What is the plain text?", "Undo it. How does it read?")
_KEY = (
    "The count starts anew with each word.",
    "For every word the numbers begin again.",
    "Each word begins with the first of the numbers.",
)


def cipher(draw: Draw, level: int) -> Problem:
    """Letters shifted by one number, or by several in turn, there or back.

    Args:
        draw: chance.
        level: 1 to 100; more words, several numbers.

    Returns:
        The problem.
    """
    count = grown(draw, level, 1, 9)
    words = [draw.choice(draw.choice((NOUNS, QUALITIES, JOBS))).upper() for _ in range(count)]
    words[draw.below(count)] = draw.choice(people(draw, 2)).upper()
    keys = [draw.between(1, 25) for _ in range(grown(draw, level, 1, 4) if level > 20 else 1)]
    secret = [
        "".join(
            _LETTERS[(_LETTERS.index(letter) + keys[n % len(keys)]) % 26]
            for n, letter in enumerate(word)
        )
        for word in words
    ]
    hide = draw.below(2) == 1
    given, wanted = (words, secret) if hide else (secret, words)
    shift = str(keys[0]) if len(keys) == 1 else f"by turns {joined([str(key) for key in keys])}"
    shift += " places" if len(keys) > 1 or keys[0] > 1 else " place"
    head = draw.choice(_ENCODE if hide else _DECODE).format(
        people(draw, 1)[0], places(draw, 1)[0], " ".join(given), shift
    )
    told = [head, *([draw.choice(_KEY)] if len(keys) > 1 else [])]
    told = woven(draw, level, told)
    told.append(draw.choice(_ENCODE_ASK if hide else _DECODE_ASK))
    style = draw.choice(("{0} -> {1}", "{0} becomes {1}.", "{0}: {1}", "{1}, from {0}"))
    steps = [style.format(before, after) for before, after in zip(given, wanted, strict=True)]
    answer = " ".join(wanted)
    world: Certificate = {"given": " ".join(given), "keys": tuple(keys), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_PACK = (
    "{0} shortens texts by writing each run of equal letters as its length and the letter.",
    "By the custom of {1}, a run of equal letters is noted as a number and the letter.",
    "{0}, {2} in {1}, writes a number and a letter for each run of equal letters.",
)
_PACK_ASK = ("How is {0} written?", "Shorten {0} that way.", "What becomes of {0}?")
_UNPACK_ASK = (
    "Which text is {0}?",
    "Write out {0} in full.",
    "What does {0} stand for?",
)


def run_length(draw: Draw, level: int) -> Problem:
    """A text as lengths of runs, there or back.

    Args:
        draw: chance.
        level: 1 to 100; more and longer runs.

    Returns:
        The problem.
    """
    runs: list[tuple[int, str]] = []
    for _ in range(grown(draw, level, 4, 20)):
        letter = draw.choice(_LETTERS)
        if not runs or runs[-1][1] != letter:
            runs.append((draw.between(1, 4 + level // 12), letter))
    plain = "".join(letter * size for size, letter in runs)
    short = "".join(f"{size}{letter}" for size, letter in runs)
    pack = draw.below(2) == 1
    head = draw.choice(_PACK).format(people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS)))
    told = woven(draw, level, [head])
    told.append(draw.choice(_PACK_ASK if pack else _UNPACK_ASK).format(plain if pack else short))
    style = draw.choice(("{0}: {1}", "{0} -> {1}", "{0} gives {1}"))
    steps = [
        style.format(letter * size, f"{size}{letter}")
        if pack
        else style.format(f"{size}{letter}", letter * size)
        for size, letter in runs
    ]
    answer = short if pack else plain
    world: Certificate = {"text": plain, "runs": len(runs), "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


_RULE = (
    "{0} may be replaced by {1}.",
    "{0} turns into {1}.",
    "{0} becomes {1}.",
    "For {0} write {1}.",
)
_REWRITE_HEAD = (
    "{0} of {1} plays with letters by the following rules, in this order of rank.",
    "A game of {1}, taught by {0}, has rules that are listed by rank.",
    "In {1} {0} rewrites words by these rules, the first being the strongest.",
)
_REWRITE_LAW = (
    "The strongest rule that fits is used at the leftmost place where it fits, again and again.",
    "Each time the first rule that fits anywhere is used, at its leftmost place.",
    "At each turn take the highest rule that applies and use it as far left as possible.",
)
_REWRITE_ASK = (
    "What is left of {0} after {1} turns, or earlier if no rule fits?",
    "Start from {0}. Which word is there after {1} turns, or when no rule fits any more?",
    "Play {0} for {1} turns, fewer if no rule fits. What is the word then?",
)


def rewriting(draw: Draw, level: int) -> Problem:
    """A word rewritten by ranked rules at the leftmost place.

    Args:
        draw: chance.
        level: 1 to 100; more rules, longer words, more turns.

    Returns:
        The problem.
    """
    letters = draw.sample(_LETTERS, 3 if level < 50 else 4)
    pairs = [a + b for a in letters for b in letters]
    lefts = draw.sample(pairs, grown(draw, level, 2, 6))
    rules = []
    for left in lefts:
        right = "".join(draw.choice(letters) for _ in range(draw.between(1, 2)))
        rules.append((left, right if right != left else letters[0]))
    word = "".join(draw.choice(letters) for _ in range(grown(draw, level, 5, 16)))
    word += rules[0][0]
    turns = grown(draw, level, 3, 14)
    told = [
        draw.choice(_REWRITE_HEAD).format(people(draw, 1)[0], places(draw, 1)[0]),
        *(draw.choice(_RULE).format(left, right) for left, right in rules),
        draw.choice(_REWRITE_LAW),
    ]
    told = woven(draw, level, told)
    told.append(draw.choice(_REWRITE_ASK).format(word, turns))
    style = draw.choice(("{0} -> {1}: {2}", "{2} by {0} -> {1}", "{0} to {1} gives {2}"))
    steps: list[str] = []
    now = word
    for _ in range(turns):
        fit = next((rule for rule in rules if rule[0] in now), None)
        if fit is None:
            break
        now = now.replace(fit[0], fit[1], 1)
        steps.append(style.format(*fit, now))
    world: Certificate = {"word": word, "turns": turns, "answer": now}
    return lay_out(draw, " ".join(told), numbered(draw, steps), now, world)


_ANAGRAM_HEAD = (
    "{0} of {1} hides a name by mixing its letters.",
    "In {1} {0} shuffles the letters of a name.",
    "The sign in {1} was put together by {0} with the right letters in the wrong order.",
)
_ANAGRAM_ASK = (
    "Which of {0} has exactly the letters of {1}?",
    "Out of {0}, which can be {1}?",
    "{1} is one of {0}, mixed up. Which?",
    "Find the one of {0} that rearranges to {1}.",
)


def anagram(draw: Draw, level: int) -> Problem:
    """Which of some words has exactly the given letters?

    Args:
        draw: chance.
        level: 1 to 100; longer words, more candidates that are nearly right.

    Returns:
        The problem.
    """
    name = (draw.choice(people(draw, 3)) + draw.choice(places(draw, 2))[: level // 9]).upper()
    mixed = list(name)
    draw.shuffle(mixed)
    given = "".join(mixed)
    words, wanted = [name], grown(draw, level, 3, 8)
    while len(words) < wanted:
        near = list(name)
        near[draw.below(len(near))] = draw.choice(_LETTERS)
        first, second = draw.below(len(near)), draw.below(len(near))
        near[first], near[second] = near[second], near[first]
        other = "".join(near)
        if sorted(other) != sorted(name) and other not in words:
            words.append(other)
    draw.shuffle(words)
    head = draw.choice(_ANAGRAM_HEAD).format(people(draw, 1)[0], places(draw, 1)[0])
    told = woven(draw, level, [head])
    told.append(draw.choice(_ANAGRAM_ASK).format(joined(words), given))
    style = draw.choice(("{0}: {1}", "{0} has {1}", "{1} is {0} in order"))
    steps = [style.format(word, "".join(sorted(word))) for word in (given, *words)]
    world: Certificate = {"given": given, "words": tuple(words), "answer": name}
    return lay_out(draw, " ".join(told), numbered(draw, steps), name, world)


FAMILIES: dict[str, Family] = {
    "cipher": cipher,
    "run_length": run_length,
    "rewriting": rewriting,
    "anagram": anagram,
}
"""Families of this module by name."""
