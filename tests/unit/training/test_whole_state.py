"""Checkpoints of teams: put together, and cut for another layout."""

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.training.small_job import never
from unit.training.team_of_threads import Teams, teamed
from unit.training.test_teams import four_heads

from qmpi.config.parallel import ParallelSettings
from qmpi.errors import CorruptData, InputError
from qmpi.model.partition import Cut, partitions, span
from qmpi.training.engine import Engine
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.sample import load_model
from qmpi.training.snapshot_weights import SnapshotWeights
from qmpi.training.state_part import EXPONENTS, NewPart, StatePart
from qmpi.training.whole_state import WholeState, cut_state, joined

INTERLEAVED = {"pipeline": 2, "schedule": "interleaved", "chunks": 2}

LAYOUTS = {
    "one": {},
    "tensor 2": {"tensor": 2},
    "tensor 4": {"tensor": 4},
    "pipeline 2": {"pipeline": 2},
    "interleaved": INTERLEAVED,
    "both": {"tensor": 2, "pipeline": 2},
    "pipeline 4": {"pipeline": 4},
    "context 2": {"context": 2},
}

WITH_EXPERTS = {
    **LAYOUTS,
    "expert 2": {"expert": 2},
    "expert and tensor": {"expert": 2, "tensor": 2},
    "expert and pipeline": {"expert": 2, "pipeline": 2},
}

ODD = 259
"""Tokens that 2 does not divide."""

OPTIMIZERS = {"dense": "adamw", "untied": "muon", "experts": "muon"}


def trained(name, axes, steps=3, **changes):
    settings = four_heads(name)
    kind = OPTIMIZERS[name]
    settings = replace(settings, optimizer=replace(settings.optimizer, kind=kind))
    settings = replace(settings, model=replace(settings.model, **changes))
    teams = teamed(settings, **axes)
    return teams, teams.train(steps)


def payloads(teams):
    parts = [teams.engines[seat].snapshot()[1] for seat in teams.seats if seat.team == 0]
    return [memoryview(b"".join(part)) for part in parts]


def whole_of(teams):
    return WholeState(teams.settings, payloads(teams))


def laid_out(settings, axes):
    return replace(settings, parallel=ParallelSettings(**axes))


def cut(whole, settings):
    made = [cut_state(whole, settings, place) for place in range(settings.parallel.team_size)]
    return [memoryview(b"".join(parts)) for parts in made]


def loaded(settings, parts, step):
    teams = Teams(settings, 1)
    for seat, payload in zip(teams.seats, parts, strict=True):
        teams.engines[seat].load_snapshot(step, payload)
    return teams


SLOW = pytest.mark.slow
FEW = ["dense", *(pytest.param(name, marks=SLOW) for name in ("untied", "experts"))]
"""One model shows how parts lie; the others show it of what they have besides."""


def layouts_of(name):
    return WITH_EXPERTS if name == "experts" else LAYOUTS


WRITTEN = [("dense", written) for written in (*LAYOUTS, "odd")] + [
    pytest.param(name, written, marks=SLOW)
    for name in ("untied", "experts")
    for written in (*layouts_of(name), "odd")
]


