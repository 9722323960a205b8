"""Differences from one evaluation to the next: they end a quiet stretch, in which evaluations are rare."""

from __future__ import annotations

from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot

MIN_ERRORS = 4.0
"""Standard errors of a difference in information that is a change."""
MIN_RATIO = 0.05
"""Least change of a dimension's information, as a share of it."""
MIN_NATS = 0.02
"""The same in nats."""


def differs(before: Snapshot | None, now: Snapshot | None) -> bool:
    """Return True if a dimension's information rises or falls from one evaluation to the next, beyond its errors."""
    if before is None or now is None or before.dimensions != now.dimensions:
        return before is not now
    from ..kernels.judging import differs as kernels

    limits = MIN_ERRORS, MIN_RATIO, MIN_NATS
    numbers = before.information, before.information_se, now.information, now.information_se
    return bool(kernels.differs(*numbers, limits))


def relabelled(before: Regime | None, now: Regime | None) -> bool:
    """Return True if a label or the verdict changes from one evaluation to the next."""
    if before is None or now is None:
        return before is not now
    return before.verdict is not now.verdict or before.labels != now.labels
