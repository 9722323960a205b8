"""Forwards in training without a step of an optimiser: counted until the first step; many of them are told of."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..capture.ring import PairedRingBuffer
    from ..capture.row_buffer import RowBuffer

UNHEARD = 200
"""Forwards in training, with no step from the beginning on, after which that is told."""


class MissingStepDetector:
    """Counts forwards until a step is heard. It stands before a ring's `write`, which eager forwards alone call."""

    def __init__(self, ring: PairedRingBuffer, tell: Callable[[], None]) -> None:
        self._ring, self._write, self._tell = ring, ring.write, weak(tell)
        self._calls = 0
        vars(ring)["write"] = self

    def __call__(self, channel: RowBuffer, rows: Tensor) -> None:
        """What `Ring.write` does, and count."""
        self._write(channel, rows)
        if channel is self._ring.mean and torch.is_grad_enabled():
            self._calls += 1
            if self._calls == UNHEARD:
                self.stop()
                tell = self._tell()
                if tell is not None:
                    tell()

    def stop(self) -> None:
        """Leave the ring as it was."""
        vars(self._ring).pop("write", None)


def weak(call: Callable[..., None] | None) -> Callable[[], Callable[..., None] | None]:
    """A call that does not keep its object alive, if it is a bound method."""
    return weakref.WeakMethod(call) if call is not None and hasattr(call, "__self__") else lambda: call
