"""PowerSGD's integers: the nearest to what lanes have, and what is not sent is kept."""

import torch
from unit.training.lane_sums import CPU, LAYOUT, RANK, flat_of, gradients
from unit.training.line_of_threads import ThreadLine, ThreadMember

from qmpi.config.exact_sum import lane_bits
from qmpi.training.reduction.by_lane import needs_of
from qmpi.training.reduction.exponents import powers
from qmpi.training.reduction.low_rank import LowRank
from qmpi.training.reduction.orthonormal import orthonormal

LANES = 4096
"""Of the batch, of which one is computed: so many leave it few bits, and rounding shows."""


class Recording(ThreadMember):
    """A member who notes what it gives to sums."""

    def __init__(self, line):
        super().__init__(line, 0)
        self.sent = []

    def allreduce(self, tensor):
        self.sent.append(tensor.clone())
        super().allreduce(tensor)


def test_integers_are_the_nearest_and_a_lane_keeps_what_they_leave():
    squeeze, member = LowRank(LAYOUT, LANES, CPU, RANK, 7), Recording(ThreadLine(1))
    flat = torch.cat([flat_of(gradients(3, 0)), torch.zeros(squeeze.extra)])
    had, buffer = flat.clone(), torch.zeros(LAYOUT.total, dtype=torch.int32)
    squeeze.begin_step(0)
    needs = needs_of(squeeze.largest([flat]))
    products = [product.clone() for product in squeeze._products[0]]
    squeeze.reduce(member, [flat], needs, buffer)
    tall, wide = (squeeze._tall.views(member.sent[0]), squeeze._wide.views(member.sent[1]))
    scales = powers(lane_bits(LANES * LAYOUT.shares) - needs[-2 * len(tall) :]).view(2, -1)
    for number, slot in enumerate(squeeze._matrices):
        basis, place = orthonormal(tall[number]), slice(slot.start, slot.start + slot.size)
        matrix, kept = (values[place].view(slot.shape[0], -1) for values in (had, flat))
        for sent, exact, scale in (
            (tall[number], products[number], scales[0][number]),
            (wide[number], matrix.T @ basis, scales[1][number]),
        ):
            off = (sent - exact * scale).abs()
            # Cut off they would lie up to 1 away, and 0.5 in the mean.
            assert float(off.max()) < 0.51
            assert 0.2 < float(off.mean()) < 0.3
        left = matrix.double() - basis.double() @ (wide[number] / scales[1][number]).double().T
        assert float((kept - left).abs().max()) < 2**-20 * float(matrix.abs().max())