@pytest.mark.parametrize(("name", "written"), WRITTEN)
def test_what_is_written_in_a_layout_is_the_same_state_in_each(name, written):
    odd = {"vocab_size": ODD} if written == "odd" else {}
    layouts = layouts_of(name)
    teams, told = trained(name, layouts.get(written, {"tensor": 2}), 2, **odd)
    whole = whole_of(teams)
    assert whole.weight_digest(2) == told[-1][2]
    digest = whole.digest()
    for axes in layouts.values():
        settings = laid_out(teams.settings, axes)
        again = WholeState(settings, cut(whole, settings))
        assert again.digest() == digest
        back = WholeState(teams.settings, cut(again, teams.settings))
        assert (back.digest(), back.weight_digest(2)) == (digest, told[-1][2])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_are_those_of_the_ranks(name):
    teams, _ = trained(name, LAYOUTS["both"], vocab_size=ODD)
    for parameter, values in SnapshotWeights(teams.settings, payloads(teams)):
        assert torch.equal(values, teams.parameter(parameter))
    model = load_model(teams.settings, payloads(teams))
    assert model.settings == teams.settings.model


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("axes", [LAYOUTS[n] for n in ("one", "tensor 4", "interleaved", "both")])
def test_reshaped_it_goes_on_as_it_would_have(name, axes):
    teams, _ = trained(name, LAYOUTS["tensor 2"], vocab_size=ODD)
    settings = laid_out(teams.settings, axes)
    other = loaded(settings, cut(whole_of(teams), settings), 3)
    one, two = (each.train(6, 3) for each in (teams, other))
    for before, after in zip(one, two, strict=True):
        torch.testing.assert_close(after[0], before[0], rtol=0, atol=1e-5)
        assert after[1] == pytest.approx(before[1], rel=1e-4)


def test_cut_for_its_own_layout_nothing_changes():
    teams, _ = trained("untied", LAYOUTS["both"], vocab_size=ODD)
    assert cut(whole_of(teams), teams.settings) == payloads(teams)


def test_copies_that_must_be_alike_are_compared():
    teams, _ = trained("dense", LAYOUTS["tensor 2"])
    state = teams.engines[teams.seats[1]]._state
    slot = next(slot for slot in state.layout.slots if slot.name == "model.norm.weight")
    state.view(slot)[3] += 1e-3
    whole = whole_of(teams)
    with pytest.raises(CorruptData, match=r"positions 0 and 1 .* weights of model\.norm\.weight"):
        whole.digest()
    state.set_counters(4, 3, 1)
    with pytest.raises(CorruptData, match="positions 0 and 1 hold different counters"):
        whole_of(teams)


def test_parts_of_another_job_are_told():
    teams, _ = trained("dense", LAYOUTS["tensor 2"], steps=1)
    parts = payloads(teams)
    with pytest.raises(CorruptData, match=r"2 parts is not of this job"):
        WholeState(laid_out(teams.settings, {}), parts)
    with pytest.raises(CorruptData, match="does not fit this model"):
        WholeState(teams.settings, [parts[0], parts[1][:-64]])


def test_moments_in_eight_bits_are_cut_at_blocks_or_not_at_all():
    settings = four_heads()
    eight = replace(settings, optimizer=replace(settings.optimizer, kind="adamw8"))
    engine = Teams(eight, 1)
    engine.train(2)
    whole = whole_of(engine)
    for axes in (LAYOUTS["pipeline 2"], INTERLEAVED):
        wanted = laid_out(eight, axes)
        assert WholeState(wanted, cut(whole, wanted)).digest() == whole.digest()
    with pytest.raises(InputError, match=r"moments of .* eight bits.* cut through blocks"):
        cut(whole, laid_out(eight, {"tensor": 4}))


def test_narrow_masters_are_cut_as_any():
    settings = four_heads()
    narrow = replace(settings, train=replace(settings.train, masters="bfloat16"))
    teams = Teams(narrow, 1)
    teams.train(2)
    wanted = laid_out(narrow, LAYOUTS["both"])
    assert WholeState(wanted, cut(whole_of(teams), wanted)).digest() == whole_of(teams).digest()


def test_levels_and_the_loss_scale_are_carried_over():
    settings = laid_out(four_heads(), LAYOUTS["tensor 2"])
    teams = Teams(settings, 1)
    for engine in teams.engines.values():
        engine._state.set_scaling(12, 7)
        engine._state.set_counters(5, 4, 1)
    one = cut(whole_of(teams), laid_out(settings, {}))
    engine = Engine(laid_out(settings, {}), time.monotonic, never)
    engine.load_snapshot(5, one[0])
    assert (engine._state.scaling, engine._state.updates, engine.skipped) == ((12, 7), 4, 1)


