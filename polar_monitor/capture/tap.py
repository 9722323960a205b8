"""The tap: the only code of ours inside the user's forward.

It copies rows into a ring and does nothing else: no return value, no exception, no synchronisation, no random number,
no Python side effect in compiled code. Checkpoint recomputations, traced, exported, transformed and fake forwards
are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from .._torch_compat import in_backward, is_exporting, is_plain, is_tracing
from ..discovery.latent import Reader
from .compiled import dispatches, follow, set_apart
from .ring import PairedRingBuffer
from .row_buffer import RowBuffer

PER_INPUT = 16
"""Most rows (pixels, tokens) taken of one input."""
MANTISSA = {torch.bfloat16: 7, torch.float16: 10}


def rows_of(tensor: Tensor, channels_first: bool | None) -> Tensor:
    """A latent tensor as rows: (n, D) as it is, spatial and sequence latents as (n, p, D) with p ≤ 16.

    (n, C, H, W) and (n, C, D, H, W) have one dimension a channel; (n, T, D) one a feature, unless `channels_first`.
    """
    if tensor.dim() == 2:
        return tensor
    if tensor.dim() == 1:
        return tensor.unsqueeze(1)
    first = tensor.dim() > 3 if channels_first is None else channels_first
    flat = tensor.flatten(2).transpose(1, 2) if first else tensor.flatten(1, -2)
    places = flat.shape[1]
    stride = -(-places // PER_INPUT)
    return flat[:, ::stride] if stride > 1 else flat


def refused(tensor: Tensor) -> str:
    """Why a tensor cannot be recorded, or ''. Whole numbers and truth values can: they are numbers."""
    if tensor.is_complex():
        return f"expected real numbers, got {tensor.dtype}: pass mean=lambda out: …, that gives out.real or out.abs()"
    if tensor.layout is not torch.strided:
        return f"expected a dense tensor, got {tensor.layout}"
    if tensor.dim() == 0 or 0 in tensor.shape[1:]:  # of the batch, compiled code may not know whether it is empty
        return f"expected (n, D) with at least one dimension, got shape {tuple(tensor.shape)}"
    return ""


class Tap:
    """A forward hook. `side` says which part of the latent the module's output gives: "mean", "spread" or "both"."""

    def __init__(
        self,
        rings: dict[bool, PairedRingBuffer],
        reader: Reader | None,
        side: str,
        channels_first: bool | None,
        strict: bool = False,
    ) -> None:
        self.rings: dict[bool, PairedRingBuffer] = rings
        self.reader = reader
        self.side = side
        self.channels_first = channels_first
        self.muted = False
        self.nanoseconds = 0
        self.errors = 0
        self.failure: Exception | None = None
        self.strict = strict
        self.copied = False
        """The model has been copied or pickled since."""
        self.__name__ = "polar_monitor.Tap"

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Record one forward's latents."""
        if is_compiling():
            self._trace(module, output)
            return
        ring = self.rings.get(module.training)
        if ring is None or self.muted:
            return
        begin = perf_counter_ns()
        try:
            if not in_backward() and not is_tracing():
                self.record(ring, output)
        except Exception as failure:
            self.errors += 1
            self.failure = failure
            if self.strict:
                raise
        self.nanoseconds += perf_counter_ns() - begin

    def end(self) -> None:
        """Do nothing from now on, and hold nothing: a tool may have put the hook where it cannot be taken off."""
        self.rings, self.reader = {}, None

    def record(self, ring: PairedRingBuffer, output: Any) -> None:
        """Copy the latents of one output into the ring. Raises what the reader or a wrong shape raises.

        A call that is refused is counted too: the k-th mean of a step belongs to the k-th spread.
        """
        channels = self._channels(ring)
        for channel in channels:
            channel.calls += 1
        mean, due = None, self.side != "spread"
        try:
            value = output if self.reader is None else self.reader(output)
            if self.side == "both":
                mean, spread = value
                if is_plain(mean) and spread is not None and spread.shape != mean.shape:
                    raise ValueError(f"expected mean and spread of one shape, got {mean.shape} and {spread.shape}")
            else:
                mean, spread = value, None
            for channel, tensor in zip(channels, (mean, spread), strict=False):
                if is_plain(tensor):
                    self._write(ring, channel, tensor)
                due = False
        except Exception:
            if due:
                ring.refused += self._rows(ring, mean, output)
            raise

    def _rows(self, ring: PairedRingBuffer, mean: Any, output: Any) -> int:
        """How many rows were not recorded: of the mean, or, if it could not be read, of the batch; 0 if unknown."""
        try:
            if isinstance(mean, Tensor):
                return rows_of(mean, self.channels_first).shape[:-1].numel()
            parts = (output,) if isinstance(output, Tensor) else output
            parts = output.values() if isinstance(output, Mapping) else parts
            return next(part.shape[0] for part in parts if isinstance(part, Tensor)) * ring.per
        except Exception:
            return 0

    def _channels(self, ring: PairedRingBuffer) -> tuple[RowBuffer, ...]:
        """The channels that this tap writes to."""
        match self.side:
            case "both":
                return ring.channels
            case "mean":
                return (ring.mean,)
            case _:
                return ring.channels[1:]

    def _write(self, ring: PairedRingBuffer, channel: RowBuffer, tensor: Tensor) -> None:
        refusal = refused(tensor)
        if refusal:
            raise ValueError(refusal)
        if type(tensor) is not Tensor and hasattr(tensor, "to_local"):
            raise ValueError("expected a plain tensor, got DTensor: pass mean=lambda out: out.to_local()")
        rows = tensor.detach()
        if rows.dim() != 2:
            rows = rows_of(rows, self.channels_first)
        empty = rows.shape[0] == 0
        per = rows.shape[1] if rows.dim() == 3 else 1
        if per != ring.per and not empty:
            if ring.waiting:
                raise ValueError(f"expected {ring.per} places an input, got {per}: the latent's size has changed")
            ring.per = per
        if channel is ring.mean:
            ring.calls += 1
            ring.empty += empty
            ring.mantissa = MANTISSA.get(rows.dtype, 23)
        if empty:
            channel.take(rows.shape)
        else:
            ring.write(channel, rows)

    def _trace(self, module: nn.Module, output: Any) -> None:
        if is_exporting():
            return
        ring = self.rings.get(module.training)
        if ring is None:
            return
        try:
            value = output if self.reader is None else self.reader(output)
            values = value if self.side == "both" else (value,)
        except Exception:  # a silence, which is told; raised here it would be an error of the user's compilation
            values = (None, None)
        for channel, tensor in zip(self._channels(ring), values, strict=False):
            self._trace_into(channel, tensor)

    def _trace_into(self, channel: RowBuffer, tensor: Any) -> None:
        if set_apart(channel.key):
            return
        if not isinstance(tensor, Tensor) or dispatches(type(tensor)):
            channel.pass_traced()
            return
        follow(channel.key, tensor.device)  # before the buffer is looked at: the compiled code holds on to what it sees
        buffer = channel.traced
        if buffer is not None and buffer.device == tensor.device and not refused(tensor):
            channel.write_traced(rows_of(tensor.detach(), self.channels_first))
        else:
            channel.pass_traced()

    def __deepcopy__(self, memo: dict[int, Any]) -> Inert:
        self.copied = True
        return Inert()

    def __reduce__(self) -> tuple[type[Inert], tuple[()]]:
        self.copied = True
        return Inert, ()


def was_copied(model: nn.Module) -> bool:
    """Whether there is a copy of a watched model, which is not watched."""
    hooks = (hook for module in model.modules() for hook in module._forward_hooks.values())
    return any(isinstance(hook, Tap) and hook.copied for hook in hooks)


class Inert:
    """What a copied or pickled model carries instead of a tap: a copy is not monitored."""

    __name__ = "polar_monitor.Inert"

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Do nothing."""
