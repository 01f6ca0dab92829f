"""Creative writing: story, fable, diary, scene, verse, and stories that need a sum.

Theory of operation. Prose genres share one story world, simulated event by event; they differ in
who tells, in what order, and what stands between the events. Verse has a form that can be counted:
acrostic and rhyme. A question at the end, with steps and answer, asks about the state of the world.
"""

from collections.abc import Callable

from qmpi.content.creative.story_questions import ask
from qmpi.content.creative.story_telling import Teller
from qmpi.content.creative.story_world import StoryWorld
from qmpi.content.creative.verse import verse
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.page import Page
from qmpi.content.reasoning.families import FAMILIES

_MOOD = FramePool(
    grammar(
        mood=(
            "the [n nature] was [a]", "<things> [vd i] in the [n nature]",
            "<place> smelled of [ns]", "it was a [a] [n time]", "somewhere <things> [vd i]",
            "<clause_past>", "<past>", "[r], the [n animal] [vd I]",
            "the [a] [n body] of <person> [vd i]", "<past>", "nothing [vd i] but <things>",
            "a [n feeling] [vd i] between <people>", "the [ns nature] over [P] were [a]",
            "[a] and [a], <person> <did>", "<past>", "like [ns animal], <people> <did>",
            "how [a] <idea> seemed", "oh, [a] [n time] of [ns]",
        )
    ),
    "mood",
)  # fmt: skip
_SPEECH = FramePool(
    grammar(
        speech=(
            "<present>", "<clause>", "why do <people> [v T] <thing>?", "[v T] <thing>!",
            "is <thing> not [a]?", "I [v T] <things>", "you [v T] <idea> [r]",
            "never [v P] <person>", "my [n] is [a]", "your [ns] [v i]", "have you [vn T] <thing>?",
            "we [v T] <ideas>, [F]", "<idea>? <clause>", "I would [v T] <thing> for <idea>",
            "let us [v T] <things>", "who [vd T] <thing>?", "no [n person] [v3 T] like <person>",
            "[a] [ns], [a] [ns]",
        )
    ),
    "speech",
)  # fmt: skip
_MORAL = FramePool(
    grammar(
        moral=(
            "who [v3 T] <thing> must [v T] <idea>", "[ns] [v t] what [ns] [v t]",
            "better [a] than [a]", "<people> who [v I] [v T] <ideas>",
            "no [n idea] without [n idea]", "[an] is [a] until <clause>",
            "[v T] <thing>, and <clause>",
        )
    ),
    "moral",
)  # fmt: skip
_SYNTHESIS_PERCENT = 15
_SUMS = (
    "journey", "ages", "money", "ordering", "ferry", "jugs", "route", "meeting", "bridge", "walk",
    "false_belief", "gossip", "whispers", "but_for", "zebra", "nim", "cipher", "witnesses",
    "ledger",
    "containers", "seating", "kinship", "schedule", "time_zones",
)  # fmt: skip


def write(page: Page) -> None:
    """Write one document.

    Args:
        page: empty.
    """
    _GENRES[page.draw.below(len(_GENRES))](page)


def story(page: Page) -> None:
    """A story told in order.

    Args:
        page: empty.
    """
    _narrate(page, "story", 1 + page.draw.below(2))


def tale(page: Page) -> None:
    """A slower tale, more mood than deeds.

    Args:
        page: empty.
    """
    _narrate(page, "tale", 2 + page.draw.below(2))


def fable(page: Page) -> None:
    """A story with a moral.

    Args:
        page: empty.
    """
    _narrate(page, "fable", 1, moral=True)


def _narrate(page: Page, genre: str, mood: int, *, moral: bool = False) -> None:
    page.genre = genre
    draw, prose = page.draw, Prose(page)
    world = StoryWorld(page, prose)
    world.happen(draw, sized(draw, (page.budget.steps + page.budget.entities) // 2, 4, 22))
    page.world = world.parameters()
    teller = Teller(page, prose, world)
    page.say(f"{prose.title()}\n\n{prose.sentence(_MOOD)} ")
    teller.enter()
    _break(page)
    for number in range(len(world.events)):
        teller.event(number)
        # Distance: what happens and what follows from it stand further apart at higher levels.
        for _ in range(draw.below(mood + 1 + page.budget.distance // 60)):
            page.say(f"{prose.sentence(_MOOD)} ")
        if draw.chance(25):
            _break(page)
            prose.shift()
    if moral:
        page.say(f"{prose.sentence(_MORAL)} ")
    page.trim()
    page.say("\n\n")
    if draw.chance(_SYNTHESIS_PERCENT):
        _riddle(page, prose)
    for _ in range(1 + page.budget.steps // 40):
        ask(page, world, teller)


def _break(page: Page) -> None:
    page.trim()
    page.say("\n\n")


# A problem of another type, on which the story's people depend.
def _riddle(page: Page, prose: Prose) -> None:
    name = page.draw.choice(_SUMS)
    page.say(f"{prose.sentence(_MOOD)}\n\n")
    page.problem(name, FAMILIES[name](page.draw, page.budget.steps))
    page.say("\n")


def scene(page: Page) -> None:
    """A scene for the stage: speeches, and events as directions.

    Args:
        page: empty.
    """
    page.genre = "scene"
    draw, prose = page.draw, Prose(page)
    world = StoryWorld(page, prose)
    world.happen(draw, sized(draw, page.budget.steps, 3, 14))
    page.world = world.parameters()
    teller = Teller(page, prose, world)
    page.say(f"{prose.title()}\n\n")
    teller.enter()
    _break(page)
    for number in range(len(world.events)):
        for _ in range(1 + draw.below(2 + page.budget.entities // 40)):
            speaker = teller.who(draw.below(len(world.people)))
            page.fact(speaker.kind, speaker.text, *speaker.args)
            page.say(f": {prose.paragraph(1 + draw.below(3), _SPEECH)}\n")
        page.say("[")
        teller.event(number)
        page.trim()
        page.say("]\n")
        prose.shift()
    page.say("\n")
    ask(page, world, teller)


def diary(page: Page) -> None:
    """Entries of one day each, with what happened on it.

    Args:
        page: empty.
    """
    page.genre = "diary"
    draw, prose = page.draw, Prose(page)
    world = StoryWorld(page, prose)
    count = sized(draw, page.budget.steps, 4, 18)
    world.happen(draw, count)
    day, days = draw.between(1, 365), list[int]()
    for _ in range(count):
        day += draw.below(9)
        days.append(day)
    page.world = {**world.parameters(), "days": list(days)}
    teller = Teller(page, prose, world)
    page.say(f"{prose.title()}\n\n")
    teller.enter()
    _break(page)
    for number in range(count):
        if number == 0 or days[number] != days[number - 1]:
            _break(page) if number else None
            page.say(f"{prose.word('n time')} ")
            page.fact("day", str(days[number]), number)
            page.say(". ")
            prose.shift()
        page.say(f"{prose.sentence(_MOOD)} ")
        teller.event(number)
    _break(page)
    ask(page, world, teller)


_GENRES: tuple[Callable[[Page], None], ...] = (story, story, tale, fable, scene, diary, verse)
