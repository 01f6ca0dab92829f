"""Formulas in worked steps: what holds is passed, whatever does not is found."""

from fractions import Fraction

import pytest

from qmpi.content.verify.formula import evaluate, numbers_of, steps_fault


def test_formulas_are_computed_exactly() -> None:
    assert evaluate("2x^2 - 3(x - 1)/4", {"x": Fraction(1, 3)}) == Fraction(13, 18)
    assert evaluate("C(5, 2) * 3! - 50%") == Fraction(119, 2)
    assert evaluate("-3^2 + 2^-1") == Fraction(-17, 2)


@pytest.mark.parametrize(
    "step",
    ["so 3 * 4 = 12 boxes", "17 + 3 = 20 = 2 (mod 9)", "x = 5", "since 2 < 3 <= 3, 1 + 1 = 2."],
)
def test_true_steps_pass(step: str) -> None:
    assert steps_fault([step], ({"x": 5},)) is None


@pytest.mark.parametrize(
    "step",
    [
        "so 3 * 4 = 13 boxes",
        "17 + 3 = 21 = 3 (mod 9)",
        "x = 6",
        "since 3 < 3, 1 = 1",
        "take 7 boxes",
    ],
)
def test_false_steps_and_loose_numbers_are_found(step: str) -> None:
    assert steps_fault([step], ({"x": 5},)) is not None


@pytest.mark.parametrize("broken", ["1 +", "(1", "2000!", "C(9999, 2)", "2^9999", "x"])
def test_what_is_no_formula_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        evaluate(broken)


def test_numbers_keep_their_sign() -> None:
    assert numbers_of("from -3 to 5 - 2, (-4)") == [-3, 5, 2, -4]
