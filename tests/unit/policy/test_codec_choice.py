"""The choice of a codec: never far from the least time, small where times tie, told in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.policy.codec_choice import TIE, CodecTrial, Way, choose_codec, seconds_a_byte

RATES = st.floats(1e5, 1e11)
TRIALS = st.lists(st.tuples(st.floats(0.5, 100), RATES, RATES), min_size=1, max_size=8).map(
    lambda rows: [CodecTrial(f"codec {number}", *row) for number, row in enumerate(rows)]
)
WAYS = st.builds(
    Way,
    rate=st.floats(1e3, 1e11),
    compressions=st.sampled_from([0.0, 0.1, 1.0]),
    least_compress_rate=st.sampled_from([0.0, 1e7]),
)

NONE = CodecTrial("none", 1.0, 2e10, 2e10)
FAST = CodecTrial("fast", 1.5, 4e8, 3e9)
GOOD = CodecTrial("good", 2.0, 4e7, 1e9)
SMALL = CodecTrial("small", 2.5, 2e6, 5e7)
ALL = (NONE, FAST, GOOD, SMALL)


@given(TRIALS, WAYS)
def test_the_chosen_is_within_a_tie_of_the_best_that_may_be_chosen(trials, way):
    name = choose_codec(trials, way).name
    chosen = next(trial for trial in trials if trial.name == name)
    able = [trial for trial in trials if trial.compress_rate >= way.least_compress_rate]
    if not able:
        assert chosen.compress_rate == max(trial.compress_rate for trial in trials)
        return
    assert chosen in able
    least = min(seconds_a_byte(trial, way) for trial in able)
    assert seconds_a_byte(chosen, way) <= (1 + TIE) * least * (1 + 1e-12)
    smaller = [trial for trial in able if trial.ratio > chosen.ratio]
    assert all(seconds_a_byte(trial, way) > least for trial in smaller)


@given(TRIALS, WAYS)
def test_order_does_not_matter_but_for_equals(trials, way):
    ratios = {choose_codec(order, way).name: 0 for order in (trials, trials[::-1])}
    found = [next(trial for trial in trials if trial.name == name) for name in ratios]
    assert len({trial.ratio for trial in found}) == 1


@given(st.floats(1e3, 1e11), st.floats(1.01, 100))
def test_a_faster_way_never_takes_a_codec_that_decodes_more_slowly(rate, faster):
    def chosen(rate):
        name = choose_codec(ALL, Way(rate=rate)).name
        return next(trial for trial in ALL if trial.name == name)

    assert chosen(rate * faster).decode_rate >= chosen(rate).decode_rate


@pytest.mark.parametrize(
    ("rate", "least", "name"),
    [
        (1e6, 0, "small"),
        (1e6, 1e7, "good"),
        (2e8, 1e7, "good"),
        (6e8, 0, "fast"),
        (1e12, 0, "none"),
    ],
)
def test_slow_ways_take_small_codecs_and_fast_ones_none(rate, least, name):
    assert choose_codec(ALL, Way(rate=rate, least_compress_rate=least)).name == name


def test_what_is_sent_once_is_charged_for_being_compressed():
    assert choose_codec(ALL, Way(rate=1e8, compressions=1)).name == "fast"
    assert choose_codec(ALL, Way(rate=1e8)).name == "good"


def test_the_reason_has_the_figures():
    said = choose_codec(ALL, Way(rate=1e8, least_compress_rate=1e7)).reason
    assert said == (
        "at 100 MB/s a GB takes 6.00 s: ratio 2.00, decoded at 1,000 MB/s; 1 of 4 tried compress "
        "too slowly; next fast with 7.00 s"
    )
    assert "smallest of 2 within 5%" in choose_codec((FAST, GOOD), Way(rate=2.5e8)).reason


def test_nothing_tried_is_our_mistake():
    with pytest.raises(InvariantError):
        choose_codec((), Way(rate=1.0))
