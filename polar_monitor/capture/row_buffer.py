"""One side of a latent, its mean or its spread, as rows on the model's device.

Preallocated, written in place, float32 of shape (capacity, D). There are two writers, each with memory of its own. The
eager one keeps its cursor in Python. Under `torch.compile` no Python value may change, since each change would be a
recompilation; the traced writer therefore keeps its cursor in a tensor.
"""

from __future__ import annotations

import itertools
import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_BYTES = 32 * 2**20
"""Memory of one writer of one buffer, unless a window needs more."""
MAX_WINDOW_BYTES = 64 * 2**20
"""Memory of one writer of one buffer that is as long as the window."""
MIN_ROWS = 512
"""Rows that a buffer has whatever the memory: no window is shorter."""
MAX_VIEWS = 4096
"""Views of the storage that are kept for later calls."""
PATTERN_BASE = 1_000_003
"""Base of the polynomial (modulo 2^64) that distinguishes sequences of traced calls."""

BUFFERS_BY_KEY: weakref.WeakValueDictionary[str, RowBuffer] = weakref.WeakValueDictionary()
"""All buffers, by their `key`."""
_keys = itertools.count()


class RowBuffer:
    """Ring of rows (capacity, D) of one side of a latent."""

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        self.capacity = 0
        self.storage: Tensor | None = None
        """Memory of the eager writer."""
        self.dimensions = -1
        """Dimensions of the storage; -1 before there is one."""
        self._device: torch.device | None = None
        self.written = 0
        """Rows since the last read, overwritten ones included."""
        self.highest_written = 0
        """The same with rows that were taken back: rows that lie a capacity before this are overwritten."""
        self.step_rows = 0
        """Rows of the open step."""
        self.step_calls = 0
        """Calls of the open step, refused ones included."""
        self.group_calls = 0
        """Calls of the present group of calls on the same inputs (`inputs.InputNumbers`), skipped ones included."""
        self.step_pattern = 0
        """Hash of the calls of the open step that were recorded, and of their shapes."""
        self.traced: Tensor | None = None
        """Memory of the traced writer: the ring, and one row beyond it that is never read."""
        self.traced_cursor: Tensor | None = None
        """Rows and inputs written, calls, and a polynomial of the calls' rows."""
        self.traced_calls: NDArray[np.int64] | None = None
        """View of the number of calls in that cursor; None if reading it takes a wait for the device."""
        self.key = str(next(_keys))
        """Name of this buffer for compiled code; a string, which no compiler takes for a number that may vary."""
        BUFFERS_BY_KEY[self.key] = self
        self._views: dict[tuple[int, int], Tensor] = {}

    def fits(self, rows: Tensor) -> bool:
        """Return True if rows (…, D) can be written to the present storage."""
        return self.dimensions == rows.shape[-1] and self._device == rows.device

    def allocate(self, rows: Tensor) -> None:
        """Make storage for rows (…, D), and begin at its first place."""
        capacity = capacity_of(self.max_rows, rows.shape[-1])
        with torch.inference_mode(False):
            self.storage = torch.empty(capacity, rows.shape[-1], device=rows.device, dtype=torch.float32)
        self.capacity, self.dimensions, self._device = capacity, rows.shape[-1], self.storage.device
        self.written = self.highest_written = 0
        self._views.clear()

    def write(self, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) that fit, eagerly. Only the last `capacity` rows are kept."""
        shape = rows.shape
        given = shape[0] if len(shape) == 2 else shape[0] * shape[1]
        written = self.written + given
        if written > self.highest_written:
            self.highest_written = written  # before the copy, which may fail
        start = self.written % self.capacity
        if start + given <= self.capacity:
            view = self._views.get((start, given))
            if view is None:
                view = self._view(start, given)
            (view if len(shape) == 2 else view.view(shape)).copy_(rows)
        else:
            self._write_over_the_end(rows, given)
        self.written = written
        self.step_rows += given
        self.note_recorded(shape)

    def _view(self, start: int, count: int) -> Tensor:
        assert self.storage is not None
        view = self.storage[start : start + count]
        if len(self._views) < MAX_VIEWS:
            self._views[start, count] = view
        return view

    def _write_over_the_end(self, rows: Tensor, given: int) -> None:
        """Copy rows of which some, or all, lie beyond the end of the storage: they go to its beginning."""
        assert self.storage is not None
        count = min(given, self.capacity)
        rows = rows.reshape(given, -1)[given - count :]
        start = (self.written + given - count) % self.capacity
        first = min(count, self.capacity - start)
        self.storage[start : start + first].copy_(rows[:first])
        self.storage[: count - first].copy_(rows[first:])

    def note_recorded(self, shape: tuple[int, ...]) -> None:
        """Note that the present call was recorded, with rows of this shape."""
        self.step_pattern = hash((self.step_pattern, self.step_calls, shape))

    def end_step(self) -> None:
        """Begin the counts of the next step."""
        self.step_rows = self.step_calls = self.step_pattern = 0

    def write_traced(self, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) with tensor operations alone."""
        traced, cursor = self.traced, self.traced_cursor
        if traced is None or cursor is None or traced.shape[1] != rows.shape[-1]:
            self.skip_traced()
            return
        inputs, capacity = rows.shape[0], traced.shape[0] - 1
        if rows.dim() == 3:
            rows = rows.reshape(-1, rows.shape[-1])
        count = rows.shape[0]
        number = torch.arange(count, device=traced.device)
        # Of more rows than fit, the last are kept. No branch: it would be a guard on the size of the batch.
        place = torch.where(number < count - capacity, capacity, (cursor[0] + number) % capacity)
        traced.index_copy_(0, place, rows.to(traced.dtype))
        cursor[0].add_(count)
        cursor[1].add_(inputs)
        cursor[2].add_(1)
        cursor[3].mul_(PATTERN_BASE).add_(count + 1)

    def skip_traced(self) -> None:
        """Note a call that is not recorded, with tensor operations alone."""
        if self.traced_cursor is not None:
            self.traced_cursor[3].mul_(PATTERN_BASE)

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate the memory of compiled forwards, which cannot allocate for themselves."""
        with torch.inference_mode(False):
            capacity = capacity_of(self.max_rows, dimensions)
            self.traced = torch.zeros(capacity + 1, dimensions, device=device, dtype=torch.float32)
            self.traced_cursor = torch.zeros(4, dtype=torch.int64, device=device)
            self.traced_calls = self.traced_cursor[2:3].numpy() if device.type == "cpu" else None


def capacity_of(rows: int, dimensions: int) -> int:
    """Return the rows of a buffer that may have `rows`, twice the window: never fewer than the window has."""
    fit, window = MAX_BYTES // (4 * dimensions), min(rows // 2, MAX_WINDOW_BYTES // (4 * dimensions))
    return max(256, min(rows, max(fit, window, MIN_ROWS)))
