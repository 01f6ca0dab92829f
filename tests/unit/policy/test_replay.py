"""Two journals are compared step by step; the first thing that differs is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.policy.replay import likeness
from qmpi.protocol.journal import StepCommitted
from qmpi.units import Digest, Generation, Step


def story(steps: int, every: int = 3) -> dict[int, StepCommitted]:
    """Steps whose weights are named every few of them."""
    return {
        number: StepCommitted(
            time=0.0,
            step=Step(number),
            generation=Generation(1),
            recipe=0,
            block_digests=(Digest(f"a{number}"), Digest(f"b{number}")),
            lane_losses=(1.0 + number, 2.0),
            loss=1.5,
            weight_digest=Digest(f"w{number}" if (number + 1) % every == 0 else ""),
            gradient_norm=0.5,
            learning_rate=0.001,
            updates=number + 1,
        )
        for number in range(steps)
    }


def test_the_same_story_is_the_same_whoever_told_it_when() -> None:
    other = {n: replace(s, time=9.0, generation=7, seconds=3.0) for n, s in story(7).items()}
    found = likeness(story(7), other, 7)
    assert (found.steps, found.digests, found.digest, found.digest_step) == (7, 2, "w5", 6)
    assert found.difference is None


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("block_digests", ("a4", "c4"), "digests of blocks"),
        ("lane_losses", (5.0, 2.0000000000000004), "losses of lanes"),
        ("gradient_norm", 0.5000000000000001, "norm of the gradient"),
        ("spike", "loss", "spike"),
        ("learning_rate", 0.0011, "learning rate"),
        ("updates", 4, "number of updates"),
        ("loss_scale", 2.0, "scale of the loss"),
    ],
)
def test_the_first_difference_is_told(field: str, value: Any, what: str) -> None:
    other = story(7)
    other[4] = replace(other[4], **{field: value})
    other[5] = replace(other[5], weight_digest="other")
    found = likeness(story(7), other, 7)
    assert found.difference is not None
    assert (found.steps, found.difference.step, found.difference.what) == (5, 4, what)
    assert found.difference.run != found.difference.replay


def test_of_lists_the_entry_that_differs_is_shown() -> None:
    other = story(7)
    other[4] = replace(other[4], lane_losses=(5.0, 3.0))
    found = likeness(story(7), other, 7).difference
    assert found is not None
    assert (found.run, found.replay) == ("2.0 of lane 1", "3.0 of lane 1")
    other[4] = replace(other[4], lane_losses=(5.0,))
    found = likeness(story(7), other, 7).difference
    assert found is not None
    assert (found.run, found.replay) == ("2 of them", "1 of them")


def test_weights_are_the_last_that_is_compared() -> None:
    other = story(7)
    other[5] = replace(other[5], weight_digest="other")
    found = likeness(story(7), other, 7)
    assert found.difference is not None
    assert (found.difference.what, found.digests) == ("digest of the weights", 2)


def test_what_one_journal_alone_tells_is_no_difference() -> None:
    other = {
        n: replace(s, weight_digest=s.weight_digest if n == 2 else "", lane_square=1.0, updates=-1)
        for n, s in story(7).items()
    }
    found = likeness(story(7), other, 7)
    assert (found.difference, found.digests, found.digest_step) == (None, 1, 3)
    assert likeness(story(7, every=2), story(7, every=99), 7).digests == 0


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9))
def test_no_more_is_compared_than_both_have(run: int, replay: int, steps: int) -> None:
    found = likeness(story(run), story(replay), steps)
    assert found.steps == min(run, replay, steps)
    assert found.difference is None
