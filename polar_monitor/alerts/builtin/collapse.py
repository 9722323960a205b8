"""COLLAPSE: no dimension is in use any more, or none ever came into use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...regime.regime import Verdict
from ...statistics.snapshot import Array, Snapshot
from ...statistics.thresholds import PASSIVE
from ..advice import NEVER_IN_USE, USED_LITTLE, make_alert, named
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import causes_of_loss
from ..signals.dying import dies
from ..signals.signals import Signals
from .rule import CLEAN

MIN_WINDOWS = 1.5
"""Independent windows without an informative dimension that a model which never had one needs."""
MIN_FAINT_WINDOWS = 2.5
"""The same of a faint code, whose growth must have had the time to show."""
LARGE = 1e300
"""The lowest signal before there is one."""
MIN_GROWTH = math.log(1.15)
"""Growth of the logarithm of the signal since its lowest value that is a sign of life."""
DEAD_SIGNAL, FAINT_FACTOR = 1.5e-4, 4.0
"""A code with a larger signal of which a dimension grows is faint, not dead: the rule takes so much longer."""
MAX_FAINT_GROWTH = 0.4
"""Growth of the logarithm of the signal since its lowest value, beyond which a faint code is not constant."""
STRETCH = 250.0
"""Steps of a stretch; growth counts from the lowest signal of the last two."""
MIN_GROWTH_OF_ONE, GROWTH_ERRORS = 0.3, 6.0
"""The same growth of the signal of one dimension, which is noisier; and standard errors that it has to exceed."""
MIN_SIGNAL = 1e-12
"""The signal of a code that is constant."""
DYING_AGE, DYING_STREAK = 950 / 700, 0.5
"""`AlertRules.collapsed_steps` of training, and of the verdict COLLAPSED, after which a code that dies is not waited
for: younger ones may still turn."""


class CollapseState(TypedDict):
    """State of COLLAPSE."""

    age: float
    """Steps since the first evaluation, or since the warm-up."""
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
    lowest: list[float]
    """The lowest signal of each dimension in the present stretch of `STRETCH` steps; none while not collapsed."""
    lowest_before: list[float]
    """The same of the stretch before."""
    stretch: float
    """Steps of the present stretch."""
    last_use: int | None
    """The last step at which a dimension was in use, by its label; None for never."""
    use: float
    """Steps with a dimension in use."""


class Collapse:
    """Raises COLLAPSE once for each collapse: one that hovers at the cut is the same one."""

    name = "collapse"

    def start(self) -> CollapseState:
        """Return the state before the first evaluation."""
        return CollapseState(
            age=0.0,
            collapsed_streak=0.0,
            windows=0.0,
            since_collapse=CLEAN,
            collapses=0,
            lowest_signal=LARGE,
            since_lowest=0.0,
            lowest=[],
            lowest_before=[],
            stretch=0.0,
            last_use=None,
            use=0.0,
        )

    def reset_in_warmup(self, state: CollapseState) -> CollapseState:
        """Return the state as if the model had not collapsed."""
        return {**self.start(), "last_use": state["last_use"], "use": state["use"]}

    @staticmethod
    def has_collapsed(state: CollapseState) -> bool:
        """Return True while a collapse lasts that was, or would have been, an alert: a signal that others read."""
        return state["collapsed_streak"] > 0 and state["since_collapse"] == 0.0

    def update(self, state: CollapseState, observation: Observation) -> tuple[CollapseState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        rules = signals.rules
        if signals.regime.verdict is not Verdict.COLLAPSED:
            return self._in_use(state, signals), ()
        new = _longer(state, signals)
        had_any = bool(signals.history.was_used.any()) or signals.drained
        if not (had_any or _never_in_use(new, signals)):
            return new, ()
        since = state["since_collapse"]
        new["since_collapse"] = 0.0
        if since < rules.clean_steps * 2.0 ** (new["collapses"] - 1):
            return new, ()
        new["collapses"] += 1
        return new, [_alert(signals, had_any, new)]

    def _in_use(self, state: CollapseState, signals: Signals) -> CollapseState:
        """Return the state after an evaluation of a model that is not collapsed."""
        steps, used = signals.pace.steps, bool(signals.history.used.any())
        return {
            **self.start(),
            "age": state["age"] + steps,
            "since_collapse": state["since_collapse"] + steps,
            "collapses": state["collapses"],
            "last_use": signals.snapshot.step if used else state["last_use"],
            "use": state["use"] + steps * used,
        }


def _longer(state: CollapseState, signals: Signals) -> CollapseState:
    """Return the state after one more evaluation of a collapsed model."""
    signal, pace, ratios = _signal(signals.snapshot), signals.pace, _ratios(signals.snapshot)
    ratios = np.nan_to_num(ratios, nan=LARGE, posinf=LARGE)
    fits = len(state["lowest"]) == len(ratios)
    ends = fits and state["stretch"] >= STRETCH
    lower = signal <= state["lowest_signal"]
    return {
        **state,
        "age": state["age"] + pace.steps,
        "collapsed_streak": state["collapsed_streak"] + pace.steps,
        "windows": state["windows"] + pace.windows,
        "lowest_signal": signal if lower else state["lowest_signal"],
        "since_lowest": 0.0 if lower else state["since_lowest"] + pace.steps,
        "lowest": np.minimum(state["lowest"], ratios).tolist() if fits and not ends else ratios.tolist(),
        "lowest_before": state["lowest"] if ends else state["lowest_before"] if fits else [],
        "stretch": pace.steps if ends else state["stretch"] + pace.steps,
    }


def _signal(s: Snapshot) -> float:
    """Return the mean of Var μ over mean σ² of the dimensions: where it is small, it is twice their mean information.

    It is measured with a relative error, so the growth of a code that still carries next to nothing shows in it.
    """
    ratios = _ratios(s)
    known = ratios[np.isfinite(ratios)]
    return max(float(np.add.reduce(known)) / max(known.size, 1), MIN_SIGNAL)


def _ratios(s: Snapshot) -> Array:
    """Return the signal of each dimension (D,); NaN where it is not known."""
    ratios = s.variance / s.posterior_variance if s.has_variance else 2.0 * s.information
    return np.maximum(ratios, MIN_SIGNAL)


def _one_grows(state: CollapseState, s: Snapshot) -> bool:
    """Return True if the signal of some dimension is surely larger than at its lowest in the last two stretches."""
    lowest = np.array(state["lowest"])
    if len(state["lowest_before"]) == len(lowest):
        lowest = np.minimum(lowest, state["lowest_before"])
    growth = np.log(_ratios(s) / lowest)
    limit = max(MIN_GROWTH_OF_ONE, GROWTH_ERRORS * math.sqrt(2 / max(s.independent, 1)))
    return bool(np.nanmax(growth, initial=0.0) > limit)


def _never_in_use(state: CollapseState, signals: Signals) -> bool:
    """Return True if no dimension has come into use for long enough, and none is about to.

    The signal of a dead code shrinks all the time, or stays as it is. At a saddle it stays faint, and then it grows
    exponentially, in one dimension first, sometimes with a pause: a model that would leave it within the time of the
    rule is waited for. One whose total has been falling all the time, while no dimension grew, is not.
    """
    signal, wanted = _signal(signals.snapshot), signals.rules.collapsed_steps
    old = state["age"] >= DYING_AGE * wanted and state["collapsed_streak"] >= DYING_STREAK * wanted
    old = old and state["windows"] >= MIN_FAINT_WINDOWS
    if old and dies(signals.history.recent, signals.pace.scale):
        return True
    growth, windows = math.log(signal / max(state["lowest_signal"], MIN_SIGNAL)), MIN_WINDOWS
    if signal > DEAD_SIGNAL and growth <= MAX_FAINT_GROWTH and not _one_grows(state, signals.snapshot):
        growth, windows = 0.0, MIN_FAINT_WINDOWS
    elif signal > DEAD_SIGNAL or growth > MIN_GROWTH:
        wanted *= FAINT_FACTOR
    if state["collapsed_streak"] < wanted or state["windows"] < windows:
        return False
    if growth <= MIN_GROWTH or state["since_lowest"] <= 0:
        return True
    left = max(math.log(2 * PASSIVE / signal), 0.0)
    return left * state["since_lowest"] / growth > wanted


def _alert(signals: Signals, had_any: bool, state: CollapseState) -> Alert:
    s, rules, history = signals.snapshot, signals.rules, signals.history
    largest = float(np.max(np.nan_to_num(s.information), initial=0.0))
    evidence = {"total": float(np.nansum(s.information)), "largest": largest}
    if not had_any:
        message, texts = f"no dimension ever came into use: the largest carries {largest:.3f} nats", NEVER_IN_USE
        if state["last_use"] is not None:
            little = (
                f"none ever carried {rules.worth:g} nats for {rules.established_steps * signals.pace.scale:,.0f} steps"
            )
            message = f"no informative dimension is left: the last was in use at step {state['last_use']:,}; {little}"
            texts = USED_LITTLE if state["use"] >= rules.established_steps else NEVER_IN_USE
        return make_alert(AlertKind.COLLAPSE, s.step, message, evidence, texts=texts)
    used = history.was_used
    cause = causes_of_loss(s, used, history.cause)[:1]
    message, healthy = f"no informative dimension is left{_going(signals)}", signals.last_healthy_step
    return make_alert(AlertKind.COLLAPSE, s.step, message, evidence, last_healthy_step=healthy, cause=cause)


def _going(signals: Signals) -> str:
    """Return the dimensions that have not lost all yet: their loss is part of the collapse, and no alert of its own."""
    going = np.flatnonzero(signals.history.used).tolist()
    if not going:
        return ""
    return f"; {named(going)} {'is undecided and belongs' if len(going) == 1 else 'are undecided and belong'} to it"
