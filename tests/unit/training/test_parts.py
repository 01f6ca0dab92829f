"""Flat state, optimizer, schedule, communication of one, sampling."""

import errno
import os
import time

import pytest
import torch
from torch import nn

from qmpi.config.optimizer import OptimizerSettings
from qmpi.errors import NoConnection, PeerLost
from qmpi.training.comm import line, store
from qmpi.training.comm.line import Comm
from qmpi.training.comm.pieces import PIECE_BYTES, pieces
from qmpi.training.comm.store import connect_store, open_store
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.norm import global_norm
from qmpi.training.optimizer import Optimizer, clip

CPU = torch.device("cpu")
SHAPES = {"n": (6,), "a": (3, 5), "b": (4, 8), "m": (3,)}


def test_layout_puts_matrices_first_and_aligns_everything():
    layout = lay_out(SHAPES)
    assert [slot.name for slot in layout.slots] == ["a", "b", "n", "m"]
    assert (layout.hidden, layout.decayed, layout.total) == (48, 48, 80)
    state = FlatState(layout, CPU)
    views = [state.view(slot) for slot in layout.slots]
    assert all(view.data_ptr() % 64 == 0 for view in [*views, state.exp_avg, state.exp_avg_sq])


def test_filters_stand_with_vectors_where_nothing_decays():
    shapes = {"conv.weight": (8, 1, 3), "a": (3, 5), "n": (6,)}
    for kind in ("adamw", "muon", "adamw8"):
        layout = lay_out(shapes, kind)
        starts = {slot.name: slot.start for slot in layout.slots}
        assert starts["a"] < layout.hidden == layout.decayed
        assert layout.decayed == starts["conv.weight"] < starts["n"]


def test_digest_follows_weights_and_step():
    state = FlatState(lay_out(SHAPES), CPU)
    state.reset()
    seen = {state.digest()}
    state.set_counters(1, 1, 0)
    seen.add(state.digest())
    state.params[0] = 1.0
    seen.add(state.digest())
    other = FlatState(lay_out(SHAPES), CPU)
    other.load(b"".join(state.to_parts()))
    assert len(seen) == 3
    assert (other.digest(), other.step, other.updates) == (state.digest(), 1, 1)
    assert sum(part.nbytes for part in state.to_parts()) == state.total_bytes


def test_adamw_is_that_of_torch():
    settings = OptimizerSettings(learning_rate=0.01, beta2=0.95)
    state = FlatState(lay_out(SHAPES), CPU)
    state.reset()
    state.params.normal_(generator=torch.Generator().manual_seed(1))
    slots = state.layout.slots
    theirs = [nn.Parameter(state.view(slot).clone()) for slot in slots]
    groups = [
        {"params": theirs[:2], "weight_decay": settings.weight_decay},
        {"params": theirs[2:], "weight_decay": 0.0},
    ]
    ours = Optimizer(state.layout, CPU, torch.float32)
    optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for step in range(5):
        flat = torch.zeros(state.layout.total)
        for slot, parameter in zip(slots, theirs, strict=True):
            parameter.grad = torch.randn(slot.shape)
            flat[slot.start : slot.start + slot.size] = parameter.grad.view(-1)
        norm = float(nn.utils.clip_grad_norm_(theirs, 1.0))
        found = global_norm(flat)
        assert found == pytest.approx(norm, rel=1e-6)
        clip(flat, 1.0, found)
        optimizer.step()
        ours.prepare(state, flat, settings)
        ours.apply(state, flat, settings, 0.01)
        state.set_counters(step + 1, step + 1, 0)
    for slot, parameter in zip(slots, theirs, strict=True):
        torch.testing.assert_close(state.view(slot), parameter.data, rtol=1e-5, atol=1e-6)


def test_no_limit_and_undefined_norms_leave_the_gradient():
    flat = torch.tensor([3.0, 4.0])
    clip(flat, 0.0, 5.0)
    assert flat.tolist() == [3.0, 4.0]
    clip(flat, 1.0, float("inf"))
    clip(flat, 1.0, float("nan"))
    assert flat.tolist() == [3.0, 4.0]


def test_group_of_one_talks_to_nobody():
    alone = Comm(store=None, name="g1", index=0, size=1, timeout_seconds=1, aborted=lambda: "x")
    value = torch.arange(3)
    alone.allreduce(value)
    alone.broadcast(value, 0)
    alone.vote()
    assert value.tolist() == [0, 1, 2]
    assert not alone.stuck


def test_rendezvous_can_be_left_and_ends():
    store, address = open_store("127.0.0.1")
    peer = connect_store(address, 5)
    said = iter([None, None, "new generation"])
    with pytest.raises(PeerLost, match="new generation"):
        Comm(
            store=peer, name="g1", index=1, size=2, timeout_seconds=60,
            aborted=lambda: next(said),
        )  # fmt: skip
    with pytest.raises(PeerLost, match="not all 2 members"):
        Comm(store=store, name="g2", index=0, size=2, timeout_seconds=0.1, aborted=lambda: None)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EAGAIN, NoConnection),
        (errno.ENOMEM, NoConnection),
        (errno.EMFILE, NoConnection),
        (errno.ECONNRESET, PeerLost),
    ],
)
def test_who_has_no_room_for_a_connection_blames_no_peer(monkeypatch, number, kind):
    served, _ = open_store("127.0.0.1")
    served.set("g1/here1", "1")

    def refuse(*_: object) -> None:
        raise RuntimeError(os.strerror(number))

    monkeypatch.setattr(line, "Gloo", refuse)
    with pytest.raises(kind, match=os.strerror(number)):
        Comm(store=served, name="g1", index=0, size=2, timeout_seconds=5, aborted=lambda: None)


def test_who_has_no_descriptors_for_a_connection_blames_no_peer(monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(store, "await_listener", full)
    with pytest.raises(NoConnection, match="Too many open files"):
        connect_store("127.0.0.1:1", 0.2)


def test_unreachable_store_is_a_lost_peer():
    begun = time.monotonic()
    with pytest.raises(PeerLost, match="is gone"):
        connect_store("127.0.0.1:1", 0.2)
    assert time.monotonic() - begun < 20


def test_pieces_cover_the_tensor_without_copy():
    tensor = torch.zeros(PIECE_BYTES // 4 + 5)
    parts = pieces(tensor)
    assert [part.numel() for part in parts] == [PIECE_BYTES // 4, 5]
    assert parts[1].data_ptr() == tensor[PIECE_BYTES // 4 :].data_ptr()


@pytest.mark.parametrize(
    ("gpus", "own"),
    [
        (["", ""], False),
        (["a", "b"], True),
        (["a", "a"], False),
        (["a", ""], False),
        (["", "a"], False),
        (["a", "b", "b"], False),
        (["a", "b", "c"], True),
    ],
)
def test_who_meets_hears_whether_each_has_a_gpu_of_its_own(gpus, own):
    served, _ = open_store("127.0.0.1")
    for number, gpu in list(enumerate(gpus))[1:]:
        store.announce(served, number, gpu)
    told = [
        store.meet(served, number, len(gpus), gpu, 5, lambda: None)
        for number, gpu in enumerate(gpus)
    ]
    assert told == [own] * len(gpus)
