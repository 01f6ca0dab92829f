"""Genres to look things up in: dictionary with tables of forms, names, numbers and dates."""

from collections.abc import Callable

from qmpi.content.address import LANGUAGES
from qmpi.content.level import sized
from qmpi.content.multilingual.scribe import Scribe
from qmpi.content.multilingual.word_forms import lexis
from qmpi.content.page import Page

_CELLS: dict[tuple[str, str], tuple[tuple[int, str], ...]] = {
    ("en", "noun"): ((2, "sg"), (3, "pl")),
    ("en", "verb"): ((3, "inf"), (4, "prs.sg"), (5, "pst")),
    ("de", "noun"): ((3, "nom.sg"), (4, "acc.sg"), (5, "dat.sg"), (6, "nom.pl"), (7, "dat.pl")),
    ("de", "verb"): ((3, "inf"), (4, "prs.sg"), (5, "pst.sg"), (6, "pst.pl")),
    ("ru", "noun"): (
        (4, "nom.sg"), (5, "acc.sg"), (6, "gen.sg"), (7, "dat.sg"), (9, "nom.pl"), (10, "acc.pl"),
        (11, "gen.pl"), (12, "dat.pl"),
    ),
    ("ru", "verb"): (
        (3, "pst.m"), (4, "pst.f"), (5, "pst.n"), (6, "pst.pl"), (7, "prs.sg"), (8, "prs.pl"),
        (9, "fut.sg"), (10, "fut.pl"),
    ),
    ("ru", "adjective"): (
        (1, "m"), (2, "f"), (3, "n"), (4, "pl"), (5, "acc.f"), (6, "gen.m"), (7, "gen.f"),
        (8, "gen.pl"),
    ),
    ("tr", "noun"): (
        (2, "nom.sg"), (3, "acc.sg"), (4, "dat.sg"), (5, "loc.sg"), (6, "nom.pl"), (7, "acc.pl"),
        (8, "dat.pl"),
    ),
    ("tr", "verb"): ((3, "pst"), (4, "prs"), (5, "fut")),
    ("ar", "noun"): ((3, "sg"), (4, "pl")),
    ("ar", "verb"): ((3, "pst.m"), (4, "pst.f"), (5, "prs.m"), (6, "prs.f")),
    ("hi", "noun"): ((3, "dir.sg"), (4, "obl.sg"), (5, "dir.pl"), (6, "obl.pl")),
    ("hi", "adjective"): ((1, "m"), (2, "obl"), (3, "f")),
    ("ja", "verb"): ((3, "pst.pol"), (4, "prs.pol"), (5, "pst"), (6, "prs")),
    ("ja", "noun"): ((2, "n"),),
    ("zh", "noun"): ((2, "n"),),
}  # fmt: skip
_ROMANCE = {
    "noun": ((3, "sg"), (4, "pl")),
    "adjective": ((1, "m.sg"), (2, "f.sg"), (3, "m.pl"), (4, "f.pl")),
    "verb": (
        (3, "prs.sg"), (4, "prs.pl"), (5, "pst.sg"), (6, "pst.pl"), (7, "fut.sg"), (8, "fut.pl"),
    ),
}  # fmt: skip


def cells_of(language: str, kind: str) -> tuple[tuple[int, str], ...]:
    """Return the fields that a table of forms shows.

    Args:
        language: code.
        kind: noun, adjective or verb.

    Returns:
        Field and its label; empty where there is nothing to inflect.
    """
    if language in {"fr", "es", "it", "pt"}:
        return _ROMANCE[kind]
    return _CELLS.get((language, kind), ())


