"""TODO."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...statistics.snapshot import Snapshot
from ..advice import raised
from ..alert import Alert, AlertKind
from .state import CLEAN, WatchState


def non_finite(state: WatchState, s: Snapshot) -> tuple[WatchState, list[Alert]]:
    """NON_FINITE: values are NaN or infinite that were not before."""
    count = float(np.sum(s.non_finite))
    if count <= state.non_finite:
        return replace(state, finite_since=state.finite_since + 1), []
    new = replace(state, non_finite=count, finite_since=0)
    if state.finite_since < CLEAN:
        return new, []
    j = int(np.argmax(s.non_finite))
    said = f"{count - state.non_finite:.0f} values are NaN or infinite, most in dimension {j}"
    evidence = {"values": count - state.non_finite, "dimension": float(j)}
    return new, [raised(AlertKind.NON_FINITE, s.step, None, said, evidence, None, state.healthy_step)]
