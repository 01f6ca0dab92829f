"""The curriculum's rule, its windows, and what it knows: pure functions of what steps have told."""

from math import fsum
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.arms import with_arms
from qmpi.config.bands import BANDS
from qmpi.config.curriculum import FAST, CurriculumSettings
from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.config.warmup import with_warmup
from qmpi.policy.curriculum.knowledge import Knowledge
from qmpi.policy.curriculum.rule import (
    LEAST_ANSWERS,
    LEAST_PROBLEMS,
    NEWEST,
    Arm,
    Means,
    followed,
    weighed,
)
from qmpi.policy.curriculum.standing import Standing
from qmpi.policy.curriculum.windows import (
    LEAST_PROBES,
    PROBES,
    Fall,
    Learned,
    advantages,
    arms_of,
    begin_of,
    decided,
    is_probe,
    taken_in,
)
from qmpi.policy.hyperparameters import first_hyperparameters, lanes_of
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.protocol.staged import Staged, staged_of

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
    shares = weighed(arms, known, CurriculumSettings(placebo_share=placebo, most=most))
    assert fsum(shares) == close(1.0)
    for pool in {arm.pool for arm in arms}:
        own = [(arm, share) for arm, share in zip(arms, shares, strict=True) if arm.pool == pool]
        assert fsum(share for _, share in own) == close(fsum(arm.share for arm, _ in own))
        ratios = [share / arm.share for arm, share in own if arm.share > 1e-6]
        assert not ratios or max(ratios) <= most**2 * min(ratios) * (1 + 1e-9)
    assert all(share == 0.0 for arm, share in zip(arms, shares, strict=True) if arm.share == 0.0)


@given(ARMS, st.data())
def test_gated_arms_get_the_least_and_the_rest_of_their_pool_what_they_leave(told, data):
    arms = arms_from(told)
    known = {arm.source: data.draw(MEANS) for arm in arms}
    gated = {arm.source for arm in arms if data.draw(st.booleans(), label="gated")}
    most = data.draw(st.floats(1.5, 8.0))
    shares = weighed(arms, known, CurriculumSettings(placebo_share=0.25, most=most), gated=gated)
    free = {arm.pool for arm in arms if arm.share > 0.0 and arm.source not in gated}
    assert fsum(shares) == close(1.0)
    kept = sum(arm.share if arm.pool in free else arm.share / most for arm in arms)
    for arm, share in zip(arms, shares, strict=True):
        if arm.source in gated:
            assert share == close(arm.share / most / kept)
    for pool in free:
        own = [
            (arm.share, share) for arm, share in zip(arms, shares, strict=True) if arm.pool == pool
        ]
        wanted = fsum(share for share, _ in own) / kept
        assert fsum(share for _, share in own) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(ARMS, st.data())
