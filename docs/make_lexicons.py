"""Write qmpi/content/data/forms-<language>.tsv.zst from concepts.tsv and the data of wheels.

Needs `pip install -r docs/requirements-lexicons.txt`; with those versions `python
docs/make_lexicons.py` writes the same bytes again. The files are kept in the repository, so nobody
else needs those wheels. A row is a kind and its fields, a tab between them; rows of one kind are
numbered from 0 in their order.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

import re
from importlib import import_module
from pathlib import Path

import lexicon_eastern as eastern
import lexicon_european as european
import lexicon_russian as russian
import zstandard
from babel import Locale
from lexicon_coarse import COARSE
from lexicon_numbers import spelled
from lexicon_verbs import romance_verb

DATA = Path(__file__).resolve().parent.parent / "qmpi" / "content" / "data"
NO_PLACES = frozenset({"XA", "XB", "ZZ", "QO", "EZ"})
"""Codes that CLDR has for tests, unknown regions and unions."""
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "tr", "ar", "hi", "ja", "zh")
NOUNS, ADJECTIVES, NAMES, SURNAMES = 2600, 900, 300, 500
SCRIPTS = {
    "ru": r"[а-яёА-ЯЁ]+", "ar": r"[\u0621-\u064a ]+", "hi": r"[\u0900-\u097f ]+",
    "ja": r"[\u3040-\u30ff\u3400-\u9fffー]+", "zh": r"[\u4e00-\u9fff]+",
}  # fmt: skip
PLAIN = r"[A-Za-zÀ-ÖØ-öø-ÿĞğİıŞşŒœ][A-Za-zÀ-ÖØ-öø-ÿĞğİıŞşŒœ’' ]+"
FAKER = dict(
    zip(
        LANGUAGES,
        "en_US de_DE fr_FR es_ES it_IT pt_PT ru_RU tr_TR ar_AA hi_IN ja_JP zh_CN".split(),
        strict=True,
    )
)
LEFT_OUT = {
    "難い",
    "terörist",
    "terrorist",
    "criminel",
    "racial",
    "julien",
}
BAD_CITIES = {"Rio de Janeiro", "Porto", "Cairo", "Port of Spain", "Port-au-Prince", "Vatican"}


def noun(cell: str, language: str) -> list[str]:
    """Return the forms of a concept's noun."""
    if language == "en":
        return european.english_noun(re.sub(r"^@\w+ ", "", cell))
    if language in {"fr", "es", "it", "pt"}:
        return european.romance_noun(re.sub(r"^@\w+ |^@à ", "", cell), language)
    if language == "de":
        made = european.german_noun(re.sub(r"^@\w+ ", "", cell))
    elif language == "ru":
        made = russian.russian_noun(re.sub(r"^@\w+ ", "", cell))
    elif language in {"ja", "zh"}:
        made = cell.split(" ")
    else:
        made = {
            "tr": eastern.turkish_noun, "ar": eastern.arabic_noun, "hi": eastern.hindi_noun,
        }[language](cell)  # fmt: skip
    if made is None:
        raise SystemExit(f"{language}: forms of {cell!r} are not certain")
    return made


def preposition(cell: str) -> str:
    """Return the preposition of a place that is not the usual one."""
    return cell[1:].split(" ")[0] if cell.startswith("@") else ""


def verb(cell: str, language: str) -> list[str] | None:
    """Return the forms of a concept's verb; None where the language has no such word."""
    if cell.startswith("-") or not cell:
        return None
    if language in {"fr", "es", "it", "pt"}:
        return romance_verb(cell, language)
    if language == "zh":
        return [cell]
    return {
        "en": european.english_verb, "de": european.german_verb, "ru": russian.russian_verb,
        "tr": eastern.turkish_verb, "ar": eastern.arabic_verb, "hi": eastern.hindi_verb,
        "ja": eastern.japanese_verb,
    }[language](cell)  # fmt: skip


