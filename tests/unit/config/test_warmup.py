"""The warm-up of data: a source that a job is given once, and what contradicts it."""

import pytest

from qmpi.config.identity import differences, identity
from qmpi.config.ladder import generated_sources
from qmpi.config.load import dump_toml, parse_job, settings_digest
from qmpi.config.warmup import first_weights
from qmpi.errors import ConfigError

SOURCES = """
[[data.sources]]
kind = "content"
name = "sums"
type = "mathematics"
weight = 2.0
[[data.sources]]
kind = "corpus"
name = "books"
path = "builtin:python"
"""
WARM = ["curriculum.warmup_steps=100"]
ADAPTIVE = ["curriculum.kind=adaptive"]


@pytest.mark.parametrize("kind", [[], ADAPTIVE])
def test_a_job_is_given_its_source_once(kind: list[str]) -> None:
    plain, warmed = parse_job(SOURCES, kind), parse_job(SOURCES, [*kind, *WARM])
    *others, last = warmed.data.sources
    assert tuple(others) == plain.data.sources
    assert (last.name, last.weight) == ("warm-up", 0.0)
    assert parse_job(dump_toml(warmed)) == warmed
    assert sum(first_weights(warmed)) == first_weights(warmed)[-1] == 1.0
    assert first_weights(plain) == [source.weight for source in plain.data.sources]
    assert generated_sources(warmed.data) == generated_sources(plain.data)


def test_families_are_those_that_are_named() -> None:
    told = parse_job(SOURCES, [*WARM, 'curriculum.warmup_families=["sort"]'])
    assert told.data.sources[-1].families == ("sort",)
    assert parse_job(SOURCES, WARM).data.sources[-1].families == (
        "brackets",
        "needle",
        "copy",
        "shift",
    )


def test_it_is_part_of_what_a_run_is() -> None:
    plain, warmed = parse_job(SOURCES), parse_job(SOURCES, WARM)
    assert "curriculum" not in identity(plain)
    assert identity(warmed)["curriculum"] == {"warmup_steps": 100}
    longer = parse_job(SOURCES, ["curriculum.warmup_steps=200"])
    assert differences(warmed, longer) == ("curriculum.warmup_steps is 100, not 200",)
    assert "curriculum.warmup_steps is 0, not 100" in differences(plain, warmed)
    others = parse_job(SOURCES, [*WARM, 'curriculum.warmup_families=["sort"]'])
    assert settings_digest(others) != settings_digest(warmed)


def test_an_adaptive_run_without_one_stays_what_it_was() -> None:
    kept = identity(parse_job(SOURCES, ADAPTIVE))["curriculum"]
    assert set(kept) == {"kind", "every_steps", "placebo_share", "most", "focus", "specialise"}


OWN = SOURCES + '[[data.sources]]\nkind = "content"\nname = "warm-up"\ntype = "drills"\n'


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        (OWN, [], "'warm-up' is what the source of a warm-up is called"),
        (OWN, WARM, "which curriculum.warmup_families describe"),
        (
            SOURCES + "[[data.recipes]]\nat = 100\nweights = {sums = 1}\n",
            WARM,
            "data.recipes[0].at = 100 lies in the warm-up",
        ),
        (
            SOURCES,
            [*WARM, 'curriculum.warmup_families=["sort", "sort"]'],
            "curriculum.warmup_families name 'sort' twice",
        ),
        (
            SOURCES,
            ['curriculum.warmup_families=["sorts"]'],
            "'sorts' is none, did you mean sort?",
        ),
    ],
)
def test_what_contradicts_it_is_refused(text: str, overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_job(text, overrides)
    assert words in str(refused.value)
