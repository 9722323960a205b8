"""The ring: rows of the latents wait here, on the model's device, until an evaluation reads them.

Preallocated, written in place, float32 of shape (capacity, D). What is overwritten before it is read is counted as
dropped. There are two writers. The eager one keeps its cursor in Python. Under `torch.compile` no Python value may
change (it would be a recompilation every step), so the traced one keeps the cursor in a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BYTES = 32 * 2**20
"""Most memory that the ring of one channel may take."""


class Channel:
    """One side of a latent, its mean or its spread, as rows (capacity, D)."""

    def __init__(self, rows: int) -> None:
        self.limit = rows
        self.capacity = 0
        self.buffer: Tensor | None = None
        self.written = 0
        """Rows since the last read, those overwritten included."""
        self.lost = 0
        """Rows given up because those that followed had other dimensions, or came from another device."""
        self.traced: Tensor | None = None
        self.traced_cursor: Tensor | None = None
        self._views: dict[tuple[int, int], Tensor] = {}

    def write(self, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) in, eagerly. Only the last `capacity` rows are kept."""
        buffer = self.buffer
        if buffer is None or buffer.shape[1] != rows.shape[-1] or buffer.device != rows.device:
            buffer = self._allocate(rows)
        count = rows.shape[0] if rows.dim() == 2 else rows.shape[0] * rows.shape[1]
        if count > self.capacity:
            rows = rows.reshape(count, rows.shape[-1])[-self.capacity :]
            self.written += count - self.capacity
            count = self.capacity
        start = self.written % self.capacity
        if start + count <= self.capacity:
            view = self._views.get((start, count))
            if view is None:
                view = buffer[start : start + count]
                if len(self._views) < 4096:
                    self._views[start, count] = view
            (view if rows.dim() == 2 else view.view(rows.shape)).copy_(rows)
        else:
            rows = rows.reshape(count, rows.shape[-1])
            first = self.capacity - start
            buffer[start:].copy_(rows[:first])
            buffer[: count - first].copy_(rows[first:])
        self.written += count

    def write_traced(self, rows: Tensor, inputs: int) -> None:
        """Copy rows (n, D) of so many inputs in, with tensor operations alone."""
        buffer, cursor = self.traced, self.traced_cursor
        if buffer is None or cursor is None or buffer.shape[1] != rows.shape[1]:
            return
        count = rows.shape[0]
        place = torch.arange(count, device=buffer.device)
        buffer.index_copy_(0, (cursor[0] + place) % buffer.shape[0], rows.to(buffer.dtype))
        cursor[0].add_(count)
        cursor[1].add_(inputs)
        cursor[2].add_(1)

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate what a compiled forward will write to; it cannot allocate for itself."""
        with torch.inference_mode(False):
            capacity = _capacity(self.limit, dimensions)
            self.traced = torch.zeros(capacity, dimensions, device=device, dtype=torch.float32)
            self.traced_cursor = torch.zeros(3, dtype=torch.int64, device=device)
            """Rows and inputs written, and calls."""

    def _allocate(self, rows: Tensor) -> Tensor:
        with torch.inference_mode(False):
            self.capacity = _capacity(self.limit, rows.shape[-1])
            self.buffer = torch.empty(self.capacity, rows.shape[-1], device=rows.device, dtype=torch.float32)
        self.lost += self.written
        self.written = 0
        self._views.clear()
        return self.buffer


def _capacity(rows: int, dimensions: int) -> int:
    return max(256, min(rows, BYTES // (4 * dimensions)))


@dataclass
class Batch:
    """Rows read from a ring."""

    mean: NDArray[np.float32]
    """(n, D)."""
    spread: NDArray[np.float32] | None
    """(n, D) in the unit the user named (log-variance, variance, standard deviation)."""
    per: int
    """Rows of one independent input."""
    dropped: int
    """Rows that were overwritten."""


class Ring:
    """The channels of one latent in one mode, kept in step with each other."""

    def __init__(self, rows: int, paired: bool) -> None:
        self.mean = Channel(rows)
        self.spread = Channel(rows) if paired else None
        self.per = 1
        self.calls = 0
        self.misaligned = 0
        """Rows given up because mean and spread were not called equally often."""
        self.traced = False
        """Compiled code has written here."""
        self._drained = 0
        self.empty = 0
        self.mantissa = 23
        """Mantissa bits of the latents' own dtype: where ties come from."""
        self._committed = 0

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate what compiled forwards will write to."""
        for channel in (self.mean, self.spread):
            if channel is not None:
                channel.prepare_traced(dimensions, device)

    @property
    def heard(self) -> bool | None:
        """Whether any forward was seen since the beginning; None where only a wait for the device could tell."""
        if self.calls:
            return True
        cursor = self.mean.traced_cursor
        if cursor is None:
            return False
        return bool(cursor[2]) if cursor.device.type == "cpu" else None

    @property
    def lost(self) -> int:
        """Rows recorded and given up."""
        return self.misaligned + self.mean.lost

    @property
    def compiled(self) -> bool:
        """Whether compiled code is known to write here."""
        cursor = self.mean.traced_cursor
        return self.traced or (cursor is not None and cursor.device.type == "cpu" and bool(cursor[2]))

    def commit(self) -> None:
        """The end of a step: a mean without its spread (or the reverse) must not shift all that follows."""
        if self.spread is None or self.mean.written == self.spread.written:
            self._committed = self.mean.written
            return
        self.misaligned += max(self.mean.written, self.spread.written) - self._committed
        self.mean.written = self.spread.written = self._committed

    @property
    def waiting(self) -> int:
        """Rows written eagerly and not yet read."""
        return self.mean.written

    @property
    def rows(self) -> int:
        """All rows written eagerly so far, in an earlier part of the run too."""
        return self._drained + self.mean.written

    @rows.setter
    def rows(self, rows: int) -> None:
        self._drained = rows - self.mean.written

    def requests(self) -> list[Drain]:
        """Begin to read what has been written: eagerly, and from compiled code."""
        self.commit()
        drains: list[Drain] = []
        if self._committed:
            spread = None if self.spread is None else self.spread.buffer
            drains.append(Drain(self, self.mean.buffer, spread, self._committed, self.per))
            self._drained += self._committed
            self.mean.written = self._committed = 0
            if self.spread is not None:
                self.spread.written = 0
        if self.mean.traced is not None:
            drains.append(TracedDrain(self))
        return drains


def _to_host(tensor: Tensor) -> Tensor:
    """A CPU tensor that holds, or on CUDA will hold, the values; CPU tensors themselves are not copied."""
    if tensor.device.type == "cpu":
        return tensor
    if tensor.device.type == "cuda":
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)
    return tensor.cpu()


def _event(device: torch.device) -> torch.cuda.Event | None:
    if device.type != "cuda":
        return None
    event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


class Drain:
    """One read of a ring: at once on the CPU; on CUDA a copy that is taken at a later step, when it has arrived."""

    def __init__(self, ring: Ring, mean: Tensor | None, spread: Tensor | None, written: int, per: int) -> None:
        assert mean is not None
        kept = min(written, mean.shape[0])
        self._per = per
        self._dropped = written - kept
        self._first = written % mean.shape[0] if written > kept else 0
        self._mean = _to_host(mean[:kept])
        self._spread = None if spread is None else _to_host(spread[:kept])
        self._event = _event(mean.device)

    def ready(self) -> bool:
        """Whether `take` will not have to wait."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Wait until `take` does not have to."""
        if self._event is not None:
            self._event.synchronize()

    def take(self) -> Batch | None:
        """The rows, oldest first where nothing was overwritten."""
        return _batch(self._mean, self._spread, self._first, self._per, self._dropped)


