"""The sentence on top of every view, and under it why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..alerts.alert import AlertKind
from .course import Course
from .rows import Row
from .story import Story

DOWN_SHARE = 0.8
"""Share of the highest total below which the sentence says where it came from."""
MAX_NAMED = 4
"""Lost dimensions that are named."""
QUIET = (AlertKind.REVIVED, AlertKind.SETTLING)
"""Kinds that need no why."""
PLAIN, STRONG, ALARM = "", "strong", "alarm"
"""Emphasis of a part of the sentence."""


def sentence(course: Course, story: Story, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the sentence as parts, each with its emphasis."""
    D, nats, totals = course.dimensions, course.information[-1], np.nansum(course.information, axis=1)
    point = course.measured[-1]
    unit = "nats" if point.has_variance else "nats of resolved entropy"
    if point.verdict == "not_estimable":
        why = point.reasons[0] if point.reasons else "too few rows"
        return [(f"The {D} dimensions cannot be judged yet: {why}.", PLAIN)]
    used = np.flatnonzero(course.in_use[-1]).tolist()
    verb = "is" if len(used) == 1 else "are"
    parts = [
        (f"{len(used)} of {D}", STRONG),
        (f" dimension{'s' * (D != 1)} {verb} in use and {'carries' if len(used) == 1 else 'carry'} ", PLAIN),
        (f"{float(np.nansum(nats[used])):.1f} {unit}", STRONG),
    ]
    if not used:
        parts = [("No dimension", STRONG), (f" of {D} is in use; {totals[-1]:.1f} {unit} in all", PLAIN)]
    total, top = float(totals[-1]), float(totals.max())
    if total < DOWN_SHARE * top and top >= 0.1:
        parts.append((f", down from {top:.1f}", PLAIN))
    parts.append((".", PLAIN))
    return parts + _fading(course, story) + _lost(story)


def _fading(course: Course, story: Story) -> list[tuple[str, str]]:
    if not story.fading:
        return []
    now = int(course.steps[-1])
    parts = [(" ", PLAIN), (f"{len(story.fading)} {'is' if len(story.fading) == 1 else 'are'} fading", ALARM)]
    ahead = sorted((f.forecast.step, j) for j, f in story.fading.items() if f.forecast is not None)
    for step, j in ahead[:2]:
        parts.append((f", dim {j} ", PLAIN))
        parts += [("now", ALARM)] if step <= now else [("at about step ", PLAIN), (f"{step:,}", ALARM)]
    return [*parts, (".", PLAIN)]


def _lost(story: Story) -> list[tuple[str, str]]:
    if story.collapsed is not None:
        return [(" ", PLAIN), (f"Collapsed at step {story.collapsed:,}", ALARM), (".", PLAIN), *_names(story)]
    return _names(story)


def _names(story: Story) -> list[tuple[str, str]]:
    if not story.lost:
        return []
    newest = sorted(story.lost, key=lambda j: (-story.lost[j].step, j))
    named = [f"dim {j} (step {story.lost[j].step:,})" for j in newest[:MAX_NAMED]]
    more = len(newest) - len(named)
    text = ", ".join(named) + (f" and {more} more" if more else "")
    return [(f" Lost: {text}.", PLAIN)]


def as_text(parts: Sequence[tuple[str, str]]) -> str:
    """Return a sentence without emphasis."""
    return "".join(text for text, _ in parts)


def reason(course: Course) -> dict[str, Any] | None:
    """Return why, what to do and the last healthy step of the newest alert that has a cause; None without one."""
    alert = next((a for a in reversed(course.alerts) if a.kind not in QUIET and (a.causes or a.advice)), None)
    if alert is None:
        return None
    return {
        "kind": str(alert.kind).upper(),
        "step": alert.step,
        "message": alert.message,
        "why": "; or ".join(alert.causes),
        "do": alert.advice[0] if alert.advice else "",
        "healthy": alert.last_healthy_step,
    }
