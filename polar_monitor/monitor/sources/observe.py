"""Latents that the user hands over with `PolarMonitor.observe`: checked, standardised and written to a ring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._torch_compat import is_plain
from ...arrays.layout import axes_of, checked_layout, dimensions_of
from ...arrays.masks import places_of_mask
from ...arrays.spread import ARGUMENTS, UNITS, one_spread
from ...capture.axes import Axes
from ...capture.tap import Tap
from ...discovery.conditional_prior import standardise
from ...errors import PolarMonitorError
from ..evaluation_loop import EvaluationLoop
from ..pipeline import ModePipeline

REFUSED = "polar_monitor: a call by hand was refused (%s); training is not affected, see monitor.health()"


@dataclass(frozen=True)
class ObservedRows:
    """Means of one call, and their spread if there is one."""

    kind: str | None
    """Unit of the spread; None without one."""
    mean: Tensor
    spread: Tensor | None
    layout: str | None = None
    """Layout of the tensors, if the user gave one."""
    mask: Tensor | None = None
    """True at real data; None if all of it is."""
    letters: str = "nd"
    """Letters of the axes."""

    def prepared(self, pipeline: ModePipeline, prior: Any, standardised: bool | None) -> ObservedRows:
        """Return the rows for a pipeline, standardised if they have a prior. Raises PolarMonitorError.

        They must be like earlier ones in dimensions, spread and prior; `standardised` is None before the first.
        """
        letters = pipeline.axes.of(self.mean.shape) if self.layout is None else axes_of(self.layout, self.mean.dim())
        return replace(self, letters=letters)._prepared(pipeline, prior, standardised)

    def _prepared(self, pipeline: ModePipeline, prior: Any, standardised: bool | None) -> ObservedRows:
        self._check_like(pipeline)
        if standardised not in (None, prior is not None):
            had = "a prior of each row" if standardised else "no prior="
            raise PolarMonitorError(
                f"prior: expected {had} as before: use one monitor for raw rows and another for standardised ones"
            )
        return self if prior is None else self._standardised(prior, pipeline.settings.prior)

    def _check_like(self, pipeline: ModePipeline) -> None:
        stream, waiting = pipeline.stream, pipeline.ring.mean.storage
        dimensions = None if waiting is None or not pipeline.ring.pending_rows else waiting.shape[1]
        if stream is not None and stream.rows:
            dimensions = stream.dimensions
        width = dimensions_of(self.letters, self.mean.shape)
        before = pipeline.ring.letters
        read_anew = self.layout is None and before != self.letters and len(before) == len(self.letters)
        if dimensions not in (None, width) and not read_anew:
            raise PolarMonitorError(f"mean: expected {dimensions} dimensions as before, got {width}")
        if pipeline.kind != self.kind:
            reads, got = (kind or "no variance" for kind in (pipeline.kind, self.kind))
            arguments = "mean" if pipeline.kind is None else f"mean, {pipeline.kind}=…"
            remedy = f": call monitor.observe({arguments})" if pipeline.kind in (None, *ARGUMENTS) else ""
            raise PolarMonitorError(f"observe: this monitor reads {reads}, got {got}{remedy}")

    def _standardised(self, prior: Any, shared: Any) -> ObservedRows:
        if shared is not None:
            raise PolarMonitorError(
                "prior: this monitor has a prior for all rows already: pass one, here or to the monitor"
            )
        try:
            mean, spread = standardise(self.mean, self.spread, self.kind, prior)
        except (TypeError, ValueError, RuntimeError) as failure:
            raise PolarMonitorError(str(failure)) from None
        return replace(self, mean=mean, spread=spread)

    def _can_be_looked_at(self, spread: Tensor) -> bool:
        """Return True if values below 0 are a wrong unit, and are here to be seen; padding may have any values."""
        return UNITS[str(self.kind)].positive and spread.device.type == "cpu" and self.mask is None

    def record(self, pipeline: ModePipeline) -> None:
        """Write the rows to the ring, and warn of a negative spread. Raises PolarMonitorError if that fails.

        Values on a device are looked at when they have been copied, since nothing waits for them here.
        """
        ring = pipeline.ring
        try:
            if self.kind and self.spread is not None and self._can_be_looked_at(self.spread):
                pipeline.check_unit(self.spread.detach().float().numpy(), self.kind)
            axes = Axes(None if self.letters == "nd" else self.letters)
            with ring.lock:
                ring.begin_call(self.mask)
                Tap({}, None, "both", axes, strict=True).record(ring, (self.mean, self.spread))
                ring.numbers.mask = None
        except PolarMonitorError:
            raise
        except (TypeError, ValueError, RuntimeError) as failure:
            raise PolarMonitorError(f"mean: expected rows that can be recorded: {failure}") from None


def read_rows(
    mean: Any, spreads: dict[str, Any], layout: str | None, mask: Any, *, mode: str, modes: Sequence[str]
) -> ObservedRows:
    """Read the arguments of `observe`. Raises PolarMonitorError for those that are no latents, or another mode."""
    kind, value = one_spread(**spreads)
    mean, spread = _tensor("mean", mean), None if value is None else _tensor(str(kind), value)
    if spread is not None and spread.shape != mean.shape:
        raise PolarMonitorError(f"{kind}: expected shape {tuple(mean.shape)}, got {tuple(spread.shape)}")
    if not is_plain(mean) or mean.dim() < 1 or 0 in mean.shape[1:]:
        raise PolarMonitorError(f"mean: expected a tensor (n, D) with values, got shape {tuple(mean.shape)}")
    checked_mode(mode, modes)
    real = None if mask is None else _tensor("mask", mask).bool()
    try:
        letters = axes_of(checked_layout(layout), mean.dim())
        if real is not None:
            places_of_mask(real, letters, mean.shape)
    except ValueError as failure:
        raise PolarMonitorError(str(failure)) from None
    return ObservedRows(kind, mean, spread, layout, real)


@contextmanager
def by_hand(loop: EvaluationLoop, mode: str = "", mean: Any = None) -> Iterator[None]:
    """Raise what the first call of the user raises; a later one, in the middle of a training, is logged and counted.

    The rows of `mean` count as dropped.
    """
    ring = loop.pipelines[mode].ring if isinstance(mode, str) and mode in loop.pipelines else None
    dropped = 0 if ring is None else ring.lost + ring.refused
    try:
        yield
    except Exception as failure:
        began = loop.schedule.steps or any(pipeline.ring.calls for pipeline in loop.pipelines.values())
        if not began:
            raise
        loop.failed(failure, fatal=False, message=REFUSED)
        if ring is not None and dropped == ring.lost + ring.refused:
            with suppress(Exception):
                ring.refused += len(mean)


def checked_mode(mode: Any, modes: Sequence[str]) -> str:
    """Return a watched mode; None is the first of `modes`. Raises PolarMonitorError for another one."""
    if mode is None:
        return modes[0]
    if mode not in modes:
        remedy = ': write attach(…, modes=("train", "eval"))' if mode in ("train", "eval") else ""
        raise PolarMonitorError(f"mode: expected one of {modes}, got {mode!r}{remedy}")
    return str(mode)


def _tensor(word: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value.layout is not torch.strided:
            raise PolarMonitorError(f"{word}: expected a dense tensor, got {value.layout}")
        if value.is_complex() or value.is_quantized:
            raise PolarMonitorError(f"{word}: expected a tensor of real numbers, got {value.dtype}")
        return value
    try:
        array = np.array(value)
    except ValueError as failure:
        raise PolarMonitorError(f"{word}: expected an array (n, D), got rows of other lengths ({failure})") from None
    if array.dtype.kind not in "fiub":
        raise PolarMonitorError(f"{word}: expected numbers, got {array.dtype} ({type(value).__name__})")
    return torch.from_numpy(array.astype(np.float32) if array.dtype.kind != "f" else array)
