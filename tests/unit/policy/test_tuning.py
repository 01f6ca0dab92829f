"""Tuning, its pure part: what it costs, who goes on, what is accepted, what is tried on what."""

from math import inf

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.batch import LEAD_STEPS, BatchSettings
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.load import dump_toml, faults_of, parse_job
from qmpi.config.presets import PRESETS, preset
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.policy.curriculum.acceptance import judged, losses_by_type, mean_loss
from qmpi.policy.curriculum.draws import (
    FAST_RANGE,
    JOB,
    LEAST_PROGRESS_RANGE,
    MOST_RANGE,
    PLACEBO_RANGE,
    STATIC,
    candidates_of,
    constants_of,
    in_another_batch,
    with_constants,
)
from qmpi.policy.curriculum.halving import (
    LEAST_SEEDS,
    candidates_that_fit,
    halving_of,
    kept_of,
    survivors,
)
from qmpi.policy.curriculum.proxy import (
    ProxyRun,
    held_tokens,
    job_tokens,
    proxy_of,
    proxy_sequences,
    seed_of,
    sequences_of,
)
from qmpi.policy.scoring import Label, evaluation_of, row_marks
from qmpi.protocol.evaluation import RowLoss

SETTINGS = with_arms(
    Settings(
        train=TrainSettings(steps=10_000, lanes=64, sequences=16),
        data=DataSettings(
            sources=(
                CorpusSource(name="python", path="builtin:python", weight=3.0),
                ContentSource(name="sums", type="mathematics"),
                ContentSource(name="code", type="code", max_level=30),
            )
        ),
        curriculum=CurriculumSettings(kind="adaptive", every_steps=40),
    )
)
LEAST_WINDOW = LEAD_STEPS + SETTINGS.data.prefetch_steps

MANY = st.integers(2, 64)
STEPS = st.integers(1, 5000)
SEEDS = st.integers(LEAST_SEEDS, 9)
LOSS = st.none() | st.floats(0.0, 12.0)
SCORES = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), LOSS, min_size=2, max_size=12)
PAIRED = st.integers(2, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(0.0, 12.0), min_size=n, max_size=n), min_size=2, max_size=3
    )
)


