"""Arguments that are given in more than one place, checked in one."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import PolarMonitorError

if TYPE_CHECKING:
    pass

Prior = tuple[Any, Any] | None


MAX_COUNT = 2**62
"""All counts are below."""


def checked_prior(prior: Any) -> Prior:
    """(mean, variance) of all rows as numbers or arrays, or None.

    None for a callable too: it gives a prior of each row, by which the rows are standardised before they are measured,
    so that the prior that is left is N(0, 1). Raises PolarMonitorError for anything else.
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
                f"prior: expected as its {word} a number or (D,), got shape {array.shape}. A prior of each row is a "
                "callable on the output of the latent's module, or the prior= of observe() and classify()"
            )
        if not np.isfinite(array).all():
            raise PolarMonitorError(f"prior: expected a finite {word}, a number or (D,), got {value!r}")
        pair.append(array)
    if not (pair[1] > 0).all():
        raise PolarMonitorError(f"prior: expected a variance above 0, got {prior[1]!r}")
    return pair[0], pair[1]


def checked_resolution(value: Any) -> float | None:
    """τ above 0, or None. Raises PolarMonitorError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise PolarMonitorError(f"resolution: expected a finite number above 0, in units of the mean, got {value!r}")
    return float(value)


def checked_count(word: str, value: Any, least: int = 1) -> int:
    """A whole number. Raises PolarMonitorError for anything else, or less than `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise PolarMonitorError(f"{word}: expected a whole number of {least} or more, got {value!r}")
    return number


def is_version(state: Mapping[str, Any], version: int) -> bool:
    """Whether a state says that it has this version; a truth value or a float is none."""
    found = state.get("version")
    return isinstance(found, int) and found == version


def state_count(word: str, value: Any, least: int = 0, most: int = MAX_COUNT) -> int:
    """A whole number from `least` on and below `most`."""
    if not isinstance(value, int | np.integer) or not least <= value < most:
        raise PolarMonitorError(f"state: expected {word} to be a whole number from {least} on, got {str(value)[:40]}")
    return int(value)
