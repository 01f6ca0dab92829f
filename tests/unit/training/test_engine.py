import math

import numpy as np
import pytest
import torch
from unit.training.small_job import alone, block, digest, job, run

from qmpi.errors import CorruptData, InvariantError, PeerLost, UserError
from qmpi.protocol.progress import MAX_SKIPPED
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.flat_state import state_layout
from qmpi.training.lanes import read_block


def payload(engine):
    return b"".join(engine.snapshot()[1])


def test_loss_falls_and_report_is_complete():
    settings = job()
    engine = alone(settings)
    engine.warm_up()
    assert (engine.state_step, engine.holds_reduced) == (0, False)
    outcomes = []
    for step in range(4):
        blocks = [block(settings, 0, lane) for lane in range(4)]  # the same at each step
        digests = list(map(digest, blocks))
        outcomes.append(engine.run_step(step, range(4), blocks, digests, digest_due=step == 3))
    first, last = outcomes[0], outcomes[-1]
    assert sum(first.lane_losses) / 4 == pytest.approx(math.log(256), abs=0.3)
    assert sum(last.lane_losses) < sum(first.lane_losses)
    assert last.block_digests == tuple(digests)
    assert first.weight_digest == ""
    assert len(last.weight_digest) == 64
    assert last.gradient_norm > 0


def test_snapshot_goes_on_to_the_same_bits():
    settings = job(precision="bfloat16")
    engine = alone(settings)
    for step in range(2):
        run(engine, settings, step)
    kept = payload(engine)
    ahead = [run(engine, settings, step) for step in (2, 3)]
    other = alone(settings, start=False)
    assert other.state_step == -1
    other.load_snapshot(2, kept)
    again = [run(other, settings, step) for step in (2, 3)]
    assert [o.weight_digest for o in again] == [o.weight_digest for o in ahead]
    assert payload(engine) == payload(other)


def test_snapshot_of_another_shape_or_step_is_refused():
    engine = alone(job())
    with pytest.raises(CorruptData, match=r"\[model\]"):
        engine.load_snapshot(0, b"1234")
    with pytest.raises(InvariantError, match="step 7"):
        engine.load_snapshot(7, payload(engine))
    assert engine.state_step == -1


def test_non_finite_gradient_skips_the_update_and_at_last_stops_the_run():
    settings = job()
    engine = alone(settings)
    state = np.frombuffer(bytearray(payload(engine)), dtype=np.uint8)
    layout = state_layout(settings)
    weights = state[-4 * (layout.total + layout.moments) :].view(np.float32)
    weights[:2000] = 3e38
    engine.load_snapshot(0, state.tobytes())
    before = payload(engine)
    outcome = run(engine, settings, 0)
    assert outcome.gradient_norm == -1.0
    assert engine.state_step == 1
    assert payload(engine)[64:] == before[64:]  # all but the counters
    for step in range(1, MAX_SKIPPED - 1):
        run(engine, settings, step)
    with pytest.raises(UserError, match="diverged"):
        run(engine, settings, MAX_SKIPPED - 1)


def test_abort_in_a_lane_leaves_the_state_and_the_step_can_be_done_again():
    settings = job()
    calm = alone(settings)
    expected = run(calm, settings, 0).weight_digest
    said = [None, None, "stop", None, None, None, None]
    engine = Engine(settings, lambda: 0.0, lambda: said.pop(0))
    engine.initialise()
    engine.join(
        Comm(store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=lambda: None)
    )
    with pytest.raises(PeerLost, match="stop"):
        run(engine, settings, 0)
    assert (engine.state_step, engine.holds_reduced) == (0, False)
    said[:] = [None] * 20
    assert run(engine, settings, 0).weight_digest == expected


class Cut(Comm):
    """Is lost in a collective call, which still goes on in the memory that was given to it."""

    def __init__(self, call):
        super().__init__(
            store=None, name="g1", index=0, size=1, timeout_seconds=5, aborted=lambda: None
        )
        self.calls, self.left = [], None
        self._call = call

    def maximum(self, tensor):
        self._pass("maximum", tensor)

    def allreduce(self, tensor):
        self._pass("allreduce", tensor)

    def _pass(self, name, tensor):
        self.calls.append(name)
        if name == self._call:
            self.left = tensor
            raise PeerLost("gone")


@pytest.mark.parametrize(
    ("reduction", "call"), [("exact", "maximum"), ("exact", "allreduce"), ("fast", "allreduce")]
)
def test_a_peer_lost_in_a_collective_call_leaves_the_state_and_none_of_its_memory(reduction, call):
    settings = job(reduction)
    expected = run(alone(settings), settings, 0).weight_digest
    engine, cut = alone(settings), Cut(call)
    engine.join(cut)
    before = payload(engine)
    with pytest.raises(PeerLost):
        run(engine, settings, 0)
    assert (engine.state_step, engine.holds_reduced) == (0, False)
    assert payload(engine) == before
    engine.join(
        Comm(store=None, name="g2", index=0, size=1, timeout_seconds=5, aborted=lambda: None)
    )
    cut.left.fill_(77)
    assert run(engine, settings, 0).weight_digest == expected


def test_a_pass_of_no_use_is_not_summed():
    settings = job()
    engine, cut = alone(settings), Cut("")
    engine.join(cut)
    engine._state.exponents.fill_(-60)
    assert run(engine, settings, 0).redone == 1
    assert cut.calls == ["maximum", "maximum", "allreduce"]
    engine._state.params[:2000] = 3e38
    cut.calls.clear()
    assert run(engine, settings, 1).gradient_norm == -1.0
    assert cut.calls == ["maximum"]


def test_missing_vote_leaves_the_gradient_held():
    class Deaf(Comm):
        def vote(self):
            raise PeerLost("gone")

    settings = job()
    expected = run(alone(settings), settings, 0)
    engine = alone(settings)
    engine.join(
        Deaf(store=None, name="g2", index=0, size=1, timeout_seconds=5, aborted=lambda: None)
    )
    with pytest.raises(PeerLost):
        run(engine, settings, 0)
    assert (engine.state_step, engine.holds_reduced) == (0, True)
    engine.leave()
    finished = engine.apply_held()
    assert finished.weight_digest == expected.weight_digest
    assert finished.lane_losses == expected.lane_losses
    with pytest.raises(InvariantError):
        engine.apply_held()


def test_microbatches_are_parts_of_the_lane():
    one, two = job(microbatches=1), job(microbatches=2)
    engine, other = alone(one), alone(two)
    frame = block(one, 0, 0)
    outcome = engine.run_step(0, range(4), [frame] * 4, [digest(frame)] * 4, digest_due=True)
    double = other.run_step(0, range(4), [frame * 2] * 4, [digest(frame * 2)] * 4, digest_due=True)
    assert double.lane_losses == pytest.approx(outcome.lane_losses, abs=1e-6)
    assert double.gradient_norm == pytest.approx(outcome.gradient_norm, rel=1e-5)


def test_wrong_step_and_wrong_block_are_bugs_named():
    engine = alone(job())
    with pytest.raises(InvariantError, match="step 3"):
        run(engine, job(), 3)
    with pytest.raises(InvariantError, match="9 bytes"):
        read_block(b"123456789", 2, 2)
    assert read_block(np.arange(4, dtype="<u4").tobytes(), 2, 2).tolist() == [[0, 1], [2, 3]]
    assert read_block(np.arange(4, dtype="<u2").tobytes(), 2, 2).dtype == torch.int64


def test_identity_names_what_the_bits_depend_on():
    text = alone(job()).identity()
    for part in (torch.__version__, "1 threads", "float32", "exact"):
        assert part in text
