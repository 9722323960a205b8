"""Numbers as strict JSON has them: NaN and ±inf become null, NumPy scalars and arrays become plain data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def finite_json(value: Any) -> Any:
    """Return plain data with None for each number that is not finite. Raises TypeError for what JSON does not have.

    Example:
        >>> finite_json({"loss": float("nan"), "steps": np.int64(3), "means": np.array([0.5, np.inf])})
        {'loss': None, 'steps': 3, 'means': [0.5, None]}
    """
    if isinstance(value, np.ndarray):
        return finite_list(value)
    if isinstance(value, np.generic):
        value = float(value) if isinstance(value, np.floating) else value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    raise TypeError(f"expected plain data, got {type(value).__name__}")


def finite_list(array: NDArray[Any]) -> list[Any]:
    """Return an array of numbers as nested lists, with None for each number that is not finite."""
    finite = np.isfinite(array)
    if not finite.all():
        array = array.astype(object)
        array[~finite] = None
    numbers: list[Any] = array.tolist()
    return numbers
