"""Who, where and what: large sets of names and things for the settings of problems.

Names of people and places are put together from syllables when the module loads, so that two
problems hardly ever share one; a list typed by hand would be met again within a few hundred texts.
"""

from collections.abc import Sequence

from qmpi.content.counter import Draw
from qmpi.content.reasoning.problem import grown
from qmpi.content.reasoning.words import NAMES

_HEADS = (
    "Al", "Bar", "Bel", "Cas", "Dar", "Del", "El", "Fal", "Gil", "Har", "Il", "Jor", "Kal", "Kir",
    "Lor", "Mar", "Mel", "Nor", "Or", "Per", "Ral", "Ros", "Sal", "Sev", "Tal", "Tor", "Ul", "Var",
    "Wil", "Yar", "Zel", "Cor", "Fen", "Han", "Jas", "Len", "Mon", "Ren", "Sil", "Ven",
)  # fmt: skip
_MIDDLES = (
    "a", "e", "i", "o", "u", "ami", "eni", "iro", "olu", "uri", "ada", "edo", "iki", "oma", "usa",
    "avi", "elo", "ine", "ora", "umi",
)  # fmt: skip
_TAILS = ("n", "s", "ra", "lin", "ka", "dor", "ta", "mir", "va", "nel", "ko", "ris", "ma", "bet")
_TOWNS = (
    "ford", "wick", "holm", "stad", "mouth", "by", "ton", "dale", "haven", "burg", "moor", "gate",
    "field", "bridge", "cliff", "well", "borough", "shore",
)  # fmt: skip

# Forty names are composed in two ways: they would make two people of one name.
PEOPLE: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *NAMES,
            *(head + middle + tail for head in _HEADS for middle in _MIDDLES for tail in _TAILS),
        ]
    )
)
"""First names, real and coined, each once."""

PLACES: tuple[str, ...] = tuple(
    head + middle + town for head in _HEADS for middle in _MIDDLES for town in _TOWNS
)
"""Coined towns; none is also a first name."""

QUALITIES: tuple[str, ...] = (
    "amber", "brass", "bronze", "carved", "chipped", "copper", "crooked", "cracked", "dented",
    "dusty", "enamel", "faded", "folded", "gilded", "glass", "grey", "heavy", "hollow", "ivory",
    "knotted", "lacquered", "leather", "linen", "marble", "narrow", "oak", "painted", "pale",
    "patched", "pewter", "plain", "polished", "rusty", "scarlet", "silver", "slender", "spare",
    "speckled", "striped", "tin", "turquoise", "velvet", "walnut", "wooden", "woven", "yellow",
)  # fmt: skip
"""Adjectives that go before any thing."""

NOUNS: tuple[str, ...] = (
    "anchor", "axe", "badge", "basket", "bell", "bowl", "bracelet", "broom", "brooch", "bucket",
    "button", "candle", "chisel", "clock", "coin", "comb", "compass", "crown", "cup", "dagger",
    "drum", "fan", "feather", "figurine", "flute", "fork", "goblet", "hammer", "harp", "helmet",
    "hook", "kettle", "key", "kite", "ladle", "lamp", "lantern", "lens", "lock", "locket", "lute",
    "mask", "medal", "mirror", "mug", "needle", "pan", "pencil", "pipe", "plate", "pocketknife",
    "ring", "ruler", "scarf", "seal", "shield", "spoon", "statue", "stamp", "thimble", "torch",
    "trumpet", "tray", "umbrella", "vase", "violin", "watch", "whistle", "wrench",
)  # fmt: skip
"""Things that a hand can hold."""

PLAIN_NOUNS: tuple[str, ...] = tuple(
    noun for noun in NOUNS if noun[0] not in "aeiou" and not noun.endswith(("s", "ch", "f"))
)
"""Those that go with "a" and make their plural with "s"."""

JOBS: tuple[str, ...] = (
    "archivist", "baker", "botanist", "carpenter", "cartographer", "chemist", "clerk", "composer",
    "cook", "courier", "dentist", "diver", "editor", "engineer", "farmer", "fisher", "florist",
    "gardener", "geologist", "glazier", "goldsmith", "historian", "inspector", "joiner", "judge",
    "librarian", "locksmith", "mason", "mechanic", "miller", "nurse", "optician", "painter",
    "pharmacist", "pilot", "plumber", "poet", "porter", "potter", "printer", "ranger", "sailor",
    "sculptor", "singer", "surveyor", "tailor", "teacher", "translator", "violinist", "weaver",
)  # fmt: skip
"""What people do for a living."""

