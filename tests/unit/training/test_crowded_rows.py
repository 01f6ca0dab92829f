"""Rows of a table under thousands of lanes: what they keep when their token is gone."""

import torch
from unit.training.line_of_threads import ThreadLine

from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.reduction.exact import ExactSum

CPU = torch.device("cpu")
TABLE = "model.embed_tokens.weight"


def test_of_thousands_of_lanes_a_row_whose_token_is_gone_keeps_its_precision():
    lanes, width, rows = 4096, 16, 3
    layout = lay_out({TABLE: (rows, width)})
    state = FlatState(layout, CPU)
    state.reset()
    state.set_counters(1, 1, 0)
    slot, *_ = layout.slots
    generator = torch.Generator().manual_seed(5)

    def batch(*shown):
        """Feed lanes of which few say most of a row; return signal to noise of each row in dB."""
        total = ExactSum(layout, lanes, CPU)
        total.begin_step(state)
        total.begin_pass()
        true = torch.zeros(rows, width, dtype=torch.float64)
        for lane in range(lanes):
            size = -12 if lane % 1024 == 0 else -22
            part = torch.randn(rows, width, generator=generator) * 2.0**size
            if lane == 9:
                part[list(shown)] *= 2.0**19
            total.add(0, slot, part)
            total.end_lane(lane, 0.0, "00" * 16)
            true += part.double()
        total.reduce(ThreadLine(1).member())
        assert not total.overflowed()
        mean = torch.zeros(layout.total)
        total.unpack(mean)
        total.settle(state)
        error = mean.view(-1)[: slot.size].view(rows, width).double() - true / lanes
        return 10 * torch.log10((true / lanes).square().sum(1) / error.square().sum(1))

    batch()
    batch(0, 1)  # two tokens are there: their rows are lifted
    batch(0)  # one stays, the other is gone
    quality = batch()
    assert bool((quality > 45.0).all()), quality
