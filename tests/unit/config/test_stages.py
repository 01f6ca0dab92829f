"""Stages: a hundred of any tables that are not refused, ordered, without a circle."""

import math
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.bands import BANDS
from qmpi.config.checks import contradictions
from qmpi.config.curriculum import STAGES, CurriculumSettings, StageSettings
from qmpi.config.curriculum_checks import ROUNDING
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.load import faults_of
from qmpi.config.settings import Settings
from qmpi.config.stages import Stage, Thresholds, stages_of
from qmpi.config.train import TrainSettings
from qmpi.errors import ConfigError

NAMES = ("sums", "talk", "code")
PROGRESSIONS = st.sampled_from(["linear", "exponential", "logarithmic"])
CORPUS = CorpusSource(name="books", path="builtin:python")

levels = st.integers(1, 100)
spans = st.tuples(levels, levels).map(sorted)


def job(
    sources: Iterable[ContentSource], curriculum: CurriculumSettings, tokens: int = 2048
) -> Settings:
    return Settings(
        data=DataSettings(sources=(*sources, CORPUS)),
        curriculum=curriculum,
        train=TrainSettings(sequence_tokens=tokens),
    )


def source(name: str, low: int = 1, top: int = 100) -> ContentSource:
    return ContentSource(name=name, type="mathematics", min_level=low, max_level=top)


ALL = [source(name) for name in NAMES]


@st.composite
def some_sources(draw: st.DrawFn) -> list[ContentSource]:
    names = draw(st.sets(st.sampled_from(NAMES), min_size=1).map(sorted))
    return [source(name, *draw(spans)) for name in names]


def maybe(legal: st.SearchStrategy, otherwise: object) -> st.SearchStrategy:
    return st.one_of(st.just(otherwise), legal)


wild = st.builds(
    StageSettings,
    name=st.sampled_from(["", "", "a", "b", "c"]),
    sources=maybe(st.sets(st.sampled_from([*NAMES, "books"]), max_size=2).map(tuple), ()),
    min_level=maybe(levels, 0),
    max_level=maybe(levels, 0),
    sequence_tokens=maybe(st.integers(1, 5000), 0),
    batch_factor=maybe(st.floats(0.01, 1.0), 0.0),
    rate_factor=st.floats(0.01, 2.0),
    after=maybe(
        st.lists(st.one_of(st.integers(1, 9), st.sampled_from("abc")), max_size=2).map(tuple), ()
    ),
    loss=maybe(st.floats(0.001, 20.0), 0.0),
    accuracy=maybe(st.floats(0.001, 0.999), 0.0),
)


def check(settings: Settings, stages: tuple[Stage, ...]) -> None:
    assert [stage.stage for stage in stages] == list(range(1, STAGES + 1))
    by_name = {each.name: each for each in settings.data.sources}
    reached: dict[str, int] = {}
    for stage in stages:
        low, top = stage.levels
        assert 1 <= low <= top <= 100
        assert stage.sources
        for name in stage.sources:
            having = by_name[name]
            assert isinstance(having, ContentSource)
            assert having.min_level <= top
            assert having.max_level >= low
            assert reached.get(name, 0) <= top, "stages of a source go from easy to hard"
            reached[name] = top
        assert all(before < stage.stage for before in stage.after), "no circle"
        assert bool(stage.after) is (stage.stage > 1)
        assert next(last for name, _, last in BANDS if name == stage.band) >= top
        assert 1 <= stage.sequence_tokens <= settings.train.sequence_tokens
        assert 0.0 < stage.batch_factor <= 1.0
        assert 0.0 < stage.thresholds.accuracy <= 1.0
        assert stage.thresholds.loss > 0.0
        certain = math.exp(-stage.thresholds.loss)
        assert certain >= stage.thresholds.accuracy - 2 * ROUNDING, "thresholds cross"


@given(some_sources(), st.lists(wild, max_size=6), PROGRESSIONS, st.integers(1, 4096))
def test_tables_are_refused_by_a_field_or_make_a_hundred_stages(
    sources: list[ContentSource], tables: list[StageSettings], progression: str, tokens: int
) -> None:
    curriculum = CurriculumSettings(progression=progression, stages=tuple(tables))
    settings = job(sources, curriculum, tokens)
    faults = contradictions(settings)
    assert all(fault.startswith("curriculum.stages[") for fault in faults), faults
    if not faults:
        check(settings, stages_of(settings))


