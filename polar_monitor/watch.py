"""The fold that turns a history of snapshots into alerts: pure, so a log replayed gives the alerts of the live run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .alerts import ADVICE, CAUSES, Alert, AlertKind, AlertRules, Forecast
from .label import INFORMATIVE_LABELS, Label
from .regime import DWELL, Regime, Verdict
from .rule import PASSIVE
from .snapshot import Snapshot
from .trend import crossing

SHARP = 0.9999
"""Reliability of every informative dimension above which the posterior is a point."""
CLEAN = 10
"""Evaluations without trouble after which the same trouble is news again."""


@dataclass(frozen=True)
class Track:
    """What is remembered of one dimension."""

    in_use: int = 0
    """Evaluations for which it has been in use; 0 when it is not."""
    was_used: bool = False
    """It has been in use at some time."""
    falling: int = 0
    """Evaluations in a row that saw it fall."""
    calm: int = 0
    """Evaluations in a row that did not."""
    warned: bool = False
    """A FADING is out and not yet taken back by a recovery."""
    healthy_step: int | None = None


@dataclass(frozen=True)
class WatchState:
    """Everything the alerts depend on; `to_dict` and `from_dict` carry it over a restart."""

    steps: tuple[int, ...] = ()
    information: tuple[tuple[float, ...], ...] = ()
    errors: tuple[tuple[float, ...], ...] = ()
    tracks: tuple[Track, ...] = ()
    peak_total: float = 0.0
    draining: int = 0
    drained: bool = False
    healthy_step: int | None = None
    collapsed: int = 0
    sharp: int = 0
    non_finite: float = 0.0
    finite_since: int = CLEAN
    silent: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WatchState:
        """The inverse of `to_dict`."""
        values = dict(data)
        values["steps"] = tuple(values["steps"])
        values["information"] = tuple(tuple(row) for row in values["information"])
        values["errors"] = tuple(tuple(row) for row in values["errors"])
        values["tracks"] = tuple(Track(**track) for track in values["tracks"])
        return cls(**values)


def watch(
    state: WatchState,
    step: int,
    observed: int,
    snapshot: Snapshot | None,
    regime: Regime | None,
    rules: AlertRules,
    warmup: int = 0,
) -> tuple[WatchState, tuple[Alert, ...]]:
    """Fold one evaluation into the state. During the first `warmup` steps only NON_FINITE and SILENT are raised."""
    raised: list[Alert] = []
    if observed == 0 and not state.silent:
        raised.append(_alert(AlertKind.SILENT, step, None, "no latent has been seen since the last evaluation", {}))
    state = replace(state, silent=observed == 0)
    if snapshot is not None and regime is not None and observed > 0:
        state, more = _non_finite(state, snapshot)
        raised += more
        before = state
        state = _remember(state, snapshot, rules)
        state, more = _dimensions(state, snapshot, regime, rules)
        held = list(more)
        for rule in (_drain, _collapse, _variance_collapse):
            state, more = rule(state, before, snapshot, regime, rules)
            held += more
        if step >= warmup:
            raised += held
        else:  # nothing counts yet, so that what is still going on afterwards is told then
            calm = tuple(replace(track, falling=0, warned=False) for track in state.tracks)
            state = replace(state, tracks=calm, peak_total=0.0, draining=0, drained=False, collapsed=0, sharp=0)
    return state, tuple(alert for alert in raised if alert.kind in rules.kinds)


def _remember(state: WatchState, s: Snapshot, rules: AlertRules) -> WatchState:
    keep = rules.history - 1
    information = tuple(np.nan_to_num(s.information, nan=0.0).tolist())
    errors = tuple(np.nan_to_num(s.information_se, nan=0.0).tolist())
    same = len(state.tracks) == s.dimensions
    return replace(
        state,
        steps=(*state.steps[-keep:], s.step) if same else (s.step,),
        information=(*state.information[-keep:], information) if same else (information,),
        errors=(*state.errors[-keep:], errors) if same else (errors,),
        tracks=state.tracks if same else (Track(),) * s.dimensions,
    )


def _dimensions(state: WatchState, s: Snapshot, regime: Regime, rules: AlertRules) -> tuple[WatchState, list[Alert]]:
    values = np.array(state.information)
    falls = fell(values, np.array(state.errors), rules).tolist()
    tracks, raised = [], []
    for j, (track, label) in enumerate(zip(state.tracks, regime.labels, strict=True)):
        series = values[:, j]
        if label in INFORMATIVE_LABELS and not track.in_use and track.was_used:
            raised.append(
                _alert(AlertKind.REVIVED, s.step, j, f"is in use again with {series[-1]:.3f} nats", _now(s, j))
            )
        if label is Label.PASSIVE and track.in_use:
            said = f"is lost: {series[-1]:.3f} nats are left"
            raised.append(_alert(AlertKind.LOST, s.step, j, said, _now(s, j), healthy=track.healthy_step))
            track = Track(was_used=True)
        elif label in INFORMATIVE_LABELS or track.in_use:
            track = replace(track, in_use=track.in_use + 1, was_used=True)
            track, forecast = _fall(track, state, series, falls[j])
            due = forecast is not None and track.falling >= rules.patience and track.in_use > rules.established
            if due and forecast is not None and not track.warned and _near(forecast, state.steps, rules):
                raised.append(_fading(s, j, series, forecast, track))
                track = replace(track, warned=True)
        tracks.append(track)
    return replace(state, tracks=tuple(tracks)), raised


def _fall(track: Track, state: WatchState, series: NDArray[np.float64], falls: bool) -> tuple[Track, Forecast | None]:
    forecast = crossing(state.steps, series.tolist(), PASSIVE) if falls else None
    if forecast is None:
        calm = track.calm + 1
        return replace(
            track, falling=0, calm=calm, warned=track.warned and calm < CLEAN, healthy_step=state.steps[-1]
        ), None
    healthy = track.healthy_step if track.healthy_step is not None else state.steps[0]
    return replace(track, falling=track.falling + 1, calm=0, healthy_step=healthy), forecast


def fell(series: NDArray[np.float64], errors: NDArray[np.float64], rules: AlertRules) -> NDArray[np.bool_]:
    """Which series (n, D) have surely fallen: by a share of their start, by several standard errors, and still fall."""
    if len(series) < 5:
        return np.zeros(series.shape[1:], np.bool_)
    start, end = np.sort(series[:3], axis=0)[1], series[-2:].mean(axis=0)
    error = np.hypot(np.sort(errors[:3], axis=0)[1], errors[-2:].mean(axis=0))
    still = (series[-1] < series[-3]) & ((np.diff(series, axis=0) < 0).sum(axis=0) >= 0.7 * (len(series) - 1))
    return np.asarray(still & (start - end >= np.maximum(rules.fall * start, rules.significance * error)))


def _near(forecast: Forecast, steps: tuple[int, ...], rules: AlertRules) -> bool:
    interval = (steps[-1] - steps[0]) / max(len(steps) - 1, 1)
    return forecast.step - steps[-1] <= rules.horizon * interval


def _fading(s: Snapshot, j: int, series: NDArray[np.float64], forecast: Forecast, track: Track) -> Alert:
    until = "no end" if forecast.high is None else f"{forecast.high}"
    said = (
        f"is fading: {series[0]:.3f} to {series[-1]:.3f} nats over the last {len(series)} evaluations, "
        f"expected to be passive at step {forecast.step} ({forecast.low} to {until})"
    )
    evidence = _now(s, j) | {"from": float(series[0]), "evaluations": float(len(series))}
    return _alert(AlertKind.FADING, s.step, j, said, evidence, forecast, track.healthy_step)


def _drain(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    used = [j for j, track in enumerate(state.tracks) if track.was_used]
    totals = np.array(state.information)[:, used].sum(axis=1)
    errors = np.sqrt((np.array(state.errors)[:, used] ** 2).sum(axis=1))
    total, peak = float(totals[-1]), max(state.peak_total, float(totals[-1]))
    falling = (
        bool(used) and bool(fell(totals[:, None], errors[:, None], rules)[0]) and total <= (1 - rules.drain) * peak
    )
    healthy = state.healthy_step if falling else s.step
    draining = state.draining + 1 if falling else 0
    recovered = total > (1 - rules.drain / 2) * peak
    new = replace(
        state, peak_total=peak, draining=draining, healthy_step=healthy, drained=state.drained and not recovered
    )
    if draining < rules.patience or new.drained:
        return new, []
    said = f"the total information has fallen from {peak:.2f} to {total:.2f} nats and still falls"
    evidence = {"peak": peak, "total": total, "from": float(totals[0])}
    return replace(new, drained=True), [_alert(AlertKind.DRAIN, s.step, None, said, evidence, None, healthy)]


def _collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    if regime.verdict is not Verdict.COLLAPSED:
        return replace(state, collapsed=0), []
    had = any(track.was_used for track in state.tracks)
    due = 1 if had else rules.collapsed
    new = replace(state, collapsed=state.collapsed + 1)
    if new.collapsed != due:
        return new, []
    said = "no informative dimension is left" if had else "no dimension has become informative"
    evidence = {"total": float(np.nansum(s.information)), "largest": float(np.nanmax(s.information))}
    return new, [_alert(AlertKind.COLLAPSE, s.step, None, said, evidence, None, before.healthy_step if had else None)]


def _variance_collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    used = list(regime.informative)
    weakest = float(np.min(s.reliability[used])) if s.has_variance and used else 0.0
    if not weakest > SHARP:
        return replace(state, sharp=0), []
    new = replace(state, sharp=state.sharp + 1)
    if new.sharp != DWELL:
        return new, []
    said = f"the posterior is a point: reliability is at least {weakest:.6f} in every dimension in use"
    return new, [_alert(AlertKind.VARIANCE_COLLAPSE, s.step, None, said, {"reliability": weakest})]


def _non_finite(state: WatchState, s: Snapshot) -> tuple[WatchState, list[Alert]]:
    count = float(np.sum(s.non_finite))
    if count <= state.non_finite:
        return replace(state, finite_since=state.finite_since + 1), []
    new = replace(state, non_finite=count, finite_since=0)
    if state.finite_since < CLEAN:
        return new, []
    j = int(np.argmax(s.non_finite))
    said = f"{count - state.non_finite:.0f} values are NaN or infinite, most in dimension {j}"
    evidence = {"values": count - state.non_finite, "dimension": float(j)}
    return new, [_alert(AlertKind.NON_FINITE, s.step, None, said, evidence, None, state.healthy_step)]


def _now(s: Snapshot, j: int) -> dict[str, float]:
    return {"information": float(s.information[j]), "information_se": float(s.information_se[j])}


def _alert(
    kind: AlertKind,
    step: int,
    dimension: int | None,
    said: str,
    evidence: dict[str, float],
    forecast: Forecast | None = None,
    healthy: int | None = None,
) -> Alert:
    message = said if dimension is None else f"dimension {dimension} {said}"
    return Alert(kind, step, dimension, message, evidence, forecast, healthy, CAUSES[kind], ADVICE[kind])
