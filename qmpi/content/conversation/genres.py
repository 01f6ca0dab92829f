"""Conversation: service talk, planning, haggling, meetings, lessons, interviews.

Theory of operation. All genres share one engine of acts over items. Service talk calls a tool with
JSON, meetings take votes, haggling moves one price, lessons solve a problem of a reasoning family
in dialogue. Most end in a summary of what was agreed and a question about it.
"""

from collections.abc import Callable

from qmpi.content.conversation.talk_telling import SMALL_TALK, Speech
from qmpi.content.conversation.talk_world import TalkWorld
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose, Said
from qmpi.content.level import sized
from qmpi.content.page import Page
from qmpi.content.reasoning.families import FAMILIES

_SETTING = FramePool(
    grammar(
        setting=(
            "in [P], <people> [v T] <things>", "<clause_past>", "<people> meet in <place>",
            "[a] [ns] and [a] [ns]", "<thing>, <idea>, and some [ns]", "about <things>",
            "a [n time] at <place>", "<people> and <person> [v C] that <clause>", "<present>",
            "before <idea>, <people> [v I]", "on <things>, [r]", "<person> <does>",
        )
    ),
    "setting",
)  # fmt: skip
_SUM_UP = FramePool(
    grammar(
        sum_up=(
            "the {label}: {value}", "{value} for the {label}", "as the {label}, {value}",
            "the {label} is {value}", "{label}: {value}", "then the {label}: {value}, [a]",
        )
    ),
    "sum_up",
)  # fmt: skip
_ASK = (
    "What is the {label} in the end?",
    "What was agreed as the {label}?",
    "At the end, what is the {label}?",
    "Which {label} stands at last?",
    "Say the {label} as it was settled.",
)
_TAILS = ("Answer: ", "A: ", "So: ", "= ", "")


def write(page: Page) -> None:
    """Write one document.

    Args:
        page: empty.
    """
    _GENRES[page.draw.below(len(_GENRES))](page)


def _begin(page: Page, genre: str, speakers: int, items: int) -> tuple[Prose, TalkWorld, Speech]:
    page.genre = genre
    prose = Prose(page)
    world = TalkWorld(page, prose, speakers, items)
    page.say(f"{prose.title()}\n\n")
    if page.draw.chance(60):
        page.say(f"{prose.sentence(_SETTING)}\n\n")
    return prose, world, Speech(page, prose, world)


