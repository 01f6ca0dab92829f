"""The benchmark of the exact sum runs with the engine as it is; it judges nothing."""

from types import SimpleNamespace

import bench_exact_sum
import numpy as np
import pytest

VOCABULARY = 4096


class Drawn:
    """Lanes of drawn text, some tokens much rarer than others."""

    def __init__(self, sequences: int, tokens: int) -> None:
        self._shape = (sequences, tokens + 1)
        self._chance = np.random.default_rng(1)

    def block(self) -> bytes:
        share = self._chance.random(self._shape) ** 3
        return (share * VOCABULARY).astype("<u2").tobytes()

    def blocks(self, count: int) -> list[bytes]:
        return [self.block() for _ in range(count)]

    def counts(self, vocabulary: int) -> np.ndarray:
        return np.arange(vocabulary)[::-1]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    def lanes_of(chosen: SimpleNamespace, seed: int = 0, *, held_out: bool = False) -> Drawn:
        del seed, held_out
        return Drawn(chosen.sequences, chosen.tokens)

    monkeypatch.setattr(bench_exact_sum, "lanes_of", lanes_of)
    monkeypatch.setattr(bench_exact_sum, "FOLLOWED", 1)
    return SimpleNamespace(
        lanes="2,8", steps=1, rounds=1, seeds="1", seed=2, width=16, layers=1, sequences=1,
        tokens=16, lane_tokens=8, precision="float32", untied=False, needs="",
    )  # fmt: skip


def test_precision_is_told_of_both_sums_by_lanes(chosen: SimpleNamespace) -> None:
    found = bench_exact_sum.precision(chosen)["decibels"]
    assert set(found) == {2, 8}
    for lanes in found.values():
        assert lanes["chunk"]["whole"] > 60
        assert lanes["tensor"]["whole"] > 60


def test_a_seed_repeats_and_another_gives_other_figures(chosen: SimpleNamespace) -> None:
    chosen.lanes = "2"
    one = bench_exact_sum.precision(chosen)
    assert bench_exact_sum.precision(chosen) == one
    chosen.seed = 3
    assert bench_exact_sum.precision(chosen) != one


def test_steps_cost_and_learning_run(chosen: SimpleNamespace) -> None:
    assert bench_exact_sum.steps(chosen)["steps"] == 1
    assert bench_exact_sum.cost(chosen)["parameters"] > VOCABULARY * 16
    assert len(bench_exact_sum.learning(chosen)["nats"]) == 5
