"""The fate of each dimension by the alerts so far: fading, lost, taken over by others, back in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..alerts.alert import Alert, AlertKind, Forecast
from ..arrays.short_floats import Array
from .course import Course

RECOVERED_SHARE = 0.9
"""Share of its level before the fall with which a dimension fades no more."""


@dataclass(frozen=True)
class Falling:
    """A fall that was warned of."""

    step: int
    """Step of the warning."""
    healthy: int | None
    """Last healthy step before it."""
    forecast: Forecast | None


@dataclass
class Story:
    """Dimensions by what happened to them, as far as it still holds."""

    fading: dict[int, Falling] = field(default_factory=dict)
    lost: dict[int, Falling] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=dict)
    """Step at which a dimension was out of use while others took over."""
    revived: dict[int, int] = field(default_factory=dict)
    collapsed: int | None = None
    """Step of a collapse that still holds."""


def story_of(course: Course) -> Story:
    """Return what the alerts say about the dimensions, without what has recovered since."""
    story = Story()
    D = course.dimensions
    for alert in [alert for point in course.points for alert in point.alerts]:  # amended ones too: each has its step
        which = [j for j in alert.dimensions if j < D]
        match alert.kind:
            case AlertKind.FADING:
                story.fading |= {j: Falling(alert.step, alert.last_healthy_step, _forecast(alert, j)) for j in which}
            case AlertKind.LOST:
                for j in which:
                    before = story.fading.pop(j, None)
                    healthy = before.healthy if before is not None else alert.last_healthy_step
                    story.lost.setdefault(j, Falling(alert.step, healthy, None))
                    story.revived.pop(j, None)
            case AlertKind.SETTLING:
                for j in which:
                    story.settled.setdefault(j, alert.step)
                    story.fading.pop(j, None)
            case AlertKind.REVIVED:
                for j in which:
                    story.lost.pop(j, None)
                    story.settled.pop(j, None)
                    story.revived[j] = alert.step
            case AlertKind.COLLAPSE:
                story.collapsed = alert.step
            case _:
                pass
    _drop_recovered(course, story)
    return story


def _drop_recovered(course: Course, story: Story) -> None:
    """Drop what the newest numbers contradict: a dimension in use is not lost, nor does one at its old level fade."""
    if not course.measured:
        return
    used, nats = course.in_use[-1], course.information
    for gone in (story.lost, story.settled):
        for j in [j for j in gone if used[j]]:
            del gone[j]
    for j, falling in list(story.fading.items()):
        if nats[-1, j] >= RECOVERED_SHARE * level_at(course.steps, nats[:, j], falling.healthy):
            del story.fading[j]
        elif not used[j] and course.measured[-1].letters[j] == "p":  # out of use, and its LOST has not come yet
            story.lost.setdefault(j, Falling(course.since(j), falling.healthy, None))
            del story.fading[j]
    if used.any():
        story.collapsed = None


def level_at(steps: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]], nats: Array, step: int | None) -> float:
    """Return the nats at the last evaluation up to a step, or the highest so far if the step is not known."""
    if step is None or not len(steps):
        return float(np.nanmax(nats)) if np.isfinite(nats).any() else np.inf
    return float(nats[max(int(np.searchsorted(steps, step, side="right")) - 1, 0)])


def _forecast(alert: Alert, j: int) -> Forecast | None:
    """Return the forecast of one dimension: an alert about several has theirs in its evidence."""
    evidence = alert.evidence
    step, low, high = (evidence.get(f"forecast{part}_{j}") for part in ("", "_low", "_high"))
    if step is not None and low is not None and np.isfinite([step, low]).all():
        return Forecast(int(step), int(low), int(high) if high is not None and np.isfinite(high) else None)
    return alert.forecast if alert.dimension == j else None
