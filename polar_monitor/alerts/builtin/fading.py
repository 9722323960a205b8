"""FADING, LOST, REVIVED and SETTLING: the alerts about single dimensions.

They share the history of the dimensions, which is a signal that other alerts read too: `signals/follow.py` follows it
and says when a dimension fades, is lost or comes back. What happens to several dimensions in one event is one alert,
whatever the causes: `event.py`. What is lost after a COLLAPSE is part of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from ...regime.regime import Verdict
from ...statistics.snapshot import Array, Snapshot
from ..advice import Cause, make_alert, named
from ..alert import Alert, AlertKind, Forecast
from ..observation import Observation
from ..signals.attribution import by_frequency, causes_of_loss
from ..signals.falls import Falls, cut_of
from ..signals.follow import DimensionChanges
from ..signals.history import Flags
from ..signals.shared import NEVER
from ..signals.signals import Signals
from ..signals.story import wait_of, wait_of_lost
from .event import Event, begins, followers, healthy_of_all, joined, no_event

MAX_NUMBERS = 3
"""Dimensions whose numbers stand in a message."""


class FadingState(TypedDict):
    """The newest event of each kind."""

    revived: Event
    settling: Event
    lost: Event
    unsteady: Event
    """Dimensions that are lost once more."""
    fading: Event


class Fading:
    """Raises FADING, LOST, REVIVED and SETTLING, in the order of the dimensions."""

    name = "fading"

    def start(self) -> FadingState:
        """Return the state before the first evaluation."""
        return FadingState(
            revived=no_event(), settling=no_event(), lost=no_event(), unsteady=no_event(), fading=no_event()
        )

    def update(self, state: FadingState, observation: Observation) -> tuple[FadingState, Sequence[Alert]]:
        """Return the state, and the alerts of one evaluation."""
        signals = observation.signals
        if signals is None or signals.changes is None:
            return state, ()
        alerts, events = list[Alert](), dict[str, Event]()
        for name, where in _happens(signals, signals.changes):
            before: Event = state[name]  # type: ignore[literal-required]
            event = joined(before, where, signals.snapshot.step)
            if event is None:
                continue
            now, new = event
            steps = signals.changes.healthy_step[new].tolist()
            now["last_healthy_step"] = healthy_of_all([now["last_healthy_step"], *(s for s in steps if s != NEVER)])
            events[name] = now
            alerts.append(_alert(name, signals, signals.changes, now, new, before["newest_step"]))
        return {**state, **events}, sorted(alerts, key=lambda alert: alert.dimensions[0])  # type: ignore[typeddict-item]


def _happens(signals: Signals, changes: DimensionChanges) -> Iterator[tuple[str, Flags]]:
    """Yield the names of the events of this evaluation, with their dimensions."""
    story, collapsed = changes.story, signals.collapsed and signals.regime.verdict is Verdict.COLLAPSED
    if story is not None:
        if not signals.regime.has_shrunk:
            yield "revived", story.revived
        yield "settling", story.settled
        if not collapsed:
            yield "lost", story.lost
            yield "unsteady", story.unsteady
    if changes.falls is not None and changes.fading is not None and not collapsed:
        yield "fading", changes.fading


def _alert(
    name: str, signals: Signals, changes: DimensionChanges, event: Event, new: list[int], newest_step: int | None
) -> Alert:
    """Return the alert about all dimensions of an event, of which some are `new`."""
    s, used = signals.snapshot, signals.history.used
    inside = signals.history.warned if name == "fading" else used if name == "revived" else ~used
    which = [j for j in event["dimensions"] if j in new or inside[j]]
    more = followers(event, new, [j for j in event["dimensions"] if j not in which])
    forecast, evidence = None, _evidence(s, which, event["dimensions"])
    kind, causes, healthy = AlertKind.LOST, _causes(signals, event["dimensions"]), event["last_healthy_step"]
    match name:
        case "revived":
            kind, causes, healthy = AlertKind.REVIVED, (), None
            message = f"{_are(which)} in use again with {_numbers(s.information, which)} nats"
        case "settling":
            kind, causes, healthy = AlertKind.SETTLING, (), None
            message = f"went out of use while others took over: {_left(signals, which)}"
        case "lost":
            message = f"{_are(which)} lost: {_left(signals, which)}"
        case "unsteady":
            comes = "comes and goes" if len(which) == 1 else "come and go"
            message = f"{comes}: lost once more, {_left(signals, which)}"
            more += f"; no more is said until {_stable(signals, which)}"
        case _:
            kind = AlertKind.FADING
            listed, numbered = event["dimensions"], [j for j in event["dimensions"] if j in new or used[j]]
            message, forecast, more_evidence = _fading(signals, changes, which, listed)
            evidence = _evidence(s, numbered, listed) | _numbers_of({"from": _highest(signals)}, numbered, listed)
            evidence |= more_evidence
            message += _once_more(signals, changes)
    if kind is AlertKind.LOST:
        causes = causes_of_loss(s, np.isin(np.arange(s.dimensions), which), signals.history.cause)
    return make_alert(
        kind,
        s.step,
        message + more,
        evidence,
        dimensions=event["dimensions"],
        subject=which,
        forecast=forecast,
        last_healthy_step=healthy,
        cause=causes,
        amends=None if begins(event, new) else newest_step,
    )


def _causes(signals: Signals, which: list[int]) -> tuple[Cause, ...]:
    """Return the known causes of the falls of some dimensions, the most frequent one first."""
    return by_frequency(signals.history.cause[which])


def _stable(signals: Signals, which: list[int]) -> str:
    """Say how long dimensions that come and go have to be stable."""
    has = "it has" if len(which) == 1 else "they have"
    steps = float(np.max(wait_of_lost(signals.history.swing[which], signals.rules)))
    return f"{has} been stable for {_grouped(steps * signals.pace.scale)} steps"


def _once_more(signals: Signals, changes: DimensionChanges) -> str:
    """Say which dimensions fade for the second time; nothing if none does."""
    if changes.once_more is None or not changes.once_more.any():
        return ""
    which = np.flatnonzero(changes.once_more).tolist()
    steps = float(np.max(wait_of(signals.history.fading_swing[which], signals.rules)))
    fades = "fades" if len(which) == 1 else "fade"
    return (
        f"; {named(which)} {fades} once more, of which no more is said until "
        f"{_grouped(steps * signals.pace.scale)} steps have passed without it"
    )


def _fading(
    signals: Signals, changes: DimensionChanges, which: list[int], listed: list[int]
) -> tuple[str, Forecast | None, dict[str, float]]:
    """Return the message of a FADING about some of the dimensions listed, its forecast, and those of each."""
    s, falls = signals.snapshot, changes.falls
    forecasts = {j: _forecast(signals, falls, j) for j in which}
    known = {j: forecast for j, forecast in forecasts.items() if forecast is not None}
    first = min(known, key=lambda j: (known[j].step, j), default=None)
    expected, highest = {} if len(listed) == 1 else _each(known), _highest(signals)
    message = f"{_are(which)} fading: {_numbers(s.information, which)} of {_numbers(highest, which)} nats are left, "
    if first is None:
        gone = "may be out of use already" if max(s.information[which]) <= cut_of(s) else "without a forecast yet"
        message += f"{gone}: the window of rows reaches back to before the fall"
    else:
        who = "" if len(which) == 1 else f"dimension {first} "
        message += f"{who}expected to be out of use {_when(known[first], s)}"
        if unknown := [str(j) for j in which if j not in known]:
            message += f"; dimension{'s' if len(unknown) > 1 else ''} {', '.join(unknown)} may go sooner"
    return message, None if first is None else known[first], expected


def _highest(signals: Signals) -> Array:
    """Return the level from which each dimension fell (D,)."""
    return np.asarray(signals.snapshot.information * np.exp(signals.history.cusum.unreported_drop))


def _each(forecasts: dict[int, Forecast]) -> dict[str, float]:
    """Return the forecasts of several dimensions as numbers with the dimension in the name; no end has none."""
    numbers = dict[str, float]()
    for j, one in forecasts.items():
        ends = {"forecast": one.step, "forecast_low": one.low, "forecast_high": one.high}
        numbers |= {f"{name}_{j}": float(step) for name, step in ends.items() if step is not None}
    return numbers


def _forecast(signals: Signals, falls: Falls | None, dimension: int) -> Forecast | None:
    """Return the forecast of a dimension; None for one whose fall has no trend at this evaluation."""
    if falls is None or not np.isfinite(falls.outlook.ahead[dimension]):
        return None
    cause = signals.history.cause[dimension]
    in_steps = bool(falls.plunged[dimension]) or cause == Cause.UNITS_DIE
    return falls.outlook.forecast(dimension, signals.snapshot.step, in_steps, bool(cause == Cause.MEANS_SHRINK))


def _when(forecast: Forecast, s: Snapshot) -> str:
    cut = f"{cut_of(s)} nats" if s.has_variance else f"{cut_of(s)} nats of resolved entropy"
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


def _evidence(s: Snapshot, which: list[int], listed: list[int]) -> dict[str, float]:
    """Return the information of some of the dimensions that an alert lists."""
    return _numbers_of({"information": s.information, "information_se": s.information_se}, which, listed)


def _numbers_of(numbers: dict[str, Array], which: list[int], listed: list[int]) -> dict[str, float]:
    """Return the numbers of the only dimension, or those of each with the dimension in the name."""
    if len(listed) == 1:
        return {name: float(values[which[0]]) for name, values in numbers.items()}
    return {f"{name}_{j}": float(values[j]) for j in which for name, values in numbers.items()}
