"""What the ranks of a context line give one another: order, sums, and how much travels."""

import pytest
import torch
from unit.training.line_of_threads import ThreadLine, run_all

from qmpi.model.pieces import Pieces
from qmpi.training.parallel.shared_tokens import SharedTokens

BATCH, TOKENS, HEADS, FEATURES = 2, 16, 3, 4


class Counted:
    """A member of a line that counts the numbers which it receives from others."""

    def __init__(self, member):
        self.member, self.received = member, 0

    def allgather(self, part):
        whole = self.member.allgather(part)
        self.received += whole.numel() - part.numel()
        return whole

    def sum_scattered(self, tensor):
        own = self.member.sum_scattered(tensor)
        self.received += (self.member.size - 1) * own.numel()
        return own


def met(ranks, rank, line):
    sequences = SharedTokens(rank, ranks)
    sequences.line = Counted(line.member(rank))
    return sequences


@pytest.mark.parametrize("ranks", [2, 4])
def test_keys_come_in_order_and_gradients_are_sums_in_order_of_the_ranks(ranks):
    line, drawn = ThreadLine(ranks), torch.Generator().manual_seed(2)
    k, v = torch.randn(2, BATCH, TOKENS, HEADS, FEATURES, generator=drawn)
    gradients = torch.randn(ranks, 2, *k.shape, generator=drawn)

    def work(rank):
        sequences, pieces = met(ranks, rank, line), Pieces.of(TOKENS, rank, ranks)
        own = [pieces.out_of(x, 1).clone().requires_grad_() for x in (k, v)]
        whole = sequences.whole(*own)
        assert all(map(torch.equal, whole, (k, v)))
        found = torch.autograd.grad(whole, own, list(gradients[rank]))
        total = torch.zeros_like(gradients[0])
        for one in gradients:
            total += one
        assert all(map(torch.equal, found, (pieces.out_of(x, 1) for x in total)))
        return sequences.line.received

    received = run_all([lambda rank=rank: work(rank) for rank in range(ranks)], [line])
    # Forward and backward (C - 1) / C of two times B T K D numbers each.
    numbers = 2 * BATCH * TOKENS * HEADS * FEATURES
    assert received == [2 * numbers * (ranks - 1) // ranks] * ranks


def test_losses_are_added_in_order_of_the_ranks():
    line, told = ThreadLine(3), [[0.1, 1e16], [0.2, 1.0], [0.3, -1e16]]

    def work(rank):
        sequences = SharedTokens(rank, 3)
        sequences.line = line.member(rank)
        return sequences.mean_of(told[rank])

    (first, *others) = run_all([lambda rank=rank: work(rank) for rank in range(3)], [line])
    assert first == [(0.1 + 0.2 + 0.3) / 3, (1e16 + 1.0 - 1e16) / 3]
    assert others == [first, first]


def test_a_rehearsal_has_the_true_shapes():
    own = torch.ones(BATCH, TOKENS // 4, HEADS, FEATURES, requires_grad=True)
    k, _ = SharedTokens(1, 4).whole(own, own)
    assert k.shape == (BATCH, TOKENS, HEADS, FEATURES)
    assert torch.autograd.grad(k.sum(), own)[0].shape == own.shape
