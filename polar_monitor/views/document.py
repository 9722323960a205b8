"""The small JSON document of a run, which page, report, tab and notebook draw: the numbers are chosen here, once.

`documents` gives one for each latent and mode of a log. A log in which nothing can be drawn gives one document whose
`problem` says why.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.finite_json import finite_list
from ..arrays.short_floats import Array
from ..errors import printable
from ..statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, PASSIVE
from .beside import beside, contradictions
from .course import Course
from .criteria import criteria_of
from .distribution import distributions_of
from .log import RunLog
from .rows import Folded, Row, rows_of
from .sentence import as_text, reason, sentence
from .story import story_of

VERSION = 1
"""Version of the document."""
MAX_STEPS = 800
"""Evaluations of a document; of a longer run evenly chosen ones, beside those with an alert."""
MAX_FRAMES = 120
"""Evaluations for which it has the plane, and the dimensions of the folded groups."""
MAX_DISTRIBUTIONS = 24
"""Evaluations for which it has histograms."""
MAX_NUMBERS = 300_000
"""Numbers of the rows of one document, which bounds its bytes."""
MAX_FOLDED = 2048
"""Dimensions of folded groups that have numbers of their own."""


def documents(log: RunLog, title: str, share: float = 1.0) -> list[dict[str, Any]]:
    """Return the documents of a log that was refreshed. `share` is the part of the usual numbers that each may have."""
    notes = log.notes
    if log.problem:
        return [problem(title, str(log.path), log.problem, notes)]
    courses = [course for course in log.courses.values() if course.measured]
    several = len(courses) > 1
    return [
        document(course, f"{title} · {course.name or course.mode}" if several else title, str(log.path), notes, share)
        for course in courses
    ]


def problem(title: str, path: str, text: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return a document without numbers, which says why."""
    data = {"version": VERSION, "title": title, "path": path, "problem": text, "notes": list(notes)}
    return {key: _printable(value) for key, value in data.items()}


def document(course: Course, title: str, path: str, notes: Sequence[str] = (), share: float = 1.0) -> dict[str, Any]:
    """Return the document of one latent in one mode."""
    story, point = story_of(course), course.measured[-1]
    rows, folded = rows_of(course, story)
    budget = int(MAX_NUMBERS * share)
    chosen = _chosen(course, max(min(MAX_STEPS, budget // (2 * len(rows) + 3)), 20))
    frames = chosen[_evenly(len(chosen), max(min(MAX_FRAMES, budget // (2 * course.dimensions + 1)), 10))]
    steps, parts = course.steps, sentence(course, story, rows)
    about, numbers = beside(course)
    data = {
        "version": VERSION,
        "title": title,
        "path": path,
        "problem": "",
        "notes": [*notes, *contradictions(course)],
        "name": course.name,
        "mode": course.mode,
        "dimensions": course.dimensions,
        "step": int(steps[-1]),
        "time": point.time,
        "made": time.time(),
        "evaluations": len(course.points),
        "overhead": point.overhead,
        "allowance": round(point.allowance_used, 3),
        "errors": point.errors,
        "rows": point.rows,
        "age": int(steps[-1]) - point.rows_to if point.rows_to >= 0 else None,
        "unit": "nats" if point.has_variance else "nats of resolved entropy",
        "cuts": [PASSIVE, INFORMATIVE if point.has_variance else INFORMATIVE_MEAN_ONLY],
        "verdict": point.verdict,
        "reasons": list(point.reasons),
        "sentence": [list(part) for part in parts],
        "text": as_text(parts),
        "reason": reason(course),
        "context": dict(course.context),
        "in_use": int(course.in_use[-1].sum()),
        "nats": _round(np.nansum(course.information[-1:], axis=1))[0],
        "letters": point.letters,
        "steps": steps[chosen].tolist(),
        "total": _round(np.nansum(course.information[chosen], axis=1)),
        "lifelines": [_lifeline(course, row, chosen) | numbers[row.dimension] for row in rows],
        "beside": about,
        "folded": [_folded(course, fold, frames) for fold in folded],
        "alerts": [_alert(alert) for alert in course.alerts],
        "spectrum": _spectrum(course.information[-1]),
        "criteria": criteria_of(course, [row.dimension for row in rows]),
        "frames": steps[frames].tolist(),
        "plane": _plane(course, rows, frames) if point.has_variance and "variance" in point.arrays else None,
        "distributions": distributions_of(course.drawn, max(int(MAX_DISTRIBUTIONS * share), 4)),
    }
    return {key: _printable(value) for key, value in data.items()}


def _printable(value: Any) -> Any:
    """Return the document without characters that act on a terminal or hide: names may come from a foreign log."""
    if isinstance(value, str):
        return printable(value, keep="")
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], str | dict | list):
        return [_printable(item) for item in value]
    return value


def _chosen(course: Course, most: int) -> NDArray[np.intp]:
    """Return the evaluations of the document: all, or evenly chosen ones and those with an alert."""
    T = len(course.measured)
    chosen = _evenly(T, most)
    with_alerts = [i for i, point in enumerate(course.measured) if point.alerts][-most:]
    return np.union1d(chosen, np.array(with_alerts, np.intp))


def _evenly(count: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _lifeline(course: Course, row: Row, chosen: NDArray[np.intp]) -> dict[str, Any]:
    j = row.dimension
    return {
        **vars(row),
        "label": course.measured[-1].letters[j],
        "nats": _round(course.information[chosen, j]),
        "errors": _round(course.information_se[chosen, j]),
    }


def _folded(course: Course, fold: Folded, frames: NDArray[np.intp]) -> dict[str, Any]:
    which = list(fold.dimensions)
    curves = [_round(course.information[frames, j]) for j in which[:MAX_FOLDED]]
    return {"dimensions": which, "text": fold.text, "state": fold.state, "nats": curves}


def _alert(alert: Any) -> dict[str, Any]:
    return {
        "kind": str(alert.kind),
        "step": alert.step,
        "dimensions": list(alert.dimensions),
        "message": alert.message,
        "healthy": alert.last_healthy_step,
        "why": "; or ".join(alert.causes),
        "do": alert.advice[0] if alert.advice else "",
    }


def _spectrum(nats: Array) -> dict[str, list[Any]]:
    """Return the dimensions by nats, the highest first, with four significant digits."""
    order = np.argsort(-np.nan_to_num(nats, nan=-np.inf), kind="stable")
    finite = [float(f"{value:.4g}") if np.isfinite(value) else None for value in nats[order].tolist()]
    return {"dimensions": order.tolist(), "nats": finite}


def _plane(course: Course, rows: Sequence[Row], frames: NDArray[np.intp]) -> dict[str, Any]:
    """Return log10 of the variance of the mean and of the mean variance, by dimension and frame."""
    drawn = [row.dimension for row in rows]
    others = np.setdiff1d(np.arange(course.dimensions), drawn)[:MAX_FOLDED].tolist()
    which = drawn + others
    return {
        "dimensions": which,
        "mean": [_log(course.variance[frames, j]) for j in which],
        "noise": [_log(course.posterior_variance[frames, j]) for j in which],
    }


def _log(values: Array) -> list[Any]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return finite_list(np.round(np.log10(values), 3))


def _round(values: Array) -> list[Any]:
    return finite_list(np.round(values, 4))
