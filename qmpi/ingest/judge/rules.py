"""Quality rules: which documents are not worth training on, by thresholds on what is measured.

Theory of operation: a rule is a name and a measure; the name says whether the threshold is a floor
("min_") or a ceiling ("max_"). Rules run from cheap to dear and the first that a document breaks is
counted, so counters add up. Prose rules never see source code or data. `none` leaves everything in;
`light` takes out what is wreckage in any text (a blob of one word, a line repeated for ever); `web`
has the thresholds that Gopher, C4 and FineWeb use on pages, rounded.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from math import isfinite
from typing import NamedTuple

from qmpi.errors import InputError
from qmpi.ingest.judge.measures import Measures

Measure = Callable[[Measures], float]


class Rule(NamedTuple):
    """One rule.

    Attributes:
        measure: what is compared with the threshold.
        scope: "prose", "code" (and data) or "all".
        says: what it looks at, for help texts.
    """

    measure: Measure
    scope: str
    says: str


def _top(length: int) -> Measure:
    return partial(Measures.top_ngram, length=length)


def _again(length: int) -> Measure:
    return partial(Measures.repeated_ngrams, length=length)


RULES: dict[str, Rule] = {
    "min_characters": Rule(Measures.characters, "all", "characters of a document"),
    "max_characters": Rule(Measures.characters, "all", "characters of a document"),
    "max_code_line": Rule(Measures.mean_line, "code", "mean characters of a line of code"),
    "min_code_letters": Rule(Measures.letters, "code", "share of letters in code"),
    "min_words": Rule(Measures.word_count, "prose", "words of a document"),
    "max_words": Rule(Measures.word_count, "prose", "words of a document"),
    "min_mean_word": Rule(Measures.mean_word, "prose", "mean characters of a word"),
    "max_mean_word": Rule(Measures.mean_word, "prose", "mean characters of a word"),
    "max_symbols": Rule(Measures.symbols, "prose", "hash marks and ellipses for each word"),
    "max_digits": Rule(Measures.digits, "prose", "share of digits"),
    "min_letters": Rule(Measures.letters, "prose", "share of letters of any script"),
    "max_bullet_lines": Rule(Measures.bullet_lines, "prose", "share of lines with a bullet"),
    "max_ellipsis_lines": Rule(Measures.ellipsis_lines, "prose", "share of lines cut by ..."),
    "max_unended_lines": Rule(Measures.unended_lines, "prose", "share of lines without an end"),
    "max_boilerplate": Rule(Measures.boilerplate_lines, "prose", "share of boilerplate lines"),
    "max_repeated_lines": Rule(Measures.repeated_lines, "prose", "share of repeated lines"),
    "max_repeated_line_text": Rule(
        Measures.repeated_line_characters, "prose", "share of text in repeated lines"
    ),
    "max_repeated_paragraphs": Rule(
        Measures.repeated_paragraphs, "prose", "share of repeated paragraphs"
    ),
    "max_repeated_paragraph_text": Rule(
        Measures.repeated_paragraph_characters, "prose", "share of text in repeated paragraphs"
    ),
    "min_stop_words": Rule(Measures.stop_words, "prose", "function words of any language"),
    **{
        f"max_top_{n}gram": Rule(_top(n), "prose", f"share of the commonest {n} words")
        for n in (2, 3, 4)
    },
    **{
        f"max_repeated_{n}gram": Rule(_again(n), "prose", f"share of repeated {n} words")
        for n in range(5, 11)
    },
}
"""All rules, cheap ones first; the thresholds of "min_" rules are floors, of "max_" ceilings."""

PRESETS: dict[str, dict[str, float]] = {
    "none": {},
    "light": {
        "max_code_line": 2000,
        "max_mean_word": 50,
        "max_symbols": 1.0,
        "max_digits": 0.7,
        "min_letters": 0.2,
        "max_repeated_lines": 0.9,
        "max_repeated_line_text": 0.9,
        "max_repeated_paragraph_text": 0.9,
        "max_top_4gram": 0.6,
        "max_repeated_5gram": 0.9,
    },
    "web": {
        "min_characters": 100,
        "max_code_line": 200,
        "min_code_letters": 0.25,
        "min_words": 50,
        "max_words": 100_000,
        "min_mean_word": 0.9,
        "max_mean_word": 12,
        "max_symbols": 0.1,
        "max_digits": 0.25,
        "min_letters": 0.6,
        "max_bullet_lines": 0.9,
        "max_ellipsis_lines": 0.3,
        "max_unended_lines": 0.88,
        "max_boilerplate": 0.2,
        "max_repeated_lines": 0.3,
        "max_repeated_line_text": 0.2,
        "max_repeated_paragraphs": 0.3,
        "max_repeated_paragraph_text": 0.2,
        "min_stop_words": 2,
        "max_top_2gram": 0.20,
        "max_top_3gram": 0.18,
        "max_top_4gram": 0.16,
        "max_repeated_5gram": 0.15,
        "max_repeated_6gram": 0.14,
        "max_repeated_7gram": 0.13,
        "max_repeated_8gram": 0.12,
        "max_repeated_9gram": 0.11,
        "max_repeated_10gram": 0.10,
    },
}


def thresholds(preset: str, changes: Mapping[str, str]) -> dict[str, float]:
    """Thresholds to apply.

    Args:
        preset: "none", "light" or "web".
        changes: thresholds by rule, as typed; "off" drops a rule of the preset.

    Returns:
        Thresholds by rule, in the order of `RULES`.

    Raises:
        InputError: no such preset or rule, or no number.
    """
    if preset not in PRESETS:
        raise InputError(f"no rules {preset!r}; choose among {', '.join(PRESETS)}")
    chosen = dict(PRESETS[preset])
    for name, value in changes.items():
        if name not in RULES:
            near = get_close_matches(name, RULES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(RULES)}"
            raise InputError(f"no rule {name!r}{hint}")
        if value == "off":
            chosen.pop(name, None)
            continue
        try:
            chosen[name] = float(value)
        except ValueError as error:
            raise InputError(f"rule {name}: {value!r} is no number and not 'off'") from error
        if not isfinite(chosen[name]):
            raise InputError(f"rule {name}: {value!r} is no threshold; 'off' drops the rule")
    return {name: chosen[name] for name in RULES if name in chosen}


def broken_rule(
    measures: Measures, limits: Mapping[str, float], *, prose: bool
) -> tuple[str, float] | None:
    """The first rule that a document breaks.

    Args:
        measures: of the document.
        limits: thresholds by rule.
        prose: whether rules for prose apply, or those for code.

    Returns:
        Name of the rule and what was measured; None if the document is good.
    """
    skipped = "code" if prose else "prose"
    for name, limit in limits.items():
        rule = RULES[name]
        if rule.scope == skipped:
            continue
        value = rule.measure(measures)
        if (value < limit) if name.startswith("min_") else (value > limit):
            return name, value
    return None
