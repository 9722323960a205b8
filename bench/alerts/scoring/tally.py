"""The alarms of any rule in one run against what really happened there.

A *warning* of a loss is a FADING of its dimension, or a DRAIN or a baseline's alarm (about all dimensions), in the time
from shortly before the onset to the evaluation before the loss. A sudden loss cannot be warned of: it has to be *told*
by any alarm within one evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from polar_monitor.alerts.alert import Alert, Forecast

from ..training.record import Run
from .truth import LOOSE, STRICT, Cuts, Events, Loss, events

EARLY = 5
"""Evaluations before the onset, at least, from which a warning counts; or half of the time from onset to loss."""
LATE = 3
"""Evaluations after a loss for which an alarm about it is not false."""
SETTLING = 20
"""Evaluations before and after a loss in which a LOST about it is not false."""
WARNINGS = ("fading", "drain", "alarm")


class Warned(NamedTuple):
    """An alarm of any rule; kinds other than the monitor's own are "alarm"."""

    kind: str
    step: int
    dimension: int | None = None
    forecast: Forecast | None = None


def plain(alerts: Iterable[Alert]) -> list[Warned]:
    """The monitor's alerts as the score takes them, one a dimension; the forecast is that of the first one to go."""
    return [
        Warned(str(a.kind), a.step, j, a.forecast if j == _first(a) else None)
        for a in alerts
        for j in (a.dimensions or (None,))
    ]


def _first(alert: Alert) -> int | None:
    """The dimension that a forecast is of."""
    return min(alert.dimensions, key=lambda j: alert.evidence.get(f"forecast_{j}", 0.0), default=None)


@dataclass
class Tally:
    """What one run adds."""

    healthy: bool
    leads: list[float] = field(default_factory=list)
    """Of each gradual loss, lead as a share of the time from onset to loss, at most 1; NaN where nothing warned."""
    own: list[bool] = field(default_factory=list)
    """Of each gradual loss, whether a FADING of this very dimension warned."""
    told: list[bool] = field(default_factory=list)
    """Of each sudden loss."""
    false: int = 0
    """FADING, DRAIN or alarm about nothing."""
    false_collapse: int = 0
    """COLLAPSE although dimensions are in use, or come into use later."""
    false_lost: int = 0
    """LOST about nothing."""
    sharp: list[bool] = field(default_factory=list)
    """Of a run whose posterior became a point, whether a VARIANCE_COLLAPSE told it; False for one about nothing."""
    held: list[bool] = field(default_factory=list)
    """Of each FADING about a loss, whether its interval holds the loss."""


def tally(run: Run, alarms: Sequence[Warned], cuts: Cuts = STRICT) -> Tally:
    """Compare the alarms of one run with its events."""
    strict = events(run, cuts)
    loose = events(run, replace(cuts, established=min(LOOSE.established, cuts.established)))
    found = Tally(run.healthy)
    told = any(alarm.kind == "variance_collapse" for alarm in alarms)
    if told or strict.sharp is not None:
        found.sharp.append(told and strict.sharp is not None)
    for loss in strict.losses:
        about = [a for a in alarms if a.dimension in (None, loss.dimension)]
        if loss.sudden:
            found.told.append(any(_start(loss) <= _place(run, a) <= loss.at + 1 for a in about))
            continue
        first = [a for a in about if a.kind in WARNINGS and _start(loss) <= _place(run, a) < loss.at]
        lead = (loss.at - min(_place(run, a) for a in first)) / loss.length if first else np.nan
        found.leads.append(min(lead, 1.0))
        found.own.append(any(a.dimension is not None for a in first))
    for alarm in alarms:
        losses = [loss for loss in loose.losses if concerns(run, alarm, loss)]
        if alarm.kind in WARNINGS and not losses:
            found.false += 1
        if alarm.kind == "lost" and not any(_settled(run, alarm, loss) for loss in loose.losses):
            found.false_lost += 1
        if alarm.kind == "collapse" and _in_use_from(run, alarm, strict):
            found.false_collapse += 1
        if alarm.kind == "fading" and alarm.forecast is not None and losses:
            found.held.append(_holds(run, alarm.forecast, losses[0].at))
    return found


def _place(run: Run, alarm: Warned) -> int:
    return int(np.searchsorted(run.steps, alarm.step))


def _start(loss: Loss) -> float:
    return loss.onset - max(EARLY, 0.5 * loss.length)


def concerns(run: Run, alarm: Warned, loss: Loss) -> bool:
    """Whether an alarm is about a loss: in time, and of its dimension or of the model as a whole."""
    near = _start(loss) <= _place(run, alarm) <= loss.at + LATE
    return near and alarm.dimension in (None, loss.dimension)


def _settled(run: Run, alarm: Warned, loss: Loss) -> bool:
    """Whether a LOST is about a loss: information may be gone some time before its use is, and after."""
    return alarm.dimension == loss.dimension and abs(_place(run, alarm) - loss.at) <= SETTLING


def _in_use_from(run: Run, alarm: Warned, strict: Events) -> bool:
    return bool(strict.used[min(_place(run, alarm) + LATE, len(run.steps) - 1) :].any())


def _holds(run: Run, forecast: Forecast, at: int) -> bool:
    """The loss lies in (the evaluation before, its evaluation]: the interval holds it where the two overlap."""
    before, there = int(run.steps[at - 1]), int(run.steps[at])
    return forecast.low <= there and (forecast.high is None or forecast.high > before)
