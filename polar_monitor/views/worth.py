"""Numbers beside the information that few evaluations have: worth after a probe, drift with all statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..arrays.short_floats import read_array
from ..statistics.rounding import SIZES

COLUMNS = ("worth", "worth_se", "drift", "drift_se")
"""Numbers of each row of the lifelines."""
DIGITS = 4


def read_worth(raw: Any, dimensions: int) -> Mapping[str, Any] | None:
    """Return the worths of a line; None if it has none. Raises ValueError, TypeError or KeyError for others."""
    if raw is None:
        return None
    lists = {name: [math.nan if v is None else float(v) for v in raw.get(name, [])] for name in ("worth", "worth_se")}
    if len(lists["worth"]) not in (0, dimensions) or len(lists["worth_se"]) not in (0, dimensions):
        raise ValueError(f"expected worths of {dimensions} dimensions, got {len(lists['worth'])}")
    step = raw.get("step")
    return lists | {"unit": str(raw.get("unit", "")), "step": None if step is None else int(step)}


def columns(worth: Mapping[str, Any] | None, full: Mapping[str, Any] | None, dimensions: int) -> dict[str, list[Any]]:
    """Return the known ones of `COLUMNS`, each with a number or None for every dimension."""
    known: dict[str, Any] = {} if worth is None else {name: worth[name] for name in COLUMNS[:2] if worth[name]}
    for name in COLUMNS[2:]:
        if full is not None and full.get(name) is not None and name in SIZES:
            known[name] = read_array(full[name], SIZES[name], dimensions)
    short = {name: [_short(float(value)) for value in values] for name, values in known.items()}
    return {name: values for name, values in short.items() if any(value is not None for value in values)}


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
