"""Specialisation: what is the same for all types is none, balanced runs rarely seem to have any."""

from math import fsum, sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.arms import with_arms
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.policy.curriculum.by_type import (
    Part,
    cells,
    parts_of,
    type_answer_losses,
    type_losses,
    weights_like,
)
from qmpi.policy.curriculum.rule import LEAST_ANSWERS
from qmpi.policy.curriculum.specialisation import (
    ALARM,
    LEAST_RUNS,
    POINTS,
    Course,
    course,
    glance,
    grid,
    judged,
    made_of,
)
from qmpi.policy.curriculum.student import quantile, two_sided
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

TYPES = ("code", "creative", "mathematics", "technical")

# Abramowitz and Stegun, table 26.10, and the normal distribution as the limit.
TABLE = [(1, 0.05, 12.706), (2, 0.05, 4.303), (4, 0.01, 4.604), (5, 0.002, 5.893), (9, 0.02, 2.821)]


@pytest.mark.parametrize(("freedom", "probability", "value"), TABLE)
def test_quantiles_are_those_of_the_tables(freedom, probability, value):
    assert quantile(probability, freedom) == pytest.approx(value, abs=6e-4)
    assert two_sided(-value, freedom) == pytest.approx(probability, rel=1e-3)


@given(st.floats(0.0, 4.0))
def test_many_degrees_of_freedom_come_to_the_normal_distribution(value):
    normal = 2.0 * NormalDist().cdf(-value)
    for freedom in (4000, 4001):
        assert two_sided(value, freedom) == pytest.approx(normal, abs=1e-3)


@given(st.integers(1, 40), st.floats(1e-6, 0.999))
def test_a_quantile_is_where_its_probability_is(freedom, probability):
    assert two_sided(quantile(probability, freedom), freedom) == pytest.approx(probability)


def run_of(ends):
    """A run that loses the same all the way."""
    return Course((ends,), ({},), ends, {})


def drawn(chance, spreads, shared=0.0):
    """What a run loses, type by type, and on all types alike."""
    common = chance.gauss(0.0, shared)
    return {name: 3.0 + common + chance.gauss(0.0, spread) for name, spread in spreads.items()}


def verdicts(reference, losses, runs):
    told = judged(reference, run_of(losses), runs)
    return {each.type: each.verdict for each in told if each.verdict}


SEEDS = st.integers(0, 2**32)
SPREADS = dict(zip(TYPES, (0.01, 0.02, 0.05, 0.4), strict=True))


@given(SEEDS, st.floats(-5.0, 5.0), st.lists(st.floats(-5.0, 5.0), min_size=6, max_size=6))
def test_what_is_the_same_for_all_types_changes_no_verdict(seed, shift, shifts):
    chance = Random(seed)
    runs = [drawn(chance, SPREADS) for _ in range(6)]
    losses = drawn(chance, SPREADS)
    losses["code"] -= chance.choice((0.0, 0.1))
    moved = [{t: x + by for t, x in run.items()} for run, by in zip(runs, shifts, strict=True)]
    plain = judged(made_of([run_of(run) for run in runs], TYPES), run_of(losses), 6)
    other = judged(
        made_of([run_of(run) for run in moved], TYPES),
        run_of({t: x + shift for t, x in losses.items()}),
        6,
    )
    assert [each.type for each in other] == [each.type for each in plain]
    for one, two in zip(plain, other, strict=True):
        assert two.relative == pytest.approx(one.relative, abs=1e-9)
        assert two.relative_z == pytest.approx(one.relative_z, rel=1e-5, abs=1e-6)
        assert (two.verdict == one.verdict) or abs(one.probability - ALARM) < 0.03


@given(SEEDS)
def test_relative_excesses_add_up_to_nothing_and_bounds_say_what_the_verdict_says(seed):
    chance = Random(seed)
    runs = [drawn(chance, SPREADS, shared=1.0) for _ in range(7)]
    reference = made_of([run_of(run) for run in runs], TYPES)
    losses = drawn(chance, {name: 3.0 * spread for name, spread in SPREADS.items()})
    told = judged(reference, run_of(losses), 7)
    assert fsum(each.relative for each in told) == pytest.approx(0.0, abs=1e-9)
    assert [each.relative for each in told] == sorted(each.relative for each in told)
    strongest = min(told, key=lambda each: each.probability)
    assert bool(strongest.verdict) == (abs(strongest.relative) >= strongest.bound)
    for each in told:
        assert each.excess == pytest.approx(each.loss - each.reference)
        expected = each.excess / reference[each.type].end.deviation / sqrt(1 + 1 / 7)
        assert each.z == pytest.approx(expected)
        if each.verdict:
            assert each.verdict == ("specialised" if each.relative < 0.0 else "weak")


