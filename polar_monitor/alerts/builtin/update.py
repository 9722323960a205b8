"""The fold that turns a history of snapshots into alerts: pure, so a log replayed gives the alerts of the live run."""

from __future__ import annotations

from dataclasses import replace

from ...context import NOTHING, Context
from ...regime.regime import Regime
from ...statistics.snapshot import Snapshot
from ..advice import raised
from ..alert import Alert, AlertKind
from ..alert_rules import AlertRules
from .collapse import collapse
from .drain import drain
from .fading import follow
from .non_finite import non_finite
from .state import WatchState as WatchState
from .variance_collapse import variance_collapse


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
        state, more = non_finite(state, snapshot)
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