def _entry(scribe: Scribe, kind: str) -> None:
    page, draw, words = scribe.page, scribe.draw, scribe.words
    table = {"noun": words.nouns, "adjective": words.adjectives, "verb": words.verbs}[kind]
    cells = cells_of(words.language, kind)
    reach = min(len(table), 150 + len(table) * page.budget.vocabulary // 100)
    row = draw.below(reach)
    fields = table[row]
    if fields[3 if kind == "verb" else 1] == "-":
        return
    number = scribe.word(kind, row)
    page.fact("form", fields[cells[0][0]], words.language, number, cells[0][0])
    page.say(f" ({scribe.heading(kind)})")
    gap = draw.choice(("\n  ", "; ", ", ", " | "))
    for place, (field, label) in enumerate(cells[1:]):
        page.say(": " if place == 0 and gap != "\n  " else gap)
        page.say(f"{label} ")
        page.fact("form", fields[field], words.language, number, field)
    concept = (kind == "noun" and fields[0] != "w") or kind == "verb"
    if concept and draw.below(4):
        _translations(scribe, kind, row, number)
    page.say("\n")


def _translations(scribe: Scribe, kind: str, row: int, number: int) -> None:
    page, field = scribe.page, 3 if kind == "verb" else 1
    others = [code for code in LANGUAGES if code != scribe.language]
    chosen = scribe.draw.sample(others, scribe.draw.between(1, 4))
    tables = {code: getattr(lexis(code), kind + "s") for code in chosen}
    chosen = [code for code in chosen if tables[code][row][field] != "-"]
    if chosen:
        page.say(scribe.draw.choice(("\n  ", " → ", "\n= ")))
    for place, code in enumerate(chosen):
        first = (cells_of(code, kind) or ((3, ""),))[0][0]
        page.say(", " if place else "")
        page.say(f"[{code}] ")
        page.fact("form", tables[code][row][first], code, number, first)


def dictionary(page: Page) -> None:
    """Write entries with their forms, translations and examples.

    Args:
        page: empty.
    """
    page.genre = "dictionary"
    scribe = Scribe(page)
    draw = page.draw
    kinds = [kind for kind in ("noun", "verb", "adjective") if cells_of(page.language, kind)]
    for place in range(sized(draw, page.budget.entities, 7, 24)):
        page.say(draw.choice(("\n", "\n\n")) if place else "")
        _entry(scribe, draw.choice(kinds))
        page.say(f"  {scribe.heading('example')}{scribe.colon}")
        scribe.tell(draw.between(1, 2))
        if scribe.full():
            break
    page.say("\n")


def names(page: Page) -> None:
    """Write names of countries, currencies or languages in several languages.

    Args:
        page: empty.
    """
    page.genre = "table of names"
    draw = page.draw
    others = draw.sample([c for c in LANGUAGES if c != page.language], draw.between(1, 3))
    scribe = Scribe(page)
    page.world["languages"] = [page.language, *others]
    tables = {name: getattr(scribe.words, name) for name in ("regions", "currencies", "tongues")}
    count = sized(draw, page.budget.entities, 30, 90)
    name = draw.choice(("regions", "regions", "currencies", "tongues"))
    gap = draw.choice((" — ", " | ", "\t", " = ", ", "))
    for row in draw.sample(range(len(tables[name])), count):
        number = scribe.word(name, row)
        for place, code in enumerate((page.language, *others)):
            page.say(gap if place else "")
            page.fact("name", getattr(lexis(code), name)[row][1], code, number)
        page.say("\n")
        if draw.below(4) == 0:
            scribe.tell(1)
            page.say("\n")
        if scribe.full():
            break


def numbers(page: Page) -> None:
    """Write numbers, dates and amounts as several languages do, with sentences between.

    Args:
        page: empty.
    """
    page.genre = "numbers and dates"
    draw = page.draw
    others = draw.sample([c for c in LANGUAGES if c != page.language], draw.between(1, 3))
    scribe = Scribe(page)
    codes = [page.language, *others]
    page.world["languages"] = [*codes]
    makers = [
        ("date", lambda code, number: scribe.date(code, weekday=True, number=number)),
        ("date", lambda code, number: scribe.date(code, number=number)),
        ("amount", scribe.amount),
        ("number", scribe.figure),
    ]
    spoken = [code for code in codes if lexis(code).numbers]
    for _ in range(sized(draw, page.budget.entities, 18, 50)):
        kind = draw.below(6)
        if kind > 3:
            if spoken and kind == 4:
                number = scribe.figure(spoken[0], scribe.small())
                _row(scribe, spoken, scribe.in_words, number, " = ")
            else:
                scribe.tell(1)
        else:
            label, make = makers[kind]
            page.say(f"{scribe.heading(label)}{scribe.colon}")
            number = make(page.language, -1)
            _row(scribe, others, make, number, " | ")
        page.say("\n")
        if scribe.full():
            break


def _row(
    scribe: Scribe, codes: list[str], make: Callable[[str, int], int], number: int, gap: str
) -> None:
    for code in codes:
        scribe.page.say(f"{gap}[{code}] ")
        make(code, number)
