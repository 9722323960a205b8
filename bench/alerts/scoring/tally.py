"""The alarms of any rule in one run against what really happened there. All times are steps.

A *warning* of a loss is a FADING of its dimension, or a DRAIN or a baseline's alarm (about all dimensions), in the time
from shortly before the onset to the loss. A sudden loss cannot be warned of: it has to be *told* by any alarm at the
first evaluation after it or the next. A run is scored as its monitor saw it: a loss is sudden too if fewer than `LOOKS`
evaluations lie between onset and loss, and one of a dimension that was in use for fewer than `SEEN` evaluations is left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from polar_monitor.alerts.alert import Alert, Forecast

from ..training.record import Run
from .truth import LOOSE, STRICT, Cuts, Events, Loss, events

EARLY = 125
"""Steps before the onset, at least, from which a warning counts; or half of the time from onset to loss."""
LATE = 75
"""Steps after a loss for which an alarm about it is not false; or to the second evaluation."""
NEAR = 500
"""Steps before and after a loss in which a LOST about it is not false; or two evaluations."""
SOON = 1000
"""Steps after the warm-up, or after β rose if that is later, within which a model of which no dimension comes into use
must be called collapsed; or two evaluations. Until β rises, such a model is a healthy one that is young."""
RISE_OF_BETA = 2.0
"""Factor of the nominal β above which it rose."""
LOOKS = 3
"""Evaluations between onset and loss, at least, of a loss that leaves time for a warning."""
SEEN = 2
"""Evaluations of a dimension while it is in use, at least, of a loss that a monitor can know."""
WARNINGS = ("fading", "drain", "alarm")
OF_ALL = ("drain", "collapse", "variance_collapse", "far_from_prior", "alarm", "silent", "custom")
"""Kinds about the model as a whole, whatever dimensions they list."""


class Warned(NamedTuple):
    """An alarm of any rule about one dimension or about all; kinds other than the monitor's own are "alarm"."""

    kind: str
    step: int
    dimension: int | None = None
    forecast: Forecast | None = None
    listed: tuple[int, ...] = ()
    """All dimensions of the same alert: its forecast is that of the first one to be lost."""


def plain(alerts: Iterable[Alert]) -> list[Warned]:
    """The monitor's alerts as the score takes them: one that lists several dimensions counts for each of them.

    One that amends another counts for the dimensions that it adds, with their own forecast.
    """
    found = []
    known = dict[tuple[str, int], set[int]]()
    for alert in alerts:
        kind = str(alert.kind)
        listed: Sequence[int] = getattr(alert, "dimensions", ())
        if kind in OF_ALL:
            found.append(Warned(kind, alert.step))
        elif listed:
            before = set() if alert.amends is None else known.get((kind, alert.amends), set())
            known.setdefault((kind, alert.step), set()).update(listed)
            added = tuple(j for j in listed if j not in before)
            forecast = forecast_of(alert, added)
            found += [Warned(kind, alert.step, int(j), forecast, added) for j in added]
        else:
            found.append(Warned(kind, alert.step, alert.dimension, alert.forecast))
    return found


def forecast_of(alert: Alert, dimensions: Sequence[int]) -> Forecast | None:
    """The forecast of an alert about the first one to go of some of its dimensions."""
    if len(dimensions) == len(alert.dimensions):
        return alert.forecast
    steps = {j: alert.evidence[f"forecast_{j}"] for j in dimensions if f"forecast_{j}" in alert.evidence}
    first = min(steps, key=lambda j: (steps[j], j), default=None)
    if first is None:
        return None
    high = alert.evidence.get(f"forecast_high_{first}")
    low = int(alert.evidence[f"forecast_low_{first}"])
    return Forecast(int(steps[first]), low, None if high is None else int(high))


@dataclass
class Tally:
    """What one run adds."""

    healthy: bool
    kind: str = ""
    leads: list[float] = field(default_factory=list)
    """Of each gradual loss, lead as a share of the time from onset to loss, at most 1; NaN where nothing warned."""
    own: list[bool] = field(default_factory=list)
    """Of each gradual loss, whether a FADING of this very dimension warned."""
    told: list[bool] = field(default_factory=list)
    """Of each sudden loss."""
    quick: int = 0
    """Losses among the sudden ones that only this density makes so."""
    unseen: int = 0
    """Losses that are left out, as the dimension was in use for too few evaluations."""
    settling: int = 0
    """Losses that are left out, as others took over."""
    alarms: int = 0
    """All alerts but notes."""
    false: int = 0
    """FADING, DRAIN or alarm about nothing, and in a healthy run about what only settles."""
    false_settling: int = 0
    """Those among them about what only settles."""
    false_collapse: int = 0
    """COLLAPSE although dimensions are in use, or come into use later."""
    false_lost: int = 0
    """LOST about nothing."""
    sharp: list[bool] = field(default_factory=list)
    """Of a run whose posterior became a point, whether a VARIANCE_COLLAPSE told it; False for one about nothing."""
    never: list[bool] = field(default_factory=list)
    """Of a collapsing run in which no dimension came into use, whether a COLLAPSE told it soon."""
    held: list[bool] = field(default_factory=list)
    """Of each FADING about a loss, whether its interval holds the loss."""


