"""Boxes in boxes: nothing ever lies inside itself."""

import pytest

from qmpi.content.counter import Draw
from qmpi.content.exercise import Exercise
from qmpi.content.reasoning import scene_words, spatial_layouts
from qmpi.content.verify.problem_checks import verify


@pytest.mark.timeout(30)
def test_a_thing_is_never_named_as_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    # With few words the names meet in one draw of two; with all of them, once in a million.
    for module in (scene_words, spatial_layouts):
        monkeypatch.setattr(module, "QUALITIES", ("brass",))
    monkeypatch.setattr(scene_words, "NOUNS", ("tin", "basket", "key", "bell", "cup", "lens"))
    for number in range(300):
        draw = Draw(number.to_bytes(16, "big"))
        problem = spatial_layouts.containers(draw, 1 + number % 100)
        exercise = Exercise(problem.text, "containers", {**problem.world, "answer": problem.answer})
        assert verify(exercise) is None