@pytest.mark.parametrize("runs", [LEAST_RUNS, 10])
@pytest.mark.parametrize("shared", [0.0, 0.5])
@pytest.mark.parametrize("types", [2, 8])
def test_balanced_runs_are_called_balanced_in_nineteen_of_twenty_and_more(runs, shared, types):
    chance = Random(types)
    spreads = {f"type {n}": 0.01 * (n + 1) for n in range(types)}
    tries, alarms = 1000, 0
    for _ in range(tries):
        told = [run_of(drawn(chance, spreads, shared)) for _ in range(runs)]
        reference = made_of(told, list(spreads))
        alarms += bool(verdicts(reference, drawn(chance, spreads, shared), runs))
    assert alarms <= 0.05 * tries
    assert alarms <= ALARM * tries + 3.0 * sqrt(ALARM * tries)


def test_a_type_that_is_known_better_and_one_that_is_known_worse_are_named():
    chance = Random(3)
    spreads = dict.fromkeys(TYPES, 0.02)
    found = 0
    for _ in range(200):
        runs = [run_of(drawn(chance, spreads, shared=0.3)) for _ in range(8)]
        losses = drawn(chance, spreads, shared=0.3)
        losses["mathematics"] -= 0.3
        losses["code"] += 0.25
        told = verdicts(made_of(runs, TYPES), losses, 8)
        assert told.get("mathematics", "specialised") == "specialised"
        assert told.get("code", "weak") == "weak"
        found += {"mathematics", "code"} <= told.keys()
    assert found >= 190


def test_a_run_that_is_better_at_everything_is_balanced():
    chance = Random(5)
    spreads = dict.fromkeys(TYPES, 0.02)
    runs = [run_of(drawn(chance, spreads)) for _ in range(8)]
    losses = {name: loss - 1.0 for name, loss in runs[0].end.items()}
    told = judged(made_of(runs, TYPES), run_of(losses), 8)
    assert all(each.verdict == "" and each.z < -10.0 for each in told)


def test_too_few_runs_or_types_or_a_type_that_was_not_seen_make_no_reference():
    runs = [run_of({"a": float(n), "b": 1.0}) for n in range(LEAST_RUNS)]
    with pytest.raises(InputError, match="5 runs or more, not of 4"):
        made_of(runs[1:], ["a", "b"])
    with pytest.raises(InputError, match="one type of text"):
        made_of(runs, ["a"])
    with pytest.raises(InputError, match=r"no token of each source of c"):
        made_of(runs, ["a", "b", "c"])
    with pytest.raises(InputError, match="nothing was measured of b"):
        judged(made_of(runs, ["a", "b"]), run_of({"a": 1.0}), LEAST_RUNS)


def test_a_run_on_its_way_is_looked_at_in_its_newest_cell():
    runs = [
        Course(
            ({"a": 3.0 + n, "b": 2.0}, {"a": 1.0 + n, "b": 1.0 - n}),
            ({}, {"a": 0.5 + n}),
            {"a": 1.0, "b": 1.0},
            {},
        )
        for n in range(5)
    ]
    reference = made_of(runs, ["a", "b"])
    assert reference["a"].answers[0] is None
    assert reference["a"].answers[1].mean == 2.5
    told = glance(reference, Course(({"a": 4.0, "b": 2.5}, {}), ({}, {}), {}, {}), 5)
    assert {each.type: (each.excess, each.relative) for each in told} == {
        "a": (-1.0, -0.75), "b": (0.5, 0.75),
    }  # fmt: skip
    assert [each.verdict for each in told] == ["", ""]
    assert all(each.relative_z is None and each.bound is None for each in told)
    newest = Course(({"a": 4.0, "b": 2.5}, {"a": 2.0, "b": 1.0}), ({}, {"a": 1.5}), {}, {})
    assert {each.type: each.answer_excess for each in glance(reference, newest, 5)} == {
        "a": -1.0, "b": None,
    }  # fmt: skip
    assert glance(reference, Course(({}, {}), ({}, {}), {}, {}), 5) == ()


SOURCES = (
    CorpusSource(name="python", path="builtin:python", weight=3.0),
    ContentSource(name="sums", type="mathematics"),
    ContentSource(name="proofs", type="mathematics", min_level=41, weight=2.0),
    ContentSource(name="code", type="code", max_level=30),
)
BALANCED = Settings(data=DataSettings(sources=SOURCES))
ADAPTIVE = with_arms(
    Settings(
        data=DataSettings(sources=(SOURCES[0], SOURCES[1], SOURCES[3])),
        curriculum=CurriculumSettings(kind="adaptive"),
    )
)


def test_sources_weigh_within_their_type_as_the_job_has_them():
    parts = parts_of(BALANCED)
    assert weights_like(parts, parts) == {
        "corpus python": {0: 1.0},
        "mathematics": {1: pytest.approx(1 / 3), 2: pytest.approx(2 / 3)},
        "code": {3: 1.0},
    }


