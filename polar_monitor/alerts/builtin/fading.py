"""FADING, LOST, REVIVED and SETTLING: the alerts about single dimensions.

They share one state, the history of the dimensions, which is a signal that other alerts read too: `signals/follow.py`
follows it and says when a dimension fades, is lost or comes back. What happens to several dimensions in one evaluation
for one cause is one alert.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY
from ..advice import Cause, make_alert
from ..alert import Alert, AlertKind, Forecast
from ..observation import Observation
from ..signals.attribution import is_constant
from ..signals.falls import Falls
from ..signals.follow import DimensionChanges
from ..signals.history import NEVER, Flags
from ..signals.signals import Signals

MAX_NUMBERS = 3
"""Dimensions whose numbers stand in a message."""


class FadingState(TypedDict):
    """State of FADING, LOST, REVIVED and SETTLING: nothing beside the shared history."""


class Fading:
    """Raises FADING, LOST, REVIVED and SETTLING, in the order of the dimensions."""

    name = "fading"

    def start(self) -> FadingState:
        """Return the state before the first evaluation."""
        return FadingState()

    def reset_in_warmup(self, state: FadingState) -> FadingState:
        """Return the state as it is: the engine resets the shared history."""
        return state

    def update(self, state: FadingState, observation: Observation) -> tuple[FadingState, Sequence[Alert]]:
        """Return the state, and the alerts of one evaluation."""
        signals = observation.signals
        if signals is None or signals.changes is None:
            return state, ()
        return state, sorted(_alerts(signals, signals.changes), key=lambda alert: alert.dimensions[0])


def _alerts(signals: Signals, changes: DimensionChanges) -> Iterator[Alert]:
    s, story = signals.snapshot, changes.story
    if story is not None:
        for which in _one(story.revived):
            message = f"{_are(which)} in use again with {_numbers(s.information, which)} nats"
            yield make_alert(AlertKind.REVIVED, s.step, message, _evidence(s, which), dimensions=which)
        for which in _one(story.settled):
            message = f"went out of use while others took over: {_left(signals, which)}"
            yield make_alert(AlertKind.SETTLING, s.step, message, _evidence(s, which), dimensions=which)
        for which in _by_cause(signals, story.lost):
            yield _lost(signals, changes, which, f"{_are(which)} lost: {_left(signals, which)}")
        for which in _by_cause(signals, story.unsteady):
            until = f"no more is said until {'it has' if len(which) == 1 else 'they have'} been stable for "
            until += f"{_grouped(signals.rules.stable_steps * signals.pace.scale)} steps"
            comes = "comes and goes" if len(which) == 1 else "come and go"
            yield _lost(signals, changes, which, f"{comes}: lost once more, {_left(signals, which)}; {until}")
    if changes.falls is not None and changes.fading is not None:
        for which in _by_cause(signals, changes.fading):
            yield _fading(signals, changes, changes.falls, which)


def _one(where: Flags) -> Iterator[list[int]]:
    """Yield all dimensions, if there are any."""
    if where.any():
        yield np.flatnonzero(where).tolist()


def _by_cause(signals: Signals, where: Flags) -> Iterator[list[int]]:
    """Yield the dimensions that have one cause, cause by cause."""
    causes = signals.history.cause
    for cause in dict.fromkeys(causes[where].tolist()):
        yield np.flatnonzero(where & (causes == cause)).tolist()


def _lost(signals: Signals, changes: DimensionChanges, which: list[int], message: str) -> Alert:
    s, history = signals.snapshot, signals.history
    constant = is_constant(s, np.isin(np.arange(s.dimensions), which))
    return make_alert(
        AlertKind.LOST,
        s.step,
        message,
        _evidence(s, which),
        dimensions=which,
        last_healthy_step=_last_healthy_step(changes, which),
        cause=Cause.DEAD_ENCODER if constant else Cause(history.cause[which[0]]),
    )


def _fading(signals: Signals, changes: DimensionChanges, falls: Falls, which: list[int]) -> Alert:
    s, history = signals.snapshot, signals.history
    forecasts = {j: falls.outlook.forecast(j, s.step, bool(falls.plunged[j])) for j in which}
    known = {j: forecast for j, forecast in forecasts.items() if forecast is not None}
    first = min(known, key=lambda j: (falls.outlook.ahead[j], j), default=None)
    expected = {} if len(which) == 1 else {f"forecast_{j}": float(one.step) for j, one in known.items()}
    highest = s.information * np.exp(history.cusum.unreported_drop)
    message = f"{_are(which)} fading: {_numbers(s.information, which)} of {_numbers(highest, which)} nats are left, "
    if first is None:
        gone = "may be out of use already" if max(s.information[which]) <= _cut(s) else "without a forecast yet"
        message += f"{gone}: the window of rows reaches back to before the fall"
    else:
        who = "" if len(which) == 1 else f"dimension {first} "
        message += f"{who}expected to be out of use {_when(known[first], s)}"
        if unknown := [str(j) for j in which if j not in known]:
            message += f"; dimension{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} may go sooner"
    return make_alert(
        AlertKind.FADING,
        s.step,
        message,
        _evidence(s, which, {"from": highest}) | expected,
        dimensions=which,
        forecast=None if first is None else known[first],
        last_healthy_step=_last_healthy_step(changes, which),
        cause=Cause(history.cause[which[0]]),
    )


def _cut(s: Snapshot) -> float:
    return INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY


def _when(forecast: Forecast, s: Snapshot) -> str:
    cut = f"{_cut(s)} nats" if s.has_variance else f"{_cut(s)} nats of resolved entropy"
    latest = "no end" if forecast.high is None else _grouped(forecast.high)
    return (
        f"(below {cut}) within {_grouped(forecast.step - s.step)} steps "
        f"(at step {_grouped(forecast.step)}; 80 %: {_grouped(forecast.low)} to {latest})"
    )


def _are(which: list[int]) -> str:
    return "is" if len(which) == 1 else "are"


def _grouped(number: float) -> str:
    return f"{number:,.0f}"


def _left(signals: Signals, which: list[int]) -> str:
    return f"{_numbers(signals.history.recent[-1].level, which)} nats are left"


def _numbers(values: Array, which: list[int]) -> str:
    """Return the values of some dimensions; of many, the range; of equal ones, the value."""
    texts = [f"{values[j]:.3f}" for j in sorted(which, key=lambda j: float(values[j]))]
    if texts[0] == texts[-1]:
        return texts[0]
    if len(texts) > MAX_NUMBERS:
        return f"{texts[0]} to {texts[-1]}"
    *first, last = (f"{values[j]:.3f}" for j in which)
    return f"{', '.join(first)} and {last}"


def _last_healthy_step(changes: DimensionChanges, which: list[int]) -> int | None:
    steps = [step for step in changes.healthy_step[which].tolist() if step != NEVER]
    return min(steps, default=None)


def _evidence(s: Snapshot, which: list[int], more: dict[str, Array] | None = None) -> dict[str, float]:
    """Return the numbers of the only dimension, or those of each with its number in the name."""
    numbers = {"information": s.information, "information_se": s.information_se} | (more or {})
    if len(which) == 1:
        return {name: float(values[which[0]]) for name, values in numbers.items()}
    return {f"{name}_{j}": float(values[j]) for j in which for name, values in numbers.items()}
