"""Compiled loops of the exact sum give the bits of torch's operations; broken ones are found."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.small_job import alone, job, run

from qmpi.config.exact_sum import lane_bits
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.training import compiler
from qmpi.training.compiler import Preparer, at_once
from qmpi.training.flat_state import CHUNK, FIRST_EXPONENT, FlatState, lay_out
from qmpi.training.reduction import compiled
from qmpi.training.reduction.compiled import compile_sweeps
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.trial import agree

CPU = torch.device("cpu")
ROWS, WIDTH = 64, 700
LAYOUT = lay_out(
    {
        "model.embed_tokens.weight": (ROWS, WIDTH),
        "a": (5, 7),
        "wide": (1, 2 * CHUNK + 9),
        "b": (3,),
        "one": (1,),
    }
)
LIMIT = 2.0**FIRST_EXPONENT
ODD = (
    0.0, -0.0, LIMIT, -LIMIT, math.nextafter(LIMIT, 0.0), LIMIT / 128, 1e-45, -1e-40, 1.2e-38,
    3e38, math.inf, -math.inf, math.nan, -math.nan,
)  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def sweeps(request, cache):  # noqa: ARG001 - it must be first
    return compile_sweeps(request.param)


def made(lanes, used, passes=1):
    """Sum lanes, dealt in turn to a member for each of `used`; None: by torch's operations."""
    line = ThreadLine(len(used))
    states = [FlatState(LAYOUT, CPU) for _ in used]
    totals = [ExactSum(LAYOUT, len(lanes), CPU) for _ in used]

    def compute(member):
        total, state = totals[member], states[member]
        if used[member] is not None:
            total.use(used[member])
        state.reset()
        state.set_counters(1, 1, 0)
        total.begin_step(state)
        for _ in range(passes):
            total.begin_pass()
            for number in range(member, len(lanes), len(used)):
                for place, (slot, part) in enumerate(zip(LAYOUT.slots, lanes[number], strict=True)):
                    if part is not None:
                        total.add(place, slot, part)
                total.end_lane(number, 0.0, "00" * 16)
            total.reduce(line.member())

    run_all([lambda m=m: compute(m) for m in range(len(used))])
    return totals[0], states[0]


def said(total, state):
    """Return all that a step is made of, as integers."""
    facts = [total._needs.clone()]
    if not total.broken() and not total.overflowed():
        mean = torch.zeros(LAYOUT.total)
        total.unpack(mean)
        facts.append(mean.view(torch.int32))
    total.settle(state)
    return [*facts, state.exponents]


def equal(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


def drawn(data, lane):
    """Return a lane's gradients: some parameters left alone, some elements odd."""
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)) * 10 + lane)
    scale = 2.0 ** data.draw(st.integers(-40, -11))
    kind = data.draw(st.sampled_from((torch.float32, torch.bfloat16)))
    parts = [torch.randn(slot.size, generator=generator) * scale for slot in LAYOUT.slots]
    for part, odd, at in data.draw(
        st.lists(
            st.tuples(st.sampled_from(parts), st.sampled_from(ODD), st.integers(0, 10**6)),
            max_size=3,
        )
    ):
        part[at % part.numel()] = odd
    table = parts[[slot.is_table for slot in LAYOUT.slots].index(True)].view(ROWS, WIDTH)
    rows = st.tuples(st.integers(0, ROWS - 1), st.integers(-30, 20))
    for row, bits in data.draw(st.lists(rows, max_size=20)):
        table[row] *= 2.0**bits
    return [None if data.draw(st.integers(0, 9)) == 0 else part.to(kind) for part in parts]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bits_are_those_of_torchs_operations(sweeps, data):
    lanes = [drawn(data, lane) for lane in range(data.draw(st.integers(1, 4)))]
    expected = said(*made(lanes, [None]))
    passes = data.draw(st.integers(1, 2))
    assert equal(said(*made(lanes, [sweeps], passes)), expected)
    if len(lanes) > 1:
        assert equal(said(*made(lanes, [sweeps, None], passes)), expected)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_integers_are_gradients_rounded_half_to_even(sweeps, kind):
    generator = np.random.default_rng(5)
    lanes = []
    for _ in range(4):
        parts = [generator.normal(0, 2.0**-12, slot.size) for slot in LAYOUT.slots]
        unit = 2.0 ** (FIRST_EXPONENT - lane_bits(4))
        for part in parts:
            part[::3] = (generator.integers(-99, 99, part[::3].shape) + 0.5) * unit
        lanes.append([torch.tensor(part, dtype=torch.float32).to(kind) for part in parts])
    total, _ = made(lanes, [sweeps], passes=2)
    mean = torch.zeros(LAYOUT.total)
    total.unpack(mean)
    for number, slot in enumerate(LAYOUT.slots):
        if not slot.is_table:
            whole = sum(np.rint(lane[number].double().numpy() / unit) for lane in lanes)
            found = mean[slot.start : slot.start + slot.size].numpy()
            assert np.array_equal(found, whole.astype(np.float32) * np.float32(unit / 4))


