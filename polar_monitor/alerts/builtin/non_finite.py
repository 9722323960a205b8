"""NON_FINITE: values are NaN or infinite that were not before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from .rule import CLEAN


class NonFiniteState(TypedDict):
    """State of NON_FINITE."""

    values: float
    """Values that are NaN or infinite, the most so far."""
    since_non_finite: float
    """Steps since the last new one."""


class NonFinite:
    """Raises NON_FINITE when the number of such values grows after a clean time."""

    name = "non_finite"
    raises_in_warmup = True

    def start(self) -> NonFiniteState:
        """Return the state before the first evaluation."""
        return NonFiniteState(values=0.0, since_non_finite=CLEAN)

    def update(self, state: NonFiniteState, observation: Observation) -> tuple[NonFiniteState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        s = signals.snapshot
        values = float(np.add.reduce(s.non_finite))
        since = state["since_non_finite"] + signals.pace.steps
        if values <= state["values"]:
            return NonFiniteState(values=state["values"], since_non_finite=since), ()
        new = NonFiniteState(values=values, since_non_finite=0.0)
        if since < signals.rules.clean_steps:
            return new, ()
        more, j = values - state["values"], int(np.argmax(s.non_finite))
        message = f"{more:.0f} values are NaN or infinite, most in dimension {j}"
        evidence = {"values": more, "dimension": float(j)}
        healthy = signals.last_healthy_step
        return new, [make_alert(AlertKind.NON_FINITE, s.step, message, evidence, last_healthy_step=healthy)]
