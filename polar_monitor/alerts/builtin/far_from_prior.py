"""FAR_FROM_PRIOR: the posterior runs away from the prior, and what it pays in KL is no information.

KL − I_G is the KL divergence of N(mean z, V + E) from the prior: how far the aggregate posterior lies off it. A code
that lies far off and stays, or drifts slowly, as with a tiny β, is a choice. One that goes there fast has a fault.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...statistics.snapshot import Array, Snapshot
from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.history import Flags
from ..signals.signals import Signals

MIN_EXCESS = 10.0
"""Nats of KL beyond the information above which a dimension is far from the prior; in healthy runs it is 5 or less."""
MIN_SHARE = 3.0
"""The same in units of the information: a code of many nats may lie some nats off."""
MIN_GROWTH = 2.0
"""Factor by which the excess must have grown within the last two stretches."""
STRETCH = 250.0
"""Steps of a stretch."""
MIN_WINDOWS = 1.0
"""Independent windows in a row that must show it."""
AT_ONCE = 10.0
"""Multiple of `MIN_EXCESS` that needs no second look."""
EXCESS_ERRORS = 5.0
"""Standard errors that the excess must exceed."""
MIN_KNOWN_EXCESS = 1e-3
"""A smaller excess is none."""


class FarFromPriorState(TypedDict):
    """State of FAR_FROM_PRIOR."""

    lowest: list[float]
    """The lowest excess of each dimension in the present stretch; none before the first evaluation."""
    lowest_before: list[float]
    """The same of the stretch before."""
    stretch: float
    """Steps of the present stretch."""
    windows: float
    """Independent windows in a row in which some dimension was far, and got there fast."""
    reported: float
    """1 after the alert, until no dimension has been half as far for `AlertRules.clean_steps`; else 0."""
    clean: float
    """Steps since a dimension was half as far."""
    last_near: int | None
    """The last step at which none was half as far."""


class FarFromPrior:
    """Raises FAR_FROM_PRIOR once for each time that the posterior runs away."""

    name = "far_from_prior"

    def start(self) -> FarFromPriorState:
        """Return the state before the first evaluation."""
        return FarFromPriorState(
            lowest=[], lowest_before=[], stretch=0.0, windows=0.0, reported=0.0, clean=0.0, last_near=None
        )

    def reset_in_warmup(self, state: FarFromPriorState) -> FarFromPriorState:
        """Return the state as if nothing had been reported; what has been seen of the excess stays."""
        return {**state, "windows": 0.0, "reported": 0.0}

    def update(self, state: FarFromPriorState, observation: Observation) -> tuple[FarFromPriorState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None or not signals.snapshot.has_variance:
            return state, ()
        s = signals.snapshot
        numbers = [
            one if MIN_KNOWN_EXCESS < one < math.inf else MIN_KNOWN_EXCESS
            for one in (s.kl - s.information_upper).tolist()
        ]
        largest = max(numbers, default=MIN_KNOWN_EXCESS)
        new = _followed(state, numbers, largest, signals)
        if largest < MIN_EXCESS:
            return {**new, "windows": 0.0}, ()
        excess = np.array(numbers)
        far = _far(excess, s) & (excess >= MIN_GROWTH * _lowest(new))
        if not far.any():
            return {**new, "windows": 0.0}, ()
        new["windows"] += signals.pace.windows
        sure = new["windows"] >= MIN_WINDOWS or float(np.max(excess[far])) >= AT_ONCE * MIN_EXCESS
        if new["reported"] or not sure:
            return new, ()
        return {**new, "reported": 1.0}, [_alert(s, excess, np.flatnonzero(far).tolist(), new["last_near"])]


def _followed(state: FarFromPriorState, excess: list[float], largest: float, signals: Signals) -> FarFromPriorState:
    """Return the state with the lowest excess so far, and with how long nothing has been far.

    The state is plain numbers, so that lists are quicker here than arrays, which would be made from them and back.
    """
    near, steps = largest < 0.5 * MIN_EXCESS, signals.pace.steps
    fits = len(state["lowest"]) == len(excess)
    ends = fits and state["stretch"] >= STRETCH
    clean = state["clean"] + steps if near else 0.0
    return {
        "lowest": _lower(state["lowest"], excess) if fits and not ends else excess,
        "lowest_before": state["lowest"] if ends else state["lowest_before"] if fits else [],
        "stretch": steps if ends or not fits else state["stretch"] + steps,
        "windows": state["windows"],
        "reported": state["reported"] if clean < signals.rules.clean_steps else 0.0,
        "clean": clean,
        "last_near": signals.snapshot.step if near else state["last_near"],
    }


def _lower(before: list[float], now: list[float]) -> list[float]:
    return [b if b < n else n for b, n in zip(before, now, strict=True)]


def _lowest(state: FarFromPriorState) -> Array:
    lowest = np.array(state["lowest"])
    return np.minimum(lowest, state["lowest_before"]) if len(state["lowest_before"]) == len(lowest) else lowest


def _far(excess: Array, s: Snapshot) -> Flags:
    """Return where the excess is surely large, and much of the KL (D,)."""
    sure = excess - EXCESS_ERRORS * np.nan_to_num(np.hypot(s.kl_se, s.information_upper_se)) >= MIN_EXCESS
    return np.asarray(sure & (excess >= MIN_SHARE * np.nan_to_num(s.information)), np.bool_)


def _alert(s: Snapshot, excess: Array, which: list[int], last_near: int | None) -> Alert:
    j = which[int(np.argmax(excess[which]))]
    runs = "runs" if len(which) == 1 else "run"
    message = (
        f"{runs} away from the prior: a KL of {s.kl[j]:.1f} nats in dimension {j}, for {s.information[j]:.2f} nats of "
        f"information; the aggregate posterior, with mean {s.mean[j]:.3g} and standard deviation "
        f"{float(np.sqrt(s.variance[j] + s.posterior_variance[j])):.3g}, lies {excess[j]:.1f} nats off the prior"
    )
    evidence = {"kl": float(s.kl[j]), "information": float(s.information[j]), "excess": float(excess[j])}
    return make_alert(
        AlertKind.FAR_FROM_PRIOR, s.step, message, evidence, dimensions=which, last_healthy_step=last_near
    )
