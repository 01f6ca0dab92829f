"""The curriculum's rule, its windows, and what it knows: pure functions of what steps have told."""

from math import fsum
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.rule import FAST, LEAST_ANSWERS, Arm, Means, followed, weighed
from qmpi.policy.curriculum.windows import (
    LEAST_PROBES,
    PROBES,
    Fall,
    Learned,
    advantages,
    arms_of,
    decided,
    is_probe,
    taken_in,
)
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

SETTINGS = with_arms(
    Settings(
        data=DataSettings(
            sources=(
                CorpusSource(name="python", path="builtin:python", weight=3.0),
                ContentSource(name="sums", type="mathematics"),
                ContentSource(name="code", type="code", max_level=30),
            )
        ),
        curriculum=CurriculumSettings(kind="adaptive", every_steps=16),
    )
)
TOKENS = SETTINGS.train.sequence_tokens


def close(number):
    return pytest.approx(number, rel=1e-9)


POSITIVE = st.floats(0.0, 12.0)
MEANS = st.builds(Means, POSITIVE, POSITIVE, st.integers(0, 200), POSITIVE, POSITIVE)
ARMS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0.0, 5.0)), min_size=1, max_size=12
).filter(lambda told: any(share > 0.01 for _, share in told))


def arms_from(told):
    total = fsum(share for _, share in told)
    return [Arm(number, pool, share / total) for number, (pool, share) in enumerate(told)]


@given(ARMS, st.data())
def test_shares_add_up_pool_by_pool_and_stay_within_their_bounds(told, data):
    arms = arms_from(told)
    known = {
        arm.source: data.draw(MEANS) for arm in arms if data.draw(st.booleans(), label="known")
    }
    placebo, most = data.draw(st.floats(0.0, 1.0)), data.draw(st.floats(1.5, 8.0))
    shares = weighed(arms, known, placebo_share=placebo, most=most)
    assert fsum(shares) == close(1.0)
    for pool in {arm.pool for arm in arms}:
        own = [(arm, share) for arm, share in zip(arms, shares, strict=True) if arm.pool == pool]
        assert fsum(share for _, share in own) == close(fsum(arm.share for arm, _ in own))
        ratios = [share / arm.share for arm, share in own if arm.share > 1e-6]
        assert not ratios or max(ratios) <= most**2 * min(ratios) * (1 + 1e-9)
    assert all(share == 0.0 for arm, share in zip(arms, shares, strict=True) if arm.share == 0.0)


@given(ARMS, st.data())
def test_nothing_known_or_all_placebo_is_what_the_job_says(told, data):
    arms = arms_from(told)
    known = {arm.source: data.draw(MEANS) for arm in arms}
    for shares in (
        weighed(arms, {}, placebo_share=0.1, most=4.0),
        weighed(arms, known, placebo_share=1.0, most=4.0),
    ):
        assert shares == tuple(close(arm.share) for arm in arms)


def test_an_arm_with_a_gap_that_moves_gets_more_than_one_that_is_known_or_stands_still():
    arms = [Arm(number, "a", 0.25) for number in range(4)]
    still, known, moving, hopeless = (
        Means(2.0, 2.0),
        Means(0.01, 0.02),
        Means(2.0, 2.5),
        Means(9, 9),
    )
    told = dict(enumerate((still, known, moving, hopeless)))
    shares = weighed(arms, told, placebo_share=0.25, most=4.0)
    assert max(shares) == shares[2] > 0.4
    assert min(shares) == shares[1] >= 0.25 / 4 / 2


def test_answers_speak_for_a_pool_once_all_its_arms_have_enough():
    arms = [Arm(0, "a", 0.5), Arm(1, "a", 0.5)]
    told = {
        0: Means(1.0, 1.5, LEAST_ANSWERS, 0.0, 0.0),
        1: Means(1.0, 1.5, LEAST_ANSWERS, 2.0, 3.0),
    }
    by_answers = weighed(arms, told, placebo_share=0.0, most=100.0)
    assert by_answers[0] < 0.02
    few = {**told, 0: replace(told[0], answers=LEAST_ANSWERS - 1)}
    assert weighed(arms, few, placebo_share=0.0, most=100.0) == (close(0.5), close(0.5))


@given(st.integers(1, 500), POSITIVE, POSITIVE)
def test_a_mean_moves_by_each_sequence(count, first, loss):
    told = SourceLoss(0, 4 * count, round(4 * count * loss * LOSS_GRID))
    found = followed(Means(first, first), told, count).fast
    plain, value = first, told.loss / (LOSS_GRID * told.tokens)
    for _ in range(count):
        plain += FAST * (value - plain)
    assert found == pytest.approx(plain, abs=1e-9)


