"""Histograms of the means and of log σ² of a run, as far as its lines have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DRAWN = 48
"""Evaluations of a run whose histograms are kept; of more, every second one is dropped."""
KINDS = ("mean", "log_variance")
Drawn = Mapping[int, Sequence[Any]]
"""For each dimension its histogram of each of `KINDS`: [left edge, width of a bin, counts], or None."""


def read_drawn(raw: Any, dimensions: int) -> Drawn | None:
    """Return the histograms of a line; None if it has none. Raises ValueError, TypeError or KeyError for others."""
    if raw is None:
        return None
    which = [int(j) for j in raw["dimensions"]]
    kinds = [_read_kind(raw[kind], len(which)) if kind in raw else [None] * len(which) for kind in KINDS]
    if len(set(which)) != len(which) or not all(0 <= j < dimensions for j in which):
        raise ValueError(f"expected histograms of different dimensions below {dimensions}")
    return {j: [kind[place] for kind in kinds] for place, j in enumerate(which)}


def _read_kind(raw: Any, count: int) -> list[Any]:
    if not isinstance(raw, list) or len(raw) != count:
        raise ValueError(f"expected {count} histograms")
    return [None if one is None else _read_one(*one) for one in raw]


def _read_one(left: Any, width: Any, counts: Any) -> list[Any]:
    edge, size, numbers = float(left), float(width), [int(count) for count in counts]
    if not (math.isfinite(edge) and math.isfinite(size) and size > 0 and numbers and min(numbers) >= 0):
        raise ValueError("expected a histogram with a finite left edge, a width and counts")
    return [edge, size, numbers]


def thinned(drawn: list[tuple[int, Drawn]]) -> list[tuple[int, Drawn]]:
    """Return the histograms of a run by step, with every second one dropped if there are too many; the newest stays."""
    return drawn[-1::-2][::-1] if len(drawn) > MAX_DRAWN else drawn


def distributions_of(drawn: Sequence[tuple[int, Drawn]], most: int) -> dict[str, Any] | None:
    """Return at most `most` steps with the histograms of each dimension at each of them; None without any."""
    if not drawn:
        return None
    places = sorted({round(i * (len(drawn) - 1) / max(most - 1, 1)) for i in range(most)})
    chosen = [drawn[place] for place in places]
    which = sorted({j for _, one in chosen for j in one})
    nothing = [None] * len(KINDS)
    curves = {kind: [[one.get(j, nothing)[k] for _, one in chosen] for j in which] for k, kind in enumerate(KINDS)}
    return {"steps": [step for step, _ in chosen], "dimensions": which} | curves
