"""The tap: the only code of ours inside the user's forward.

It copies rows into a ring and does nothing else: no return value, no exception, no synchronisation, no random number,
no Python side effect in compiled code. Checkpoint recomputations, traced, exported and fake forwards are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from ._compat import in_backward, is_exporting, is_plain, is_tracing
from .ring import Channel, Ring

PER_INPUT = 16
"""Most rows (pixels, tokens) taken of one input."""
MANTISSA = {torch.bfloat16: 7, torch.float16: 10}

Reader = Callable[[Any], Any]
"""From a module's output to its mean, its spread, or the pair (mean, spread)."""


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


class Tap:
    """A forward hook. `side` says which part of the latent the module's output gives: "mean", "spread" or "both"."""

    def __init__(
        self,
        rings: dict[bool, Ring],
        reader: Reader | None,
        side: str,
        channels_first: bool | None,
        strict: bool = False,
    ) -> None:
        self.rings: dict[bool, Ring] = rings
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

    def record(self, ring: Ring, output: Any) -> None:
        """Copy the latents of one output into the ring. Raises what the reader or a wrong shape raises."""
        value = output if self.reader is None else self.reader(output)
        if self.side == "both":
            mean, spread = value
            if not is_plain(mean):
                return
            if spread is not None and spread.shape != mean.shape:
                raise ValueError(f"expected mean and spread of one shape, got {mean.shape} and {spread.shape}")
            self._write(ring, ring.mean, mean, True)
            if ring.spread is not None and spread is not None:
                self._write(ring, ring.spread, spread, False)
        elif is_plain(value):
            is_mean = self.side == "mean"
            channel = ring.mean if is_mean else ring.spread
            if channel is not None:
                self._write(ring, channel, value, is_mean)

    def _write(self, ring: Ring, channel: Channel, tensor: Tensor, is_mean: bool) -> None:
        count = tensor.shape[0]
        if is_mean:
            ring.calls += 1
            ring.empty += count == 0
        if count == 0:
            return
        rows = tensor.detach()
        if rows.dim() != 2:
            rows = rows_of(rows, self.channels_first)
            per = rows.shape[1] if rows.dim() == 3 else 1
            if per != ring.per:
                if ring.waiting and is_mean:
                    raise ValueError(f"expected {ring.per} places an input, got {per}: the latent's size has changed")
                ring.per = per
        if is_mean:
            ring.mantissa = MANTISSA.get(rows.dtype, 23)
        channel.write(rows)

    def _trace(self, module: nn.Module, output: Any) -> None:
        if is_exporting():
            return
        ring = self.rings.get(module.training)
        if ring is None:
            return
        try:
            value = output if self.reader is None else self.reader(output)
            mean, spread = value if self.side == "both" else (value, value)
        except Exception:  # a silence, which is told; raised here it would be an error of the user's compilation
            return
        if self.side != "spread":
            self._trace_into(ring.mean, mean)
        if self.side != "mean" and ring.spread is not None and spread is not None:
            self._trace_into(ring.spread, spread)

    def _trace_into(self, channel: Channel, tensor: Tensor) -> None:
        if channel.traced is None or channel.traced.device != tensor.device:
            return
        rows = rows_of(tensor.detach(), self.channels_first)
        channel.write_traced(rows.reshape(-1, rows.shape[-1]), tensor.shape[0])

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