def tally(run: Run, alarms: Sequence[Warned], cuts: Cuts = STRICT, choosing: bool = True) -> Tally:
    """Compare the alarms of one run with its events. Without `choosing`, a settling loss is a loss like any other."""
    strict = events(run, cuts)
    loose = events(run, replace(cuts, established=min(LOOSE.established, cuts.established)))
    found = Tally(run.healthy, run.kind, alarms=sum(alarm.kind != "settling" for alarm in alarms))
    told = any(alarm.kind == "variance_collapse" for alarm in alarms)
    if told or strict.sharp is not None:
        found.sharp.append(told and strict.sharp is not None)
    if not run.healthy and strict.first_use is None:
        since = max(run.warmup, _rise_of_beta(run))
        end = max(since + SOON, evaluation_after(run, since, 2))
        found.never.append(any(alarm.kind == "collapse" and alarm.step <= end for alarm in alarms))
    for loss in strict.losses:
        if choosing and loss.settling:
            found.settling += 1
        elif looks(run, loss.since, loss.at) < SEEN:
            found.unseen += 1
        else:
            _add_loss(found, run, loss, alarms)
    for alarm in alarms:
        _add_alarm(found, run, alarm, strict, loose, choosing)
    return found


def _rise_of_beta(run: Run) -> int:
    """The first step at which β is larger than was meant; 0 if it never is, or is so from the start."""
    above = run.truth["beta"] > RISE_OF_BETA * run.nominal
    return int(run.truth_steps[np.argmax(above)]) if above.any() and not above[0] else 0


def looks(run: Run, begin: int, end: int) -> int:
    """The number of evaluations from one step to before another."""
    return int(np.searchsorted(run.steps, end) - np.searchsorted(run.steps, begin))


def evaluation_after(run: Run, step: int, which: int = 1) -> int:
    """The step of the first, second, … evaluation at a step or after it; of the last one if there are no more."""
    place = int(np.searchsorted(run.steps, step)) + which - 1
    return int(run.steps[min(place, len(run.steps) - 1)])


def leaves_time(run: Run, loss: Loss) -> bool:
    """Whether the evaluations of this run leave time for a warning of a loss."""
    return not loss.sudden and looks(run, loss.onset + 1, loss.at) >= LOOKS


def concerns(run: Run, alarm: Warned, loss: Loss) -> bool:
    """Whether an alarm is about a loss: in time, and of its dimension or of the model as a whole."""
    late = max(loss.at + LATE, evaluation_after(run, loss.at, 2))
    return alarm.dimension in (None, loss.dimension) and _start(loss) <= alarm.step <= late


def _add_loss(found: Tally, run: Run, loss: Loss, alarms: Sequence[Warned]) -> None:
    about = [a for a in alarms if a.dimension in (None, loss.dimension) and _start(loss) <= a.step]
    if not leaves_time(run, loss):
        found.quick += not loss.sudden
        found.told.append(any(a.step <= evaluation_after(run, loss.at, 2) for a in about if a.kind != "settling"))
        return
    first = [a for a in about if a.kind in WARNINGS and a.step < loss.at]
    lead = (loss.at - min(a.step for a in first)) / loss.length if first else np.nan
    found.leads.append(min(lead, 1.0))
    found.own.append(any(a.dimension is not None for a in first))


def _add_alarm(found: Tally, run: Run, alarm: Warned, strict: Events, loose: Events, choosing: bool) -> None:
    about = [loss for loss in loose.losses if concerns(run, alarm, loss)]
    losses = [loss for loss in about if not (choosing and loss.settling and run.healthy)]
    if alarm.kind in WARNINGS and not losses:
        found.false += 1
        found.false_settling += bool(about)
    if alarm.kind == "lost" and not any(_near(run, alarm, loss) for loss in loose.losses):
        found.false_lost += 1
    if alarm.kind == "collapse" and _in_use_from(run, alarm, strict):
        found.false_collapse += 1
    if alarm.kind == "fading" and alarm.forecast is not None and losses and losses[0] == _first(run, alarm, loose):
        found.held.append(_holds(alarm.forecast, losses[0]))


def _first(run: Run, alarm: Warned, loose: Events) -> Loss | None:
    """The first loss that any dimension of an alert has: the one that its forecast is about."""
    every = [alarm._replace(dimension=j) for j in alarm.listed] or [alarm]
    return next((loss for loss in loose.losses if any(concerns(run, one, loss) for one in every)), None)


def _start(loss: Loss) -> float:
    return loss.onset - max(EARLY, 0.5 * loss.length)


def _near(run: Run, alarm: Warned, loss: Loss) -> bool:
    """Whether a LOST is about a loss: information may be gone some time before its use is, and after."""
    tolerance = max(NEAR, 2 * run.every)
    return alarm.dimension == loss.dimension and abs(alarm.step - loss.at) <= tolerance


def _in_use_from(run: Run, alarm: Warned, strict: Events) -> bool:
    place = min(int(np.searchsorted(run.truth_steps, alarm.step + LATE)), len(run.truth_steps) - 1)
    return bool(strict.used[place:].any())


def _holds(forecast: Forecast, loss: Loss) -> bool:
    """The loss lies in (the measurement before, its own]: the interval holds it where the two overlap."""
    return forecast.low <= loss.at and (forecast.high is None or forecast.high > loss.before)
