"""The argument of every alert rule: one evaluation of one latent in one mode."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from ..context import NOTHING, Context
from ..regime.regime import Regime
from ..statistics.snapshot import DRAWN, Snapshot
from .signals.signals import Signals


@dataclass(frozen=True, eq=False)
class Observation:
    """One evaluation, as a rule sees it.

    Example:
        >>> from polar_monitor.alerts.observation import Observation
        >>> Observation(step=100, observed=0).snapshot is None
        True
    """

    step: int
    observed: int
    """Rows since the evaluation before."""
    snapshot: Snapshot | None = None
    """Statistics of the window, without histograms, as in the log. None before the first row; that of the evaluation
    before if `observed` is 0."""
    regime: Regime | None = None
    """Labels and verdict; None and repeated as `snapshot`."""
    context: Context = NOTHING
    """β, the learning rate and the reconstruction term, as the training loop logged them with `monitor.log`."""
    signals: Signals | None = None
    """Results that the built-in alerts share; None without new rows. Rules of third parties never get them."""

    def without_histograms(self) -> Observation:
        """Return the observation that a log holds, so that live runs and replays give rules the same."""
        if self.snapshot is None or not any(getattr(self.snapshot, name) for name in DRAWN):
            return self
        snapshot = copy.copy(self.snapshot)  # `replace` would look at each of its forty fields
        for name in DRAWN:
            object.__setattr__(snapshot, name, ())
        regime = None if self.regime is None else replace(self.regime, snapshot=snapshot)
        return replace(self, snapshot=snapshot, regime=regime)
