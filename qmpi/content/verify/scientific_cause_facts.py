"""Effects told in scientific texts, and the way from a cause to a distant effect.

Theory of operation. The text of an effect is taken apart: cause and effect must stand at its ends,
and the verb between them must be a form of one with the effect's sign. The way is found forward, by
spreading a change through the tree until nothing more moves.
"""

from functools import cache
from typing import Any

from qmpi.content.english.lexicon import english
from qmpi.content.verify.fact_checks import World

_UP = frozenset((
    "accelerate", "amplify", "augment", "boost", "elevate", "enhance", "enlarge", "increase",
    "intensify", "multiply", "promote", "raise", "stimulate", "strengthen",
))  # fmt: skip
_DOWN = frozenset((
    "block", "decrease", "depress", "diminish", "hinder", "impair", "inhibit", "lessen", "lower",
    "reduce", "restrain", "slow", "suppress", "weaken",
))  # fmt: skip


@cache
def _verbs(sign: int) -> frozenset[str]:
    bases = _UP if sign > 0 else _DOWN
    return frozenset(
        form
        for verb in english().verbs
        if verb.base in bases
        for form in (f" {verb.third} ", f" is {verb.participle} by ", f" is known to {verb.base} ")
    )


def effect_told(world: World, shown: str, args: tuple[Any, ...]) -> str:
    """Return the characters if they tell an effect of the world rightly.

    Args:
        world: with nodes and edges.
        shown: the characters.
        args: number of the effect.

    Returns:
        The characters, or what they should say.
    """
    cause, effect, sign = world["edges"][args[0]]
    first, last = world["nodes"][cause], world["nodes"][effect]
    for start, end in ((first, last), (last, first)):
        capital = start[0].upper() + start[1:]
        if shown.startswith((start, capital)) and shown.endswith(end):
            middle = shown[len(start) : len(shown) - len(end)]
            if middle in _verbs(sign) and (" by " in middle) == (start == last):
                return shown
    return f"{first} {'raises' if sign > 0 else 'lowers'} {last}"


def motions(world: World, puzzle: Any) -> tuple[list[str], str]:
    """Solve the problem of a chain of effects.

    Args:
        world: with edges.
        puzzle: from, to, less.

    Returns:
        How each thing on the way moves, and the last of these.
    """
    moved = {puzzle["from"]: -1 if puzzle["less"] else 1}
    ways = {puzzle["from"]: list[int]()}
    for _ in world["edges"]:
        for cause, effect, sign in world["edges"]:
            if cause in moved and effect not in moved:
                moved[effect] = moved[cause] * sign
                ways[effect] = [*ways[cause], moved[effect]]
    steps = ["rises" if sign > 0 else "falls" for sign in ways[puzzle["to"]]]
    return steps, steps[-1]
