"""Compile the kernels, or load them from the disk cache, ahead of training: no training step waits for a compiler."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import numpy as np


def compile_kernels() -> None:
    """Import every kernel and run each path once, on the caller's thread."""
    with _no_collection():
        from ..kernels.judging import follow, labels  # noqa: F401  # compiled by their import
        from .stream import LatentStream

        rows = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(600, 2) ** 3
        for variance in (None, np.full_like(rows, 0.5)):
            stream = LatentStream(2, window=512, has_variance=variance is not None)
            stream.update(rows, variance)
            stream.snapshot(step=0)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Switch off garbage collection: a compiler makes many objects, and each collection would visit the whole host."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
