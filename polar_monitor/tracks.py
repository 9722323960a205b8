"""What is remembered of every dimension between evaluations, and the alerts that are about one of them.

Arrays of shape (D,), or (h, D) for the last h evaluations; nothing is changed in place, so a state can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alerts import Alert, AlertKind, AlertRules, Forecast, raised
from .label import INFORMATIVE_LABELS, Label
from .regime import Regime
from .rule import PASSIVE
from .snapshot import Array, Snapshot
from .trend import crossing

CLEAN = 10
"""Evaluations without trouble after which the same trouble is news again."""
NEVER = -1
"""Stands for no step."""
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tracks:
    """The history of all dimensions, as far as alerts depend on it."""

    steps: Ints
    """(h,)."""
    information: Array
    errors: Array
    """(h, D): `Snapshot.information` and its standard error; 0 where it is NaN."""
    in_use: Ints
    """Evaluations for which a dimension has been in use; 0 when it is not."""
    was_used: Flags
    """It has been in use at some time."""
    falling: Ints
    """Evaluations in a row that saw it fall."""
    calm: Ints
    """Evaluations in a row that did not."""
    warned: Flags
    """A FADING is out and not yet taken back by a recovery."""
    healthy: Ints
    """The last step before it began to fall."""

    @classmethod
    def empty(cls, dimensions: int) -> Tracks:
        """Before the first evaluation."""
        none, no = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.bool_)
        history = np.zeros((0, dimensions))
        return cls(np.zeros(0, np.int64), history, history, none, no, none, none, no, none + NEVER)

    def remember(self, s: Snapshot, history: int) -> Tracks:
        """With one evaluation more, of at most `history`; from the beginning if it has another number of dimensions."""
        if len(self.in_use) != s.dimensions:
            return Tracks.empty(s.dimensions).remember(s, history)
        return replace(
            self,
            steps=np.append(self.steps, s.step)[-history:],
            information=np.vstack([self.information, np.nan_to_num(s.information, nan=0.0)])[-history:],
            errors=np.vstack([self.errors, np.nan_to_num(s.information_se, nan=0.0)])[-history:],
        )

    def calmed(self) -> Tracks:
        """As if nothing had been falling: what still falls is news."""
        return replace(self, falling=np.zeros_like(self.falling), warned=np.zeros_like(self.warned))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tracks:
        """The inverse of `to_dict`."""
        empty = cls.empty(len(data["in_use"]))
        arrays = {f.name: np.array(data[f.name], getattr(empty, f.name).dtype) for f in fields(cls)}
        history = (len(arrays["steps"]), len(arrays["in_use"]))
        arrays |= {name: arrays[name].reshape(history) for name in ("information", "errors")}
        return cls(**arrays)


def follow(tracks: Tracks, s: Snapshot, regime: Regime, rules: AlertRules) -> tuple[Tracks, list[Alert]]:
    """One evaluation, already remembered: REVIVED, LOST and FADING, in the order of the dimensions."""
    informative = np.array([label in INFORMATIVE_LABELS for label in regime.labels])
    passive = np.array([label is Label.PASSIVE for label in regime.labels])
    before = tracks.in_use > 0
    revived, lost = informative & ~before & tracks.was_used, passive & before
    going = (informative | before) & ~lost

    series, last = tracks.information, int(tracks.steps[-1])
    forecasts: dict[int, Forecast] = {}
    for j in np.flatnonzero(going & fell(series, tracks.errors, rules)).tolist():
        forecast = crossing(tracks.steps.tolist(), series[:, j].tolist(), PASSIVE)
        if forecast is not None:
            forecasts[j] = forecast
    falls = np.zeros_like(going)
    falls[list(forecasts)] = True

    since = np.where(tracks.healthy == NEVER, tracks.steps[0], tracks.healthy)
    calm = np.where(going & ~falls, tracks.calm + 1, 0)
    new = replace(
        tracks,
        in_use=np.where(going, tracks.in_use + 1, 0),
        was_used=tracks.was_used | going,
        falling=np.where(falls, tracks.falling + 1, 0),
        calm=calm,
        warned=tracks.warned & going & (calm < CLEAN),
        healthy=np.where(going, np.where(falls, since, last), NEVER),
    )
    alerts = [_revived(s, j) for j in np.flatnonzero(revived).tolist()]
    alerts += [_lost(s, j, tracks) for j in np.flatnonzero(lost).tolist()]
    due = (new.falling >= rules.patience) & (new.in_use > rules.established) & ~new.warned & (series[-1] > PASSIVE)
    fading = [j for j, forecast in forecasts.items() if due[j] and _near(forecast, tracks.steps, rules)]
    alerts += [_fading(s, j, new, forecasts[j]) for j in fading]
    warned = new.warned.copy()
    warned[fading] = True
    return replace(new, warned=warned), sorted(alerts, key=lambda alert: alert.dimension or 0)


def fell(series: Array, errors: Array, rules: AlertRules) -> Flags:
    """Which series (h, D) have surely fallen: by a share of their start, by several standard errors, and still fall."""
    if len(series) < 5:
        return np.zeros(series.shape[1:], np.bool_)
    start, end = np.sort(series[:3], axis=0)[1], series[-2:].mean(axis=0)
    error = np.hypot(np.sort(errors[:3], axis=0)[1], errors[-2:].mean(axis=0))
    still = (series[-1] < series[-3]) & ((np.diff(series, axis=0) < 0).sum(axis=0) >= 0.7 * (len(series) - 1))
    return np.asarray(still & (start - end >= np.maximum(rules.fall * start, rules.significance * error)))


def _near(forecast: Forecast, steps: Ints, rules: AlertRules) -> bool:
    interval = (steps[-1] - steps[0]) / max(len(steps) - 1, 1)
    return bool(forecast.step - steps[-1] <= rules.horizon * interval)


def _revived(s: Snapshot, j: int) -> Alert:
    return raised(AlertKind.REVIVED, s.step, j, f"is in use again with {s.information[j]:.3f} nats", _now(s, j))


def _lost(s: Snapshot, j: int, tracks: Tracks) -> Alert:
    said = f"is lost: {tracks.information[-1, j]:.3f} nats are left"
    return raised(AlertKind.LOST, s.step, j, said, _now(s, j), healthy=_step(tracks.healthy[j]))


def _fading(s: Snapshot, j: int, tracks: Tracks, forecast: Forecast) -> Alert:
    until = "no end" if forecast.high is None else f"{forecast.high}"
    series = tracks.information[:, j]
    said = (
        f"is fading: {series[0]:.3f} to {series[-1]:.3f} nats over the last {len(series)} evaluations, "
        f"expected to be passive at step {forecast.step} ({forecast.low} to {until})"
    )
    evidence = _now(s, j) | {"from": float(series[0]), "evaluations": float(len(series))}
    return raised(AlertKind.FADING, s.step, j, said, evidence, forecast, _step(tracks.healthy[j]))


def _step(step: Any) -> int | None:
    return None if step == NEVER else int(step)


def _now(s: Snapshot, j: int) -> dict[str, float]:
    return {"information": float(s.information[j]), "information_se": float(s.information_se[j])}
