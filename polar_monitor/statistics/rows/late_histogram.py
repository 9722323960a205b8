"""Histograms of full snapshots: of all dimensions, online, or of some of a wide latent's, from the window."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import PolarMonitorError
from ..array_types import F32
from ..drawn_histograms import CoveredHistograms
from ..full import MAX_COVERED, Covered
from ..windowed_histogram import PANES, WindowedHistogram
from .ring import RowRing


class LateHistogram:
    """Online histograms that take new rows when they are read: most evaluations do not read them."""

    def __init__(self, dimensions: int, window: int, bounded: bool) -> None:
        self._dimensions = dimensions
        self.pending = 0
        """Newest rows of the window that the histograms do not have yet."""
        self.online: WindowedHistogram | None = None
        """Histograms of all dimensions; None where full snapshots cover some of so many that these take too long."""
        if not bounded or dimensions <= MAX_COVERED:
            self.online = WindowedHistogram(dimensions, panes=PANES, pane_rows=max(window // PANES, 1))

    def catch_up(self, ring: RowRing) -> None:
        """Take the rows that came since the histograms were last read."""
        pending, self.pending = self.pending, 0  # at first: after a failure no row is counted twice
        if pending and self.online is not None:
            self.online.catch_up(ring.mean, pending, ring.place)

    def merge(self, other: LateHistogram) -> None:
        """Add the counts of another one. Both have caught up."""
        if self.online is not None and other.online is not None:
            self.online.merge(other.online)

    def statistics(self, ring: RowRing, mean: F32, covered: Covered | None) -> dict[str, Any]:
        """Return histograms and their entropies by the names of `Snapshot`: those of the window if some are covered."""
        if covered is None and self.online is not None:
            self.catch_up(ring)
            values, errors = self.online.entropy()[:2]
            return {"entropy_hist": values, "entropy_hist_se": errors, "histograms": self.online.draw()}
        covered = Covered(np.arange(self._dimensions), mean) if covered is None else covered
        some = WindowedHistogram(len(covered.dimensions), panes=1)
        some.update(covered.mean)
        values, errors = (covered.spread(part, self._dimensions) for part in some.entropy()[:2])
        drawn = CoveredHistograms(some.draw(), covered.dimensions, self._dimensions)
        return {"entropy_hist": values, "entropy_hist_se": errors, "histograms": drawn}

    def state_dict(self) -> dict[str, Any] | None:
        """Return the state of the histograms of all dimensions, if there are any."""
        return None if self.online is None else self.online.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore a state. Raises PolarMonitorError if there is none where histograms are needed."""
        if self.online is None:
            return
        if state is None:
            raise PolarMonitorError("state: expected a histogram, got none")
        self.online.load_state_dict(state)
