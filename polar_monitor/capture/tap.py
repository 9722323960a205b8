"""The tap: our only code inside the user's forward. It copies rows into a ring; `README.md` says what else it may do.

Checkpoint recomputations, and traced, exported, transformed and fake forwards leave no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from .._torch_compat import forward_hooks, in_backward, is_exporting, is_fixed_size, is_plain, is_tracing
from ..discovery.latent import Reader
from .axes import Axes
from .compiled import make_room, may_not_write, note_letters, stands_for_others
from .copies import OwnHook
from .inputs import flat, token_of
from .output_rows import MANTISSA, refusal, rows_of
from .ring import PairedRingBuffer
from .rounding import changes_rounding
from .row_buffer import RowBuffer


class Tap(OwnHook):
    """A forward hook. `side` is the part of the latent that the module's output gives: "mean", "spread" or "both"."""

    def __init__(
        self,
        rings: dict[bool, PairedRingBuffer],
        reader: Reader | None,
        side: str,
        axes: Axes | None = None,
        strict: bool = False,
        calls: frozenset[int] | None = None,
    ) -> None:
        self.rings: dict[bool, PairedRingBuffer] = rings
        """Rings by `module.training`."""
        self.reader = reader
        self.side = side
        self.axes = Axes() if axes is None else axes
        self.muted = False
        """True if eager forwards leave no row."""
        self.nanoseconds = 0
        """Time spent in here since it was last set to 0."""
        self.errors = 0
        self.failure: Exception | None = None
        """The last exception that was swallowed."""
        self.strict = strict
        self.calls = calls
        """Places, in each forward of the model, of the calls that are recorded; None for all."""
        self._place = 0
        """Place of the next call in its group, if only some places are of the latent."""
        self._group = (-1, -1)
        self._gradient: Any = None
        """State of a parameter's gradient at the latest call."""
        self.unwatched = 0
        """Eager forwards in a mode that is not watched."""
        self.__name__ = "polar_monitor.Tap"

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Record the latents of one forward."""
        if is_compiling():
            self._trace(module, output)
            return
        ring = self.rings.get(module.training)
        if ring is None or self.muted:
            self.unwatched += ring is None
            return
        begin = perf_counter_ns()
        try:
            if in_backward() or is_tracing():
                pass
            elif ring.enter():
                try:
                    self._begin_call(ring, module, args)
                    self.record(ring, output)
                finally:
                    ring.leave()
            elif self.side != "spread":
                ring.refuse(self._count_rows(ring, None, output))
        except Exception as failure:
            self.errors += 1
            self.failure = failure
            if self.strict:
                raise
        self.nanoseconds += perf_counter_ns() - begin

    def _begin_call(self, ring: PairedRingBuffer, module: nn.Module, args: Any) -> None:
        """Begin another group of inputs unless this call belongs to the group before.

        All calls in one forward of the model do. Where the model's forward is not called (`model.encode(x)` in the
        loop), those calls of one step do between which no gradient has come: with one, or without gradients at all,
        each call has inputs of its own.
        """
        numbers, buffers = ring.numbers, ring.sides[self.side]
        if numbers.in_forward or not buffers:
            return
        calls = buffers[0].group_calls or self._place
        if not ring.watched:
            if calls:
                ring.begin_group()
            return
        before, self._gradient = self._gradient, _gradient_of(module)
        if numbers.ended:
            numbers.see(token_of(flat(args)))
            ring.begin_group()
        elif calls and (before != self._gradient or self._gradient is None):
            ring.begin_group()

    def end(self) -> None:
        """Do nothing from now on, and hold nothing: a tool may have put the hook where it cannot be taken off."""
        self.rings, self.reader = {}, None
        self.release()

    def record(self, ring: PairedRingBuffer, output: Any) -> None:
        """Copy the latents of one output into the ring. Raises what the reader or a wrong shape raises.

        A call that is refused is counted too: the k-th mean of a step belongs to the k-th spread.
        """
        if self.calls is not None and not self._is_of_latent(ring, self.calls):
            return
        buffers, both = ring.sides[self.side], self.side == "both"
        call = buffers[0].group_calls if buffers else 0
        for buffer in buffers:
            buffer.step_calls += 1
            buffer.group_calls += 1
        if not ring.numbers.takes(call):
            return
        mean, mean_is_due = None, self.side != "spread"
        try:
            value = output if self.reader is None else self.reader(output)
            if both:
                mean, spread = value
                if is_plain(mean) and spread is not None and spread.shape != mean.shape:
                    raise ValueError(f"expected mean and spread of one shape, got {mean.shape} and {spread.shape}")
            else:
                mean, spread = value, None
            for buffer in buffers:
                tensor = spread if both and buffer is not ring.mean else mean
                if is_plain(tensor):
                    self._write(ring, buffer, tensor, call)
                mean_is_due = False
        except Exception:
            if mean_is_due:
                ring.refused += self._count_rows(ring, mean, output)
            raise

    def _is_of_latent(self, ring: PairedRingBuffer, calls: frozenset[int]) -> bool:
        """Return True if the present call is one of those of the latent; count it."""
        group = (id(ring), ring.numbers.groups)
        if group != self._group:
            self._group, self._place = group, 0
        self._place += 1
        return self._place - 1 in calls

    def _count_rows(self, ring: PairedRingBuffer, mean: Any, output: Any) -> int:
        """Return the rows of a mean that was not recorded or, if it could not be read, of its batch; 0 if unknown."""
        try:
            if isinstance(mean, Tensor):
                return rows_of(mean, self.axes.of(mean.shape)).shape[:-1].numel()
            parts = (output,) if isinstance(output, Tensor) else output
            parts = output.values() if isinstance(output, Mapping) else parts
            return next(part.shape[0] for part in parts if isinstance(part, Tensor)) * ring.rows_per_input
        except Exception:
            return 0

    def _write(self, ring: PairedRingBuffer, buffer: RowBuffer, tensor: Tensor, call: int) -> None:
        """Write a tensor that holds numbers. A plain float32 matrix, the usual one, needs no look at what it is."""
        shape, dtype, kind = tensor.shape, tensor.dtype, type(tensor)
        plain = kind is Tensor and dtype is torch.float32 and tensor.layout is torch.strided
        if plain and len(shape) == 2 and shape[1] and self.axes.given is None and not ring.reads_mask:
            rows = tensor.detach()
        else:
            reason = refusal(tensor)
            if reason:
                raise ValueError(reason)
            if kind is not Tensor and hasattr(tensor, "to_local"):
                raise ValueError("expected a plain tensor, got DTensor: pass mean=lambda out: out.to_local()")
            letters = self.axes.of(shape, ring.numbers.inputs)
            valid = ring.valid_places(letters, shape, call)
            rows = rows_of(tensor.detach(), letters, ring.rows_before(buffer), valid)
            if buffer is ring.mean and letters != ring.letters:
                ring.letters, ring.shape = letters, shape
            if buffer is ring.mean and ring.full_codes is not None and len(letters) > 2 and valid is None:
                ring.full_codes.keep(tensor, letters)
            shape = rows.shape
        empty = shape[0] == 0
        if buffer is ring.mean:
            ring.calls += 1
            ring.empty += empty
            ring.mantissa = 23 if plain else MANTISSA.get(dtype, 23)
        if empty:
            buffer.note_recorded(shape)
        else:
            ring.write(buffer, rows)

    def _trace(self, module: nn.Module, output: Any) -> None:
        """Put the recording of this forward into the graph that is being compiled."""
        if is_exporting():
            return
        ring = self.rings.get(module.training)
        if ring is None or ring.mask_needed:
            return
        try:
            value = output if self.reader is None else self.reader(output)
            values = value if self.side == "both" else (value,)
        except Exception:  # raised here, it would end the user's compilation; the monitor warns that it sees no latent
            values = (None, None)
        for buffer, tensor in zip(ring.sides[self.side], values, strict=False):
            self._trace_into(buffer, tensor)

    def _trace_into(self, buffer: RowBuffer, tensor: Any) -> None:
        if may_not_write(buffer.key):
            return
        if not isinstance(tensor, Tensor) or stands_for_others(type(tensor)):
            buffer.skip_traced()
            return
        rows, dtype = tensor.detach(), tensor.dtype
        if (dtype is torch.bfloat16 or dtype is torch.float16) and changes_rounding(buffer.key, str(dtype)):
            return
        letters, shape = self.axes.traced(tensor.dim()), tensor.shape
        width = shape[letters.index("d")] if "d" in letters else 1
        if is_fixed_size(width):  # and not one that may vary from call to call, which is no constant
            make_room(buffer.key, width, tensor.device)  # before `traced` is read: compiled code holds on to it
        traced = buffer.traced
        if traced is not None and traced.device == tensor.device and not refusal(tensor):
            before = 0 if buffer.traced_cursor is None else buffer.traced_cursor[0]
            note_letters(buffer.key, letters)
            buffer.write_traced(rows_of(rows, letters, before))
        else:
            buffer.skip_traced()


def _gradient_of(module: nn.Module) -> Any:
    """Return what changes when a gradient comes to a module's parameters; None without them, or without gradients."""
    parameter = next(module.parameters(), None) if torch.is_grad_enabled() else None
    if parameter is None or not parameter.requires_grad:
        return None
    gradient = parameter.grad
    return (0, 0) if gradient is None else (id(gradient), gradient._version)


def was_copied(model: nn.Module) -> bool:
    """Return True if a monitored model has been copied; its copies are not monitored."""
    hooks = (hook for module in model.modules() for hook in forward_hooks(module).values())
    return any(isinstance(hook, Tap) and hook.copied for hook in hooks)
