"""SILENT: no latent has been seen since the previous evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation


class SilentState(TypedDict):
    """State of SILENT."""

    silent: bool


class Silent:
    """Raises SILENT at the first evaluation without rows."""

    name = "silent"
    raises_in_warmup = True

    def start(self) -> SilentState:
        """Return the state before the first evaluation."""
        return SilentState(silent=False)

    def update(self, state: SilentState, observation: Observation) -> tuple[SilentState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        silent = observation.observed == 0
        if not silent or state["silent"]:
            return SilentState(silent=silent), ()
        message = "no latent has been seen since the previous evaluation, or since the start"
        return SilentState(silent=True), [make_alert(AlertKind.SILENT, observation.step, message, {})]
