"""[curriculum]: what contradicts itself is refused by its field; none of it is a run's identity."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.bands import BANDS, LEVELS
from qmpi.config.curriculum import STAGES, CurriculumSettings, StageSettings
from qmpi.config.identity import FREE, differences, identity
from qmpi.config.ladder import spread, stages_of_table
from qmpi.config.load import dump_toml, parse_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.protocol.batch import begun_batch, rate_factor
from qmpi.units import Step

SOURCES = """
[[data.sources]]
kind = "content"
name = "sums"
type = "mathematics"
[[data.sources]]
kind = "content"
name = "talk"
type = "conversation"
max_level = 50
[[data.sources]]
kind = "corpus"
name = "books"
path = "builtin:python"
"""
PROGRESSIONS = ("linear", "exponential", "logarithmic")


def job(*tables: str) -> str:
    return SOURCES + "".join(f"\n[[curriculum.stages]]\n{table}\n" for table in tables)


REFUSED = {
    "a source that is not there": (
        ['sources = ["nix"]'],
        ['stages[0].sources: "nix" is no source', "sums, talk"],
    ),
    "a source without levels": (['sources = ["books"]'], ["stages[0].sources", "a corpus"]),
    "levels the wrong way round": (
        ["min_level = 9\nmax_level = 3"],
        ["stages[0].min_level = 9 is above max_level = 3"],
    ),
    "above a level that is derived": (
        ["min_level = 60", ""],
        ["stages[0].min_level = 60 is above max_level = 50, which is derived"],
    ),
    "below a level that is derived": (
        ["", "max_level = 50"],
        ["stages[1].max_level = 50 is below min_level = 51, which is derived"],
    ),
    "levels that its source has not": (
        ['sources = ["talk"]\nmin_level = 60\nmax_level = 70'],
        ["stages[0].min_level: no source", "60 to 70", "talk has 1 to 50"],
    ),
    "derived levels that its source has not": (
        ["", 'sources = ["talk"]'],
        ["stages[1].sources: no source", "51 to 100"],
    ),
    "a stage that is not there": (
        ['name = "a"', 'after = ["b"]', "after = [4]"],
        ['stages[1].after = "b": there is no such stage; known are 1 to 3, "a"',
         "stages[2].after = 4: there is no such"],
    ),
    "a stage after itself": (["", "after = [2]"], ["stages[1].after = 2 is circular: it is this"]),
    "a circle": (
        ["", 'name = "a"\nafter = ["b"]', 'name = "b"'],
        ['stages[1].after = "b" is circular: curriculum.stages[2] comes after this one'],
    ),
    "a later stage": (
        ["", "after = [3]", "after = [1]"],
        ["stages[1].after = 3 stands behind this one", "put curriculum.stages[2] before it"],
    ),
    "one name twice": (['name = "a"', 'name = "a"'], ["stages[1].name", "that of curriculum"]),
    "sequences that are too long": (
        ["sequence_tokens = 4096"],
        ["stages[0].sequence_tokens = 4096 is above train.sequence_tokens"],
    ),
    "thresholds that cross": (
        ["accuracy = 0.9\nloss = 0.2"],
        ["stages[0].loss = 0.2 crosses curriculum.stages[0].accuracy = 0.9", "0.105 or less"],
    ),
    "from hard to easy": (
        ["min_level = 50\nmax_level = 60", "min_level = 1\nmax_level = 100"],
        ["stages[1].min_level: its first stage ends at level 2, below 60"],
    ),
    "less of the same levels": (
        ["min_level = 7\nmax_level = 7\naccuracy = 0.9", "min_level = 7\nmax_level = 7\nloss = 1"],
        ["stages[1].loss asks less than curriculum.stages[0], which it comes after"],
    ),
    "less of the same levels, through another": (
        ["min_level = 7\nmax_level = 7\naccuracy = 0.9", 'sources = ["talk"]\nmin_level = 8',
         'sources = ["sums"]\nmin_level = 7\nmax_level = 7\naccuracy = 0.8\nafter = [1]'],
        ["stages[2]"],
    ),
    "more tables than stages": ([""] * 101, ["curriculum.stages: 101 tables", "100 stages"]),
    "certainty": (["accuracy = 1.0"], ["stages[0].accuracy = 1.0", "below 1"]),
    "no rate": (["rate_factor = 0"], ["stages[0].rate_factor = 0", "above 0"]),
    "no number": (["batch_factor = nan"], ["stages[0].batch_factor = nan"]),
    "a truth value": (["after = [true]"], ["stages[0].after"]),
    "an unknown field": (["levels = 3"], ["stages[0].levels: no such field"]),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "said"), REFUSED.values(), ids=REFUSED)
def test_contradictions_are_refused_by_their_field(tables: list[str], said: list[str]) -> None:
    with pytest.raises(ConfigError) as told:
        parse_job(job(*tables))
    assert [words for words in said if words not in str(told.value)] == []


@pytest.mark.parametrize(
    "tables",
    [
        [""] * 100,
        ["accuracy = 0.9\nloss = 0.106"],  # both rounded
        ["accuracy = 0.9", "accuracy = 0.6"],  # harder levels, so less is asked
        [
            "min_level = 7\nmax_level = 7\naccuracy = 0.8",
            "min_level = 7\nmax_level = 7\nloss = 0.1",
        ],
        ['sources = ["sums"]\nmin_level = 50', 'sources = ["talk"]\nmin_level = 1\nmax_level = 9'],
        ['name = "a"', 'name = "b"', 'after = ["a", 2]'],
        ["min_level = 1\nmax_level = 20"] * 100,  # stages of one table each repeat levels
    ],
)
def test_what_contradicts_nothing_is_read_and_written(tables: list[str]) -> None:
    settings = parse_job(job(*tables))
    assert len(settings.curriculum.stages) == len(tables)
    assert parse_job(dump_toml(settings)).curriculum == settings.curriculum


def test_tables_without_a_generated_source_are_refused() -> None:
    corpus = '[[data.sources]]\nkind = "corpus"\nname = "books"\npath = "builtin:python"\n'
    parse_job(corpus)
    with pytest.raises(ConfigError, match=r"curriculum\.stages: no source .* is generated"):
        parse_job(f"{corpus}[[curriculum.stages]]\n")


def test_a_source_without_a_level_is_told_once() -> None:
    wrong = '[[data.sources]]\nkind = "content"\nname = "a"\ntype = "code"\nmin_level = 9\n'
    with pytest.raises(ConfigError, match=r"1 mistake\n.*min_level = 9 is above max_level = 3"):
        parse_job(f"{wrong}max_level = 3\n[[curriculum.stages]]\nname = 'a'\n")


def test_none_of_it_is_the_identity() -> None:
    other = Settings(
        curriculum=CurriculumSettings(
            progression="exponential", stages=(StageSettings(accuracy=0.5, rate_factor=0.5),)
        )
    )
    assert settings_digest(other) == settings_digest(Settings())
    assert differences(Settings(), other) == ()
    assert "[curriculum]" in FREE


@given(st.integers(1, STAGES))
def test_tables_share_the_stages_evenly(tables: int) -> None:
    shares = [stages_of_table(number, tables) for number in range(tables)]
    assert [stage for share in shares for stage in share] == list(range(1, STAGES + 1))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_seven_tables_get_the_bands() -> None:
    shares = [stages_of_table(number, len(BANDS)) for number in range(len(BANDS))]
    assert [(share[0], share[-1]) for share in shares] == [(low, top) for _, low, top in BANDS]


@given(
    st.lists(st.integers(1, LEVELS), min_size=1, unique=True).map(sorted),
    st.integers(1, STAGES),
    st.sampled_from(PROGRESSIONS),
)
def test_every_level_lies_in_a_stage_and_none_falls(
    levels: list[int], stages: int, progression: str
) -> None:
    spans = spread(levels, stages, progression)
    assert len(spans) == stages
    assert all(low <= top for low, top in spans)
    for (low, top), (next_low, next_top) in pairwise(spans):
        assert low <= next_low
        assert top <= next_top
    assert (spans[0][0], spans[-1][1]) == (levels[0], levels[-1])
    assert {end for span in spans for end in span} <= set(levels)
    assert all(any(low <= level <= top for low, top in spans) for level in levels)


def test_progressions_differ_as_their_names_say() -> None:
    every = list(range(1, LEVELS + 1))
    linear, slow, quick = (spread(every, STAGES, progression) for progression in PROGRESSIONS)
    assert linear == tuple((level, level) for level in every)
    assert [spans[49][1] for spans in (slow, linear, quick)] == [24, 50, 74]
    for spans in (slow, quick):
        # Each band has a stage of its own, whatever the progression.
        tops = [top for _, top in spans]
        assert all(any(low <= top <= last for top in tops) for _, low, last in BANDS)


def test_a_run_that_differs_in_its_curriculum_is_told_the_field() -> None:
    static = parse_job(SOURCES)
    adaptive = parse_job(SOURCES, ["curriculum.kind=adaptive"])
    more = parse_job(SOURCES, ["curriculum.kind=adaptive", "curriculum.most=2"])
    assert differences(adaptive, more) == ("curriculum.most is 4.0, not 2.0",)
    assert 'curriculum.kind is "static", not "adaptive"' in differences(static, adaptive)
    told = parse_job(SOURCES, ["curriculum.progression=exponential"])
    assert differences(static, told) == ()
    assert settings_digest(static) == settings_digest(told) != settings_digest(adaptive)


ADAPTIVE = ("curriculum.kind=adaptive", "curriculum.sets=['rate', 'batch']")


def test_stages_that_set_something_are_part_of_a_run() -> None:
    adaptive, sets = (parse_job(SOURCES, given) for given in (ADAPTIVE[:1], ADAPTIVE))
    assert 'curriculum.sets is [], not ["rate","batch"]' in differences(adaptive, sets)
    table = "curriculum.stages=[{rate_factor=0.5}]"
    told = [parse_job(SOURCES, [*given, table]) for given in (ADAPTIVE[:1], ADAPTIVE)]
    assert differences(adaptive, told[0]) == ()
    assert any(said.startswith("curriculum.stages is") for said in differences(sets, told[1]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["curriculum.kind=static"], "curriculum.sets says what stages set as a run masters them"),
        (
            ["batch.grow=doubling", "batch.first_lanes=2", "batch.grow_steps=9"],
            "batch.grow does too: leave out one of them",
        ),
        (["batch.first_lanes=2"], "batch.first_lanes does too: leave out one of them"),
        (
            ["curriculum.stages=[{batch_factor=0.5},{batch_factor=0.25}]"],
            "stage 51 has the batch_factor 0.25, less than the stage before it (0.5)",
        ),
    ],
)
def test_stages_that_cannot_set_a_batch_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_job(SOURCES, [*ADAPTIVE, *given])


def test_a_batch_of_stages_may_lead_the_rate() -> None:
    settings = parse_job(SOURCES, [*ADAPTIVE, "batch.rate=sqrt"])
    begun = begun_batch(settings, Step(0), 0)
    assert begun is not None
    assert (begun.lanes, settings.train.lanes) == (2, 8)
    assert rate_factor(begun, 0) == 0.5


def test_constants_of_the_rule_belong_to_a_run_and_at_their_defaults_change_no_identity() -> None:
    adaptive = ["curriculum.kind=adaptive"]
    plain, same, other = (
        parse_job(SOURCES, [*adaptive, *more])
        for more in ((), ("curriculum.fast=0.1",), ("curriculum.slow=0.01",))
    )
    # As hashed before the constants were settings.
    assert not {"fast", "slow", "least_progress"} & identity(plain)["curriculum"].keys()
    assert settings_digest(plain) == settings_digest(same) != settings_digest(other)
    assert differences(plain, other) == ("curriculum.slow is 0.02, not 0.01",)
    with pytest.raises(ConfigError, match=r"curriculum\.slow = 0\.2 is above curriculum\.fast"):
        parse_job(SOURCES, [*adaptive, "curriculum.slow=0.2"])
