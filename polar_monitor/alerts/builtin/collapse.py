"""COLLAPSE: no dimension is in use any more, or none ever came into use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...regime.regime import Verdict
from ...statistics.snapshot import Snapshot
from ...statistics.thresholds import PASSIVE
from ..advice import NEVER_IN_USE, Cause, make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import is_constant, most_common
from ..signals.signals import Signals
from .rule import CLEAN

MIN_WINDOWS = 1.5
"""Independent windows without an informative dimension that a model which never had one needs."""
LARGE = 1e300
"""The lowest signal before there is one."""
MIN_GROWTH = math.log(1.15)
"""Growth of the logarithm of the signal since its lowest value that is a sign of life."""
DEAD_SIGNAL, FAINT_FACTOR = 1.5e-4, 4.0
"""A code with a larger signal, or one that grows, is faint, not dead: the rule takes so much longer."""
MIN_SIGNAL = 1e-12
"""The signal of a code that is constant."""


class CollapseState(TypedDict):
    """State of COLLAPSE."""

    collapsed_streak: float
    """Steps with the verdict COLLAPSED, up to now."""
    windows: float
    """Independent windows in them."""
    since_collapse: float
    """Steps with another verdict since the last collapse that was, or would have been, an alert."""
    collapses: int
    """Alerts so far: each one needs twice the time without a collapse before it."""
    lowest_signal: float
    """The lowest `_signal` while the model is collapsed."""
    since_lowest: float
    """Steps since then."""


class Collapse:
    """Raises COLLAPSE once for each collapse: one that hovers at the cut is the same one."""

    name = "collapse"

    def start(self) -> CollapseState:
        """Return the state before the first evaluation."""
        return CollapseState(
            collapsed_streak=0.0,
            windows=0.0,
            since_collapse=CLEAN,
            collapses=0,
            lowest_signal=LARGE,
            since_lowest=0.0,
        )

    def reset_in_warmup(self, state: CollapseState) -> CollapseState:
        """Return the state as if the model had not collapsed."""
        return self.start()

    def update(self, state: CollapseState, observation: Observation) -> tuple[CollapseState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        rules, pace = signals.rules, signals.pace
        if signals.regime.verdict is not Verdict.COLLAPSED:
            since = state["since_collapse"] + pace.steps
            return {**self.start(), "since_collapse": since, "collapses": state["collapses"]}, ()
        new = _longer(state, signals)
        had_any = bool(signals.history.was_used.any())
        if not (had_any or _never_in_use(new, signals)):
            return new, ()
        since = state["since_collapse"]
        new["since_collapse"] = 0.0
        if since < rules.clean_steps * 2.0 ** (new["collapses"] - 1):
            return new, ()
        new["collapses"] += 1
        return new, [_alert(signals, had_any)]


def _longer(state: CollapseState, signals: Signals) -> CollapseState:
    """Return the state after one more evaluation of a collapsed model."""
    signal, pace = _signal(signals.snapshot), signals.pace
    lower = signal <= state["lowest_signal"]
    return {
        **state,
        "collapsed_streak": state["collapsed_streak"] + pace.steps,
        "windows": state["windows"] + pace.windows,
        "lowest_signal": signal if lower else state["lowest_signal"],
        "since_lowest": 0.0 if lower else state["since_lowest"] + pace.steps,
    }


def _signal(s: Snapshot) -> float:
    """Return the mean of Var μ over mean σ² of the dimensions: where it is small, it is twice their mean information.

    It is measured with a relative error, so the growth of a code that still carries next to nothing shows in it.
    """
    ratios = s.variance / s.posterior_variance if s.has_variance else 2.0 * s.information
    known = ratios[np.isfinite(ratios)]
    return max(float(np.add.reduce(known)) / max(known.size, 1), MIN_SIGNAL)


def _never_in_use(state: CollapseState, signals: Signals) -> bool:
    """Return True if no dimension has come into use for long enough, and none is about to.

    The signal of a dead code shrinks all the time. At a saddle it stays faint, and then grows exponentially: a model
    that would leave it within the time of the rule is waited for.
    """
    signal, wanted = _signal(signals.snapshot), signals.rules.collapsed_steps
    growth = math.log(signal / state["lowest_signal"])
    if signal > DEAD_SIGNAL or growth > MIN_GROWTH:
        wanted *= FAINT_FACTOR
    if state["collapsed_streak"] < wanted or state["windows"] < MIN_WINDOWS:
        return False
    if growth <= MIN_GROWTH or state["since_lowest"] <= 0:
        return True
    left = max(math.log(2 * PASSIVE / signal), 0.0)
    return left * state["since_lowest"] / growth > wanted


def _alert(signals: Signals, had_any: bool) -> Alert:
    s, history = signals.snapshot, signals.history
    largest = float(np.max(np.nan_to_num(s.information), initial=0.0))
    evidence = {"total": float(np.nansum(s.information)), "largest": largest}
    if not had_any:
        message = f"no dimension ever came into use: the largest carries {largest:.3f} nats"
        return make_alert(AlertKind.COLLAPSE, s.step, message, evidence, texts=NEVER_IN_USE)
    used = history.was_used
    cause = Cause.DEAD_ENCODER if is_constant(s, used) else most_common(history.cause[used])
    message, healthy = "no informative dimension is left", signals.last_healthy_step
    return make_alert(AlertKind.COLLAPSE, s.step, message, evidence, last_healthy_step=healthy, cause=cause)
