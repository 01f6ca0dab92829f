"""Schedules: bounds, ends, what another length means, how a run goes on."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qmpi.config.load import parse_job
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import (
    Onset,
    beginning,
    extension,
    fall_begin,
    learning_rate,
    replan,
    schedule_text,
    share,
)
from qmpi.errors import ConfigError

KINDS = ("constant", "cosine", "linear", "exponential", "polynomial", "wsd")
FALLING = KINDS[1:]


@st.composite
def plans(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> tuple[OptimizerSettings, int]:
    steps = draw(st.integers(2, 400))
    fields: dict[str, Any] = {
        "schedule": draw(st.sampled_from(kinds)),
        "learning_rate": draw(st.sampled_from([1e-4, 3e-3, 1.0])),
        "min_ratio": draw(st.sampled_from([0.001, 0.1, 1 / 3, 1.0])),
        "warmup_steps": draw(st.integers(0, steps - 1)),
        "decay_share": draw(st.floats(0.01, 1.0)),
        "power": draw(st.sampled_from([0.5, 1.0, 2.0, 5.0])),
    }
    return OptimizerSettings(**fields), steps


def rates(settings: OptimizerSettings, steps: int) -> list[float]:
    return [learning_rate(settings, step, steps) for step in range(steps)]


@given(plans())
def test_rates_climb_to_the_peak_and_never_rise_again(plan: tuple[OptimizerSettings, int]) -> None:
    settings, steps = plan
    peak, warmup, seen = settings.learning_rate, settings.warmup_steps, rates(*plan)
    assert all(0 < rate <= peak for rate in seen)
    assert seen[: warmup + 1] == sorted(seen[:warmup]) + seen[warmup : warmup + 1]
    assert seen[max(warmup - 1, 0)] == peak
    after = seen[warmup:]
    assert after == sorted(after, reverse=True)
    assert all(rate >= peak * settings.min_ratio * (1 - 1e-12) for rate in after)
    assert learning_rate(settings, steps + 7, steps) == seen[-1]


@given(plans(FALLING))
def test_the_last_step_is_at_min_ratio_exactly(plan: tuple[OptimizerSettings, int]) -> None:
    settings = plan[0]
    assert rates(*plan)[-1] == settings.learning_rate * settings.min_ratio


@given(plans())
def test_the_fall_begins_where_it_is_said(plan: tuple[OptimizerSettings, int]) -> None:
    settings, steps = plan
    assume(settings.min_ratio < 1.0)
    begin, seen = fall_begin(settings, steps, beginning(settings)), rates(*plan)
    assert all(rate == settings.learning_rate for rate in seen[settings.warmup_steps : begin])
    # Half a cosine is so flat at its top that its first steps may round to the peak.
    assert begin == steps or seen[-1] < settings.learning_rate


def test_wsd_over_twenty_steps_ends_at_a_tenth() -> None:
    settings = OptimizerSettings(
        learning_rate=1.0, schedule="wsd", warmup_steps=2, decay_share=0.2, min_ratio=0.1
    )
    assert rates(settings, 20)[15:] == pytest.approx([1.0, 0.775, 0.55, 0.325, 0.1])


def test_a_run_of_one_step_is_trained_at_the_peak() -> None:
    for kind in KINDS:
        settings = parse_job("", [f"optimizer.schedule={kind}", "train.steps=1"]).optimizer
        assert learning_rate(settings, 0, 1) == settings.learning_rate


def test_an_exponential_to_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="never reaches 0"):
        parse_job("", ["optimizer.schedule=exponential", "optimizer.min_ratio=0"])


@given(plans(), st.integers(0, 400), st.integers(2, 900))
def test_same_means_that_no_trained_step_would_differ(
    plan: tuple[OptimizerSettings, int], done: int, new: int
) -> None:
    settings, steps = plan
    done = min(done, steps)
    assume(settings.warmup_steps < new and settings.min_ratio < 1.0)
    said = extension(settings, done, steps, new)
    trained = rates(settings, steps)[:done]
    again = [learning_rate(settings, step, new) for step in range(done)]
    if said.verdict == "same":
        assert trained == again
    elif settings.schedule not in {"cosine", "polynomial"}:
        # These two may be so flat that the same float comes of two shapes.
        assert trained != again
    assert said.reason


def test_constant_extends_at_any_time_and_wsd_before_it_falls() -> None:
    constant = OptimizerSettings(schedule="constant", warmup_steps=10)
    assert extension(constant, 100, 100, 500).verdict == "same"
    stable = OptimizerSettings(schedule="wsd", warmup_steps=10, decay_share=0.2)
    assert extension(stable, 80, 100, 500).verdict == "same"
    assert "at step 400" in extension(stable, 80, 100, 500).reason
    late = extension(stable, 81, 100, 500)
    assert (late.verdict, late.reason) == (
        "replan",
        "1 steps of the wsd fall, which began at step 80, were trained with rates for 100 steps",
    )
    short = extension(stable, 60, 100, 70)
    assert short.verdict == "replan"
    assert "would have begun at step 56" in short.reason


@pytest.mark.parametrize("kind", ["cosine", "linear", "exponential", "polynomial"])
def test_others_extend_during_warm_up_alone(kind: Any) -> None:
    settings = OptimizerSettings(schedule=kind, warmup_steps=10)
    assert extension(settings, 10, 100, 200).verdict == "same"
    assert extension(settings, 11, 100, 200).verdict == "replan"
    assert extension(settings, 50, 100, 100).verdict == "same"


@given(plans(), st.integers(0, 400), st.integers(1, 400), st.sampled_from([0, 1, 9]))
def test_a_new_plan_goes_on_from_the_rate_that_was_reached(
    plan: tuple[OptimizerSettings, int], done: int, more: int, climb: int
) -> None:
    settings, steps = plan
    done = min(done, steps)
    assume(done >= 1 and climb < more and max(settings.warmup_steps - done, 0) < more)
    onset = replan(settings, done, steps, climb_steps=climb)
    new = done + more
    shares = [share(settings, step, new, onset) for step in range(done, new)]
    before = share(settings, done - 1, steps, beginning(settings))
    top = max(before, onset.top)
    assert onset.step == done
    assert all(0.0 <= value <= top for value in shares)
    assert onset.climb_steps > 0 or shares[0] <= before
    climbing, falling = shares[: onset.climb_steps], shares[onset.climb_steps :]
    assert climbing == sorted(climbing)
    assert falling == sorted(falling, reverse=True)
    if settings.schedule != "constant":
        assert shares[-1] == min(settings.min_ratio, onset.top)


def test_a_plan_can_be_made_anew_twice() -> None:
    settings = OptimizerSettings(schedule="linear", warmup_steps=0, min_ratio=0.0)
    first = replan(settings, 51, 101)
    assert first == Onset(step=51, ratio=0.5, top=0.5)
    second = replan(settings, 76, 101, first)
    assert second.top == share(settings, 75, 101, first)
    assert replan(settings, 76, 101, second) == second
    assert extension(settings, 76, 101, 201, second).verdict == "same"
    assert extension(settings, 77, 101, 201, second).verdict == "replan"


def test_a_line_says_what_a_schedule_will_do() -> None:
    settings = OptimizerSettings(
        schedule="wsd", learning_rate=0.01, warmup_steps=20, decay_share=0.2, min_ratio=0.1
    )
    assert schedule_text(settings, 1000) == (
        "wsd: climbs to 0.01 over 20 steps, falls from step 800 on to 0.001 at step 999"
    )
    constant = OptimizerSettings(schedule="constant", learning_rate=0.01, warmup_steps=0)
    assert schedule_text(constant, 9) == "constant: begins at 0.01, stays there"
