"""An invented software system: modules, settings, errors, versions, and how they are named.

Theory of operation. The world is plain data on the page. `Site` makes its parts when a genre asks
for them, in an order that the draws fix, and holds what fills the holes of sentences: a fact of
the setting, module or error spoken of, or a drawn word of software.
"""

from datetime import date
from typing import Any

from qmpi.content.counter import Draw
from qmpi.content.document import Plain
from qmpi.content.english.lexicon import with_article
from qmpi.content.english.prose import Said
from qmpi.content.english.registers import TIERS, tier_of
from qmpi.content.english.telling import Stage
from qmpi.content.page import Page
from qmpi.content.technical.words import ASPECTS, CHOICES, PARTS, plurals, table_of

Row = dict[str, Any]
_FIRST_DAY = date(2019, 1, 1).toordinal()
_WORDS = ("op", "op3", "opd", "opn", "opg", "part", "parts", "apart", "trait", "atrait", "how")
_TABLES = tuple({hole: table_of(hole, tier) for hole in _WORDS} for tier in range(TIERS))
"""Words of software by hole, a table a tier."""
_VERBS = tuple(
    tuple(said.text for said in forms)
    for forms in zip(*(_TABLES[-1][form] for form in ("op", "op3", "opd", "opn")), strict=True)
)
"""Base, third person, past and participle of each verb, the commonest first."""
_SWITCH = ("off", "on")


