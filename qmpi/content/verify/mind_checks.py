"""Solvers about minds: nested beliefs one by one, who knows, all worlds of faces."""

from itertools import product

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    matched,
    only,
    sorted_out,
    steps_fault,
    told,
    worked,
)

_SCENE = {
    "scene": (
        "{people} are in the {room:w}, where the {what} is in the {where:w}",
        "In the {room:w} are {people}, and the {what} is in the {where:w}",
        "The {what} lies in the {where:w}, in the {room:w}, with {people} present",
    ),
    "out": (r"{who:w} goes out", r"{who:w} leaves the \w+", r"Now {who:w} steps out of the \w+"),
    "in": (
        r"{who:w} comes back",
        r"{who:w} enters the \w+ again",
        r"Now {who:w} returns to the \w+",
    ),
    "move": (
        "{who:w} moves the {what} to the {where:w}",
        "The {what} is put into the {where:w} by {who:w}",
        "{who:w} takes the {what} and hides it in the {where:w}",
        "With all present looking on, {who:w} lays the {what} into the {where:w}",
    ),
    "asked": (
        "Where does {a:w} think that {b:w} thinks that {c:w} thinks that {d:w} looks for the "
        "{what}",
        "What does {a:w} believe that {b:w} believes that {c:w} believes about where {d:w} expects "
        "the {what}",
        "Where does {a:w} think that {b:w} thinks that {c:w} looks for the {what}",
        "What does {a:w} believe that {b:w} believes about where {c:w} expects the {what}",
        "Where does {a:w} think that {b:w} looks for the {what}",
        "What does {a:w} believe about where {b:w} believes the {what} to be",
        "Where does {a:w} think the {what} is",
        "In {a:w}'s opinion, where is the {what}",
    ),
}
_SCENE_STEPS = (
    r"To the {where:w}, seen by {people}\.",
    "{where:w}: {people}",
    r"{people} will know of the {where:w}\.",
    "Move to the {where:w}: {people}",
)


def check_false_belief(exercise: Exercise, answer: str) -> str | None:
    """Check who thinks that who thinks a thing is where.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    present, chain, thing = set[str](), tuple[str, ...](), ""
    beliefs: dict[tuple[str, ...], str] = {}
    expected: list[Values] = []
    for kind, v in told(exercise, _SCENE):
        if kind == "scene":
            present, thing = set(listed(v["people"])), v["what"]
            # Every chain of minds up to four deep has a belief of its own.
            beliefs = {
                minds: v["where"]
                for depth in range(1, 5)
                for minds in product(sorted(present), repeat=depth)
            }
        elif kind == "asked":
            chain = tuple(v[slot] for slot in "abcd" if slot in v)
        elif kind == "move":
            if v["who"] not in present or v["what"] != thing:
                return f"{v['who']} cannot move the {v['what']}"
            for minds in beliefs:
                if present.issuperset(minds):
                    beliefs[minds] = v["where"]
            expected.append({"where": v["where"], "people": _and(sorted(present))})
        elif (v["who"] in present) == (kind == "in"):
            return f"{v['who']} cannot come or go"
        else:
            present ^= {v["who"]}
    if beliefs[chain] != answer:
        return f"the belief is {beliefs[chain]}, not {answer}"
    return first_fault(
        certificate_fault(exercise, thing=thing, chain=chain),
        steps_fault(exercise, _SCENE_STEPS, expected),
    )


def _and(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


_GOSSIP = {
    "owns": (
        "{who:w} has found out about the {what}",
        "The secret of the {what} is known to {who:w}",
        "{who:w} keeps the secret of the {what}",
    ),
    "both": (
        "{a:w} and {b:w} tell each other all they know",
        "At tea {a:w} and {b:w} share every secret they have",
        "{a:w} meets {b:w}, and neither keeps anything back",
    ),
    "one": (
        "{a:w} writes all known secrets to {b:w}",
        "A letter of {a:w} tells {b:w} every secret that {a:w} has",
        "{b:w} overhears {a:w} going through all secrets so far",
    ),
    "asked": (
        "Who knows about the {what} in the end",
        "Name all who know the secret of the {what} now",
        "To whom is the secret of the {what} known at last",
    ),
    "count": (
        "How many of the secrets does {what:w} know in the end",
        "How many secrets has {what:w} by now",
    ),
}
_GOSSIP_STEPS = (
    r"{who:w} now knows of {what}\.",
    "{who:w}: {what}",
    r"{who:w} has {what}\.",
)


def check_gossip(exercise: Exercise, answer: str) -> str | None:
    """Check who knows which secret.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    knowers: dict[str, set[str]] = {}
    talks: list[tuple[str, str]] = []
    lines: list[tuple[str, list[str]]] = []
    asked, counted = "", False
    for kind, v in told(exercise, _GOSSIP):
        if kind == "owns":
            knowers.setdefault(v["what"], set()).add(v["who"])
        elif kind in ("asked", "count"):
            asked, counted = v["what"], kind == "count"
        else:
            talks.append((v["a"], v["b"]))
            for minds in knowers.values():
                if v["a"] in minds or (kind == "both" and v["b"] in minds):
                    minds |= {v["b"], v["a"]} if kind == "both" else {v["b"]}
            lines.append((v["b"], [what for what, minds in knowers.items() if v["b"] in minds]))
    if counted:
        right = str(sum(asked in minds for minds in knowers.values()))
    else:
        right = _and(sorted(knowers[asked]))
    if right != answer:
        return f"it is {right}, not {answer}"
    return first_fault(
        certificate_fault(exercise, asked=asked, talks=len(talks)),
        _gossip_steps_fault(exercise, lines),
    )


