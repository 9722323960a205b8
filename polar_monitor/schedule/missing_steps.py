"""Detector of forwards in training without any step of an optimiser: it warns after many of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ..capture.ring import PairedRingBuffer

MAX_FORWARDS = 200
"""Forwards in training, from the beginning on, without a step."""


class MissingStepDetector:
    """Counter of eager forwards until the first step. It listens to a ring."""

    def __init__(self, ring: PairedRingBuffer, report: Callable[[], None]) -> None:
        self._ring, self._report = ring, weak_reference(report)
        self._calls = 0
        ring.listener = self._count

    def _count(self) -> None:
        """Count one recorded forward; only those with gradients belong to training."""
        if torch.is_grad_enabled():
            self._calls += 1
            if self._calls == MAX_FORWARDS:
                self.stop()
                report = self._report()
                if report is not None:
                    report()

    def stop(self) -> None:
        """Stop to listen."""
        self._ring.listener = None


def weak_reference(call: Callable[..., None] | None) -> Callable[[], Callable[..., None] | None]:
    """Return a reference to a call that does not keep its object alive, if it is a bound method."""
    return weakref.WeakMethod(call) if call is not None and hasattr(call, "__self__") else lambda: call
