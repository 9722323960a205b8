"""The fold that turns a history of snapshots into alerts: pure, so a log replayed gives the alerts of the live run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .alerts import Alert, AlertKind, AlertRules, raised
from .regime import DWELL, Regime, Verdict
from .snapshot import Snapshot
from .tracks import CLEAN, Tracks, fell, follow

SHARP = 0.9999
"""Reliability of every informative dimension above which the posterior is a point."""


@dataclass(frozen=True)
class WatchState:
    """Everything the alerts depend on; `to_dict` and `from_dict` carry it over a restart."""

    tracks: Tracks = field(default_factory=lambda: Tracks.empty(0))
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
        return dict(vars(self)) | {"tracks": self.tracks.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WatchState:
        """The inverse of `to_dict`."""
        return cls(**(dict(data) | {"tracks": Tracks.from_dict(data["tracks"])}))


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
    alerts: list[Alert] = []
    if observed == 0 and not state.silent:
        alerts.append(raised(AlertKind.SILENT, step, None, "no latent has been seen since the last evaluation", {}))
    state = replace(state, silent=observed == 0)
    if snapshot is not None and regime is not None and observed > 0:
        state, more = _non_finite(state, snapshot)
        alerts += more
        before = state
        tracks, held = follow(state.tracks.remember(snapshot, rules.history), snapshot, regime, rules)
        state = replace(state, tracks=tracks)
        for rule in (_drain, _collapse, _variance_collapse):
            state, more = rule(state, before, snapshot, regime, rules)
            held += more
        if step >= warmup:
            alerts += held
        else:  # nothing counts yet, so that what is still going on afterwards is told then
            state = replace(
                state, tracks=tracks.calmed(), peak_total=0.0, draining=0, drained=False, collapsed=0, sharp=0
            )
    return state, tuple(alert for alert in alerts if alert.kind in rules.kinds)


def _drain(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    used = state.tracks.was_used
    totals = state.tracks.information[:, used].sum(axis=1)
    errors = np.sqrt((state.tracks.errors[:, used] ** 2).sum(axis=1))
    total, peak = float(totals[-1]), max(state.peak_total, float(totals[-1]))
    below = used.any() and total <= (1 - rules.drain) * peak
    falling = bool(below and fell(totals[:, None], errors[:, None], rules)[0])
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
    return replace(new, drained=True), [raised(AlertKind.DRAIN, s.step, None, said, evidence, None, healthy)]


def _collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    if regime.verdict is not Verdict.COLLAPSED:
        return replace(state, collapsed=0), []
    had = bool(state.tracks.was_used.any())
    due = 1 if had else rules.collapsed
    new = replace(state, collapsed=state.collapsed + 1)
    if new.collapsed != due:
        return new, []
    said = "no informative dimension is left" if had else "no dimension has become informative"
    evidence = {"total": float(np.nansum(s.information)), "largest": float(np.nanmax(s.information))}
    return new, [raised(AlertKind.COLLAPSE, s.step, None, said, evidence, None, before.healthy_step if had else None)]


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
    return new, [raised(AlertKind.VARIANCE_COLLAPSE, s.step, None, said, {"reliability": weakest})]


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
    return new, [raised(AlertKind.NON_FINITE, s.step, None, said, evidence, None, state.healthy_step)]
