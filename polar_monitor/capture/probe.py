"""The latents of one batch that the user gives: the model runs once, and no ring of the training gets a row.

`HookSet.probing` puts probes where the taps are, while the taps of all monitors of the model are muted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..discovery.latent import Reader
from ..errors import PolarMonitorError
from .axes import Axes
from .hooks import HookSet
from .output_rows import refusal, rows_of
from .undisturbed import undisturbed


class Probe:
    """A forward hook that keeps the rows of mean and spread of each call."""

    def __init__(self, reader: Reader | None, side: str, axes: Axes) -> None:
        self._reader, self._side, self._axes = reader, side, axes
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
                    kept.append(self._rows(tensor, sum(rows.shape[:-1].numel() for rows in kept)))
        except Exception as failure:
            self.failure = self.failure or failure

    def _rows(self, tensor: Tensor, before: int) -> Tensor:
        if reason := refusal(tensor):
            raise ValueError(reason)
        return rows_of(tensor.detach(), self._axes.of(tensor.shape), before).clone()


def latents_of(model: nn.Module, hooks: HookSet, batch: Any, paired: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Run a model on a batch and return mean and, if `paired`, spread of each call of the latent's modules.

    They are (n, D), or (n, p, D) for p places of an input.

    A mapping gives keyword arguments, a tuple or list positional ones, and anything else is the only argument. Raises
    what the model raises, and PolarMonitorError if its forward gives no latent.
    """
    probes = [Probe(tap.reader, tap.side, tap.axes) for tap in hooks.taps]
    with undisturbed(model), hooks.probing(probes):
        if isinstance(batch, Mapping):
            model(**batch)
        elif isinstance(batch, tuple | list):
            model(*batch)
        else:
            model(batch)
    means = [mean for probe in probes for mean in probe.means]
    spreads = [spread for probe in probes for spread in probe.spreads]
    failure = next((probe.failure for probe in probes if probe.failure is not None), None)
    if failure is not None:
        raise PolarMonitorError(
            f"evaluate(batch): the latent from {hooks.where} could not be read: {type(failure).__name__}: {failure}"
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
    return means, spreads