def test_a_trial_passes(sweeps):
    assert agree(sweeps)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("bits_of(number + ROUNDER)", "bits_of(number + (ROUNDER + 1.0f))"),
        ("rounded(shake[i] + x * by)", "bits_of(x * by + (shake[i] + ROUNDER))"),
        ("sums[i] += rounded(x * scale)", "sums[i] += rounded(x * scale * 0.9999999f)"),
        ("sums[i] = start + rounded(x * scale)", "sums[i] = rounded(x * scale)"),
        ("sums[i] = start + rounded(shake", "sums[i] += rounded(shake"),
        ("& 0x7FFFFFFF", "& 0x7FFF0000"),
        ("static_cast<uint32_t>(half) << 16", "static_cast<uint32_t>(half) << 16 | 1"),
        ("row % noisy_rows * width", "0"),
        ("most < limits[row] ? scales[row] : 0.0f", "scales[row]"),
        ("outliers += !(most < coarse.limits[row])", "outliers += false"),
        ("if (wanted[row])", "if (!wanted[row])"),
        ("static_cast<float>(total[i])", "static_cast<float>(total[i] / 2 * 2)"),
    ],
)
def test_loops_that_err_are_found_by_the_trial(tmp_path, monkeypatch, right, wrong):
    source = compiled.SOURCE.read_text(encoding="utf-8")
    assert right in source
    broken = tmp_path / "broken.cpp"
    broken.write_text(source.replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(compiled, "SOURCE", broken)
    assert not agree(compile_sweeps(1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_engine_comes_to_the_same_weights(sweeps, precision):
    engines = [alone(job(precision=precision)) for _ in range(2)]
    engines[1].warm_up()
    engines[1]._sum.use(sweeps)
    for step in range(4):
        plain, other = (run(engine, job(precision=precision), step) for engine in engines)
        assert plain == replace(other, seconds=plain.seconds, times=plain.times)
    assert engines[0].identity() == engines[1].identity()


def preparer(reduction="exact"):
    train = TrainSettings(threads=1, reduction=reduction)
    return Preparer(Settings(train=train), CPU, at_once)


@pytest.mark.parametrize("error", [RuntimeError, OSError, None])
def test_loops_that_cannot_be_had_are_done_without(monkeypatch, caplog, error):
    def fail(_):
        raise error("no luck")

    if error is None:
        monkeypatch.setattr(compiler, "compile_sweeps", lambda _: None)
        monkeypatch.setattr(compiler, "agree", lambda _: False)
    else:
        monkeypatch.setattr(compiler, "compile_sweeps", fail)
    assert preparer()._sweeps() == []
    (line,) = caplog.messages
    assert line.startswith("the exact sum is not compiled")


def test_a_float_sum_wants_no_loops(monkeypatch):
    monkeypatch.delattr(compiler, "compile_sweeps")
    assert preparer("fast")._sweeps() == []
