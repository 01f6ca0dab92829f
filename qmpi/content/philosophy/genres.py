"""Philosophy: essay, dialogue, disputation, thought experiment, commentary, aphorisms.

Theory of operation. All genres put the arguments of one world into words. They end in a question:
which argument is valid, or which arguments stand when all objections are heard.
"""

from collections.abc import Callable

from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page
from qmpi.content.philosophy.argument_telling import MUSING, Arguer
from qmpi.content.philosophy.argument_world import FORMS, ArgumentWorld
from qmpi.content.reasoning.families import FAMILIES

_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
_SYNTHESIS_PERCENT = 12
_PUZZLES = (
    "syllogism", "knights", "truth_table", "ordering", "entailment", "quantifiers", "defaults",
    "false_belief", "gossip", "muddy", "knowledge", "counterfactual", "but_for", "intervention",
    "witnesses", "analogy", "voting", "access",
)  # fmt: skip
_STAND = (
    "When all objections are heard, which arguments stand?",
    "Which of the arguments are left standing in the end?",
    "Count the objections: which arguments survive?",
    "Whose arguments stand, by number?",
)
_FOLLOWS = (
    "Does the conclusion of argument {} follow?",
    "Is argument {} valid?",
    "Take argument {}: do its premises prove what it says?",
)
_TAILS = ("Answer: ", "So: ", "It must be said: ", "A. ", "")


def write(page: Page) -> None:
    """Write one document.

    Args:
        page: empty.
    """
    _GENRES[page.draw.below(len(_GENRES))](page)


def essay(page: Page) -> None:
    """Arguments in paragraphs, with reflection between.

    Args:
        page: empty.
    """
    _compose(page, "essay", 3, numbered=False)


def disputation(page: Page) -> None:
    """Numbered arguments and objections.

    Args:
        page: empty.
    """
    _compose(page, "disputation", 1, numbered=True)


def commentary(page: Page) -> None:
    """Long reflection on few arguments.

    Args:
        page: empty.
    """
    _compose(page, "commentary", 5, numbered=False)


def _compose(page: Page, genre: str, between: int, *, numbered: bool) -> None:
    page.genre = genre
    prose = Prose(page, "idea")
    world = ArgumentWorld(page, prose)
    page.world = world.parameters()
    arguer = Arguer(page, prose, world)
    page.say(f"{prose.title()}\n\n{prose.paragraph(1 + page.draw.below(between), MUSING)}\n\n")
    for number in range(len(world.arguments)):
        if numbered:
            page.say(f"{_NUMERALS[number]}. ")
        arguer.introduce(number)
        arguer.argue(number, between)
        for _ in range(page.draw.below(between)):
            page.say(f"{prose.sentence(MUSING)} ")
        page.trim()
        page.say("\n\n")
        prose.shift()
    _end(page, world, arguer, prose)


def dialogue(page: Page) -> None:
    """Voices in turn.

    Args:
        page: empty.
    """
    page.genre = "dialogue"
    draw, prose = page.draw, Prose(page, "idea")
    world = ArgumentWorld(page, prose)
    page.world = world.parameters()
    arguer = Arguer(page, prose, world)
    page.say(f"{prose.title()}\n\n")
    for number, argument in enumerate(world.arguments):
        for _ in range(draw.below(3)):
            _speak(page, world, draw.below(len(world.voices)))
            page.say(f"{prose.paragraph(1 + draw.below(3), MUSING)}\n")
        _speak(page, world, argument.voice)
        arguer.introduce(number)
        arguer.argue(number, 1)
        page.trim()
        page.say("\n")
        prose.shift()
    page.say("\n")
    _end(page, world, arguer, prose)


def _speak(page: Page, world: ArgumentWorld, voice: int) -> None:
    page.fact("voice", world.voices[voice].split(" ")[1], voice)
    page.say(": ")


def aphorisms(page: Page) -> None:
    """Short thoughts, among them the parts of an argument.

    Args:
        page: empty.
    """
    page.genre = "aphorisms"
    draw, prose = page.draw, Prose(page, "idea")
    world = ArgumentWorld(page, prose)
    page.world = world.parameters()
    arguer = Arguer(page, prose, world)
    page.say(f"{prose.title()}\n\n")
    for number in range(len(world.arguments)):
        for _ in range(sized(draw, page.budget.entities, 1, 4)):
            page.say(f"{prose.paragraph(1 + draw.below(2), MUSING)}\n\n")
            prose.shift()
        arguer.introduce(number)
        arguer.argue(number, 0)
        page.trim()
        page.say("\n\n")
    _end(page, world, arguer, prose)


def _end(page: Page, world: ArgumentWorld, arguer: Arguer, prose: Prose) -> None:
    draw = page.draw
    if draw.chance(_SYNTHESIS_PERCENT):
        name = draw.choice(_PUZZLES)
        page.say(f"{prose.sentence(MUSING)}\n\n")
        page.problem(name, FAMILIES[name](draw, page.budget.steps))
        page.say("\n")
    if world.attacks and draw.chance(50):
        _ask_standing(page, world)
    else:
        _ask_valid(page, world, arguer)
    page.say("\n")


def _ask_standing(page: Page, world: ArgumentWorld) -> None:
    draw = page.draw
    page.say(f"{draw.choice(_STAND)}\n")
    if draw.chance(80):
        for by, hit in world.attacks:
            page.fact("attacks", f"{_NUMERALS[by]} against {_NUMERALS[hit]}", by, hit)
            page.say("; ")
        page.say("what none that stands attacks, stands.\n")
    page.say(draw.choice(_TAILS))
    page.fact("standing", ", ".join(_NUMERALS[number] for number in world.standing()))


def _ask_valid(page: Page, world: ArgumentWorld, arguer: Arguer) -> None:
    draw = page.draw
    number = draw.below(len(world.arguments))
    before, _, after = draw.choice(_FOLLOWS).partition("{}")
    page.say(before)
    page.fact("number", _NUMERALS[number], number)
    page.say(f"{after}\n")
    if draw.chance(80):
        arguer.judge(number)
        page.trim()
        page.say("\n")
    page.say(draw.choice(_TAILS))
    valid = FORMS[world.arguments[number].form].valid
    page.fact("answer", "yes" if valid else "no", number)


_GENRES: tuple[Callable[[Page], None], ...] = (
    essay,
    essay,
    disputation,
    dialogue,
    commentary,
    aphorisms,
)
