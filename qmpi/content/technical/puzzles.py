"""Problems that the system itself sets: question, worked steps, answer.

Theory of operation. A problem's numbers are stored in the world under "puzzles"; each number in the
text is a fact that names its puzzle and what it is, so a checker solves the puzzle on its own and
compares givens, steps and answer. One text in eight shows no steps.
"""

from collections.abc import Callable

from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.words import plurals
from qmpi.content.technical.world import Row, Site, spelled, value_for

_PLACES = ("file", "environment", "command line")


def precedence(site: Site) -> None:
    """Ask which of several values of a setting is in force.

    Args:
        site: with settings and versions.
    """
    draw, number = site.draw, site.draw.below(len(site.settings))
    row = site.settings[number]
    given: Row = {place: value_for(draw, row) for place in _PLACES if draw.chance(65)}
    puzzle = Puzzle(site, "precedence", {"setting": number, "given": given})
    site.turn(number)
    order = list(given)
    draw.shuffle(order)
    site.tell(draw.choice(_SHIPPED))
    for place in order:
        site.holes["there"] = Said(spelled(row, given[place]), "value", (number, given[place]))
        site.tell(draw.choice(_GIVEN[place]))
    if not order:
        site.tell("nobody has set it, neither for the {part} nor for {trait} {items}")
    puzzle.ask((
        "which value does {mod} use to {op} {items}?", "what holds when {mod} {op3} {aitem}?",
        "what does {key} mean to the {part} now?", "with which value is the {part} {opn}?",
    ))  # fmt: skip
    for place in _PLACES:
        if place in given:
            puzzle.put("there", spelled(row, given[place]))
            puzzle.show((
                f"the {place} says {{there}}, which replaces what came before",
                f"{{key}} becomes {{there}} by the {place}", f"from the {place}: {{there}}",
            ))  # fmt: skip
    puzzle.answer(spelled(row, [row["default"], *given.values()][-1]))


_SHIPPED = (
    "{sys} ships with {key} at {default}", "the default of {key} is {default}",
    "out of the box, {key} is {default}", "unset, {key} means {default} to {mod}",
)  # fmt: skip
_GIVEN = {
    "file": (
        "the configuration file of {mod} says {there}", "in the file, [F] wrote {there}",
        "a line in the {trait} file sets {there}", "the file gives {there}",
    ),
    "environment": (
        "{env} holds {there}", "the environment has {env} at {there}",
        "[F] exported {env} as {there}", "{env} was left at {there} by the {part}",
    ),
    "command line": (
        "{mod} is started with {flag} and {there}", "on the command line, {flag} is {there}",
        "the operator typed {there} after {flag}", "{flag} is given as {there}",
    ),
}  # fmt: skip


def backoff(site: Site) -> None:
    """Ask how long doubling pauses take in all.

    Args:
        site: any.
    """
    draw, holes = site.draw, site.holes
    tries = site.size("steps", 3, 9)
    first = draw.between(2, 90)
    cap = first * draw.between(3, 60) + draw.below(7)
    puzzle = Puzzle(site, "backoff", {"first": first, "cap": cap, "tries": tries})
    site.turn()
    puzzle.give("first", "ms")
    puzzle.give("cap", "ms")
    puzzle.give("tries")
    site.tell(draw.choice((
        "when {mod} cannot {op} {aitem}, it pauses {first}, then twice as long, at most {cap}",
        "after a failed {item} the {part} waits {first}; each further pause doubles, up to {cap}",
        "pauses of {mod} start at {first} and double until they reach {cap}",
    )))  # fmt: skip
    puzzle.ask((
        "how long has it paused after {tries} failures?", "what do {tries} pauses take together?",
        "the {part} fails {tries} times in a row: how long are the pauses in all?",
    ))  # fmt: skip
    total, pause = 0, first
    for _ in range(tries):
        total += pause
        puzzle.put("pause", pause)
        puzzle.put("total", total)
        puzzle.show(("pause of {pause}, {total} so far", "{pause} ms makes {total}",
                     "add {pause}: {total} ms", "{total} after a pause of {pause}"))  # fmt: skip
        pause = min(2 * pause, cap)
    holes.pop("total")
    puzzle.answer(f"{total} ms")


def filling(site: Site) -> None:
    """Ask when a queue is full.

    Args:
        site: any.
    """
    draw = site.draw
    surplus, leaves, seconds = draw.between(2, 60), draw.between(3, 400), draw.between(5, 900)
    held = draw.below(200)
    data: Row = {
        "arrive": leaves + surplus,
        "leave": leaves,
        "room": held + surplus * seconds,
        "held": held,
    }
    puzzle = Puzzle(site, "filling", data)
    site.turn()
    for name in data:
        puzzle.give(name)
    site.tell(draw.choice((
        "the {part} of {mod} has room for {room} {items} and holds {held}",
        "{mod} keeps at most {room} {items} in {atrait} {part}, and {held} wait there now",
        "of {room} places for {items} in the {part}, {held} are taken",
    )))  # fmt: skip
    site.tell(draw.choice((
        "each second {arrive} {items} arrive while {mod} {op3} {leave}",
        "{arrive} come in a second; {leave} of them are {opn}",
        "in come {arrive} {items} a second, out {leave}",
    )))  # fmt: skip
    puzzle.ask((
        "after how many seconds is the {part} full?", "when must {mod} refuse the first {item}?",
        "how many seconds pass before {items} are lost?",
    ))  # fmt: skip
    puzzle.put("more", surplus)
    puzzle.show(("it grows by {more} a second", "{arrive} less {leave} leaves {more} a second",
                 "surplus: {more} {items} each second"))  # fmt: skip
    puzzle.put("free", surplus * seconds)
    puzzle.show(
        ("{free} places are free", "free: {room} less {held}, {free}", "room left for {free}")
    )
    puzzle.put("took", seconds)
    puzzle.show(
        ("{free} by {more} is {took}", "that takes {took} s", "{took} times {more} fill them")
    )
    puzzle.answer(f"{seconds} s")