def test_arms_and_other_weights_come_to_the_same_mixture():
    plain = replace_sources(BALANCED, (SOURCES[0], SOURCES[1], SOURCES[3]))
    weights = weights_like(parts_of(ADAPTIVE), parts_of(plain))
    arms = [source.name for source in ADAPTIVE.data.sources]
    own = {arms[number]: weight for number, weight in weights["mathematics"].items()}
    assert own["sums-beginner"] == pytest.approx(0.14)
    assert own["sums-advanced"] == pytest.approx(0.15)
    assert fsum(own.values()) == pytest.approx(1.0)
    heavy = replace_sources(
        BALANCED, (SOURCES[0], SOURCES[1], replaced(SOURCES[2], weight=40.0), SOURCES[3])
    )
    assert weights_like(parts_of(heavy), parts_of(BALANCED)) == {
        name: {number: pytest.approx(weight) for number, weight in told.items()}
        for name, told in weights_like(parts_of(BALANCED), parts_of(BALANCED)).items()
    }


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 5), st.floats(0.01, 9.0)),
        min_size=1,
        max_size=6,
    )
)
def test_weights_like_the_jobs_own_are_its_shares(told):
    parts = [Part("a", (low, low + more), "", share) for low, more, share in told]
    weights = weights_like(parts, parts)["a"]
    total = fsum(share for *_, share in told)
    assert weights == {n: pytest.approx(part.share / total) for n, part in enumerate(parts)}


def test_other_levels_types_or_mixtures_are_refused():
    parts = parts_of(BALANCED)
    easy = replace_sources(BALANCED, (*SOURCES[:3], replaced(SOURCES[3], max_level=29)))
    with pytest.raises(InputError, match=r"other levels or languages of code$"):
        weights_like(parts_of(easy), parts)
    with pytest.raises(InputError, match=r"other levels or languages of code, corpus python$"):
        weights_like(parts_of(replace_sources(BALANCED, SOURCES[1:3])), parts)
    one = replace_sources(BALANCED, (SOURCES[0], SOURCES[1], SOURCES[3]))
    with pytest.raises(InputError, match="levels 1 to 100 of mathematics evenly"):
        weights_like(parts_of(one), parts)
    part = Part("multilingual", (1, 2), "de", 1.0)
    with pytest.raises(InputError, match="languages of multilingual"):
        weights_like([part], [Part("multilingual", (1, 2), "fr", 1.0)])


def replaced(source, **fields):
    from msgspec.structs import replace

    return replace(source, **fields)


def replace_sources(settings, sources):
    return replaced(settings, data=replaced(settings.data, sources=sources))


def told(source, tokens, loss, answers=0, answer_loss=0.0):
    return SourceLoss(
        source, tokens, round(loss * tokens * LOSS_GRID), answers,
        round(answer_loss * answers * LOSS_GRID),
    )  # fmt: skip


WEIGHTS = {"a": {0: 0.25, 1: 0.75}, "b": {2: 1.0}}


def test_a_type_costs_what_its_sources_cost_by_weight_not_by_how_often_they_were_drawn():
    cell = (told(0, 1000, 4.0), told(1, 10, 2.0), told(9, 5, 9.0))
    assert type_losses(cell, WEIGHTS) == {"a": 2.5}
    assert type_losses(cell[1:], WEIGHTS) == {}
    assert type_losses(cell[1:], WEIGHTS, is_whole=False) == {"a": 2.0}
    few = (told(2, 900, 4.0, LEAST_ANSWERS - 1, 1.0),)
    assert type_answer_losses(few, WEIGHTS) == {}
    assert type_answer_losses((told(2, 900, 4.0, LEAST_ANSWERS, 1.0),), WEIGHTS) == {"b": 1.0}


@given(st.integers(1, 10**12), st.integers(1, 200))
def test_the_grid_ends_with_the_run(tokens, steps):
    ends = grid(tokens * steps, steps)
    assert len(ends) == min(POINTS, steps)
    assert ends[-1] == tokens * steps
    assert list(ends) == sorted(set(ends))


def test_steps_fall_into_the_cell_that_they_end_in():
    steps = [(10 * (n + 1), (told(2, 10, float(n)),)) for n in range(10)]
    found = cells(steps, (30, 60, 90))
    assert [cell[0].tokens for cell in found] == [30, 30, 30]
    assert type_losses(found[1], WEIGHTS) == {"b": 4.0}
    assert cells(steps[:4], (30, 60, 90))[2] == ()


def test_the_last_quarter_stands_for_a_run():
    every = [(told(2, 10, float(n)),) for n in range(8)]
    found = course(every, WEIGHTS)
    assert found.end == {"b": 6.5}
    assert [each["b"] for each in found.losses] == [float(n) for n in range(8)]
    assert course(every[:3], WEIGHTS).end == {"b": 2.0}
