"""The prior of `classify`: one for all rows, or one of each row."""

from __future__ import annotations

from typing import Any

from .._validation import checked_prior
from ..errors import PolarMonitorError
from .batches import is_of_each_row


def split_prior(prior: Any) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]:
    """Return (one prior for all rows, one for each row); at least one of them is None."""
    if callable(prior):
        raise PolarMonitorError(
            "prior: expected (mean, variance), got a callable: pass the two arrays that it gives for these rows"
        )
    if hasattr(prior, "variance") and not hasattr(prior, "__array__"):  # a distribution
        prior = prior.mean, prior.variance
    if isinstance(prior, tuple | list) and len(prior) == 2 and any(is_of_each_row(side) for side in prior):
        return None, (prior[0], prior[1])
    return checked_prior(prior), None
