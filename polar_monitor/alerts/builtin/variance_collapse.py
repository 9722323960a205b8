"""TODO."""

from __future__ import annotations

from dataclasses import replace

from ...regime.regime import DWELL, Regime
from ...statistics.snapshot import Snapshot
from ..advice import raised
from ..alert import Alert, AlertKind
from ..alert_rules import AlertRules
from .state import CLEAN, WatchState

POINT_RELIABILITY = 0.9999
"""Reliability above which the posterior is a point."""


def variance_collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    """VARIANCE_COLLAPSE: the posterior of half or more of the dimensions in use is a point."""
    points = s.reliability[state.tracks.in_use > 0] > POINT_RELIABILITY
    if not s.has_variance or not points.size or 2 * int(points.sum()) < points.size:
        return replace(state, sharp=0, blunt=state.blunt + 1), []
    new = replace(state, sharp=state.sharp + 1)
    if new.sharp < DWELL:
        return new, []
    new = replace(new, blunt=0)
    if state.blunt < CLEAN:
        return new, []
    share = "the reliability of half or more of the dimensions in use"
    said = f"the posterior is a point: {share} is above {POINT_RELIABILITY}"
    return new, [raised(AlertKind.VARIANCE_COLLAPSE, s.step, None, said, {"dimensions": float(points.sum())})]
