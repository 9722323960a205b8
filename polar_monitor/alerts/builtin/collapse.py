"""TODO."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...regime.regime import Regime, Verdict
from ...statistics.snapshot import Snapshot
from .. import advice
from ..advice import raised
from ..alert import Alert, AlertKind
from ..alert_rules import AlertRules
from . import attribution
from .state import CLEAN, WatchState


def collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    """COLLAPSE: nothing is in use any more, or nothing has come into use for a long time."""
    if regime.verdict is not Verdict.COLLAPSED:
        return replace(state, collapsed=0, alive=state.alive + 1), []
    used = state.tracks.was_used
    had = bool(used.any())
    new = replace(state, collapsed=state.collapsed + 1)
    if new.collapsed < (1 if had else rules.collapsed):
        return new, []
    new = replace(new, alive=0)
    if state.alive < CLEAN:  # still the same one
        return new, []
    said = "no informative dimension is left" if had else "no dimension has become informative"
    evidence = {"total": float(np.nansum(s.information)), "largest": float(np.max(np.nan_to_num(s.information)))}
    place = advice.DEAD if attribution.dead(s, used) else attribution.common(state.tracks.named[used])
    healthy = before.healthy_step if had else None
    told = advice.told(AlertKind.COLLAPSE, place)
    return new, [raised(AlertKind.COLLAPSE, s.step, None, said, evidence, None, healthy, told)]