def start_order(site: Site) -> None:
    """Ask which modules must run before another.

    Args:
        site: with modules.
    """
    draw, modules = site.draw, site.modules
    deed = draw.below(len(site.deeds))
    target = site.deeds[deed]["module"]
    puzzle = Puzzle(site, "start", {"module": target, "deed": deed})
    site.turn()
    numbers = list(range(len(modules)))
    draw.shuffle(numbers)
    for number in numbers:
        needs = modules[number]["needs"]
        site.holes["mod"] = site.module(number)
        site.holes["needed"] = _listing(site, number, needs)
        site.tell(draw.choice(_NEEDS if needs else _NEEDLESS))
    site.holes["mod"] = site.module(target)
    site.holes["act"] = _act(site, deed)
    named = draw.chance(40)
    puzzle.ask(_BEFORE_MODULE if named else _BEFORE_DEED)
    puzzle.put("mod", f"`{modules[target]['name']}`")
    if not named:
        puzzle.show(("it is {mod} that {act}", "{mod} {act}", "that is {mod}"))
    before: set[int] = set()
    for number in range(target, -1, -1):
        if number == target or number in before:
            needs = modules[number]["needs"]
            before.update(needs)
            if needs:
                site.holes["mod"] = site.module(number)
                site.holes["needed"] = _listing(site, number, needs)
                puzzle.show(_WAITS)
    puzzle.answer(", ".join(str(modules[n]["name"]) for n in sorted(before)) or "none")


def _act(site: Site, deed: int) -> Said:
    row = site.deeds[deed]
    return Said(f"{row['verb'][1]} {plurals()[row['item']]}", "act", (deed,))


_WAITS = ("{mod} needs {needed}", "for {mod}: {needed}", "{mod} waits for {needed}")
_BEFORE_MODULE = (
    "which modules must run before {mod}?", "what must start before {mod} can {op}?",
    "without which modules does {mod} {op} nothing?",
)  # fmt: skip
_BEFORE_DEED = (
    "what must run before the module that {act}?", "which modules come before what {act}?",
    "{items} aside, what must start before the one that {act}?",
)  # fmt: skip


def owner(site: Site) -> None:
    """Ask who answers for an error: from the error to a setting, its module, and its owner.

    Args:
        site: with settings and errors.
    """
    draw, modules = site.draw, site.modules
    error = draw.below(len(site.errors))
    setting = site.errors[error]["setting"]
    module = site.settings[setting]["module"]
    puzzle = Puzzle(site, "owner", {"error": error})
    numbers = list(range(len(modules)))
    draw.shuffle(numbers)
    told = draw.below(len(numbers) + 1)
    for place, number in enumerate(numbers):
        if place == told:
            _tell_concern(site, error)
        site.turn()
        site.holes["mod"] = site.module(number)
        site.holes["owner"] = Said(modules[number]["owner"], "owner", (number,))
        site.tell(draw.choice(_OWNS))
    if told == len(numbers):
        _tell_concern(site, error)
    puzzle.ask((
        "{code} appears: who is asked?", "whom do you call about {code}?",
        "who has to explain {code}?", "to whom does {code} belong?",
    ))  # fmt: skip
    puzzle.put("key", f"`{modules[module]['name']}.{site.settings[setting]['name']}`")
    puzzle.show(("{code} is about {key}", "{code} leads to {key}", "behind {code} stands {key}"))
    puzzle.put("mod", f"`{modules[module]['name']}`")
    puzzle.show(("{key} is part of {mod}", "that belongs to {mod}", "the module is {mod}"))
    puzzle.answer(modules[module]["owner"])


def _tell_concern(site: Site, error: int) -> None:
    site.turn_error(error)
    site.tell(site.draw.choice((
        "{code} says that {key} does not fit", "{code} comes from {key}", "{code} is about {key}",
        "when {key} is wrong, {code} follows",
    )))  # fmt: skip


_OWNS = (
    "{owner} looks after {mod}", "{mod} belongs to {owner}", "for {mod}, ask {owner}",
    "{owner} wrote {mod} to {op} {items}", "the owner of {mod} is {owner}",
)  # fmt: skip


def _listing(site: Site, number: int, needs: list[int]) -> Said:
    return Said(" and ".join(f"`{site.modules[n]['name']}`" for n in needs), "needs", (number,))


_NEEDS = (
    "{mod} starts after {needed}", "{mod} cannot {op} {items} before {needed}",
    "{mod} needs {needed}", "to {op} its {part}, {mod} calls {needed}",
    "{mod} depends on {needed} for {items}",
)  # fmt: skip
_NEEDLESS = (
    "{mod} needs nothing", "{mod} starts {how}", "{mod} depends on no other module",
    "{mod} can {op} {items} alone",
)  # fmt: skip

_SETTINGS: tuple[Callable[[Site], None], ...] = (
    precedence,
    precedence,
    backoff,
    filling,
    owner,
    owner,
    start_order,
)


def ask_about_settings(site: Site) -> None:
    """Set one problem of a system with settings.

    Args:
        site: with settings, versions and modules.
    """
    site.draw.choice(_SETTINGS)(site)