class Site(Stage):
    """The system of one page.

    Attributes:
        name: of the system, lower case.
        settings: of the world.
        modules: of the world.
        errors: of the world.
        versions: of the world, oldest first.
        deeds: of the world: which module does what to which things.
    """

    def __init__(self, page: Page, genre: str) -> None:
        """Found a system with a few modules.

        Args:
            page: to write on; its world is filled here.
            genre: of the text.
        """
        words = _TABLES[tier_of(page.budget)]
        super().__init__(page, genre, words)
        self._verbs = _VERBS[: len(words["op"])]
        self.name = self.prose.coinage()
        self.settings: list[Row] = []
        self.modules: list[Row] = []
        self.errors: list[Row] = []
        self.deeds: list[Row] = []
        self.versions: list[Row] = []
        self._about: list[dict[str, Said]] = []
        self._named: set[str] = set()
        world: dict[str, Any] = page.world
        world["settings"], world["modules"] = self.settings, self.modules
        world["deeds"] = self.deeds
        world["errors"], world["versions"] = self.errors, self.versions
        page.world["system"] = self.name
        capital = self.name[0].upper() + self.name[1:]
        self.holes["sys"] = Said(capital, "system")
        self._items = [self.item() for _ in range(self.size("entities", 2, 6))]
        self._add_modules(self.size("entities", 2, 5))
        self._add_deeds(len(self.modules) + self.size("entities", 3, 7))
        self.turn()

    def item(self) -> str:
        """Return a thing that the system may handle.

        Returns:
            A singular noun of small letters.
        """
        known = plurals()
        while True:
            noun = self.prose.word("n thing")
            if noun in known:
                return noun

    def fresh(self, name: str) -> str:
        """Return a name that nothing on this page has.

        Args:
            name: wished for.

        Returns:
            It, or a coinage.
        """
        while name in self._named:
            name = self.prose.coinage()
        self._named.add(name)
        return name

    def _add_modules(self, count: int) -> None:
        draw = self.draw
        for number in range(count):
            part = draw.choice(PARTS) if draw.chance(60) else self.prose.coinage()
            needs = [other for other in range(number) if draw.chance(120 // count)]
            self.modules.append(
                {"name": self.fresh(part), "needs": needs, "owner": self.prose.person()}
            )

    # What modules do is drawn once, so that all sentences of a document tell the same of them.
    def _add_deeds(self, count: int) -> None:
        draw = self.draw
        now: list[Said] = []
        once: list[Said] = []
        for number, verb in enumerate(draw.sample(self._verbs, count)):
            module = number if number < len(self.modules) else draw.below(len(self.modules))
            item = draw.choice(self._items)
            self.deeds.append({"module": module, "verb": list(verb), "item": item})
            _, third, past, done = verb
            name, many = f"`{self.modules[module]['name']}`", plurals()[item]
            # Two of the ways to say it now and one of those to say it of the past; the choice of
            # all of them in every document would cost more than the sentences.
            told = (
                f"{name} {third} {many}", f"{many} are {done} by {name}",
                f"{name} {third} each {item}", f"it is {name} that {third} {many}",
            )  # fmt: skip
            place = draw.below(4)
            now.append(Said(told[place], "deed", (number,)))
            now.append(Said(told[place - 1], "deed", (number,)))
            told = (
                f"{name} {past} {many}", f"{many} were {done} by {name}",
                f"{name} had {done} each {item}",
            )  # fmt: skip
            once.append(Said(told[place % 3], "deed", (number,)))
        self.holes.offer("deed", now)
        self.holes.offer("deed_past", once)

    def add_settings(self, count: int) -> None:
        """Add settings.

        Args:
            count: how many.
        """
        draw = self.draw
        for _ in range(count):
            aspect, kind, unit = draw.choice(ASPECTS)
            item = draw.choice(self._items)
            name = f"{item}_{aspect}"
            while name in self._named:
                item = self.item()
                name = f"{item}_{aspect}"
            self._named.add(name)
            row: Row = {
                "name": name, "module": draw.below(len(self.modules)), "kind": kind, "unit": unit,
                "item": item,
            }  # fmt: skip
            _give_values(draw, row, kind)
            self._about.append(self._said(len(self.settings), row))
            self.settings.append(row)

    def _said(self, number: int, row: Row) -> dict[str, Said]:
        item, name = str(row["item"]), str(row["name"])
        module = str(self.modules[row["module"]]["name"])
        said = {
            "key": Said(f"`{module}.{name}`", "key", (number,)),
            "flag": Said(f"`--{name.replace('_', '-')}`", "flag", (number,)),
            "env": Said(f"`{self.name.upper()}_{name.upper()}`", "env", (number,)),
            "default": Said(spelled(row, row["default"]), "value", (number, row["default"])),
            "item": Said(item),
            "aitem": Said(with_article(item)),
            "items": Said(plurals()[item]),
        }
        if "high" in row:
            said["low"] = Said(spelled(row, row["low"]), "low", (number,))
            said["high"] = Said(spelled(row, row["high"]), "high", (number,))
        if "choices" in row:
            words = [f"`{word}`" for word in row["choices"]]
            said["choices"] = Said(f"{', '.join(words[:-1])} or {words[-1]}", "choices", (number,))
        return said

    def retell(self) -> None:
        """Take changed defaults of settings into what is said of them."""
        for number, row in enumerate(self.settings):
            default = row["default"]
            self._about[number]["default"] = Said(spelled(row, default), "value", (number, default))

    def add_errors(self, count: int) -> None:
        """Add errors; there must be settings.

        Args:
            count: how many.
        """
        draw = self.draw
        head = self.name[:3].upper()
        codes = draw.sample(range(100, 1000), count)
        exits = draw.sample(range(2, 120), count)
        for number in range(count):
            row: Row = {
                "code": f"{head}-{codes[number]}", "exit": exits[number],
                "setting": draw.below(len(self.settings)), "retry": draw.chance(50),
            }  # fmt: skip
            self.errors.append(row)
        if count:
            self.turn_error(0)

    def add_versions(self, count: int) -> None:
        """Add versions, oldest first, and say since when each setting exists.

        Args:
            count: how many, >= 1.
        """
        draw = self.draw
        major, minor, patch = draw.below(4), draw.below(9), draw.below(12)
        day = _FIRST_DAY + draw.below(4000)
        for _ in range(count):
            self.versions.append(
                {"number": f"{major}.{minor}.{patch}", "date": date.fromordinal(day).isoformat()}
            )
            kind = draw.below(10)
            if kind == 0:
                major, minor, patch = major + 1, 0, 0
            elif kind < 5:
                minor, patch = minor + 1 + draw.below(2), 0
            else:
                patch += 1 + draw.below(3)
            day += 5 + draw.below(120)
        for number, row in enumerate(self.settings):
            since = draw.below(count)
            row["since"] = since
            self._about[number]["since"] = self.version(since)

    def version(self, number: int) -> Said:
        """Return a version's number as a fact.

        Args:
            number: of the version.

        Returns:
            As "3.4.1".
        """
        return Said(str(self.versions[number]["number"]), "version", (number,))

    def module(self, number: int) -> Said:
        """Return a module's name as a fact.

        Args:
            number: of the module.

        Returns:
            In backticks.
        """
        return Said(f"`{self.modules[number]['name']}`", "module", (number,))

    def code(self, number: int) -> Said:
        """Return an error's code as a fact.

        Args:
            number: of the error.

        Returns:
            In backticks.
        """
        return Said(f"`{self.errors[number]['code']}`", "code", (number,))

    def turn(self, setting: int | None = None) -> None:
        """Speak of a setting, or of any module and item, from now on.

        Args:
            setting: its number; None: none in particular.
        """
        holes, draw = self.holes, self.draw
        if setting is None:
            item = draw.choice(self._items)
            holes["item"], holes["items"] = Said(item), Said(plurals()[item])
            holes["aitem"] = Said(with_article(item))
            holes["mod"] = self.module(draw.below(len(self.modules)))
            return
        holes.update(self._about[setting])
        module = self.settings[setting]["module"]
        holes["mod"] = self.module(module)
        other = (setting + 1 + draw.below(max(1, len(self.settings) - 1))) % len(self.settings)
        holes["key2"] = self._about[other]["key"]

    def turn_error(self, number: int) -> None:
        """Speak of an error and its setting from now on.

        Args:
            number: of the error.
        """
        row = self.errors[number]
        self.turn(row["setting"])
        self.holes["code"] = self.code(number)

    def about(self, setting: int, hole: str) -> Said:
        """Return a fact of a setting.

        Args:
            setting: its number.
            hole: key, flag, env, default, low, high, choices or since.

        Returns:
            The piece.
        """
        return self._about[setting][hole]


def _give_values(draw: Draw, row: Row, kind: str) -> None:
    if kind == "switch":
        row["default"] = draw.chance(50)
    elif kind == "choice":
        choices: list[Plain] = list(draw.sample(CHOICES, 3 + draw.below(3)))
        row["choices"] = choices
        row["default"] = draw.choice(choices)
    else:
        low, high = (0, 90) if kind == "share" else (draw.below(12), 20 + draw.below(2000))
        high = high if draw.chance(50) or kind == "share" else high * 10
        default = low + 1 + draw.below(high - low)
        if draw.chance(40):
            # People prefer round numbers.
            low, high, default = low // 5 * 5, -(-high // 100) * 100, max(low, default // 10 * 10)
            high = min(high, 100) if kind == "share" else high
        row["low"], row["high"], row["default"] = low, high, default


def value_for(draw: Draw, row: Row) -> Plain:
    """Return a value that a setting may take, seldom the default.

    Args:
        draw: chance.
        row: the setting.

    Returns:
        Number, truth value or word.
    """
    if "high" in row:
        low, high = row["low"], row["high"]
        return draw.between(low, high)
    if "choices" in row:
        return draw.choice(row["choices"])
    return not row["default"]


def spelled(row: Row, value: Plain) -> str:
    """Return a value as prose has it.

    Args:
        row: the setting.
        value: one that it may take.

    Returns:
        With unit; words in backticks; on or off.
    """
    if row["kind"] == "switch":
        return _SWITCH[bool(value)]
    if row["kind"] == "choice":
        return f"`{value}`"
    unit = row["unit"]
    return f"{value}" if not unit else f"{value}%" if unit == "%" else f"{value} {unit}"