def test_what_a_window_draws_follows_the_constants_of_the_job():
    sources, steps = range(len(SETTINGS.data.sources)), 3 * 16
    records = [
        committed(step, [(n, (3 + n) / (3 + step)) for n in sources]) for step in range(steps)
    ]

    def shares(**constants):
        settings = replace(SETTINGS, curriculum=replace(SETTINGS.curriculum, **constants))
        known = Knowledge(settings, records).known
        while is_probe(settings.job.seed, known.windows + 1):
            settings = replace(settings, job=replace(settings.job, seed=settings.job.seed + 1))
        return decided(known, arms_of(settings), settings).shares

    usual = shares()
    assert usual == shares(fast=0.1, slow=0.02, least_progress=1e-3)
    for constants in ({"fast": 0.4}, {"slow": 0.05}, {"least_progress": 1.0}):
        assert shares(**constants) != usual


@given(st.integers(0, 2**62), st.integers(0, 1000))
def test_one_window_of_each_turn_is_a_probe_with_others_on_both_sides(seed, turn):
    first = turn * PROBES
    probes = [n for n in range(first, first + PROBES) if n > 1 and is_probe(seed, n)]
    assert len(probes) == 1 or turn == 0
    assert all(0 < probe - first < PROBES - 1 for probe in probes)


def falls(count, gain):
    """A turn of each: a probe, and what lies beside it."""
    told = []
    for number in range(count):
        base = 0.1 / (1 + number)
        told += [
            Fall(3 * number, False, base + gain * (1 + 0.1 * (number % 3))),
            Fall(3 * number + 1, True, base),
            Fall(3 * number + 2, False, base + gain),
        ]
    return tuple(told)


def verdict(told):
    steps = [(SourceLoss(0, TOKENS, 5 * TOKENS * LOSS_GRID),)] * 16
    learned = Learned(windows=400, falls=told)
    return taken_in(learned, arms_of(SETTINGS), steps, TOKENS, is_static=True).off


def test_the_curriculum_is_over_where_it_does_not_beat_the_job():
    assert advantages(falls(3, 0.01))[0] == close(0.01)
    assert verdict(falls(LEAST_PROBES, 0.01)) == ""
    assert verdict(falls(LEAST_PROBES - 1, -0.01)) == ""
    words = verdict(falls(LEAST_PROBES, -0.01))
    assert words.startswith("the curriculum does not beat what the job says: beside 6 probes")
    over = Learned(windows=9, means={}, off=words)
    decision = decided(over, arms_of(SETTINGS), SETTINGS)
    assert decision.reason == words
    assert decision.shares == tuple(arm.share for arm in arms_of(SETTINGS))


def test_types_that_are_named_get_more_and_the_rest_less():
    arms = arms_of(SETTINGS)
    known = {arm.source: Means(2.0, 2.2) for arm in arms}
    learned = Learned(windows=20, means=known)

    def of_type(kind, **focus):
        settings = replace(SETTINGS, curriculum=replace(SETTINGS.curriculum, **focus))
        while is_probe(settings.job.seed, learned.windows + 1):
            settings = replace(settings, job=replace(settings.job, seed=settings.job.seed + 1))
        shares = decided(learned, arms, settings).shares
        return fsum(s for s, arm in zip(shares, arms, strict=True) if arm.pool == kind)

    usual = of_type("code")
    assert usual == close(0.2)
    assert of_type("code", focus="specialise", specialise=("code",)) == close(2 / 6)
    known |= {arm.source: Means(9.0, 9.2) for arm in arms if arm.pool == "code"}
    assert usual < of_type("code", focus="weakest-first") < 1.5 * usual


def committed(step, losses):
    told = tuple(SourceLoss(n, TOKENS, round(loss * TOKENS * LOSS_GRID)) for n, loss in losses)
    return StepCommitted(
        0.0, step, 1, 0, (), (), None, "", sources=told
    )  # fmt: skip


@given(st.integers(0, 2**32))
def test_steps_that_are_done_again_change_nothing(seed):
    chance, sources, steps = Random(seed), len(SETTINGS.data.sources), 64
    records = []
    for step in range(steps):
        seen = sorted(chance.sample(range(sources + 1), chance.randrange(5)))
        records.append(committed(step, [(n, chance.uniform(0, 12)) for n in seen]))
    calm = Knowledge(SETTINGS, records)
    struck, step = Knowledge(SETTINGS, ()), 0
    decisions = {}
    while step < steps:
        decision = struck.note(records[step])
        step += 1
        if decision is not None:
            assert decisions.setdefault(decision.window, decision) == decision
        if chance.random() < 0.05:
            step = chance.randint(max(0, step - 40), step)
            struck.rewind(step)
    assert struck.known == calm.known
    assert struck.decision == calm.decision
    assert sorted(decisions) == [2, 3, 4, 5]


def test_arms_are_bands_once_and_share_their_source_by_levels():
    names = [source.name for source in SETTINGS.data.sources]
    assert names[:3] == ["python", "sums-beginner", "sums-elementary"]
    assert names[-3:] == ["code-beginner", "code-elementary", "code-intermediate"]
    assert with_arms(SETTINGS) == SETTINGS
    assert fsum(s.weight for s in SETTINGS.data.sources[1:8]) == close(1.0)
    assert [s.weight for s in SETTINGS.data.sources[-3:]] == [14 / 30, 14 / 30, 2 / 30]
