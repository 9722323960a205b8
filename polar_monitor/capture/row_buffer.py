"""A channel: one side of a latent, its mean or its spread, as rows on the model's device.

Preallocated, written in place, float32 of shape (capacity, D). There are two writers. The eager one keeps its cursor in
Python. Under `torch.compile` no Python value may change (it would be a recompilation every step), so the traced one
keeps the cursor in a tensor.
"""

from __future__ import annotations

import itertools
import weakref

import torch
from torch import Tensor

BYTES = 32 * 2**20
"""Most memory that one channel may take."""
BASE = 1_000_003
"""Of the polynomial (modulo 2^64) that tells one traced sequence of calls from another."""

BY_KEY: weakref.WeakValueDictionary[str, RowBuffer] = weakref.WeakValueDictionary()
"""All buffers, by their `key`."""
_keys = itertools.count()


class RowBuffer:
    """One side of a latent, its mean or its spread, as rows (capacity, D)."""

    def __init__(self, rows: int) -> None:
        self.limit = rows
        self.capacity = 0
        self.buffer: Tensor | None = None
        self.written = 0
        """Rows since the last read, those overwritten included."""
        self.reached = 0
        """The same with those taken back: rows that lie a capacity before this are gone."""
        self.sent = 0
        """Rows of the open step."""
        self.calls = 0
        """Calls of the open step, refused ones included."""
        self.pattern = 0
        """A hash of which of these calls were taken, and of their shapes."""
        self.traced: Tensor | None = None
        self.traced_cursor: Tensor | None = None
        self.key = str(next(_keys))
        """By which `follow` finds it; a string, which no compiler takes for a number that may vary."""
        BY_KEY[self.key] = self
        self._views: dict[tuple[int, int], Tensor] = {}

    def fits(self, rows: Tensor) -> bool:
        """Whether rows (…, D) can be written to the buffer there is."""
        buffer = self.buffer
        return buffer is not None and buffer.shape[1] == rows.shape[-1] and buffer.device == rows.device

    def allocate(self, rows: Tensor) -> None:
        """Make a buffer for rows (…, D), and begin at its first place."""
        capacity = _capacity(self.limit, rows.shape[-1])
        with torch.inference_mode(False):
            self.buffer = torch.empty(capacity, rows.shape[-1], device=rows.device, dtype=torch.float32)
        self.capacity = capacity
        self.written = self.reached = 0
        self._views.clear()

    def write(self, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) that fit in, eagerly. Only the last `capacity` rows are kept."""
        buffer, shape = self.buffer, rows.shape
        assert buffer is not None
        count = sent = shape[0] if len(shape) == 2 else shape[0] * shape[1]
        self.reached = max(self.reached, self.written + count)  # before the copy, which may fail half-way
        if count > self.capacity:
            rows = rows.reshape(count, shape[-1])[-self.capacity :]
            count = self.capacity
        start = (self.written + sent - count) % self.capacity
        if start + count <= self.capacity:
            view = self._views.get((start, count))
            if view is None:
                view = buffer[start : start + count]
                if len(self._views) < 4096:
                    self._views[start, count] = view
            (view if rows.dim() == 2 else view.view(rows.shape)).copy_(rows)
        else:
            rows = rows.reshape(count, shape[-1])
            first = self.capacity - start
            buffer[start:].copy_(rows[:first])
            buffer[: count - first].copy_(rows[first:])
        self.written += sent
        self.sent += sent
        self.take(shape)

    def take(self, shape: tuple[int, ...]) -> None:
        """Note that the present call was taken, with rows of this shape."""
        self.pattern = hash((self.pattern, self.calls, shape))

    def close(self) -> None:
        """The open step is over."""
        self.sent = self.calls = self.pattern = 0

    def write_traced(self, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) in, with tensor operations alone."""
        buffer, cursor = self.traced, self.traced_cursor
        if buffer is None or cursor is None or buffer.shape[1] != rows.shape[-1]:
            self.pass_traced()
            return
        inputs = rows.shape[0]
        if rows.dim() == 3:
            rows = rows.reshape(-1, rows.shape[-1])
        count = rows.shape[0]
        place = torch.arange(count, device=buffer.device)
        buffer.index_copy_(0, (cursor[0] + place) % buffer.shape[0], rows.to(buffer.dtype))
        cursor[0].add_(count)
        cursor[1].add_(inputs)
        cursor[2].add_(1)
        cursor[3].mul_(BASE).add_(count + 1)

    def pass_traced(self) -> None:
        """Note a call that is not recorded, with tensor operations alone."""
        if self.traced_cursor is not None:
            self.traced_cursor[3].mul_(BASE)

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate what a compiled forward will write to; it cannot allocate for itself."""
        with torch.inference_mode(False):
            capacity = _capacity(self.limit, dimensions)
            self.traced = torch.zeros(capacity, dimensions, device=device, dtype=torch.float32)
            self.traced_cursor = torch.zeros(4, dtype=torch.int64, device=device)
            """Rows and inputs written, calls, and a polynomial of the calls' rows."""


def _capacity(rows: int, dimensions: int) -> int:
    return max(256, min(rows, BYTES // (4 * dimensions)))
