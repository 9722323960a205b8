"""The results of one evaluation that the built-in alerts share."""

from __future__ import annotations

from dataclasses import dataclass

from ...regime.regime import Regime
from ...statistics.snapshot import Snapshot
from ..alert_rules import AlertRules
from .follow import DimensionChanges
from .history import DimensionHistory
from .pace import Pace


@dataclass(frozen=True, eq=False)
class Signals:
    """Signals of one evaluation with new rows."""

    snapshot: Snapshot
    regime: Regime
    """Those of the observation."""
    rules: AlertRules
    """The thresholds."""
    pace: Pace
    """The rows and steps since the evaluation before."""
    history: DimensionHistory
    """The history of every dimension, this evaluation included."""
    changes: DimensionChanges | None
    """The dimensions that fade, are lost or are in use again now; None if there are none."""
    last_healthy_step: int | None
    """The last step at which the model as a whole was healthy, as it was known before this evaluation."""
    collapsed: bool
    """True if the model had collapsed before this evaluation, and there was an alert of it."""
    drained: bool = False
    """True if the total information was falling before this evaluation, and there was a DRAIN of it."""
    weight_decay: float | None = None
    """Largest weight decay of the optimiser; None if it is not known."""