class TracedDrain(Drain):
    """A read of what compiled code has written; how much that is, is known only when the cursor has arrived."""

    def __init__(self, ring: Ring) -> None:
        mean = ring.mean
        assert mean.traced is not None and mean.traced_cursor is not None
        spread = ring.spread
        self._ring = ring
        self._mean = _to_host(mean.traced)
        self._spread = None if spread is None or spread.traced is None else _to_host(spread.traced)
        cursors = [mean.traced_cursor]
        if spread is not None and spread.traced_cursor is not None:
            cursors.append(spread.traced_cursor)
        self._counts = _to_host(torch.stack(cursors))
        self._event = _event(mean.traced.device)
        for cursor in cursors:
            cursor.zero_()

    def take(self) -> Batch | None:
        """The rows, or None if there are none or mean and spread were not called equally often."""
        (written, inputs, calls), (other, _, _) = self._counts[0].tolist(), self._counts[-1].tolist()
        self._ring.calls += calls
        self._ring.traced |= calls > 0
        if written != other:
            self._ring.misaligned += max(written, other)
            return None
        if written == 0:
            return None
        kept = min(written, self._mean.shape[0])
        first = written % kept if written > kept else 0
        spread = None if self._spread is None else self._spread[:kept]
        return _batch(self._mean[:kept], spread, first, max(written // inputs, 1), written - kept)


def _batch(mean: Tensor, spread: Tensor | None, first: int, per: int, dropped: int) -> Batch:
    """Rows of a ring whose oldest is `first`; the order matters only where several rows belong to one input."""
    roll = first if per > 1 else 0
    rows = [
        None if side is None else np.roll(side.numpy(), -roll, 0) if roll else side.numpy() for side in (mean, spread)
    ]
    assert rows[0] is not None
    return Batch(rows[0], rows[1], per, dropped)
