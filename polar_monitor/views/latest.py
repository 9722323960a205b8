"""The newest state of each latent of a run as plain data, which the command line judges and prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays.finite_json import finite_list
from ..errors import printable
from ..sinks.scalars import LETTERS
from .course import IN_USE, Course
from .log import RunLog
from .point import Point
from .rows import rows_of
from .sentence import as_text, sentence
from .story import story_of


def latest(log: RunLog) -> list[dict[str, Any]]:
    """Return the newest labels and numbers of each latent in each mode; unknown numbers are None."""
    return [_latest(course) for course in log.courses.values() if course.measured]


def _latest(course: Course) -> dict[str, Any]:
    story = story_of(course)
    rows, _ = rows_of(course, story)
    point = course.measured[-1]
    return record_of(point) | {
        "information": finite_list(point.arrays["information"]),
        "error": finite_list(point.arrays["information_se"]),
        **_newest(course, "worth"),
        **_newest(course, "drift"),
        "text": printable(as_text(sentence(course, story, rows)), keep=""),
        "reasons": list(point.reasons),
        "fading": sorted(story.fading),
        "lost": sorted(story.lost),
        "context": dict(course.context),
        "alerts": [alert_of(alert) for alert in course.alerts],
    }


def _newest(course: Course, name: str) -> dict[str, Any]:
    """Return the newest numbers of a statistic that few evaluations have, with errors and step; None without them."""
    point = course.newest(name)
    if point is None:
        return dict.fromkeys((name, f"{name}_error", f"{name}_step"))
    numbers, errors = (finite_list(point.arrays[key]) for key in (name, f"{name}_se"))
    step = point.probe["step"] if name == "worth" and point.probe is not None else point.step
    return {name: numbers, f"{name}_error": errors, f"{name}_step": step}


def record_of(point: Point) -> dict[str, Any]:
    """Return one evaluation as plain data."""
    letters = point.letters
    nats = point.arrays.get("information")
    return {
        "step": point.step,
        "time": point.time,
        "name": point.name,
        "mode": point.mode,
        "verdict": point.verdict or None,
        "dimensions": len(letters),
        "in_use": sum(letter in IN_USE for letter in letters),
        "nats": None if nats is None else round(float(np.nansum(nats)), 4),
        "labels": [str(LETTERS[letter]) for letter in letters],
        "context": dict(point.context),
        "alerts": [alert_of(alert) for alert in point.alerts],
    }


def alert_of(alert: Any) -> dict[str, Any]:
    """Return what a reader of an alert needs as plain data."""
    return {
        "kind": str(alert.kind),
        "step": alert.step,
        "dimensions": list(alert.dimensions),
        "message": alert.message,
        "last_healthy_step": alert.last_healthy_step,
        "causes": list(alert.causes),
        "advice": list(alert.advice),
    }
