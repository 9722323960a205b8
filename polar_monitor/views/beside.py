"""Numbers beside the information that few evaluations have: worth after a probe, drift with all statistics."""

from __future__ import annotations

import math
from typing import Any

from .course import Course

STATISTICS = ("worth", "drift")
"""Statistics that a row of the lifelines has beside its nats, each with its error, where they are known."""
DIGITS = 4


def beside(course: Course) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is known about these statistics, and the newest numbers of each dimension."""
    rows: list[dict[str, Any]] = [{} for _ in range(course.dimensions)]
    about: dict[str, Any] = {"columns": [], "unit": "", "step": None}
    for name in STATISTICS:
        point = course.newest(name)
        if point is None:
            continue
        about["columns"].append(name)
        if name == "worth" and point.probe is not None:
            step = point.probe.get("step")
            about |= {"unit": str(point.probe.get("unit") or ""), "step": step if isinstance(step, int) else None}
        for key in (name, f"{name}_se"):
            for row, value in zip(rows, point.arrays[key].tolist(), strict=True):
                row[key] = float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return about, rows


def contradictions(course: Course) -> list[str]:
    """Return what the newest probe found against the information, as sentences."""
    point = course.newest("worth")
    if point is None or point.probe is None:
        return []
    return [f"{sentence} (probe at step {point.probe['step']})" for sentence in point.probe["sentences"]]
