"""Checks of arguments and of saved numbers that more than one room needs."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from .errors import PolarMonitorError

Prior = tuple[Any, Any] | None
"""Mean and variance of the prior of all rows; None for N(0, 1)."""
MAX_COUNT = 2**62
"""Bound of every count in a state."""


def checked_prior(prior: Any) -> Prior:
    """Return (mean, variance) of all rows as numbers or arrays, or None for N(0, 1).

    A callable gives None too: it returns a prior of each row, which standardises the rows before they are measured, so
    that the remaining prior is N(0, 1). Raises PolarMonitorError for anything else.
    """
    if prior is None or callable(prior):
        return None
    if not isinstance(prior, tuple | list) or len(prior) != 2:
        raise PolarMonitorError(f"prior: expected (mean, variance), got {prior!r}")
    pair = []
    for word, value in zip(("mean", "variance"), prior, strict=True):
        array = value.detach().cpu() if hasattr(value, "detach") else value
        try:
            array = np.asarray(array, np.float64)
        except (TypeError, ValueError):
            raise PolarMonitorError(f"prior: expected numbers as its {word}, got {value!r}") from None
        if array.ndim > 1:
            raise PolarMonitorError(
                f"prior: expected a number or shape (D,) as its {word}, got shape {array.shape}. For a prior of each "
                "row pass a callable on the output of the latent's module, or the prior= of observe() and classify()"
            )
        if not np.isfinite(array).all():
            raise PolarMonitorError(f"prior: expected a finite {word}, a number or (D,), got {value!r}")
        pair.append(array)
    if not (pair[1] > 0).all():
        raise PolarMonitorError(f"prior: expected a variance above 0, got {prior[1]!r}")
    return pair[0], pair[1]


def checked_resolution(value: Any) -> float | None:
    """Return τ above 0, or None. Raises PolarMonitorError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise PolarMonitorError(f"resolution: expected a finite number above 0, in units of the mean, got {value!r}")
    return float(value)


def checked_count(word: str, value: Any, minimum: int = 1) -> int:
    """Return a whole number. Raises PolarMonitorError for anything else, or less than `minimum`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = minimum - 1
    if number < minimum:
        raise PolarMonitorError(f"{word}: expected a whole number of {minimum} or more, got {value!r}")
    return number


def is_version(state: Mapping[str, Any], version: int) -> bool:
    """Return True if a state has this version, as a whole number."""
    saved = state.get("version")
    return isinstance(saved, int) and saved == version


def state_count(word: str, value: Any, minimum: int = 0, bound: int = MAX_COUNT) -> int:
    """Return a whole number of a state, from `minimum` on and below `bound`. Raises PolarMonitorError for others."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise PolarMonitorError(f"state: {word} must be a whole number, got {str(value)[:40]}")
    if not minimum <= value < bound:
        limit = f"at least {minimum}" if value < minimum else f"below {bound}"
        raise PolarMonitorError(f"state: {word} must be {limit}, got {str(value)[:40]}")
    return int(value)
