"""DRAIN: the total information of the dimensions that were in use falls, by the rules of FADING."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import causes_of_falls, most_common
from ..signals.cusum import Cusum
from ..signals.falls import MAX_HEALTHY_DROP, MIN_STABLE_EVALUATIONS, plunged
from ..signals.signals import Signals


class DrainState(TypedDict):
    """State of DRAIN."""

    total: float
    """Nats of the dimensions that were in use for long enough, at the last evaluation."""
    drop: float
    deepest_drop: float
    recovered_drop: float
    baseline_drop: float
    """The `Cusum` of the total."""
    stable_streak: int
    """Evaluations in a row without a fall."""
    falling_streak: int
    """Evaluations in a row with one."""
    warned: bool
    """True if a DRAIN was raised and the total has neither recovered nor stopped falling."""
    last_healthy_step: int | None
    """The last step before the total began to fall."""


class Drain:
    """Raises DRAIN when the total has surely lost a share and still falls."""

    name = "drain"

    def start(self) -> DrainState:
        """Return the state before the first evaluation."""
        return DrainState(
            total=0.0,
            drop=0.0,
            deepest_drop=0.0,
            recovered_drop=0.0,
            baseline_drop=0.0,
            stable_streak=0,
            falling_streak=0,
            warned=False,
            last_healthy_step=None,
        )

    def reset_in_warmup(self, state: DrainState) -> DrainState:
        """Return the state as if nothing had been falling: a fall that goes on is reported after the warm-up."""
        return {**state, "baseline_drop": state["drop"], "falling_streak": 0, "warned": False}

    @staticmethod
    def last_healthy_step(state: DrainState) -> int | None:
        """Return the last step at which the model was healthy: a signal that other alerts read."""
        return state["last_healthy_step"]

    def update(self, state: DrainState, observation: Observation) -> tuple[DrainState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        rules, history = signals.rules, signals.history
        used = history.was_used
        total = float(history.information[-1, used].sum())
        error = float(np.sqrt((history.errors[-1, used] ** 2).sum()))
        cusum = _cusum(state).update(np.array([state["total"]]), np.array([total]))
        drop, baseline = float(cusum.drop[0]), float(cusum.baseline_drop[0])
        several = used.sum() >= 2  # FADING covers the fall of a single dimension
        sure = several and total < state["total"] and drop * total >= rules.significance * error
        falling = sure and bool(cusum.exceeds(rules.drain)[0])
        levels, errors = np.array([[state["total"]], [total]]), np.full((2, 1), error)
        steep = sure and bool((cusum.exceeds(rules.plunge) & plunged(levels, errors, rules))[0])
        stable_streak = 0 if falling or steep else state["stable_streak"] + 1
        stopped = state["warned"] and stable_streak >= MIN_STABLE_EVALUATIONS
        healthy = stopped or drop - baseline <= MAX_HEALTHY_DROP
        new = DrainState(
            total=total,
            drop=drop,
            deepest_drop=float(cusum.deepest_drop[0]),
            recovered_drop=float(cusum.recovered_drop[0]),
            baseline_drop=drop if stopped else baseline,
            stable_streak=stable_streak,
            falling_streak=state["falling_streak"] + 1 if falling else 0,
            warned=state["warned"] and not stopped and bool(drop > -0.5 * np.log1p(-rules.drain)),
            last_healthy_step=signals.snapshot.step if healthy else state["last_healthy_step"],
        )
        if new["warned"] or not (new["falling_streak"] >= rules.patience or steep):
            return new, ()
        return {**new, "warned": True}, [_alert(new, signals)]


def _cusum(state: DrainState) -> Cusum:
    numbers = state["drop"], state["deepest_drop"], state["recovered_drop"], state["baseline_drop"]
    return Cusum(*(np.array([number]) for number in numbers))


def _alert(state: DrainState, signals: Signals) -> Alert:
    s, history = signals.snapshot, signals.history
    total = state["total"]
    peak = total * float(np.exp(state["drop"]))
    message = f"the total information has fallen from {peak:.2f} to {total:.2f} nats and still falls"
    plunges = plunged(history.information, history.errors, signals.rules)
    cause = most_common(causes_of_falls(history, s, plunges)[history.was_used])
    evidence, healthy = {"peak": peak, "total": total}, state["last_healthy_step"]
    return make_alert(AlertKind.DRAIN, s.step, message, evidence, last_healthy_step=healthy, cause=cause)
