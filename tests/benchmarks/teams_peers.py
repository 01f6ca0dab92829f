"""Models of torch's own parts for `bench_teams`: a plain decoder, cut by DTensor or into stages."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.head = width // heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        def cut(y):
            return y.view(*y.shape[:2], -1, self.head).transpose(1, 2)

        q, k, v = cut(self.q(x)), cut(self.k(x)), cut(self.v(x))
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(seen.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.first, self.second = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention, self.feed = Attention(width, heads), FeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first(x))
        return x + self.feed(self.second(x))


class Decoder(nn.Module):
    """A run of blocks; the first stage has the table, the last norm and head."""

    def __init__(self, shape, hidden, blocks, first=True, last=True):
        super().__init__()
        self.table = nn.Embedding(shape.vocab_size, shape.width) if first else None
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads, hidden) for _ in range(blocks))
        self.norm = nn.RMSNorm(shape.width) if last else None
        self.head = nn.Linear(shape.width, shape.vocab_size, bias=False) if last else None

    def forward(self, x: Tensor) -> Tensor:
        if self.table is not None:
            x = self.table(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)) if self.head is not None else x


def loss_of(logits, targets):
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


class Plain:
    """One process."""

    def __init__(self, shape, hidden, microbatches):
        self.model, self.count = Decoder(shape, hidden, shape.layers), microbatches
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)

    def step(self, ids):
        for rows in ids.chunk(self.count):
            (self.loss(rows[:, :-1], rows[:, 1:]) / self.count).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)

    def loss(self, inputs, targets):
        return loss_of(self.model(inputs), targets)


class ByDTensor(Plain):
    """Tensor and sequence parallel, with the loss over parts of the vocabulary."""

    def __init__(self, shape, hidden, microbatches):
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.tensor import Replicate, Shard
        from torch.distributed.tensor import parallel as by

        super().__init__(shape, hidden, microbatches)
        mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
        rows = Shard(1)
        gathered = by.PrepareModuleInput(
            input_layouts=(rows,), desired_input_layouts=(Replicate(),)
        )
        by.parallelize_module(
            self.model,
            mesh,
            {
                "table": by.RowwiseParallel(input_layouts=Replicate(), output_layouts=rows),
                "norm": by.SequenceParallel(),
                "head": by.ColwiseParallel(
                    input_layouts=rows, output_layouts=Shard(-1), use_local_output=False
                ),
            },
        )
        written = by.RowwiseParallel(output_layouts=rows)
        for block in self.model.blocks:
            read = {f"attention.{name}": by.ColwiseParallel() for name in "qkv"}
            read |= {f"feed.{name}": by.ColwiseParallel() for name in ("gate", "up")}
            plan = {"first": by.SequenceParallel(), "second": by.SequenceParallel()}
            plan |= {"attention": gathered, "feed": gathered}
            plan |= {"attention.o": written, "feed.down": written} | read
            by.parallelize_module(block, mesh, plan)
        # Fused kernels refuse a mixture of distributed and plain parameters.
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, foreach=False)

    def loss(self, inputs, targets):
        from torch.distributed.tensor.parallel import loss_parallel

        with loss_parallel():
            loss = functional.cross_entropy(self.model(inputs).flatten(0, 1), targets.flatten())
            (loss / self.count).backward()
        return loss

    def step(self, ids):
        for rows in ids.chunk(self.count):
            self.loss(rows[:, :-1], rows[:, 1:])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)


class ByStages:
    """torch's pipelining, 1F1B."""

    def __init__(self, shape, hidden, microbatches):
        from torch.distributed.pipelining import PipelineStage, Schedule1F1B

        rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self.rank, self.is_last = rank, rank == size - 1
        blocks = shape.layers // size
        self.model = Decoder(shape, hidden, blocks, first=rank == 0, last=self.is_last)
        stage = PipelineStage(self.model, rank, size, torch.device("cpu"))
        self.schedule = Schedule1F1B(stage, microbatches, loss_fn=loss_of)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)

    def step(self, ids):
        given = [ids[:, :-1].contiguous()] if self.rank == 0 else []
        wanted = {"target": ids[:, 1:].contiguous(), "losses": []} if self.is_last else {}
        self.schedule.step(*given, **wanted)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
