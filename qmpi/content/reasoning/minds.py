"""Minds: false beliefs of several orders, secrets that spread, muddy faces."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    joined,
    numbered,
    one,
    people,
    places,
    spelled,
    things,
    woven,
)
from qmpi.content.reasoning.spatial_layouts import ROOMS

_HIDES = ("drawer", "basket", "cupboard", "suitcase", "pot", "bucket", "trunk", "wardrobe", "jar",
          "chest", "fridge", "backpack", "safe", "bin", "hamper", "cabinet")  # fmt: skip
_SCENE = (
    "{0} are in the {1}, where the {2} is in the {3}.",
    "In the {1} are {0}, and the {2} is in the {3}.",
    "The {2} lies in the {3}, in the {1}, with {0} present.",
)
_SCENE_RULE = (
    "Lids are closed, so only who is present at a move learns of it, and nobody guesses.",
    "All see what is done and who is there, but those who are out learn nothing of it.",
    "Who is out sees nothing and is told nothing; who is in sees every move and everybody there.",
)
_OUT = ("{0} goes out.", "{0} leaves the {1}.", "Now {0} steps out of the {1}.")
_IN = ("{0} comes back.", "{0} enters the {1} again.", "Now {0} returns to the {1}.")
_MOVE = (
    "{0} moves the {1} to the {2}.",
    "The {1} is put into the {2} by {0}.",
    "{0} takes the {1} and hides it in the {2}.",
    "With all present looking on, {0} lays the {1} into the {2}.",
)
_THINKS = (
    ("Where does {0} think the {1} is?", "In {0}'s opinion, where is the {1}?"),
    ("Where does {0} think that {2} looks for the {1}?",
     "What does {0} believe about where {2} believes the {1} to be?"),
    ("Where does {0} think that {2} thinks that {3} looks for the {1}?",
     "What does {0} believe that {2} believes about where {3} expects the {1}?"),
    ("Where does {0} think that {2} thinks that {3} thinks that {4} looks for the {1}?",
     "What does {0} believe that {2} believes that {3} believes about where {4} expects the {1}?"),
)  # fmt: skip


def false_belief(draw: Draw, level: int) -> Problem:
    """Somebody moves a thing while others are out; who thinks that who thinks it is where?

    Args:
        draw: chance.
        level: 1 to 100; more people, moves, and orders of belief from one to four.

    Returns:
        The problem.
    """
    order = min(4, 1 + draw.below(2 + level // 28))
    who = people(draw, max(2, min(order + 1, 4), grown(draw, level, 2, 5)))
    spots = draw.sample(_HIDES, grown(draw, level, 3, 6))
    room, thing = draw.choice(ROOMS), things(draw, 1)[0]
    present = list(who)
    seen: list[tuple[str, list[str]]] = [(spots[0], list(who))]
    told: list[str] = []
    moves = grown(draw, level, 2, 9)
    while len(seen) <= moves:
        if len(present) > 1 and draw.below(2):
            gone = present.pop(draw.below(len(present)))
            told.append(draw.choice(_OUT).format(gone, room))
        elif len(present) < len(who) and draw.below(3) == 0:
            back = draw.choice([name for name in who if name not in present])
            present.append(back)
            told.append(draw.choice(_IN).format(back, room))
        where = draw.choice([spot for spot in spots if spot != seen[-1][0]])
        told.append(draw.choice(_MOVE).format(draw.choice(present), thing, where))
        seen.append((where, sorted(present)))
    chain = [draw.choice(who)]
    while len(chain) < order:
        chain.append(draw.choice([name for name in who if name != chain[-1]]))
    answer = next(where for where, eyes in reversed(seen) if all(name in eyes for name in chain))
    head = draw.choice(_SCENE).format(joined(who), room, thing, spots[0])
    told = [head, draw.choice(_SCENE_RULE), *woven(draw, level, told)]
    told.append(draw.choice(_THINKS[order - 1]).format(chain[0], thing, *chain[1:]))
    style = draw.choice(
        (
            "To the {0}, seen by {1}.",
            "{0}: {1}",
            "{1} will know of the {0}.",
            "Move to the {0}: {1}",
        )
    )
    steps = [style.format(where, joined(eyes)) for where, eyes in seen[1:]]
    world: Certificate = {"thing": thing, "chain": tuple(chain), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_OWNS = (
    "{0} has found out about the {1}.",
    "The secret of the {1} is known to {0}.",
    "{0} keeps the secret of the {1}.",
)
_CALL = {
    "both": (
        "{0} and {1} tell each other all they know.",
        "At tea {0} and {1} share every secret they have.",
        "{0} meets {1}, and neither keeps anything back.",
    ),
    "one": (
        "{0} writes all known secrets to {1}.",
        "A letter of {0} tells {1} every secret that {0} has.",
        "{1} overhears {0} going through all secrets so far.",
    ),
}
_GOSSIP_HEAD = (
    "In {1} live {0}.",
    "{0} of {1} love secrets.",
    "These people of {1} cannot keep quiet, {0}.",
)
_GOSSIP_ASK = (
    "Who knows about the {0} in the end?",
    "Name all who know the secret of the {0} now.",
    "To whom is the secret of the {0} known at last?",
)
_COUNT_ASK = (
    "How many of the secrets does {0} know in the end?",
    "How many secrets has {0} by now?",
)


def gossip(draw: Draw, level: int) -> Problem:
    """Secrets that spread by talks and letters; who knows what in the end?

    Args:
        draw: chance.
        level: 1 to 100; more people and talks.

    Returns:
        The problem.
    """
    who = people(draw, grown(draw, level, 3, 7))
    secrets = things(draw, grown(draw, level, 2, 5))
    knows: dict[str, list[str]] = {name: [] for name in who}
    told: list[str] = []
    for secret in secrets:
        owner = draw.choice(who)
        knows[owner].append(secret)
        told.append(draw.choice(_OWNS).format(owner, secret))
    draw.shuffle(told)
    steps: list[str] = []
    style = draw.choice(("{0} now knows of {1}.", "{0}: {1}", "{0} has {1}."))
    for _ in range(grown(draw, level, 3, 12)):
        a, b = draw.sample(who, 2)
        kind = draw.choice(("both", "one"))
        told.append(draw.choice(_CALL[kind]).format(a, b))
        merged = [s for s in secrets if s in knows[a] or s in knows[b]]
        knows[b] = merged
        if kind == "both":
            knows[a] = list(merged)
        steps.append(style.format(b, joined(merged) if merged else "nothing"))
    head = draw.choice(_GOSSIP_HEAD).format(joined(draw.sample(who, len(who))), places(draw, 1)[0])
    told = [head, *woven(draw, level, told)]
    if draw.below(2):
        asked = draw.choice(secrets)
        told.append(draw.choice(_GOSSIP_ASK).format(asked))
        answer = joined(sorted(name for name in who if asked in knows[name]))
    else:
        asked = draw.choice(who)
        told.append(draw.choice(_COUNT_ASK).format(asked))
        answer = str(len(knows[asked]))
    world: Certificate = {"asked": asked, "talks": len(steps), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_MUDDY_HEAD = (
    "{0} children of {1} have played, and {2} of them, {3}, got {4} on the face.",
    "Of {0} pupils from {1} just {2} got {4} on the forehead, {3}.",
    "Among {0} guests in {1} there is {4} on the brow of exactly {2}, {3}.",
)
_MUDDY_RULE = (
    ("Each sees all the others", "Everyone looks at all other faces",
     "All faces but the own one are seen",
     "They see each other", "Nobody sees the own face, though all the rest"),
    (", ", ", and ", "; "),
    ("all reason perfectly", "no error in thinking is ever made", "all are perfect in logic",
     "each is a flawless thinker", "nobody misses a conclusion"),
    (", ", ", and ", "; "),
    ("none may talk.", "they know this of each other.", "that is known to all.",
     "not a word is exchanged.", "this itself is common knowledge.", "talking is forbidden."),
)  # fmt: skip
_MUDDY_SAYS = (
    "{0}, {3}, says aloud that at least {1} of them {2} marked.",
    "All hear {0}, {3}, say that {1} or more of them {2} marked.",
)
_MUDDY_ROUND = (
    ("Every minute ", "Again and again ", "Every hour ", "From time to time ", "At noon each day ",
     "Now and then "),
    ("a bell rings", "a gong is struck", "a horn sounds", "a whistle blows", "a drum is beaten"),
    (", and at once ", "; then ", ", upon which ", ", and straight away "),
    ("all who are sure to be marked ", "those certain of their mark ",
     "all with proof of an own mark ", "all that can tell they are marked "),
    ("step forward.", "must stand up.", "have to raise a hand.", "should bow.", "clap hands."),
)  # fmt: skip
_MUDDY_ASK = (
    "At which ring do the marked ones act?",
    "Which signal is the first at which anybody reacts?",
    "How many signals pass, the last one included, until the marked ones move?",
    "Say at which signal the marked ones answer.",
    "Counted from the first, which sound makes the marked ones act?",
    "After how many sounds do the marked ones act?",
)


def muddy(draw: Draw, level: int) -> Problem:
    """Perfect reasoners with marks they cannot see; at which round do the marked ones know?

    Args:
        draw: chance.
        level: 1 to 100; more people and marks.

    Returns:
        The problem.
    """
    marked = grown(draw, level, 1, 7)
    count = marked + draw.between(1, 2) if marked > 5 else marked + draw.between(1, 3)
    least = draw.between(1, marked) if level > 12 else 1
    who, speaker = people(draw, marked), people(draw, 1)[0]
    head = draw.choice(_MUDDY_HEAD).format(
        count, places(draw, 1)[0], marked, joined(who), draw.choice(("mud", "ash", "ink", "chalk"))
    )
    says = draw.choice(_MUDDY_SAYS).format(
        speaker, least, "are" if least > 1 else "is", one(draw.choice(JOBS))
    )
    told = [says, spelled(draw, _MUDDY_ROUND), spelled(draw, _MUDDY_RULE)]
    told = [head, *woven(draw, level, told), draw.choice(_MUDDY_ASK)]
    answer = marked - least + 1
    style = draw.choice(
        (
            ("Silence at ring {0}, so there are at least {1}.", "At ring {0} the {1} know."),
            ("{0}: nobody, hence {1} or more", "{0}: all {1}"),
            ("Ring {0} passes, which leaves {1} or more.", "Ring {0} moves {1}."),
        )
    )
    steps = [style[0].format(n, least + n) for n in range(1, answer)]
    steps.append(style[1].format(answer, marked))
    world: Certificate = {"count": count, "least": least, "answer": str(answer)}
    return lay_out(draw, " ".join(told), steps, str(answer), world)


FAMILIES: dict[str, Family] = {
    "false_belief": false_belief,
    "gossip": gossip,
    "muddy": muddy,
}
"""Families of this module by name."""