def test_nothing_known_or_all_placebo_is_what_the_job_says(told, data):
    arms = arms_from(told)
    known = {arm.source: data.draw(MEANS) for arm in arms}
    for shares in (
        weighed(arms, {}, CurriculumSettings(placebo_share=0.1, most=4.0)),
        weighed(arms, known, CurriculumSettings(placebo_share=1.0, most=4.0)),
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
    shares = weighed(arms, told, CurriculumSettings(placebo_share=0.25, most=4.0))
    assert max(shares) == shares[2] > 0.4
    assert min(shares) == shares[1] >= 0.25 / 4 / 2


def test_answers_speak_for_a_pool_once_all_its_arms_have_enough():
    arms = [Arm(0, "a", 0.5), Arm(1, "a", 0.5)]
    told = {
        0: Means(1.0, 1.5, LEAST_ANSWERS, 0.0, 0.0),
        1: Means(1.0, 1.5, LEAST_ANSWERS, 2.0, 3.0),
    }
    by_answers = weighed(arms, told, CurriculumSettings(placebo_share=0.0, most=100.0))
    assert by_answers[0] < 0.02
    few = {**told, 0: replace(told[0], answers=LEAST_ANSWERS - 1)}
    assert weighed(arms, few, CurriculumSettings(placebo_share=0.0, most=100.0)) == (
        close(0.5),
        close(0.5),
    )


@given(st.integers(1, 500), POSITIVE, POSITIVE)
def test_a_mean_moves_by_each_sequence(count, first, loss):
    told = SourceLoss(0, 4 * count, round(4 * count * loss * LOSS_GRID))
    found = followed(Means(first, first), told, count).fast
    plain, value = first, told.loss / (LOSS_GRID * told.tokens)
    for _ in range(count):
        plain += FAST * (value - plain)
    assert found == pytest.approx(plain, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_the_share_solved_moves_by_each_problem(steps):
    means, share, seen = Means(1.0, 1.0), 0.0, 0
    for problems, right in steps:
        solved = min(problems, right)
        told = SourceLoss(0, 64, 64 * LOSS_GRID, 0, 0, problems, solved)
        means = followed(means, told, 1)
        for _ in range(problems):
            part = solved / problems
            share = share + NEWEST * (part - share) if seen else part
            seen += 1
    assert means.problems == seen
    assert means.solved == pytest.approx(share, abs=1e-9)
    assert means.share_solved == (means.solved if seen >= LEAST_PROBLEMS else None)


def standing_of(**known):
    """Return the stage of a run of which the arms "sums-BAND" and "code-BAND" are known so."""
    names = [source.name for source in SETTINGS.data.sources]
    told = {names.index(name.replace("_", "-")): means for name, means in known.items()}
    return Standing(SETTINGS).stage(told)


def test_a_stage_is_mastered_by_the_share_solved_else_by_the_loss_of_answers():
    solves = Means(9.0, 9.0, LEAST_ANSWERS, 9.0, 9.0, LEAST_PROBLEMS, 0.95)
    knows, fails = Means(9.0, 9.0, LEAST_ANSWERS, 0.01), replace(solves, solved=0.5)
    few = replace(solves, problems=LEAST_PROBLEMS - 1)
    assert standing_of() == standing_of(sums_beginner=few) == 1
    assert standing_of(sums_beginner=solves) == standing_of(sums_beginner=knows) == 15
    assert standing_of(sums_beginner=solves, code_beginner=fails) == 1
    assert standing_of(sums_beginner=solves, code_beginner=knows) == 15
    # Of level 14 less is asked than of level 1.
    assert standing_of(sums_beginner=replace(solves, solved=0.89)) == 1
    assert standing_of(**{f"sums_{band}": solves for band, _, _ in BANDS}) == 101
    bare = replace(SETTINGS, data=replace(SETTINGS.data, sources=SETTINGS.data.sources[:1]))
    assert Standing(bare).stage({}) == 0


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


STAGED = replace(
    SETTINGS, curriculum=replace(SETTINGS.curriculum, sets=("rate", "batch", "length", "gate"))
)


def test_a_gate_leaves_what_is_harder_than_the_stage_its_least_share():
    arms, learned = arms_of(STAGED), Learned(windows=20, means={}, stage=15)
    while is_probe(STAGED.job.seed, learned.windows + 1):
        learned = replace(learned, windows=learned.windows + 1)
    shares = dict(enumerate(decided(learned, arms, STAGED).shares))
    names = [source.name for source in STAGED.data.sources]
    for arm in arms:
        band = names[arm.source].partition("-")[2]
        if band in ("", "beginner", "elementary"):
            assert shares[arm.source] >= arm.share * (1 - 1e-9)
        else:
            assert shares[arm.source] == close(arm.share / STAGED.curriculum.most)
    free = decided(replace(learned, stage=101), arms, STAGED)
    assert (free.stage, free.shares) == (100, tuple(close(arm.share) for arm in arms))


def test_the_first_stage_holds_before_anything_is_known_and_none_once_it_is_over():
    first = first_hyperparameters(STAGED)
    assert first.staged == staged_of(STAGED, 1) == Staged(1.0, 2, 0)
    assert lanes_of((first,), 0, 8) == 2
    over = decided(Learned(windows=9, off="over", stage=30), arms_of(STAGED), STAGED)
    assert over.stage == 0
    assert staged_of(STAGED, 0) == Staged(1.0, STAGED.train.lanes, 0)
    assert staged_of(SETTINGS, 0) is staged_of(SETTINGS, 1) is None
    assert first_hyperparameters(SETTINGS).staged is None


def test_a_stage_is_never_taken_back():
    names = [source.name for source in STAGED.data.sources]
    arm, count = names.index("sums-beginner"), LEAST_PROBLEMS
    told = [SourceLoss(arm, TOKENS, TOKENS, 9, 0, count, solved) for solved in (count, 0)]
    knowledge, stages = Knowledge(STAGED, ()), []
    for step in range(64):
        sources = (told[step >= 32],)
        decision = knowledge.note(replace(committed(step, []), sources=sources))
        stages += [] if decision is None else [decision.stage]
    assert stages == [15, 15, 15, 15]
    knowledge.rewind(16)
    assert [each.window for each in knowledge.open_decisions] == [2]
    knowledge.rewind(15)
    assert knowledge.known.stage == 1


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


@pytest.mark.parametrize("steps", [0, 40, 41])
def test_windows_are_counted_from_the_end_of_a_warm_up(steps):
    rules = replace(SETTINGS.curriculum, warmup_steps=steps)
    warmed = with_warmup(replace(SETTINGS, curriculum=rules))
    told = [[(step % 3, 1.0 + step)] for step in range(48)]
    first = [committed(step, [(len(SETTINGS.data.sources), 9.0)]) for step in range(steps)]
    behind = [committed(steps + step, losses) for step, losses in enumerate(told)]
    knowledge = Knowledge(warmed, ())
    decisions = [knowledge.note(record) for record in (*first, *behind)]
    usual = Knowledge(SETTINGS, [committed(step, losses) for step, losses in enumerate(told)])
    assert knowledge.known == usual.known
    ends = [step for step, decision in enumerate(decisions) if decision is not None]
    assert ends == [steps + 15, steps + 31, steps + 47]
    assert [begin_of(warmed, window) for window in (0, 2)] == [steps, steps + 32]
    shares = decisions[-1].shares
    assert shares[: len(SETTINGS.data.sources)] == usual.decision.shares
    assert all(share == 0.0 for share in shares[len(SETTINGS.data.sources) :])
    knowledge.rewind(max(0, steps - 7))
    assert knowledge.known == Learned()
    again = (*first, *behind)[max(0, steps - 7) :]
    assert [knowledge.note(record) for record in again] == decisions[max(0, steps - 7) :]


def test_arms_are_bands_once_and_share_their_source_by_levels():
    names = [source.name for source in SETTINGS.data.sources]
    assert names[:3] == ["python", "sums-beginner", "sums-elementary"]
    assert names[-3:] == ["code-beginner", "code-elementary", "code-intermediate"]
    assert with_arms(SETTINGS) == SETTINGS
    rules = replace(SETTINGS.curriculum, warmup_steps=9)
    warmed = with_warmup(replace(SETTINGS, curriculum=rules))
    assert with_warmup(with_arms(warmed)) == warmed
    assert arms_of(warmed)[-1] == Arm(len(names), "warm-up", 0.0)
    assert fsum(s.weight for s in SETTINGS.data.sources[1:8]) == close(1.0)
    assert [s.weight for s in SETTINGS.data.sources[-3:]] == [14 / 30, 14 / 30, 2 / 30]
