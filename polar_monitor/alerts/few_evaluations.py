"""A sentence for a run with fewer evaluations than a rule needs."""

from __future__ import annotations

from .signals.trend import RECENT_ROWS


def few_evaluations(evaluations: int) -> str:
    """Return how many evaluations there are and how many a forecast needs; '' if there are enough.

    Example:
        >>> few_evaluations(3)
        '3 evaluations so far: forecasts need 4'
    """
    if evaluations >= RECENT_ROWS:
        return ""
    return f"{evaluations} evaluation{'s' * (evaluations != 1)} so far: forecasts need {RECENT_ROWS}"
