"""Probe of a batch that the user gives: the worth of each dimension, beside the training."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace as with_changes
from time import perf_counter
from typing import Any

import numpy as np
from torch import nn

from ...capture.hooks import HookSet
from ...errors import PolarMonitorError
from ...intervention.ablate import check_replace, find_source, of_model
from ...intervention.swap import NoCodeError, Part, Source
from ...intervention.worth import Worth
from ...regime.label import Label
from ..evaluation_loop import EvaluationLoop


def probe_batch(
    loop: EvaluationLoop,
    watched: weakref.ref[nn.Module] | None,
    batch: Any,
    loss: Any,
    replace: Sequence[str],
    unit: str,
    seed: int,
) -> Worth:
    """Run the model on a batch of the user with changed codes, and return and keep the worth of each dimension.

    Raises what the model and the loss raise, and PolarMonitorError as `ablate` does. Nothing of the run changes.
    """
    model = None if watched is None else watched()
    if model is None or loop.ended:
        raise PolarMonitorError(
            "probe(batch): this monitor watches no model: write monitor = polar_monitor.attach(model), or "
            "polar_monitor.ablate(model, batch)"
        )
    check_replace(replace)
    began = perf_counter()
    try:
        worth, is_prepared = _of(model, loop, batch, loss, tuple(replace), unit, seed)
    finally:
        loop.schedule.governor.leave_out(perf_counter() - began)  # the user asked for it: it is no overhead
    worth = with_changes(worth, step=loop.schedule.steps)
    regime = next((regime for regime in loop.regimes.values() if regime is not None), None)
    if regime is not None and is_prepared:  # the batch was judged as it is, the training in units of its prior
        unknown = np.full(len(worth.worth), np.nan)
        worth = with_changes(worth, information=unknown, information_se=unknown, labels=())
    if regime is not None and len(regime.labels) == len(worth.worth):
        own = worth.labels or (Label.UNDECIDED,) * len(regime.labels)
        labels = (other if label is Label.UNDECIDED else label for label, other in zip(own, regime.labels, strict=True))
        worth = with_changes(worth, labels=tuple(labels))
    loop.publisher.probed.keep(worth)
    return worth


def _of(
    model: nn.Module, loop: EvaluationLoop, batch: Any, loss: Any, replace: tuple[str, ...], unit: str, seed: int
) -> tuple[Worth, bool]:
    """Return the worth for the latent that is watched or, where its readers do not give the code, that the data show.

    Also return True if they do not: they standardise the code by a prior, or change it otherwise.
    """
    if loop.hooks is None or loop.hooks.ended:
        return of_model(model, batch, find_source(model, batch), loss, replace, unit, seed), False
    kind = next(iter(loop.pipelines.values())).kind
    try:
        return of_model(model, batch, _source(loop.hooks, kind), loss, replace, unit, seed), False
    except NoCodeError as failure:
        try:
            source = find_source(model, batch)
        except PolarMonitorError:
            raise failure from None
        return of_model(model, batch, source, loss, replace, unit, seed), True


def _source(hooks: HookSet, kind: str | None) -> Source:
    parts = tuple(Part(*part) for part in hooks.parts())
    return Source(parts, kind, hooks.taps[0].axes, hooks.where)
