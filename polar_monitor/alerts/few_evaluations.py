"""A sentence for a run with fewer evaluations than a rule needs."""

from __future__ import annotations

from .signals.trend import FORECAST_ROWS


def few_evaluations(evaluations: int) -> str:
    """Return how many evaluations there are and how many a forecast needs; '' if there are enough.

    Example:
        >>> few_evaluations(2)
        '2 evaluations so far: forecasts need 3'
    """
    if evaluations >= FORECAST_ROWS:
        return ""
    return f"{evaluations} evaluation{'s' * (evaluations != 1)} so far: forecasts need {FORECAST_ROWS}"