# The order in which a line lists secrets is free, so lines are compared in alphabetical order.
def _gossip_steps_fault(exercise: Exercise, lines: list[tuple[str, list[str]]]) -> str | None:
    steps = worked(exercise)
    if steps and len(steps) != len(lines):
        return f"{len(steps)} steps, not {len(lines)}"
    for step, (who, known) in zip(steps, lines, strict=False):
        found = matched(step, {"step": _GOSSIP_STEPS})
        if found is None or found[1]["who"] != who:
            return f"the step {step!r} is about somebody else"
        if sorted(listed(found[1]["what"])) != sorted(known or ["nothing"]):
            return f"the step {step!r} should say {known}"
    return None


_MUDDY = {
    "head": (
        r"{count:d} children of \w+ have played, and {marked:d} of them, {people}, got \w+ on the "
        "face",
        r"Of {count:d} pupils from \w+ just {marked:d} got \w+ on the forehead, {people}",
        r"Among {count:d} guests in \w+ there is \w+ on the brow of exactly {marked:d}, {people}",
    ),
    "says": (
        r"\w+, an? \w+, says aloud that at least {least:d} of them (?:is|are) marked",
        r"All hear \w+, an? \w+, say that {least:d} or more of them (?:is|are) marked",
    ),
    "asked": (
        "At which ring do the marked ones act",
        "Which signal is the first at which anybody reacts",
        "How many signals pass, the last one included, until the marked ones move",
        "Say at which signal the marked ones answer",
        "Counted from the first, which sound makes the marked ones act",
        "After how many sounds do the marked ones act",
    ),
}
_MUDDY_STEPS = (
    r"Silence at ring {n:d}, so there are at least {more:d}\.",
    r"At ring {n:d} the {all:d} know\.",
    "{n:d}: nobody, hence {more:d} or more",
    "{n:d}: all {all:d}",
    r"Ring {n:d} passes, which leaves {more:d} or more\.",
    r"Ring {n:d} moves {all:d}\.",
)


def check_muddy(exercise: Exercise, answer: str) -> str | None:
    """Check when perfect reasoners know of their marks.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _MUDDY)
    head, says = only(found["head"], "the marks"), only(found["says"], "what is said")
    only(found["asked"], "what is asked")
    count, marked, least = int(head["count"]), int(head["marked"]), int(says["least"])
    if count > 10 or len(listed(head["people"])) != marked or not 1 <= least <= marked:
        return "the numbers do not fit each other"
    right = _rounds(count, (1 << marked) - 1, least)
    if str(right) != answer:
        return f"they act at {right}, not {answer}"
    expected = [{"n": str(n), "more": str(least + n)} for n in range(1, right)]
    expected.append({"n": str(right), "all": str(marked)})
    return first_fault(
        certificate_fault(exercise, count=count, least=least),
        steps_fault(exercise, _MUDDY_STEPS, expected),
    )


# All worlds, one bit a face. A face is sure of its mark if flipping its own bit leaves no world
# held possible; after a silent round the worlds in which somebody had been sure are gone.
def _rounds(count: int, real: int, least: int) -> int:
    worlds = {w for w in range(1 << count) if w.bit_count() >= least}
    for ring in range(1, count + 1):
        sure = {
            world: [n for n in range(count) if world >> n & 1 and world ^ 1 << n not in worlds]
            for world in worlds
        }
        if sure[real]:
            return ring
        worlds = {world for world in worlds if not sure[world]}
    raise ValueError("nobody ever knows")


CHECKS: dict[str, Check] = {
    "false_belief": check_false_belief,
    "gossip": check_gossip,
    "muddy": check_muddy,
}
"""Solvers by family."""
