"""The fold that turns a history of snapshots into alerts: pure, so a log replayed gives the alerts of the live run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .alerts import Alert, AlertKind, AlertRules, raised
from .context import NOTHING, Context
from .losses import follow
from .regime.regime import Regime
from .statistics.snapshot import Snapshot
from .watched import CLEAN
from .watched import WatchState as WatchState
from .whole import collapse, drain, variance_collapse


def watch(
    state: WatchState,
    step: int,
    observed: int,
    snapshot: Snapshot | None,
    regime: Regime | None,
    rules: AlertRules,
    warmup: int = 0,
    context: Context = NOTHING,
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
        tracks, held = follow(state.tracks.remember(snapshot, context), snapshot, regime, rules)
        state = replace(state, tracks=tracks)
        for rule in (drain, collapse, variance_collapse):
            state, more = rule(state, before, snapshot, regime, rules)
            held += more
        if step >= warmup:
            alerts += held
        else:  # nothing counts yet, so that what is still going on afterwards is told then
            state = state.calmed()
    return state, tuple(alert for alert in alerts if alert.kind in rules.kinds)


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
