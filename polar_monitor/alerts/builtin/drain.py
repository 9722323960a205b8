"""DRAIN: the total information of the dimensions that were in use falls, by the rules of FADING.

In a code of many faint dimensions none is ever worth an alert by itself. As long as that is so, the total is that of
all dimensions that are in use, if together they are worth as much as two dimensions with an alert of their own.

After a COLLAPSE nothing is left to fall: there is no DRAIN until the model comes back, and what comes back begins anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...regime.regime import Verdict
from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import causes_of_falls, most_common
from ..signals.choosing import taken_over
from ..signals.cusum import LEVEL_FLOOR, MIN_RATIO_TO_RECOVERED, Drops, drop_of, log_of, recovers, update_one
from ..signals.falls import breaks, is_plunge, plunge_share, plunged, still_falls
from ..signals.follow import MAX_HEALTHY_DROP
from ..signals.recent import earlier
from ..signals.signals import Signals
from ..signals.story import wait_of

MIN_TURN = 1e-9
"""Steps right after a DRAIN or a recovery."""
FAINT_WORTH = 2.0
"""`AlertRules.worth` that faint dimensions must have carried together."""


class DrainState(TypedDict):
    """State of DRAIN."""

    total: float
    """Nats of the dimensions that were in use for long enough, at the last evaluation."""
    drop: float
    deepest_drop: float
    recovered_drop: float
    baseline_drop: float
    """The `Cusum` of the total."""
    stable_streak: float
    """Steps without a fall, up to now."""
    falling_streak: float
    """Independent windows in a row with one."""
    warned: bool
    """True if a DRAIN was raised, and its story lasts: the total has not been stable for long enough since."""
    since_turn: float
    """Steps since the newest DRAIN, or since the total last recovered; 0 before the first DRAIN."""
    swing: float
    """The longest time from a DRAIN to a recovery, or from a recovery to the next fall, in steps."""
    last_healthy_step: int | None
    """The last step before the total began to fall."""
    faint: bool
    """True if the total is that of faint dimensions."""


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
            stable_streak=0.0,
            falling_streak=0.0,
            warned=False,
            since_turn=0.0,
            swing=0.0,
            last_healthy_step=None,
            faint=False,
        )

    def reset_in_warmup(self, state: DrainState) -> DrainState:
        """Return the state as if nothing had been falling: a fall that goes on is reported after the warm-up."""
        return {
            **state,
            "baseline_drop": state["drop"],
            "falling_streak": 0.0,
            "warned": False,
            "since_turn": 0.0,
            "swing": 0.0,
        }

    @staticmethod
    def has_drained(state: DrainState) -> bool:
        """Return True while the story of a DRAIN lasts: a signal that other alerts read."""
        return state["warned"]

    @staticmethod
    def last_healthy_step(state: DrainState) -> int | None:
        """Return the last step at which the model was healthy: a signal that other alerts read."""
        return state["last_healthy_step"]

    def update(self, state: DrainState, observation: Observation) -> tuple[DrainState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        rules, history, pace = signals.rules, signals.history, signals.pace
        now, used = history.recent[-1], history.was_used
        levels = now.level[used]
        faint = not len(levels)
        if faint:
            used = history.used & (history.in_use >= rules.established_steps)
            levels = now.level[used]
        total = float(np.add.reduce(levels))
        change = log_of(total) - log_of(state["total"])
        after_collapse = signals.collapsed and AlertKind.COLLAPSE in rules.kinds
        collapsed = after_collapse and signals.regime.verdict is Verdict.COLLAPSED
        drops = (0.0, 0.0, state["recovered_drop"], 0.0) if after_collapse else _drops(state)
        if faint != state["faint"]:
            drops = (0.0, 0.0, 0.0, 0.0)  # another total begins
        elif not collapsed:
            drops = update_one(drops, change, rules.allowance * pace.growth)
        drop, deepest, recovered, baseline = drops
        falling = steep = False
        several = len(levels) >= 2  # FADING covers the fall of a single dimension
        if faint:
            several = several and total * math.exp(drop) >= FAINT_WORTH * rules.worth
        if several and len(history.recent) >= 2 and not collapsed:
            limit = MIN_RATIO_TO_RECOVERED * recovered
            falling, steep = (drop - baseline >= max(drop_of(share), limit) for share in (rules.drain, rules.plunge))
            steep = steep and not faint  # the total of faint dimensions jumps while a model is young
        if falling or steep:
            before = float(np.add.reduce(earlier(history.recent).level[used]))
            falling, steep = falling and still_falls(history.recent, used, pace), steep and total < before
        if falling or steep:
            error = np.sqrt((now.error[used] ** 2).sum())
            sure = bool(drop * total >= rules.significance * error)
            falling = falling and sure
            share = plunge_share(history.recent, rules) if steep else 0.0
            steep = steep and sure and bool(is_plunge(before, total, np.hypot(error, error), share, rules))
        if falling or steep:
            start = state["last_healthy_step"] or 0
            in_use = used & history.used
            among = in_use if steep and breaks(history.recent, in_use, rules, pace.scale) else None
            falling = falling and not taken_over(history.recent, start, rules.taken_over)
            steep = steep and not taken_over(history.recent, start, rules.taken_over, among)
        deepest_before = state["deepest_drop"]
        comes_back = after_collapse and not collapsed
        fell = deepest_before > drop_of(rules.drain) and recovers(drop, deepest_before)
        turned = state["warned"] and not collapsed and (comes_back or fell)
        since_turn = state["since_turn"] + pace.steps if state["warned"] or state["since_turn"] else 0.0
        swing = max(state["swing"], since_turn) if turned else state["swing"]
        reported = (
            collapsed and deepest_before > 0 and not state["warned"]
        )  # by the COLLAPSE: the story of a DRAIN begins
        stable_streak = 0.0 if falling or steep or turned or reported else state["stable_streak"] + pace.steps
        stopped = state["warned"] and stable_streak >= wait_of(swing, rules)
        known = math.isfinite(np.add.reduce(signals.snapshot.information[used]))
        healthy = known and not collapsed and (stopped or drop - baseline <= MAX_HEALTHY_DROP)
        new = DrainState(
            total=total,
            drop=drop,
            deepest_drop=deepest,
            recovered_drop=recovered,
            baseline_drop=drop if stopped else baseline,
            stable_streak=stable_streak,
            falling_streak=state["falling_streak"] + pace.windows if falling else 0.0,
            warned=(state["warned"] and not stopped) or reported,
            since_turn=MIN_TURN if turned or reported else since_turn,
            swing=swing,
            last_healthy_step=signals.snapshot.step if healthy else state["last_healthy_step"],
            faint=faint,
        )
        if new["warned"] or not (new["falling_streak"] >= max(rules.patience_windows, 1e-9) or steep):
            return new, ()
        return {**new, "warned": True, "since_turn": MIN_TURN, "swing": max(swing, since_turn)}, [_alert(new, signals)]


def _drops(state: DrainState) -> Drops:
    return state["drop"], state["deepest_drop"], state["recovered_drop"], state["baseline_drop"]


def _alert(state: DrainState, signals: Signals) -> Alert:
    s, history = signals.snapshot, signals.history
    total = state["total"]
    peak = max(total, LEVEL_FLOOR) * float(np.exp(state["drop"] - state["baseline_drop"]))
    message = f"the total information has fallen from {peak:.2f} to {total:.2f} nats and still falls"
    plunges = plunged(history.recent, signals.rules)
    causes = causes_of_falls(history, s, plunges, signals.weight_decay)
    cause = most_common(causes[history.was_used])
    evidence, healthy = {"peak": peak, "total": total}, state["last_healthy_step"]
    return make_alert(AlertKind.DRAIN, s.step, message, evidence, last_healthy_step=healthy, cause=cause)
