"""Arrays that hold the same value for every dimension: made once, and known by their identity in a quiet evaluation."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recent import CONTEXT_VALUES, ContextRow

MAX_CACHED = 8
"""Shared arrays of a kind."""


NEVER = -1
"""Stands for no step."""


@lru_cache(MAX_CACHED)
def zeros(dimensions: int) -> NDArray[np.int64]:
    """Return a count of nothing for each dimension; an array that cannot be written."""
    return _read_only(np.zeros(dimensions, np.int64))


@lru_cache(MAX_CACHED)
def never(dimensions: int) -> NDArray[np.int64]:
    """Return no step for each dimension; an array that cannot be written."""
    return _read_only(np.full(dimensions, NEVER, np.int64))


@lru_cache(MAX_CACHED)
def no_time(dimensions: int) -> NDArray[np.float64]:
    """Return a duration of 0 for each dimension; an array that cannot be written."""
    return _read_only(np.zeros(dimensions))


@lru_cache(MAX_CACHED)
def nowhere(dimensions: int) -> NDArray[np.bool_]:
    """Return False for each dimension; an array that cannot be written."""
    return _read_only(np.zeros(dimensions, np.bool_))


@lru_cache(MAX_CACHED)
def same_context(dimensions: int, context: ContextRow) -> NDArray[np.float64]:
    """Return (D, 3): one context for all dimensions; an array that cannot be written."""
    return _read_only(np.full((dimensions, CONTEXT_VALUES), context))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
