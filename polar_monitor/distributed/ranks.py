"""Process group of `torch.distributed`: its ranks, and the sum of a vector over them."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from numpy.typing import NDArray

from ..errors import PolarMonitorError

GONE = (
    "sync: expected a process group that exists, got one that is gone: call sync() before "
    "torch.distributed.destroy_process_group()"
)


class Ranks:
    """Ranks of a process group of `torch.distributed`; None is the default group."""

    def __init__(self, group: Any = None) -> None:
        self.group = group
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)

    def sum(self, vector: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of a vector over the ranks."""
        tensor = torch.from_numpy(vector).to(device_of(self.group))
        dist.all_reduce(tensor, group=self.group)
        return tensor.cpu().numpy()


def device_of(group: Any = None) -> torch.device:
    """Return the device of the tensors that a group reduces: the CPU if its backend takes that, else its own device."""
    backend = str(dist.get_backend(group))
    kinds = dist.Backend.backend_capability.get(backend, ["cpu"]) if ":" not in backend else [backend.partition(":")[0]]
    if "cpu" in backend or "cpu" in kinds:
        return torch.device("cpu")
    bound = getattr(group or dist.group.WORLD, "bound_device_id", None)
    return bound or torch.device(kinds[0], torch.get_device_module(kinds[0]).current_device())


def is_shared(group: Any = None) -> bool:
    """Return True in a process group of several ranks. Raises PolarMonitorError for a group that is gone."""
    try:
        if dist.is_available() and dist.is_initialized():
            return bool(dist.get_rank(group) >= 0 and dist.get_world_size(group) > 1)  # the first knows what is gone
    except ValueError as gone:
        raise PolarMonitorError(f"{GONE}: {gone}") from gone
    if group is not None:
        raise PolarMonitorError(GONE)
    return False