TASKS: tuple[str, ...] = (
    "assembly", "auditing", "bleaching", "bottling", "calibration", "carving", "casting",
    "cataloguing", "cleaning", "coating", "cooling", "cutting", "digging", "drafting", "drilling",
    "drying", "dyeing", "editing", "engraving", "filtering", "firing", "framing", "glazing",
    "grading", "grinding", "hoisting", "indexing", "inspection", "insulation", "labelling",
    "lacquering", "levelling", "loading", "mapping", "milling", "mixing", "moulding", "packing",
    "painting", "paving", "planting", "plastering", "polishing", "pressing", "printing", "proofing",
    "pruning", "rinsing", "roofing", "sanding", "sealing", "sewing", "sifting", "soldering",
    "sorting", "stitching", "surveying", "tempering", "testing", "tiling", "trimming", "tuning",
    "unloading", "varnishing", "washing", "weaving", "weighing", "welding", "wiring", "wrapping",
)  # fmt: skip
"""Names of single jobs in a larger piece of work."""

_ASIDES = (
    "{p} hums a tune from {t}.",
    "In {t}, {p} dreams of {a}.",
    "Nobody in {t} mentions {a}.",
    "{p} admires {a}, a gift of {t}.",
    "Posters about {t} praise {a}.",
    "An old song of {t} laments {a}.",
    "{p} misses {a} and the rain of {t}.",
    "Newspapers of {t} ignore {p} altogether.",
    "{a_} gathers dust in {t}.",
    "Someone sketches {a} while {p} yawns.",
    "Tourists from {t} photograph {a}.",
    "{p} whistles and thinks of {t}.",
)


def people(draw: Draw, count: int) -> list[str]:
    """Return different first names.

    Args:
        draw: chance.
        count: how many.

    Returns:
        Names.
    """
    return draw.sample(PEOPLE, count)


def places(draw: Draw, count: int) -> list[str]:
    """Return different names of towns.

    Args:
        draw: chance.
        count: how many.

    Returns:
        Names.
    """
    return draw.sample(PLACES, count)


def things(draw: Draw, count: int) -> list[str]:
    """Return different things, each with a quality, as "brass key".

    Args:
        draw: chance.
        count: how many, at most as many as there are nouns.

    Returns:
        Quality and noun, without an article.
    """
    return [f"{draw.choice(QUALITIES)} {noun}" for noun in draw.sample(NOUNS, count)]


def one(noun: str) -> str:
    """Return a thing with its article.

    Args:
        noun: lower case.

    Returns:
        As "an amber bell".
    """
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def joined(items: Sequence[str], word: str = "and") -> str:
    """Return a list as prose has it.

    Args:
        items: at least one.
        word: before the last one.

    Returns:
        As "a, b and c".
    """
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def spelled(draw: Draw, parts: Sequence[Sequence[str]]) -> str:
    """Put a sentence together from parts, each of which has several wordings.

    Args:
        draw: chance.
        parts: wordings of each part, with the spaces between them.

    Returns:
        The sentence.
    """
    return "".join([draw.choice(wordings) for wordings in parts])


def numbered(draw: Draw, steps: list[str]) -> list[str]:
    """Number worked steps in half of the cases.

    Args:
        draw: chance.
        steps: lines without numbers.

    Returns:
        Lines, all of them numbered from 1 or none.
    """
    style = draw.below(6)
    if style > 2:
        return steps
    before, after = (("Step ", ": "), ("(", ") "), ("", ") "))[style]
    return [f"{before}{n}{after}{step}" for n, step in enumerate(steps, 1)]


def woven(draw: Draw, level: int, told: list[str]) -> list[str]:
    """Put true but idle sentences between those that matter.

    Args:
        draw: chance.
        level: 1 to 100; more of them.
        told: in the order that has to be kept; changed in place.

    Returns:
        `told`.
    """
    for _ in range(grown(draw, level, 0, 4)):
        thing = f"{draw.choice(QUALITIES)} {draw.choice(NOUNS)}"
        shown = one(thing)
        words = draw.choice(_ASIDES).format(
            p=draw.choice(PEOPLE),
            t=draw.choice(PLACES),
            a=shown,
            a_=shown[0].upper() + shown[1:],
        )
        told.insert(draw.below(len(told) + 1), words)
    return told