@st.composite
def tame(draw: st.DrawFn) -> tuple[StageSettings, ...]:
    """Tables from easy to hard that each leave out what they like."""
    cuts = sorted(draw(st.sets(levels, min_size=2, max_size=40)))
    return tuple(
        StageSettings(
            name=draw(st.sampled_from(["", f"stage{number}"])),
            min_level=low,
            max_level=top - 1,
            sources=draw(st.sampled_from([(), (draw(st.sampled_from(NAMES)),)])),
            after=tuple(draw(st.sets(st.integers(1, number), max_size=2))) if number else (),
            sequence_tokens=draw(st.sampled_from([0, 64, 2048])),
            batch_factor=draw(st.sampled_from([0.0, 0.1, 1.0])),
            loss=draw(st.sampled_from([0.0, 0.1])),
        )
        for number, (low, top) in enumerate(pairwise(cuts))
    )


@given(tame(), PROGRESSIONS)
def test_tables_from_easy_to_hard_are_taken_as_they_are(
    tables: tuple[StageSettings, ...], progression: str
) -> None:
    settings = job(ALL, CurriculumSettings(progression=progression, stages=tables))
    assert faults_of(settings) == []
    stages = stages_of(settings)
    check(settings, stages)
    for number, table in enumerate(tables):
        mine = stages[STAGES * number // len(tables) : STAGES * (number + 1) // len(tables)]
        assert (mine[0].levels[0], mine[-1].levels[1]) == (table.min_level, table.max_level)
        assert {stage.name for stage in mine} == {table.name}
        ends = {STAGES * place // len(tables) for place in table.after} or {mine[0].stage - 1}
        assert set(mine[0].after) == (ends if number else set())
        for field in ("sequence_tokens", "batch_factor"):
            said = getattr(table, field)
            assert not said or {getattr(stage, field) for stage in mine} == {said}


@given(some_sources(), PROGRESSIONS, st.integers(1, 100))
def test_tables_that_say_nothing_change_nothing(
    sources: list[ContentSource], progression: str, tables: int
) -> None:
    bare = CurriculumSettings(progression=progression)
    silent = CurriculumSettings(progression=progression, stages=(StageSettings(),) * tables)
    assert contradictions(job(sources, silent)) == []
    assert stages_of(job(sources, silent)) == stages_of(job(sources, bare))


@given(some_sources(), PROGRESSIONS, st.integers(1, 1 << 20))
def test_what_is_derived_grows_to_what_the_job_has(
    sources: list[ContentSource], progression: str, tokens: int
) -> None:
    settings = job(sources, CurriculumSettings(progression=progression), tokens)
    stages = stages_of(settings)
    check(settings, stages)
    for before, stage in pairwise(stages):
        assert before.levels[0] <= stage.levels[0]
        assert before.sequence_tokens <= stage.sequence_tokens
        assert before.batch_factor <= stage.batch_factor
        assert before.thresholds.accuracy >= stage.thresholds.accuracy
        assert before.thresholds.loss <= stage.thresholds.loss
    last = stages[-1]
    assert (last.sequence_tokens, last.batch_factor) == (tokens, 1.0)
    assert stages[0].sequence_tokens >= min(tokens, 128)
    assert {stage.rate_factor for stage in stages} == {1.0}


def test_a_job_of_all_levels_has_a_stage_a_level() -> None:
    stages = stages_of(job(ALL, CurriculumSettings()))
    assert [stage.levels for stage in stages] == [(n, n) for n in range(1, 101)]
    ends = [(stages[low - 1].band, stages[top - 1].band) for _, low, top in BANDS]
    assert ends == [(name, name) for name, _, _ in BANDS]
    assert stages[0].thresholds == Thresholds(accuracy=0.9, loss=0.1054)
    assert stages[-1].thresholds == Thresholds(accuracy=0.5, loss=0.6931)
    assert [stages[low - 1].sequence_tokens for _, low, _ in BANDS] == [
        256, 512, 512, 1024, 1024, 2048, 2048,
    ]  # fmt: skip
    assert [stages[low - 1].batch_factor for _, low, _ in BANDS] == [0.25, *[0.5] * 3, *[1.0] * 3]


def test_a_threshold_follows_from_the_other() -> None:
    tables = (StageSettings(accuracy=0.8), StageSettings(loss=2.0))
    stages = stages_of(job(ALL, CurriculumSettings(stages=tables)))
    assert stages[0].thresholds == Thresholds(accuracy=0.8, loss=0.2231)
    assert stages[-1].thresholds == Thresholds(accuracy=0.1353, loss=2.0)


def test_what_a_table_asks_is_not_rounded() -> None:
    tables = (StageSettings(accuracy=0.999999), StageSettings(loss=0.123456))
    stages = stages_of(job(ALL, CurriculumSettings(stages=tables)))
    assert (stages[0].thresholds.accuracy, stages[-1].thresholds.loss) == (0.999999, 0.123456)


def test_a_job_without_generated_sources_has_no_levels() -> None:
    with pytest.raises(ConfigError, match="no levels to have stages"):
        stages_of(job([], CurriculumSettings()))
