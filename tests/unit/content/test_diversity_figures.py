"""Figures of diversity against samples whose figures are known."""

import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.content.diversity import (
    GATES,
    failures,
    growth,
    heaps_exponent,
    layout,
    measure,
    words_of,
)
from qmpi.content.likeness import BANDS, ORDERS, hashed_runs, repeated, signature


def _words(seed, count):
    return [f"w{seed}x{n}" for n in range(count)]


def _hashes(words):
    values = [int.from_bytes(random.Random(word).randbytes(8), "little") for word in words]
    return np.array(values, np.uint64)


@pytest.mark.parametrize("exponent", [0.3, 0.55, 1.0])
def test_the_fit_gives_back_the_exponent(exponent):
    points = [(n, 7 * n**exponent) for n in (1000, 3000, 10_000, 100_000)]
    assert heaps_exponent(points) == pytest.approx(exponent)


def test_one_point_has_no_slope():
    assert heaps_exponent([(5, 5)]) == 0


def test_growth_counts_different_words():
    ids = np.array([0, 1, 0, 2] * 1000, np.uint64)
    points = growth(ids)
    assert points[-1] == (4000, 3)
    assert points[0] == (1000, 3)
    assert growth(np.arange(50, dtype=np.uint64))[-1] == (50, 50)


def test_words_with_signs_stay_whole_and_unparted_scripts_are_characters():
    assert words_of("Don't x_1, cafe\u0301!") == ["Don", "t", "x_1", "cafe\u0301"]
    assert words_of("\u0939\u093f\u0928\u094d\u0926\u0940\u0964") == [
        "\u0939\u093f\u0928\u094d\u0926\u0940"
    ]
    assert words_of("\u4f60\u597dabc\u3053") == ["\u4f60", "\u597d", "abc", "\u3053"]


def test_novel_runs_do_not_cross_documents():
    text = " ".join(_words(0, 8))
    found = measure([text, text + " end", " ".join(_words(1, 7))])
    # Runs: 1 in the first, the same and one more in the second, none in the third.
    assert found.novel == pytest.approx(2 / 3)
    assert found.words == 24


def test_repeats_openings_and_compressors():
    texts = [f"one two three four five {n}" for n in range(9)]
    found = measure([*texts, texts[0]])
    assert found.documents == 10
    assert found.repeats == pytest.approx(0.1)
    assert found.opening == 1.0
    assert found.near == pytest.approx(0.1)
    assert measure(["abcd " * 10_000]).zlib > 100


def test_types_are_counted_in_the_first_hundred_thousand_words():
    texts = [" ".join(_words(0, 1000))] * 100 + [" ".join(_words(1, 1000))]
    found = measure(texts)
    assert found.types == pytest.approx(0.01)


def test_the_order_of_blocks_has_entropy():
    one = "# Title\n\nSome prose here, long enough to be prose.\n\n- item\n"
    other = "Some prose here, long enough to be prose.\n\n# Title\n\n- item\n"
    assert measure([one] * 4).orders == 0
    assert measure([one, other] * 4).orders == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("# A\n\nSome words that go on for a while.\n\nAnd more of them.\n", ("heading", "prose")),
        ("NAME\n\n  - a thing\n\n    x = 1\n", ("heading", "list", "code")),
        ("A: hello\n\n\u201cNo,\u201d she said\n", ("speech",)),
        ("soft\nnight\nfalls\n", ("lines",)),
        ("a | b\n1 | 2\n", ("table",)),
        ("", ("prose",)),
    ],
)
def test_kinds_of_blocks(text, kinds):
    assert layout(text) == kinds


def test_gates_name_what_fails():
    bad = measure(["same words again and again and again and again\n"] * 50)
    said = "\n".join(failures(bad))
    for name in ("novel", "zlib", "repeats", "near", "opening"):
        assert name in said

    @dataclass
    class Good:
        heaps: float = 0.55
        novel: float = 0.7
        zlib: float = 4.0
        lzma: float = 5.5
        near: float = 0.02
        repeats: float = 0.0
        opening: float = 0.01

    assert failures(Good()) == []
    assert set(GATES) == set(Good.__dataclass_fields__)


def test_runs_depend_on_order_and_are_counted():
    words = _hashes("abcab")
    assert hashed_runs(words, 2).size == 4
    assert hashed_runs(words, 2)[0] == hashed_runs(words, 2)[3]
    assert hashed_runs(words[:2], 2)[0] != hashed_runs(words[1::-1], 2)[0]
    assert hashed_runs(words[:1], 2).size == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**32))
def test_signatures_estimate_the_overlap(changed, seed):
    first = _hashes(_words(seed, 120))
    second = first.copy()
    second[:changed] = _hashes(_words(seed + 1, changed))
    runs = [set(hashed_runs(words, 5).tolist()) for words in (first, second)]
    overlap = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    estimate = np.mean(signature(first) == signature(second))
    assert estimate == pytest.approx(overlap, abs=4.5 * 0.5 / ORDERS**0.5)


def test_similar_documents_are_found_and_others_are_not():
    rng = random.Random(5)
    documents = [_words(n, 200) for n in range(40)]
    near = [[*document[:190], *_words(99 + n, 10)] for n, document in enumerate(documents)]
    far = [[*document[:100], *_words(999 + n, 100)] for n, document in enumerate(documents)]
    together = [*documents, *near, *far]
    order = list(range(len(together)))
    rng.shuffle(order)
    found = repeated([signature(_hashes(together[place])) for place in order])
    kinds = [place // 40 for place in order]
    # Whichever of a pair comes second is similar to the first; the far ones are to none.
    assert sum(found) == 40
    assert not any(is_found for is_found, kind in zip(found, kinds, strict=True) if kind == 2)


def test_no_documents_and_documents_without_words():
    assert repeated([]) == []
    assert signature(np.zeros(0, np.uint64)).shape == (ORDERS,)
    assert repeated([signature(_hashes("a")), signature(_hashes("a"))]) == [False, True]
    assert ORDERS % BANDS == 0


def test_equal_samples_have_equal_figures():
    texts = [" ".join(_words(n, 60)) for n in range(30)]
    assert measure(texts) == measure(texts)
