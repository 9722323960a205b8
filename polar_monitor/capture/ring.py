"""The ring: rows of a latent wait here, on the model's device, until an evaluation reads them.

Rows that are overwritten before they are read are counted as dropped. Mean and spread may come from two modules. The
k-th call of one module in a step belongs to the k-th call of the other, and the rows of a step are handed out only if
both modules were called the same number of times with the same shapes. Every row keeps the step it was recorded in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..arrays.masks import places_of_mask
from .inputs import InputNumbers, Token
from .output_rows import FullCodes
from .row_buffer import RowBuffer
from .step_ledger import StepLedger
from .transfer import CompiledTransfer, HostTransfer

NO_MASK = (
    "mask= reads the arguments of a forward, but the latent's module was called without it: call the model itself, or "
    "pass monitor.observe(mean, mask=…)"
)


class PairedRingBuffer:
    """Buffers of the mean and the spread of one latent in one mode, kept in step with each other."""

    def __init__(self, rows: int, paired: bool) -> None:
        self.mean = RowBuffer(rows)
        self.spread = RowBuffer(rows) if paired else None
        self.buffers = (self.mean,) if self.spread is None else (self.mean, self.spread)
        """The buffer of the mean, and that of the spread if there is one."""
        self.sides = {"mean": self.buffers[:1], "spread": self.buffers[1:], "both": self.buffers}
        """Buffers that a tap of each side writes to."""
        self.letters = ""
        self.shape: tuple[int, ...] = ()
        """Letters of the axes of the first mean that was read so, and its shape; '' and () before."""
        self.full_codes: FullCodes | None = None
        """Whole codes of some inputs, where a decoder takes them; None elsewhere."""
        self.rows_per_input = 1
        """Rows of an input in the latest call."""
        self.calls = 0
        """Forwards that were recorded."""
        self.misaligned = 0
        """Rows of means dropped because the spread of the same call is missing, or may be another call's."""
        self.replaced = 0
        """Rows dropped because the rows after them had other dimensions, or came from another device."""
        self.widths, self.width_changes = (0, 0), 0
        """The latest change of the number of dimensions, and how often it has changed."""
        self.refused = 0
        """Rows of means that could not be recorded, as far as their number is known."""
        self.traced = False
        """True if compiled code has written here."""
        self.empty = 0
        """Forwards that gave no rows."""
        self.mantissa = 23
        """Mantissa bits of the latents' own dtype, which is where equal values come from."""
        self._rows_read = 0
        """Rows of the eager writer that have been read, in an earlier part of the run too."""
        self._committed = 0
        """Rows of both sides that belong together."""
        self._ledger = StepLedger()
        """Steps of these rows."""
        self._requested = 0
        """Step of the latest read."""
        self.numbers = InputNumbers()
        """Numbers of the inputs that the rows belong to."""
        self.in_training = False
        """True if an optimiser step ends the forwards that are recorded here."""
        self.watched = False
        """True if the forwards of the model are seen, so that calls in one of them can be put together."""
        self.masked = False
        """True if some rows are no data: they are `ABSENT`."""
        self.mask_needed = False
        """True if the user gave a mask, without which no row may be recorded."""
        self.lock = threading.RLock()
        """Held while a call is recorded, a step ends, or rows are requested."""
        self._owner: int | None = None
        """Thread whose forward is recorded now."""
        self._shut: set[int] = set()
        """Threads in whose present forward a call was not recorded: no other one of it may be, or pairs would shift."""
        self._several_threads = False
        """True if forwards ran in another thread than the steps."""
        self._lent: list[HostTransfer] = []
        """Transfers whose rows lie in the memory of the ring, unless they were taken."""
        self._elsewhere: deque[int] = deque()
        """Rows of means that came from other threads meanwhile."""
        self.listener: Callable[[], None] | None = None
        """Called after each eager write of the mean; it must not raise."""

    def prepare_traced(self, dimensions: int, device: torch.device) -> None:
        """Allocate the memory of compiled forwards."""
        for buffer in self.buffers:
            buffer.prepare_traced(dimensions, device)

    @property
    def seen_any_forward(self) -> bool | None:
        """True if any forward was seen since the beginning; None if that takes a wait for the device."""
        if self.calls:
            return True
        cursor = self.mean.traced_cursor
        if cursor is None:
            return False
        return bool(cursor[2]) if cursor.device.type == "cpu" else None

    @property
    def lost(self) -> int:
        """Rows that were recorded and then dropped."""
        return self.misaligned + self.replaced

    @property
    def compiled(self) -> bool:
        """True if compiled code is known to write here."""
        calls = self.mean.traced_calls
        return self.traced or (calls is not None and bool(calls[0]))

    def enter(self, begins_forward: bool = False) -> bool:
        """Return True if this thread may record now, until `leave`. It does not wait: in a fork the lock may stay held.

        Calls of mean and spread are paired by their order. Another thread has its turn when all calls have their
        partners; the one before, and one that was refused, record again from the beginning of their next forward on.
        """
        thread = threading.get_ident()
        if not self.lock.acquire(blocking=False):
            self._shut.add(thread)
            return False
        if self._owner == thread and not self._shut:
            return True
        free = self._owner in (None, thread) or (self._is_paired and self.mean.group_calls > 0)
        if not free or (thread in self._shut and not begins_forward):
            self._shut.add(thread)
            self.lock.release()
            return False
        if self._owner not in (None, thread):
            self._shut.add(self._owner)
        self._shut.discard(thread)
        self._owner = thread
        return True

    def leave(self) -> None:
        """End the recording of a call."""
        self.lock.release()

    def refuse(self, rows: int) -> None:
        """Count rows of a mean that came while another thread was recording."""
        self._elsewhere.append(rows)

    def write(self, buffer: RowBuffer, rows: Tensor) -> None:
        """Copy rows (n, D) or (n, p, D) to one of the buffers. An exception leaves no row without its partner."""
        if self._lent:
            self._keep_lent()
        if not buffer.fits(rows):
            self._replace(buffer, rows)
        buffer.write(rows)
        if buffer is self.mean:
            shape = rows.shape
            self.rows_per_input = per_input = shape[1] if len(shape) == 3 else 1
            self._ledger.call(shape[0] * per_input, per_input, self.numbers.number(shape[0]))
            if self.listener is not None:
                self.listener()

    def _keep_lent(self) -> None:
        """Copy the rows that were requested and not taken, as after an interrupt, before they are overwritten."""
        while self._lent:
            self._lent.pop().keep()

    def begin_group(self, token: Token | None = None, in_forward: bool = False) -> None:
        """Begin a group of calls on the same inputs: a forward of the model, of the arguments `token`, or one call."""
        self.numbers.begin(self.mean.group_calls, token, in_forward)
        for buffer in self.buffers:
            buffer.group_calls = 0

    def begin_call(self, mask: Tensor | None) -> None:
        """Begin a call by hand, on inputs of its own."""
        self.begin_group()
        self.numbers.mask = mask

    @property
    def rows_of_input(self) -> int:
        """Rows that an input has, about: places of each call, and calls of each forward."""
        return max(self.rows_per_input, 1) * self.numbers.calls_taken

    @property
    def reads_mask(self) -> bool:
        """True if the present call has a mask, or should have one."""
        return self.mask_needed or self.numbers.mask is not None

    def valid_places(self, letters: str, shape: Sequence[int], call: int) -> Tensor | None:
        """Return which places of a latent are real data, (n, P); None for all. Raises ValueError for no such mask."""
        mask = self.numbers.mask
        if mask is None:
            if self.mask_needed and not self.numbers.mask_read:
                raise ValueError(NO_MASK)
            return None
        self.masked = True
        valid: Tensor = places_of_mask(mask, letters, shape, call)
        return valid

    def _replace(self, buffer: RowBuffer, rows: Tensor) -> None:
        """Make new storage for a buffer. Rows that wait are dropped on both sides, and the open step if unpaired."""
        buffer.step_calls -= 1  # the present call is none of those before it
        paired = self._is_paired
        buffer.step_calls += 1
        if paired:
            self._committed = self.mean.written
            for side in self.buffers:
                side.step_rows = side.step_pattern = 0  # calls are counted on: this one has a partner
            self._ledger.drop_calls()
        self.replaced += self._committed
        if buffer.dimensions not in (-1, rows.shape[-1]):
            self.widths, self.width_changes = (buffer.dimensions, rows.shape[-1]), self.width_changes + 1
        self._committed = 0
        self._ledger.clear()
        for side in self.buffers:
            if side.step_rows == 0:
                side.written = side.highest_written = 0
        buffer.allocate(rows)

    @property
    def _is_paired(self) -> bool:
        """True if both sides have recorded the same calls since the last commit, to the same places."""
        mean, spread = self.mean, self.spread
        return spread is None or (
            mean.step_calls == spread.step_calls
            and mean.step_pattern == spread.step_pattern
            and mean.written == spread.written == self._committed + mean.step_rows
        )

    def commit(self, step: int) -> None:
        """End a step. A mean without its spread, or the reverse, is dropped, so that it does not shift later rows."""
        with self.lock:
            self._commit(step)

    def _commit(self, step: int) -> None:
        thread, owner, self._owner = threading.get_ident(), self._owner, None
        while self._elsewhere:
            self.refused += self._elsewhere.popleft()
        self._several_threads |= bool(self._shut) or owner not in (None, thread)
        if owner is not None and owner != thread and not self._is_paired:
            self._shut.add(owner)  # it is in the middle of a forward
        if self._shut:
            self._shut.discard(thread)
        if self._is_paired:
            self._committed = self.mean.written
            self._ledger.note(self._committed, step, self.mean.capacity)
        else:
            self.misaligned += self.mean.step_rows
            self._ledger.drop_calls()
        for buffer in self.buffers:
            buffer.written = self._committed
            buffer.end_step()
            if self._committed == 0:
                buffer.highest_written = 0
        self.numbers.end_step()

    @property
    def pending_rows(self) -> int:
        """Rows written eagerly, to either side, and not yet read."""
        return max(buffer.written for buffer in self.buffers)

    def rows_before(self, buffer: RowBuffer) -> int:
        """Return the number of rows that one side has written, in an earlier part of the run too."""
        return self._rows_read + buffer.written

    @property
    def rows(self) -> int:
        """All rows written eagerly so far, in an earlier part of the run too."""
        return self._rows_read + self.mean.written

    @rows.setter
    def rows(self, rows: int) -> None:
        self._rows_read = rows - self.mean.written

    def requests(self, step: int, into: list[HostTransfer] | None = None) -> list[HostTransfer]:
        """Begin to read all that was written until `step`, eagerly and by compiled code. The transfers go `into`.

        Ctrl-C may come at any line: rows are then in the ring, in the list, or counted as lost.
        """
        transfers: list[HostTransfer] = [] if into is None else into
        with self.lock:
            self._commit(step)
            made: list[HostTransfer] = []
            try:
                self._requests(step, made)
                transfers += made
            except BaseException:
                if made and type(made[0]) is HostTransfer and not any(buffer.written for buffer in self.buffers):
                    self.replaced += made[0].rows
                raise
        return transfers

    def _requests(self, step: int, transfers: list[HostTransfer]) -> None:
        if self._committed:
            highest = max(buffer.highest_written for buffer in self.buffers)
            first = max(0, highest - self.mean.capacity)
            if first < self._committed:
                spread = None if self.spread is None else self.spread.storage
                steps, inputs = self._ledger.read(first, self._committed)
                number = self._rows_read + first
                transfers.append(HostTransfer(self.mean.storage, spread, first, steps, inputs, self.masked, number))
            else:  # a step that was dropped has overwritten all of them
                self.misaligned += self._committed
            self._rows_read, self._committed = self._rows_read + self._committed, 0
            self._ledger.clear()
            for buffer in self.buffers:
                buffer.written = buffer.highest_written = 0
        calls = self.mean.traced_calls
        if self.mean.traced is not None and (calls is None or calls[0]):
            sides = [(side.traced, side.traced_cursor) for side in self.buffers]
            traced = [rows[:-1] for rows, _ in sides if rows is not None]
            cursors = [cursor for _, cursor in sides if cursor is not None]
            between = self._requested, step
            transfers.append(CompiledTransfer(traced, cursors, between, self._count_compiled, self.in_training))
        self._requested = step
        self._keep_lent()
        self._lent = transfers[:]
        if self._several_threads:  # which may write while the rows are read
            self._keep_lent()

    def _count_compiled(self, calls: int, misaligned: int) -> None:
        self.calls += calls
        self.traced |= calls > 0
        self.misaligned += misaligned