@given(MANY, STEPS, SEEDS, st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_a_halving_costs_is_known_and_bounded(candidates, first, seeds, step_tokens, held):
    halving = halving_of(candidates, first, seeds)
    assert halving.rungs[0].candidates == candidates
    assert kept_of(halving.rungs[-1].candidates) == 1
    for number, rung in enumerate(halving.rungs):
        # A rung costs as much as the first, but for a candidate that makes a half whole.
        assert rung.candidates * rung.steps < (candidates + 2**number) * first
        assert rung.steps == first << number
    spent = [rung.steps for rung in halving.rungs for _ in range(rung.candidates)]
    spent += [halving.last_steps] * (min(3, candidates) * seeds)
    assert halving.proxies == len(spent)
    assert halving.tokens(step_tokens, held) == sum(n * step_tokens + held for n in spent)


@given(MANY, STEPS, SEEDS, st.floats(1.0, 1e9))
def test_what_is_said_to_fit_fits_and_one_more_does_not(candidates, first, seeds, budget):
    halving = halving_of(candidates, first, seeds)
    found = candidates_that_fit(halving, 7, 11, budget)
    assert found <= candidates
    tokens = {n: halving_of(n, first, LEAST_SEEDS).tokens(7, 11) for n in range(2, candidates + 1)}
    assert all(tokens[n] <= tokens[n + 1] for n in range(2, candidates))
    assert [n for n in tokens if tokens[n] < budget] == list(range(2, found + 1))


@given(SCORES, st.data())
def test_the_better_ones_go_on_and_who_gets_better_stays(scores, data):
    many = kept_of(len(scores))
    kept = survivors(scores, many)
    assert len(kept) == many
    assert kept == survivors(dict(scores), many)
    losses = {name: inf if loss is None else loss for name, loss in scores.items()}
    left = [losses[name] for name in scores if name not in kept]
    assert not left or max(losses[name] for name in kept) <= min(left)
    lucky = data.draw(st.sampled_from(kept))
    assert lucky in survivors({**scores, lucky: losses[lucky] / 2 if scores[lucky] else 0.0}, many)


def test_of_equal_candidates_the_job_stays():
    assert survivors({JOB: 2.0, STATIC: 2.0, "draw-1": 2.0}, 2) == (JOB, STATIC)
    assert survivors({JOB: None, STATIC: None}, 1) == (JOB,)


@given(PAIRED, st.floats(0.0, 12.0), st.floats(0.001, 5.0))
def test_what_is_accepted_is_better_than_all_and_equals_never_are(scores, level, step):
    names = [str(number) for number in range(len(scores))]
    same = dict.fromkeys(names, scores[0])
    assert not judged("0", same).accepted
    flat = {name: [level] * len(scores[0]) for name in names}
    assert not judged("0", flat).accepted
    told = dict(zip(names, scores, strict=True))
    found = judged("0", told)
    assert judged("0", told) == found
    if found.accepted:
        for name in names[1:]:
            apart = [b - a for a, b in zip(told["0"], told[name], strict=True)]
            assert sum(apart) > 0.0
        assert not any(judged(name, told).accepted for name in names[1:])
        lower = {**told, "0": [loss - step for loss in told["0"]]}
        assert judged("0", lower).accepted


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=6), st.data())
def test_what_a_seed_does_to_both_falls_out(gains, data):
    hard = [data.draw(st.floats(0.0, 10.0)) for _ in gains]
    plain = judged("a", {"a": [0.0] * len(gains), "b": gains}).gains[0]
    moved = judged("a", {"a": hard, "b": [h + g for h, g in zip(hard, gains, strict=True)]}).gains[
        0
    ]
    assert moved.nats == pytest.approx(plain.nats, abs=1e-9)
    assert moved.error == pytest.approx(plain.error, abs=1e-9)


def test_a_loss_that_is_not_finite_is_never_accepted_nor_beaten():
    for scores in ({"a": [1.0, None], "b": [2.0, 2.1]}, {"a": [1.0, 1.1], "b": [None, 2.0]}):
        verdict = judged("a", scores)
        assert not verdict.accepted
        assert verdict.gains[0].described() == "not to be held against b: a loss is not finite"
    assert judged("a", {"a": [1.0, 1.1], "b": [2.0, 2.2]}).accepted
    # The mean is better, but by less than the standard error.
    assert not judged("a", {"a": [1.0, 1.0, 1.0], "b": [0.0, 1.5, 1.8]}).accepted


@settings(max_examples=25)
@given(st.integers(0, 2**62), st.integers(2, 8), st.floats(1.0, 1e5), st.integers(0, 5))
def test_candidates_are_a_function_of_the_seed_within_their_ranges(seed, many, sequences, shrink):
    rules = replace(SETTINGS.curriculum, every_steps=LEAST_WINDOW + 30 * shrink)
    found = candidates_of(rules, seed, many, LEAST_WINDOW, sequences)
    assert found == candidates_of(rules, seed, many, LEAST_WINDOW, sequences)
    assert [each.name for each in found[:2]] == [JOB, STATIC]
    assert len({each.name for each in found}) == len(found) == many
    assert found[0].constants == constants_of(rules)
    assert found[1].constants.kind == "static"
    for each in found[2:]:
        drawn = each.constants
        assert LEAST_WINDOW <= drawn.every_steps <= rules.every_steps
        for value, (low, high) in (
            (drawn.placebo_share, PLACEBO_RANGE),
            (drawn.most, MOST_RANGE),
            (drawn.least_progress, LEAST_PROGRESS_RANGE),
            (in_another_batch(drawn.fast, sequences), FAST_RANGE),
        ):
            assert 0.99 * low <= value <= 1.01 * high
        assert 0.0 < drawn.slow < drawn.fast <= 1.0
    with_it = replace(SETTINGS, curriculum=with_constants(rules, found[-1].constants))
    assert not faults_of(with_it)
    assert parse_job(dump_toml(with_it)).curriculum == with_it.curriculum


