"""Classify latents on several processes: `torchrun --nproc-per-node 2 FILE`."""

import numpy as np
import torch
import torch.distributed as dist

from polar_monitor.offline import Partial


def main(rows: int = 20_000) -> None:
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    latents = torch.Generator().manual_seed(0)
    mean = torch.randn(rows, 10, generator=latents) * torch.tensor([1.0] * 3 + [0.01] * 7)
    variance = torch.tensor([0.02] * 3 + [1.0] * 7).expand(rows, 10)

    part = Partial()
    mine = np.arange(rank, rows, ranks)  # the inputs that a DistributedSampler gives this rank
    for numbers in np.array_split(mine, 10):
        part.update(mean[numbers], var=variance[numbers], first=numbers)

    parts = [None] * ranks
    dist.gather_object(part, parts if rank == 0 else None)
    if rank == 0:
        regime = parts[0].merge(*parts[1:]).result()
        print(regime)
        print("rows:", regime.snapshot.rows)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