@st.composite
def dealt(draw):
    """A shape, and its cuts in parts along one dimension."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    dim = draw(st.integers(0, len(shape) - 1))
    parts = draw(st.integers(1, shape[dim]))
    return shape, [Cut(shape, dim, *span(shape[dim], parts, part)) for part in range(parts)]


@given(dealt(), st.randoms())
def test_cuts_joined_are_the_whole(case, order):
    shape, cuts = case
    whole = torch.arange(torch.Size(shape).numel()).view(shape)
    held = [(place, one, {"x": whole[one.index]}) for place, one in enumerate(cuts)]
    order.shuffle(held)
    assert torch.equal(joined("p", held)["x"], whole)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 80_000), st.integers(-40, 5))
def test_a_chunk_takes_the_largest_exponent_that_it_overlaps(rows, columns, size, lowest):
    shapes = {"model.embed_tokens.weight": (rows, columns), "w": (size, 1), "b": (size,)}
    layout = lay_out(shapes)
    state = FlatState(layout, torch.device("cpu"))
    state.exponents.copy_(torch.arange(lowest, lowest + layout.chunks))
    read = StatePart(layout, memoryview(b"".join(state.to_parts())))
    for name in ("w", "b"):
        spread = read.read(name, (EXPONENTS,))[EXPONENTS].flatten()
        half = size // 2
        if not half:
            continue
        cut_layout = lay_out({name: (size - half, *shapes[name][1:])})
        part = NewPart(cut_layout, bytes(64))
        fields = {f: v[half:] for f, v in read.read(name).items()}
        part.write(name, fields)
        told = StatePart(cut_layout, memoryview(b"".join(part.payload())))
        kept = told.read(name, (EXPONENTS,))[EXPONENTS].flatten()
        assert bool((kept >= spread[half:]).all())
        assert int(kept.max()) == int(spread[half:].max())
    table = read.read("model.embed_tokens.weight", (EXPONENTS,))[EXPONENTS]
    assert len(set(table[:, 0].tolist())) == rows


def test_every_parameter_is_covered_by_the_cuts_of_every_layout():
    for name in ("dense", "untied", "experts"):
        model = replace(four_heads(name).model, vocab_size=ODD)
        for axes in LAYOUTS.values():
            held = partitions(model, ParallelSettings(**axes))
            names = set().union(*(part.cuts for part in held))
            one = partitions(model, ParallelSettings())[0]
            assert names == set(one.cuts)


@pytest.mark.parametrize(("before", "after"), [("tensor 4", "tensor 2"), ("tensor 2", "tensor 4")])
def test_each_byte_is_read_once_for_all_new_positions(monkeypatch, before, after):
    teams = teamed(four_heads("dense"), **LAYOUTS[before])
    whole = whole_of(teams)
    plain = StatePart.read
    read: dict[str, int] = {}

    def counted(part, name, wanted=(), index=()):
        fields = plain(part, name, wanted, index)
        size = sum(v.nbytes for field, v in fields.items() if field != EXPONENTS)
        read[name] = read.get(name, 0) + size
        return fields

    monkeypatch.setattr(StatePart, "read", counted)
    settings = laid_out(teams.settings, LAYOUTS[after])
    cut(whole, settings)
    held = [part.cuts for part in partitions(settings.model, settings.parallel)]
    for name in whole.names:
        copies = len(held) if held[0][name].is_whole else 1
        once = sum(v.nbytes for f, v in whole.read(name).items() if f != EXPONENTS)
        assert read[name] - plain_size(plain, whole, name) == copies * once, name


def plain_size(plain, whole, name):
    """Bytes that `WholeState.read` itself has just read of a parameter."""
    fields = [plain(p, name) for p, c in zip(whole._parts, whole._cuts, strict=True) if name in c]
    return sum(v.nbytes for held in fields for f, v in held.items() if f != EXPONENTS)