def adjective(cell: str, language: str) -> list[str] | None:
    """Return the forms of a concept's adjective."""
    if cell == "-":
        return None
    if language in {"fr", "es", "it", "pt"}:
        return european.romance_adjective(cell, language)
    if language == "ru":
        return russian.russian_adjective(cell)
    if language == "hi":
        return eastern.hindi_adjective(cell)
    return european.german_adjective(cell) if language == "de" else [cell]


def many(language: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the large vocabulary of a language."""
    if language in {"fr", "es", "it", "pt"}:
        return european.romance_many(language)
    return {
        "en": european.english_many, "de": european.german_many, "ru": russian.russian_many,
        "tr": eastern.turkish_many, "ar": eastern.arabic_many, "hi": eastern.hindi_many,
        "ja": eastern.japanese_many, "zh": eastern.chinese_many,
    }[language]()  # fmt: skip


def names(language: str) -> list[list[str]]:
    """Return rows of first names with their gender, and of surnames."""
    provider = import_module(f"faker.providers.person.{FAKER[language]}").Provider
    fits = re.compile(SCRIPTS.get(language, PLAIN)).fullmatch

    def some(*lists: str) -> list[str]:
        found = [n for x in lists for n in list(getattr(provider, x, ()))]
        return list(
            dict.fromkeys(n for n in found if fits(n) and (language in "jazh" or len(n) > 1))
        )

    men, women = some("first_names_male"), some("first_names_female")
    both = set(men) & set(women)
    rows = [["p", "m", name] for name in _even([n for n in men if n not in both], NAMES)]
    rows += [["p", "f", name] for name in _even([n for n in women if n not in both], NAMES)]
    # Russian surnames differ by gender: those that do not are taken.
    surnames = some("last_names_male") or some("last_names")
    surnames = [name for name in surnames if not any(p[:1].islower() for p in name.split())]
    if language == "ru":
        surnames = [name + "ко" for name in ("Петрен", "Шевчен", "Ткачен", "Бондарен", "Кравчен")]
        surnames += [
            stem + "енко" for stem in "Тимош Лукаш Даниль Юрч Марч Гриц Павл Степан".split()
        ]
        surnames += [stem + "ских" for stem in "Донц Черн Бел Долг Сухор Кос Руч".split()]
    return rows + [["q", name] for name in _even(surnames, SURNAMES)]


def _even(items: list[str], count: int) -> list[str]:
    return items if len(items) <= count else [items[len(items) * i // count] for i in range(count)]


def cities() -> list[tuple[str, dict[str, str]]]:
    """Return zones whose city has a name in every language."""
    found = []
    for zone in sorted(Locale("de").time_zones):
        english = zone.split("/")[-1].replace("_", " ")
        if "/" not in zone or english in BAD_CITIES or not english.isalpha():
            continue
        named = {}
        for language in LANGUAGES:
            entry = Locale(language).time_zones.get(zone) or {}
            name = entry.get(
                "city", english if language in {"en", "fr", "es", "it", "pt", "de", "tr"} else ""
            )
            if name and re.fullmatch(SCRIPTS.get(language, PLAIN), name) and " " not in name:
                named[language] = name
        if len(named) == len(LANGUAGES):
            parsed = [
                p for p in russian.RUSSIAN.parse(named["ru"]) if {"Geox", "sing"} <= p.tag.grammemes
            ]
            place = (
                parsed[0].inflect({"loct"})
                if parsed and parsed[0].normal_form == named["ru"].lower()
                else None
            )
            if place is not None and russian.RUSSIAN.word_is_known(named["ru"]):
                named["ru"] += "\t" + place.word.capitalize()
                found.append((zone, named))
    return found


def turkish_city(name: str) -> str:
    """Return name and locative."""
    return f"{name}\t{name}’{eastern.turkish_noun(name.lower().replace('i̇', 'i'))[3][len(name) :]}"


def local(language: str) -> list[list[str]]:
    """Return months, weekdays, number words, and what CLDR says of territories and currencies."""
    locale = Locale(language)
    rows = [["m", locale.months["format"]["wide"][month]] for month in range(1, 13)]
    rows += [["d", locale.days["format"]["wide"][day]] for day in range(7)]
    if spelled(1, language):
        rows += [["w", spelled(number, language)] for number in range(1000)]
    symbols = locale.number_symbols["latn"]
    pattern = locale.currency_formats["standard"].pattern.split(";")[0].replace("\u200f", "")
    rows.append(
        ["f", symbols["decimal"], symbols["group"], "2" if "##,##" in pattern else "3", pattern]
    )
    for code in CODES:
        rows.append(["c", code, locale.currencies[code]])
    for code in REGIONS:
        rows.append(["r", code, locale.territories[code]])
    for code in TONGUES:
        rows.append(["l", code, locale.languages[code]])
    return rows


CODES = [
    code
    for code in sorted(Locale("en").currencies)
    if all(code in Locale(lang).currencies for lang in LANGUAGES)
    and not any(mark in Locale("en").currencies[code] for mark in "(0123456789")
]
REGIONS = [
    code
    for code in sorted(Locale("en").territories)
    if code.isalpha()
    and code not in NO_PLACES
    and all(code in Locale(lang).territories for lang in LANGUAGES)
]
TONGUES = [
    code
    for code in sorted(Locale("en").languages)
    if len(code) <= 3 and all(code in Locale(lang).languages for lang in LANGUAGES)
]


def concept_rows(rows: list[list[str]], language: str) -> list[list[str]]:
    """Return the rows that all languages share, numbered alike."""
    place = LANGUAGES.index(language)
    made = []
    for row in rows:
        if row[0] == "n":
            cell = row[2 + place]
            made.append(["n", row[1], preposition(cell), *noun(cell, language)])
        elif row[0] == "a":
            made.append(["a", row[1], *(adjective(row[2 + place], language) or ["-"])])
        elif row[0] == "v":
            made.append(["v", *row[1:4], *(verb(row[4 + place], language) or ["-"])])
        else:
            made.append([row[0], row[1], row[2 + place]])
    return made


def build(language: str, rows: list[list[str]], towns: list[tuple[str, dict[str, str]]]) -> None:
    """Write the file of a language."""
    made = concept_rows(rows, language)
    taken = {field.lower() for row in made if row[0] in "nav" for field in row[2:]}
    nouns, adjectives = many(language)
    if language == "fr":
        # Whether an h is mute is not certain; nor whether the glide of "yaourt" takes elision.
        nouns = [n for n in nouns if n[1][0] not in "hy" and not n[1].startswith(("oui", "onz"))]
        adjectives = [a for a in adjectives if a[0][0] not in "hy"]
    kept = [n for n in nouns if not {f.lower() for f in n if len(f) > 1} & taken]
    kept = [n for n in kept if not (LEFT_OUT | COARSE) & set(n)]
    made += [["n", "w", "", *n] for n in _unlike(kept)[:NOUNS]]
    kept = [a for a in adjectives if not {f.lower() for f in a} & taken]
    kept = [a for a in kept if not (LEFT_OUT | COARSE) & set(a)]
    made += [["a", "w", *a] for a in kept[:ADJECTIVES]]
    for _, named in towns:
        name = named[language]
        made.append(["y", *(turkish_city(name) if language == "tr" else name).split("\t")])
    made += names(language) + local(language)
    text = "".join("\t".join(row) + "\n" for row in made)
    packed = zstandard.ZstdCompressor(level=19).compress(text.encode())
    (DATA / f"forms-{language}.tsv.zst").write_bytes(packed)
    kinds = {kind: sum(row[0] == kind for row in made) for kind in "navtypqmdwcrl"}
    print(language, len(packed), kinds, "no verb:", sum(r[0] == "v" and r[4] == "-" for r in made))  # noqa: T201


def _unlike(rows: list[list[str]]) -> list[list[str]]:
    seen: set[str] = set()
    kept = []
    for row in rows:
        forms = {form for form in row if len(form) > 1}
        if not forms & seen:
            kept.append(row)
            seen |= forms
    return kept


def main() -> None:
    """Write all files."""
    text = (DATA / "concepts.tsv").read_text(encoding="utf8")
    rows = [line.split("\t") for line in text.splitlines()]
    towns = cities()
    for language in LANGUAGES:
        build(language, rows, towns)


if __name__ == "__main__":
    main()
