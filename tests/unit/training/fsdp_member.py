"""One of two ranks that share out a model by torch's `fully_shard`; run by test_full_shards.

Reads weights from one file of numpy, writes gradients of the mean loss over all lanes to another,
and prints the bytes that came to it as JSON.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from unit.training.small_job import block
from unit.training.test_full_shards import QUICK, job_of

from qmpi.model.transformer import Transformer
from qmpi.training.lanes import read_block


class Counted:
    """Bytes that collective operations of torch bring to this rank."""

    def __init__(self):
        self.bytes = 0
        for name in ("all_gather_single", "reduce_scatter_single"):
            setattr(dist, name, self.counting(getattr(dist, name)))

    def counting(self, operation):
        def counted(*tensors, **named):
            sizes = [t.nbytes for t in (*tensors, *named.values()) if torch.is_tensor(t)]
            self.bytes += max(sizes) - min(sizes)
            return operation(*tensors, **named)

        return counted


def main():
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    counted, settings = Counted(), job_of(QUICK["dense"])
    model = Transformer(settings.model)
    with np.load(folder / "weights.npz") as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
    mesh = init_device_mesh("cpu", (2,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    train = settings.train
    for lane in range(train.lanes):
        rows = read_block(block(settings, 0, lane), train.sequences, train.sequence_tokens + 1)
        mine = rows[rank::2]
        (model.loss(mine[:, :-1], mine[:, 1:]) / train.lanes).backward()
    told = counted.bytes
    gradients = {n: p.grad.full_tensor().numpy() for n, p in model.named_parameters()}
    if rank == 0:
        np.savez(folder / "gradients.npz", **gradients)
    sys.stdout.write(json.dumps(told) + "\n")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