def test_other_seeds_draw_other_constants():
    drawn = {candidates_of(SETTINGS.curriculum, n, 3, LEAST_WINDOW, 4.0)[2] for n in range(20)}
    assert len(drawn) == 20
    assert len({seed_of(n, what) for n in range(20) for what in ("rung 1", "held-out 1")}) == 40


@given(st.floats(1e-6, 0.9), st.integers(1, 200))
def test_a_step_of_another_batch_moves_a_mean_as_far(one, times):
    moved = in_another_batch(one, float(times))
    assert moved == pytest.approx(1.0 - (1.0 - one) ** times, rel=1e-4, abs=1e-6)
    assume(moved < 0.99)
    assert in_another_batch(moved, 1.0 / times) == pytest.approx(one, rel=1e-3)
    assert in_another_batch(one, 1.0) == one


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_proxies(name):
    job = parse_job(dump_toml(preset(name)), ['curriculum.kind="adaptive"'])
    for candidate in candidates_of(job.curriculum, 0, 3, LEAST_WINDOW, 1.0):
        proxy = proxy_of(job, ProxyRun("rung-1-job", candidate, 5, 600), 64, "d")
        assert not faults_of(proxy)
        assert proxy.data.sources == job.data.sources
        assert proxy.curriculum.kind == candidate.constants.kind
        assert proxy.train.sequence_tokens == job.train.sequence_tokens
        assert (proxy.model.layers, proxy.job.seed, proxy.train.steps) == (2, 5, 600)
        assert proxy.model.width == min(64, job.model.width)
        assert sequences_of(proxy.train) == proxy_sequences(job)
        assert proxy.evaluation.every_steps == 600


def test_a_proxy_moves_the_means_as_a_step_of_the_job_does():
    (own, *_) = candidates_of(SETTINGS.curriculum, 0, 2, LEAST_WINDOW, 32.0)
    proxy = proxy_of(SETTINGS, ProxyRun("p", own, 0, 600), 64, "")
    assert sequences_of(SETTINGS.train) == 32 * sequences_of(proxy.train)
    assert proxy.curriculum.slow == pytest.approx(1.0 - 0.98**32, rel=1e-4)
    assert proxy.curriculum.every_steps == SETTINGS.curriculum.every_steps


def test_the_tokens_of_a_job_count_a_batch_that_grows():
    train = SETTINGS.train
    assert job_tokens(SETTINGS) == train.steps * 64 * 16 * train.sequence_tokens
    batch = BatchSettings(first_lanes=32, grow="doubling", grow_steps=5000)
    assert job_tokens(replace(SETTINGS, batch=batch)) < 0.8 * job_tokens(SETTINGS)
    assert held_tokens(SETTINGS) == 16 * len(SETTINGS.data.sources) * train.sequence_tokens


def test_a_score_is_of_answers_where_enough_are_told_and_counts_types_alike():
    sums, prose = Label("sums", "mathematics", "beginner"), Label("tales", "creative", "beginner")
    marks = [
        row_marks(sums, RowLoss(200.0, 64.0, 64), 100, 1),
        row_marks(prose, RowLoss(400.0, 9.0, 63), 100, 1),
        row_marks(Label("python"), RowLoss(900.0), 100, 1),
    ]
    told = losses_by_type(evaluation_of(5, marks, {"sums": 1.0, "tales": 9.0, "python": 1.0}))
    assert told == {"mathematics": 1.0, "creative": 4.0}
    assert mean_loss(told) == 2.5
    assert mean_loss({**told, "code": None}) is None
    assert mean_loss({}) is None
