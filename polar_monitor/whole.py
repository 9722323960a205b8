"""The alerts that are about the model as a whole: DRAIN, COLLAPSE and VARIANCE_COLLAPSE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import causes
from .alerts import Alert, AlertKind, AlertRules, raised
from .losses import SLIGHT, STOPPED, plunged
from .regime.regime import DWELL, Regime, Verdict
from .statistics.snapshot import Snapshot
from .watched import CLEAN, WatchState

SHARP = 0.9999
"""Reliability above which the posterior is a point."""


def drain(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    """DRAIN: the total of the dimensions that have been established falls, by the rules of FADING."""
    used = state.tracks.was_used
    total = float(state.tracks.information[-1, used].sum())
    error = float(np.sqrt((state.tracks.errors[-1, used] ** 2).sum()))
    now = state.decline.after(np.array([state.total]), np.array([total]))
    fallen = float(now.fallen[0])
    several = used.sum() >= 2  # of one alone FADING tells
    sure = several and total < state.total and fallen * total >= rules.significance * error
    falling = sure and bool(now.exceeds(rules.drain)[0])
    levels, errors = np.array([[state.total], [total]]), np.full((2, 1), error)
    steep = sure and bool((now.exceeds(rules.plunge) & plunged(levels, errors, rules))[0])
    calm = 0 if falling or steep else state.total_calm + 1
    over = state.drained and calm >= STOPPED
    new = replace(
        state,
        total_calm=calm,
        total=total,
        total_fallen=fallen,
        total_deepest=float(now.deepest[0]),
        total_forgiven=float(now.forgiven[0]),
        total_excused=fallen if over else float(now.excused[0]),
        draining=state.draining + 1 if falling else 0,
        drained=state.drained and not over and bool(fallen > -0.5 * np.log1p(-rules.drain)),
        healthy_step=s.step if over or fallen - now.excused[0] <= SLIGHT else state.healthy_step,
    )
    if new.drained or not (new.draining >= rules.patience or steep):
        return new, []
    peak = total * float(np.exp(fallen))
    said = f"the total information has fallen from {peak:.2f} to {total:.2f} nats and still falls"
    plunges = plunged(state.tracks.information, state.tracks.errors, rules)
    place = causes.common(causes.named(state.tracks, s, plunges)[used])
    told = causes.told(AlertKind.DRAIN, place)
    evidence = {"peak": peak, "total": total}
    healthy = new.healthy_step
    return replace(new, drained=True), [raised(AlertKind.DRAIN, s.step, None, said, evidence, None, healthy, told)]


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
    place = causes.DEAD if causes.dead(s, used) else causes.common(state.tracks.named[used])
    healthy = before.healthy_step if had else None
    told = causes.told(AlertKind.COLLAPSE, place)
    return new, [raised(AlertKind.COLLAPSE, s.step, None, said, evidence, None, healthy, told)]


def variance_collapse(
    state: WatchState, before: WatchState, s: Snapshot, regime: Regime, rules: AlertRules
) -> tuple[WatchState, list[Alert]]:
    """VARIANCE_COLLAPSE: the posterior of half or more of the dimensions in use is a point."""
    points = s.reliability[state.tracks.in_use > 0] > SHARP
    if not s.has_variance or not points.size or 2 * int(points.sum()) < points.size:
        return replace(state, sharp=0, blunt=state.blunt + 1), []
    new = replace(state, sharp=state.sharp + 1)
    if new.sharp < DWELL:
        return new, []
    new = replace(new, blunt=0)
    if state.blunt < CLEAN:
        return new, []
    said = f"the posterior is a point: the reliability of half or more of the dimensions in use is above {SHARP}"
    return new, [raised(AlertKind.VARIANCE_COLLAPSE, s.step, None, said, {"dimensions": float(points.sum())})]
