"""Monitor in `torch.distributed.algorithms.join.Join`, where ranks have different numbers of batches."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch.distributed.algorithms.join import Joinable, JoinHook

from .ranks import device_of


class Syncs(Protocol):
    """Monitor, or another object that merges ranks."""

    def sync(self, *, due: bool = False, group: Any = None) -> Any:
        """Merge the ranks."""


class JoinableMonitor(Joinable):
    """Member of a `Join` context for a monitor: `with Join([model, JoinableMonitor(monitor)]):`.

    In the context the loop calls `monitor.sync(due=True)` once after each batch. A rank without further batches goes on
    to merge with the rows that it has, until all ranks are done. The model comes first in the list.
    """

    def __init__(self, monitor: Syncs, group: Any = None) -> None:
        super().__init__()
        self.monitor, self.group = monitor, group

    def join_hook(self, **_: Any) -> JoinHook:
        """Return what a rank without further batches calls."""
        return _MergeAlone(self)

    @property
    def join_device(self) -> torch.device:
        """Device of the collectives."""
        return device_of(self.group)

    @property
    def join_process_group(self) -> Any:
        """Process group of the collectives."""
        return self.group or dist.group.WORLD


class _MergeAlone(JoinHook):
    def __init__(self, joined: JoinableMonitor) -> None:
        self._joined = joined

    def main_hook(self) -> None:
        """Take part in the merges of a batch of the other ranks."""
        self._joined.monitor.sync(due=True, group=self._joined.group)
