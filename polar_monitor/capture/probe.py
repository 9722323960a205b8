"""The latents of one batch that the user gives: the model runs once, and no ring of the training gets a row.

`HookSet.probing` puts probes where the taps are, while the taps of all monitors of the model are muted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..arrays.masks import places_of_mask
from ..arrays.places import ABSENT, MAX_ROWS_PER_INPUT
from ..discovery.latent import Reader
from ..errors import PolarMonitorError, describe
from .axes import Axes
from .hooks import HookSet
from .inputs import are_parts, batch_size_of, flat
from .output_rows import refusal, rows_of
from .undisturbed import call, undisturbed


class Probe:
    """A forward hook that keeps the rows of mean and spread of each call."""

    def __init__(self, reader: Reader | None, side: str, axes: Axes) -> None:
        self._reader, self._side, self._axes = reader, side, axes
        self.inputs: int | None = None
        """Number of inputs of the forward, if its arguments show it."""
        self.mask: Tensor | None = None
        """Real data of the forward, if the user gave a mask."""
        self.means: list[Tensor] = []
        self.spreads: list[Tensor] = []
        self.failure: Exception | None = None
        """The first exception: the forward is the user's, so none is raised in it."""

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Keep the latents of one forward."""
        try:
            value = output if self._reader is None else self._reader(output)
            mean, spread = value if self._side == "both" else (value, None)
            if self._side == "spread":
                mean, spread = None, mean
            for kept, tensor in ((self.means, mean), (self.spreads, spread)):
                if tensor is not None:
                    kept.append(self._rows(tensor, kept))
        except Exception as failure:
            self.failure = self.failure or failure

    def _rows(self, tensor: Tensor, kept: list[Tensor]) -> Tensor:
        if reason := refusal(tensor):
            raise ValueError(reason)
        letters, before = self._axes.of(tensor.shape), sum(rows.shape[:-1].numel() for rows in kept)
        valid = None if self.mask is None else places_of_mask(self.mask, letters, tensor.shape, len(kept))
        return rows_of(tensor.detach(), letters, before, valid).clone()


class Latents(NamedTuple):
    """Latents of a batch, a tensor for each call of the modules: (n, D), or (n, p, D) for p rows of an input."""

    means: list[Tensor]
    spreads: list[Tensor]
    masks: list[Tensor] | None
    """True at rows that are real data, (n,) or (n, p); None if all are."""


def latents_of(model: nn.Module, hooks: HookSet, batch: Any, paired: bool) -> Latents:
    """Run a model on a batch and return its latents; those of calls on the same inputs are rows of one tensor.

    A mapping gives keyword arguments, a tuple or list positional ones, and anything else is the only argument. Raises
    what the model raises, and PolarMonitorError if its forward gives no latent.
    """
    probes = [Probe(tap.reader, tap.side, tap.axes) for tap in hooks.taps]

    def begin(model: nn.Module, args: Any, kwargs: Any) -> None:
        for probe in probes:
            probe.inputs = batch_size_of(flat(args, kwargs))

    def read_mask(module: nn.Module, args: Any, kwargs: Any) -> None:
        for probe in probes:
            try:
                probe.mask = None if hooks.mask is None else hooks.mask(args, kwargs)
            except Exception as failure:
                probe.failure = probe.failure or failure

    with undisturbed(model), hooks.probing(probes, begin, read_mask):
        call(model, batch)
    means = [mean for probe in probes for mean in probe.means]
    spreads = [spread for probe in probes for spread in probe.spreads]
    failure = next((probe.failure for probe in probes if probe.failure is not None), None)
    if failure is not None:
        raise PolarMonitorError(
            f"evaluate(batch): the latent from {hooks.where} could not be read: {describe(failure)}"
        ) from failure
    if not means:
        raise PolarMonitorError(
            f"evaluate(batch): expected a forward that calls {hooks.where}, got none: pass what the training loop "
            "passes to the model, or call polar_monitor.classify(mean, …) with the latents"
        )
    if paired and [mean.shape for mean in means] != [spread.shape for spread in spreads]:
        raise PolarMonitorError(
            f"evaluate(batch): expected one spread for each mean, got {len(means)} calls of the mean and "
            f"{len(spreads)} of the spread from {hooks.where}, or other shapes"
        )
    means, spreads = _together(means, probes[0].inputs), _together(spreads, probes[0].inputs)
    masks = None if hooks.mask is None else [mean[..., 0].float().view(torch.int32) != ABSENT for mean in means]
    return Latents(means, spreads, masks)


def _together(calls: list[Tensor], inputs: int | None) -> list[Tensor]:
    """Return some calls of a forward on all `inputs`, at even distances, as rows of these; other calls as they are."""
    if len(calls) < 2 or any(call.shape != calls[0].shape for call in calls):
        return calls
    if are_parts(len(calls), len(calls[0]), inputs):
        return calls
    taken = min(len(calls), MAX_ROWS_PER_INPUT)
    chosen = [calls[(2 * place + 1) * len(calls) // (2 * taken)] for place in range(taken)]
    return [torch.cat([call.reshape(len(call), -1, call.shape[-1]) for call in chosen], 1)]
