"""State of a monitor in a checkpoint of `torch.distributed.checkpoint`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Protocol

import torch

from ..errors import PolarMonitorError


class HasState(Protocol):
    """Monitor, or another object with a state."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""


class Checkpoint:
    """State of a monitor as one block of bytes, which `torch.distributed.checkpoint` saves and loads at any length.

    Call `monitor.sync()` on all ranks before saving. Then every rank has the same state; loaded on any number of ranks,
    rank 0 continues the counts, so that no row is lost or counted twice.

    Example:
        >>> import polar_monitor
        >>> from polar_monitor.distributed.checkpoint import Checkpoint
        >>> monitor = polar_monitor.PolarMonitor(sinks=())
        >>> state = {"model": {}, "monitor": Checkpoint(monitor)}
        >>> list(state["monitor"].state_dict())
        ['state']
    """

    def __init__(self, monitor: HasState) -> None:
        self.monitor = monitor

    def state_dict(self) -> dict[str, bytes]:
        """Return the state as bytes."""
        buffer = io.BytesIO()
        torch.save(self.monitor.state_dict(), buffer)
        return {"state": buffer.getvalue()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Raises PolarMonitorError if it does not fit."""
        saved = state.get("state")
        if not isinstance(saved, bytes):
            raise PolarMonitorError(f"state: expected bytes from Checkpoint.state_dict(), got {type(saved).__name__}")
        self.monitor.load_state_dict(torch.load(io.BytesIO(saved), weights_only=True))