def _turns(page: Page, world: TalkWorld, speech: Speech, prose: Prose) -> None:
    draw, distance = page.draw, page.budget.distance
    for number, (kind, *_) in enumerate(world.acts):
        # "It" must follow what it stands for.
        if kind not in ("correct_it", "remind") and draw.chance(20 + distance // 3):
            speech.chat(draw.below(len(world.speakers)), 1 + draw.below(2 + distance // 50))
            if draw.chance(30):
                prose.shift()
        speech.turn(number, draw.below(2 + page.budget.entities // 50))


def planning(page: Page) -> None:
    """Friends or colleagues settle a plan.

    Args:
        page: empty.
    """
    count = 2 + page.draw.below(1 + page.budget.structure // 30)
    prose, world, speech = _begin(
        page, "planning", count, sized(page.draw, page.budget.entities, 2, 8)
    )
    world.run(page)
    page.world = world.parameters()
    _turns(page, world, speech, prose)
    _end(page, world, speech, prose)


def service(page: Page) -> None:
    """A client and an assistant that calls a tool.

    Args:
        page: empty.
    """
    prose, world, speech = _begin(page, "service", 2, sized(page.draw, page.budget.entities, 2, 7))
    world.run(page)
    tool = f"{prose.word('v')}_{prose.word('n')}"
    page.world = {**world.parameters(), "tool": tool}
    _turns(page, world, speech, prose)
    page.say("\n")
    for item, value in enumerate(world.state):
        settled = world.items[item]
        call = f'{{"tool": "{tool}", "{settled.label}": "{settled.values[value]}"}}'
        page.fact("call", call, item)
        page.say("\n")
    _end(page, world, speech, prose)


def meeting(page: Page) -> None:
    """Three or more vote on what was proposed.

    Args:
        page: empty.
    """
    draw = page.draw
    prose, world, speech = _begin(
        page, "meeting", 3 + draw.below(3), sized(draw, page.budget.entities, 2, 6)
    )
    world.run(page)
    votes = [[draw.below(2) for _ in world.speakers] for _ in world.items]
    page.world = {**world.parameters(), "votes": [list(row) for row in votes]}
    _turns(page, world, speech, prose)
    page.say("\n")
    for item, row in enumerate(votes):
        said = speech.label(item)
        page.fact(said.kind, said.text, *said.args)
        page.say(": ")
        for speaker, vote in enumerate(row):
            page.fact("speaker", world.speakers[speaker].split(" ")[0], speaker)
            page.say(" ")
            page.fact("vote", ("no", "yes")[vote], item, speaker)
            page.say(", ")
        page.fact("count", str(sum(row)), item)
        page.say(f" {draw.choice(('for it', 'in favour', 'said yes'))}: ")
        page.fact("result", "carried" if 2 * sum(row) > len(row) else "lost", item)
        page.say(f". {prose.sentence(SMALL_TALK)}\n")
    _end(page, world, speech, prose)


def haggling(page: Page) -> None:
    """Two move one price until they agree.

    Args:
        page: empty.
    """
    draw = page.draw
    prose, world, speech = _begin(page, "haggling", 2, 1)
    item = world.items[0]
    noun = prose.word("n artifact")
    item.kind, item.label = "price", f"price of the {noun}"
    low, high = draw.between(5, 200), draw.between(400, 900 + 9 * page.budget.steps)
    for number in range(sized(draw, page.budget.steps, 3, 14)):
        # The buyer goes up, the seller down; neither goes back.
        if number % 2:
            low = draw.between(low, (low + high) // 2)
        else:
            high = draw.between((low + high + 1) // 2, high)
        offer = f"{low if number % 2 else high} {item.unit}"
        if offer not in item.values:
            item.values.append(offer)
        kind = "correct" if number else "propose"
        world.do(kind, number % 2, 0, item.values.index(offer))
    page.world = world.parameters()
    _turns(page, world, speech, prose)
    _end(page, world, speech, prose)


def lesson(page: Page) -> None:
    """A teacher and a pupil work on problems between them.

    Args:
        page: empty.
    """
    draw = page.draw
    prose, world, speech = _begin(page, "lesson", 2, 2)
    world.run(page)
    page.world = world.parameters()
    for _ in range(sized(draw, page.budget.entities, 1, 3)):
        for speaker in (0, 1):
            speech.chat(speaker, 1 + draw.below(2))
        page.say("\n")
        name = draw.choice(_LESSONS)
        page.problem(name, FAMILIES[name](draw, page.budget.steps))
        page.say("\n")
        prose.shift()
    _turns(page, world, speech, prose)
    _end(page, world, speech, prose)


_LESSONS = tuple(FAMILIES)


def _end(page: Page, world: TalkWorld, speech: Speech, prose: Prose) -> None:
    draw = page.draw
    page.say("\n")
    settled = [item for item, value in enumerate(world.state) if value >= 0]
    if len(settled) > 1 and draw.chance(50):
        for item in settled:
            holes = {"label": speech.label(item), "value": speech.value(item, world.state[item])}
            start = page.length
            prose.tell(_SUM_UP, holes, end="")
            page.mark("agreed", start, page.length, item)
            page.say("\n")
        page.say("\n")
    asked = draw.choice(settled)
    before, _, after = draw.choice(_ASK).partition("{label}")
    page.say(before)
    said: Said = speech.label(asked)
    page.fact(said.kind, said.text, *said.args)
    page.say(f"{after}\n")
    if draw.chance(70):
        _trace(page, world, asked)
    page.say(draw.choice(_TAILS))
    page.fact("answer", world.items[asked].values[world.state[asked]], asked)
    page.say("\n")


# Worked steps: each value the item had, in order.
def _trace(page: Page, world: TalkWorld, asked: int) -> None:
    for kind, speaker, item, value in world.acts:
        if item == asked and kind in ("propose", "correct", "correct_it"):
            page.fact("speaker", world.speakers[speaker].split(" ")[0], speaker)
            page.say(": ")
            page.fact("value", world.items[item].values[value], item, value)
            page.say("\n")


_GENRES: tuple[Callable[[Page], None], ...] = (
    planning,
    planning,
    service,
    service,
    meeting,
    haggling,
    lesson,
)
