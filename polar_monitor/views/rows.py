"""Rows of the lifelines, sorted: in use by nats, undecided, lost with the newest first, then one folded group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .course import Course
from .story import Falling, Story, level_at

MAX_ROWS = 40
"""Rows that are drawn; further dimensions of the same kind are folded too."""

MUCH = 1.0
"""Nats that a folded group lost, from which on its text has them."""


@dataclass(frozen=True)
class Row:
    """One dimension, as it stands at the newest evaluation."""

    dimension: int
    state: str
    """One of "in use", "fading", "undecided", "lost" and "taken over"."""
    since: int
    """Step from which on it is in this state."""
    healthy: int | None
    """Last healthy step of a fall; None if it does not fall."""
    next: str
    """The expectation for it, in a few words."""
    detail: str
    """The interval of the forecast, or ''."""
    forecast: tuple[int, int, int | None] | None
    """Step, low and high of a forecast that is not over."""


@dataclass(frozen=True)
class Folded:
    """Dimensions that are shown as one line."""

    dimensions: tuple[int, ...]
    text: str
    state: str
    """State of all of them, as in `Row`; "out of use" for those that never came into use."""


def with_detail(row: Mapping[str, Any]) -> str:
    """Return what comes next for a row of a document, with the interval of its forecast.

    Example:
        >>> with_detail({"next": "lost ≈ step 300", "detail": "80 %: 200 to 500"})
        'lost ≈ step 300 (80 %: 200 to 500)'
    """
    return f"{row['next']} ({row['detail']})" if row["detail"] else str(row["next"])


def rows_of(course: Course, story: Story) -> tuple[list[Row], list[Folded]]:
    """Return the rows that are drawn and the folded groups."""
    used, nats = course.in_use[-1], np.nan_to_num(course.information[-1], nan=-1.0)
    undecided = np.array([letter == "u" for letter in course.measured[-1].letters])
    now = int(course.steps[-1])
    rank = np.argsort(-nats, kind="stable").tolist()
    in_use = [j for j in rank if used[j] or j in story.fading]
    open_ = [j for j in rank if undecided[j] and j not in in_use and j not in story.lost and j not in story.settled]
    gone = sorted((j for j in story.lost if j not in in_use), key=lambda j: (-story.lost[j].step, j))
    settled = sorted((j for j in story.settled if j not in in_use), key=lambda j: (-story.settled[j], j))
    settled = [j for j in settled if j not in story.lost]
    groups = {"in use": in_use, "undecided": open_, "lost": gone, "taken over": settled}
    drawn: list[Row] = []
    folded: list[Folded] = []
    for state, group in groups.items():
        room = max(MAX_ROWS - len(drawn), 4 if state == "lost" else 0)
        drawn += [_row(course, story, j, state, now) for j in group[:room]]
        if rest := group[room:]:
            folded.append(Folded(tuple(rest), f"{state}, {_range(nats[rest])}", state))
    shown = {row.dimension for row in drawn} | {j for fold in folded for j in fold.dimensions}
    if rest := [j for j in rank if j not in shown]:
        folded.append(Folded(tuple(rest), f"{_range(nats[rest])}, {_judgement(course, story, rest)}", "out of use"))
    return drawn, folded


def _row(course: Course, story: Story, j: int, state: str, now: int) -> Row:
    if state == "in use" and j in story.fading:
        falling = story.fading[j]
        text, detail, forecast = _forecast(falling, now)
        return Row(j, "fading", course.since(j), falling.healthy, text, detail, forecast)
    since, healthy, text = course.since(j), None, "steady"
    if state == "undecided":
        text = "undecided: between the cuts"
        if not np.isfinite(course.information[-1, j]):
            text = "undecided: no finite number"
    elif state == "lost":
        since, healthy = story.lost[j].step, story.lost[j].healthy
        text = f"lost at step {since:,}"
    elif state == "taken over":
        since = story.settled[j]
        text = f"others took over, step {since:,}"
    elif j in story.revived:
        text = f"back in use since step {story.revived[j]:,}"
    return Row(j, state, since, healthy, text, "", None)


def _judgement(course: Course, story: Story, rest: Sequence[int]) -> str:
    """Return that a group is healthy, unless nothing is in use, or it lost much since others began to fall."""
    healthy = [f.healthy for f in (*story.fading.values(), *story.lost.values()) if f.healthy is not None]
    if healthy:
        totals = np.nansum(course.information[:, rest], axis=1)
        before = level_at(course.steps, totals, min(healthy))
        if before - totals[-1] >= MUCH:
            return f"together {totals[-1]:.1f} nats, down from {before:.1f}"
    text = "in use only at the start, or never" if course.in_use[:, rest].any() else "never in use"
    return text + (": healthy" if course.in_use[-1].any() and story.collapsed is None else "")


def _forecast(falling: Falling, now: int) -> tuple[str, str, tuple[int, int, int | None] | None]:
    f = falling.forecast
    if f is None:
        return "fading", "", None
    if f.high is not None and f.high < now:
        return "fading, later than forecast", f"it was expected by step {f.high:,}", None
    high = "any step" if f.high is None else f"{f.high:,}"
    detail = f"80 %: {max(f.low, now):,} to {high}"
    text = "going now" if f.step <= now else f"lost ≈ step {f.step:,}"
    return text, detail, (max(f.step, now), max(f.low, now), f.high)


def _range(nats: Any) -> str:
    finite: Sequence[float] = nats[nats >= 0]
    if not len(finite):
        return "no finite number"
    top = max(finite)
    return f"{top:.3f} nats or less" if top >= 0.0005 else "less than 0.001 nats"
