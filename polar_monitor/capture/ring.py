"""The ring: rows of the latents wait here, on the model's device, until an evaluation reads them.

What is overwritten before it is read is counted as dropped. Mean and spread may come from two modules: the k-th call of
one belongs to the k-th call of the other, and what a step has written is handed on only if both sides have taken the
same calls.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .row_buffer import RowBuffer
from .transfer import CompiledTransfer, HostTransfer


class PairedRingBuffer:
    """The channels of one latent in one mode, kept in step with each other."""

    def __init__(self, rows: int, paired: bool) -> None:
        self.mean = RowBuffer(rows)
        self.spread = RowBuffer(rows) if paired else None
        self.per = 1
        self.calls = 0
        self.misaligned = 0
        """Rows of means given up because the spread of the same call was not taken, or was not known to be."""
        self.replaced = 0
        """Rows given up because those that followed had other dimensions, or came from another device."""
        self.refused = 0
        """Rows of means that could not be recorded, where it is known how many those were."""
        self.traced = False
        """Compiled code has written here."""
        self._drained = 0
        self.empty = 0
        self.mantissa = 23
        """Mantissa bits of the latents' own dtype: where ties come from."""
        self._committed = 0
        """Rows of both sides that belong together."""
        self.listener: Callable[[], None] | None = None
        """Called after each eager write of the mean; it must not raise."""

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate what compiled forwards will write to."""
        for channel in self.channels:
            channel.prepare_traced(dimensions, device)

    @property
    def channels(self) -> tuple[RowBuffer, ...]:
        """The mean, and the spread if there is one."""
        return (self.mean,) if self.spread is None else (self.mean, self.spread)

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
        return self.misaligned + self.replaced

    @property
    def compiled(self) -> bool:
        """Whether compiled code is known to write here."""
        cursor = self.mean.traced_cursor
        return self.traced or (cursor is not None and cursor.device.type == "cpu" and bool(cursor[2]))

    def write(self, channel: RowBuffer, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) to one of the channels. What it raises leaves no row without its partner."""
        if not channel.fits(rows):
            self._replace(channel, rows)
        channel.write(rows)
        if self.listener is not None and channel is self.mean:
            self.listener()

    def _replace(self, channel: RowBuffer, rows: Tensor) -> None:
        """A new buffer for a channel: what waits is given up on both sides, the open step unless it can be paired."""
        channel.calls -= 1  # the present one is none of them
        paired = self._paired
        channel.calls += 1
        if paired:
            self._committed = self.mean.written
            for side in self.channels:
                side.sent = side.pattern = 0  # the calls are counted on: this one belongs to one of the other side
        self.replaced += self._committed
        self._committed = 0
        for side in self.channels:
            if side.sent == 0:
                side.written = side.reached = 0
        channel.allocate(rows)

    @property
    def _paired(self) -> bool:
        """Whether both sides have taken the same calls since the last commit, to the same places."""
        mean, spread = self.mean, self.spread
        if spread is None:
            return True
        alike = (mean.calls, mean.pattern) == (spread.calls, spread.pattern)
        return alike and mean.written == spread.written == self._committed + mean.sent

    def commit(self) -> None:
        """The end of a step: a mean without its spread (or the reverse) must not shift all that follows."""
        if self._paired:
            self._committed = self.mean.written
        else:
            self.misaligned += self.mean.sent
        for channel in self.channels:
            channel.written = self._committed
            channel.close()
            if self._committed == 0:
                channel.reached = 0

    @property
    def waiting(self) -> int:
        """Rows written eagerly, to either side, and not yet read."""
        return max(channel.written for channel in self.channels)

    @property
    def rows(self) -> int:
        """All rows written eagerly so far, in an earlier part of the run too."""
        return self._drained + self.mean.written

    @rows.setter
    def rows(self, rows: int) -> None:
        self._drained = rows - self.mean.written

    def requests(self) -> list[HostTransfer]:
        """Begin to read what has been written: eagerly, and from compiled code."""
        self.commit()
        drains: list[HostTransfer] = []
        if self._committed:
            reached = max(channel.reached for channel in self.channels)
            first = max(0, reached - self.mean.capacity)
            if first < self._committed:
                spread = None if self.spread is None else self.spread.buffer
                drains.append(HostTransfer(self.mean.buffer, spread, first, self._committed, self.per))
            else:  # a step that was given up has overwritten all of them
                self.misaligned += self._committed
            self._drained += self._committed
            self._committed = 0
            for channel in self.channels:
                channel.written = channel.reached = 0
        if self.mean.traced is not None:
            sides = [(side.traced, side.traced_cursor) for side in self.channels]
            buffers = [buffer for buffer, _ in sides if buffer is not None]
            cursors = [cursor for _, cursor in sides if cursor is not None]
            drains.append(CompiledTransfer(buffers, cursors, self._count_compiled))
        return drains

    def _count_compiled(self, calls: int, misaligned: int) -> None:
        self.calls += calls
        self.traced |= calls > 0
        self.misaligned += misaligned
