"""The alerts that are about the model as a whole: DRAIN, COLLAPSE and VARIANCE_COLLAPSE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...regime.regime import Regime
from ...statistics.snapshot import Snapshot
from .. import advice
from ..advice import raised
from ..alert import Alert, AlertKind
from ..alert_rules import AlertRules
from . import attribution
from .fading import SLIGHT, STOPPED, plunged
from .state import WatchState


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
    place = attribution.common(attribution.named(state.tracks, s, plunges)[used])
    told = advice.told(AlertKind.DRAIN, place)
    evidence = {"peak": peak, "total": total}
    healthy = new.healthy_step
    return replace(new, drained=True), [raised(AlertKind.DRAIN, s.step, None, said, evidence, None, healthy, told)]
