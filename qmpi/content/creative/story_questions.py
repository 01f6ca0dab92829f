"""What a reader can be asked about a story, with steps and answers.

Theory of operation. Each kind of question has its answer in the state of the simulated world. The
steps name the events that matter. Checkers work the answer out by replaying the certificate.
"""

from qmpi.content.creative.story_telling import Teller
from qmpi.content.creative.story_world import StoryWorld
from qmpi.content.page import Page
from qmpi.errors import InvariantError

_ASK = {
    "where": ("Where is the {thing} at the end?", "In which place does the {thing} end up?",
              "At the end, where would one find the {thing}?"),
    "holder": ("Who has the {thing} at the end?", "Whose hands hold the {thing} at last?",
               "In the end, who carries the {thing}?"),
    "belief": ("Where does {who} think the {thing} is?", "Where would {who} look for the {thing}?",
               "By what {who} has seen, where is the {thing}?"),
    "coins": ("How many coins has {who} at the end?", "At the end, how many coins are {who}'s?",
              "What is in the purse of {who} at last, in coins?"),
    "stand": ("Where is {who} at the end?", "At which place does {who} end up?"),
}  # fmt: skip
_HEADS = ("Question: ", "Q. ", "Asked of the reader: ", "", "To answer: ")
_TAILS = ("Answer: ", "A. ", "So: ", "That is: ", "")


def ask(page: Page, world: StoryWorld, teller: Teller) -> None:
    """Set one question on the page, with steps and answer.

    Args:
        page: written on.
        world: after all events.
        teller: mentions what is asked of.
    """
    draw = page.draw
    kind, person, thing = _choose(page, world)
    form = draw.choice(_ASK[kind])
    page.say(draw.choice(_HEADS))
    start = page.length
    for part in _pieces(form):
        if part == "{thing}":
            said = teller.thing(thing)
            page.fact(said.kind, said.text, *said.args)
        elif part == "{who}":
            said = teller.who(person)
            page.fact(said.kind, said.text, *said.args)
        else:
            page.say(part)
    page.mark("question", start, page.length, kind, person, thing)
    page.say("\n")
    if draw.chance(80):
        _steps(page, world, kind, person, thing)
    page.say(draw.choice(_TAILS))
    page.fact("answer", _answer(world, kind, person, thing), kind, person, thing)
    page.say("\n")


def _choose(page: Page, world: StoryWorld) -> tuple[str, int, int]:
    draw = page.draw
    person, thing = draw.below(len(world.people)), draw.below(len(world.things))
    kinds = ["stand", "coins", "holder" if world.held[thing] >= 0 else "where"]
    if world.seen[person][thing] is not None:
        kinds += ["belief", "belief"]
    return draw.choice(kinds), person, thing


def _pieces(form: str) -> list[str]:
    return [piece for piece in form.replace("{", "\0{").replace("}", "}\0").split("\0") if piece]


def _steps(page: Page, world: StoryWorld, kind: str, person: int, thing: int) -> None:
    if kind == "coins":
        coins = world.purses[person]
        page.fact("sum", str(coins), person, -1)
        for number, (what, who, first, second) in enumerate(world.events):
            if what == "pay" and person in (who, first):
                coins += second if person == first else -second
                page.say(" + " if person == first else " - ")
                page.fact("coins", str(second), second)
                page.say(" = ")
                page.fact("sum", str(coins), person, number)
        page.say("\n")
        return
    for number, (what, who, first, _) in enumerate(world.events):
        about = first == thing and what in ("take", "leave", "give")
        if about if kind != "stand" else (what == "go" and who == person):
            page.say(f"{world.people[who].split(' ')[0]}: ")
            page.fact("step", _DONE[what], number)
            page.say(f" {world.places[first] if what == 'go' else world.things[first]}.\n")


_DONE = {"take": "took", "leave": "left", "give": "gave", "go": "went to"}


def _answer(world: StoryWorld, kind: str, person: int, thing: int) -> str:
    if kind == "coins":
        return str(world.coins[person])
    if kind == "stand":
        return world.places[world.where[person]]
    if kind == "holder":
        return world.people[world.held[thing]]
    if kind == "where":
        return world.places[world.at[thing]]
    seen = world.seen[person][thing]
    if seen is None:
        raise InvariantError("a belief is asked of who has seen nothing")
    return world.places[seen] if seen >= 0 else f"with {world.people[-1 - seen]}"
