"""Course of one latent in one mode: its evaluations in order, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..alerts.alert import Alert, add_alert
from ..arrays.short_floats import Array
from ..sinks.missing_records import Numbered
from .distribution import Drawn, thinned
from .point import ARRAYS, Point

IN_USE = "am"
"""Letters of labels that mean "in use"."""


class Course:
    """Evaluations of one latent in one mode, and the alerts so far.

    If a run was resumed, a later evaluation replaces those with its running number or a higher one. If another run
    began in the same file, only the newest stays, and `begun` counts the runs.
    """

    def __init__(self, name: str, mode: str) -> None:
        self.name, self.mode = name, mode
        self.points: list[Point] = []
        self.begun = 0
        self.newest_full: Mapping[str, Any] | None = None
        """Newest snapshot with all statistics, as it stands in its line."""
        self.drawn: list[tuple[int, Drawn]] = []
        """Steps with histograms, and these."""
        self._narrower: list[Numbered] = []
        """Evaluations of the same run before the number of dimensions changed."""

    def add(self, point: Point) -> None:
        """Add an evaluation, in the order of the file."""
        points = self.points
        anew = not point.resumed and point.number == 1 and bool(points)
        if anew or not self.begun or (points and len(points[-1].letters) != len(point.letters) and points[-1].letters):
            self.begun += 1
            self.newest_full = None
            self._narrower = [] if anew else self.numbered
            points.clear()
            self.drawn.clear()
        while point.number > 0 and points and points[-1].number >= point.number:
            points.pop()
        while self.drawn and self.drawn[-1][0] >= point.step:
            self.drawn.pop()
        self.newest_full = point.full or self.newest_full
        if point.drawn is not None:
            self.drawn = thinned([*self.drawn, (point.step, point.drawn)])
        points.append(point._replace(full=None, drawn=None))
        for cached in ("measured", "steps", "alerts", "letters", "in_use", *ARRAYS):
            vars(self).pop(cached, None)

    @cached_property
    def measured(self) -> list[Point]:
        """Evaluations that have numbers."""
        return [point for point in self.points if point.letters]

    @cached_property
    def steps(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Step of each evaluation, (T,)."""
        return np.array([point.step for point in self.measured], np.int64)

    @cached_property
    def information(self) -> Array:
        """Nats of each dimension at each evaluation, (T, D)."""
        return self._column("information")

    @cached_property
    def information_se(self) -> Array:
        """Standard errors of these, (T, D)."""
        return self._column("information_se")

    @cached_property
    def variance(self) -> Array:
        """Variance of the mean, (T, D)."""
        return self._column("variance")

    @cached_property
    def posterior_variance(self) -> Array:
        """Mean of σ², (T, D)."""
        return self._column("posterior_variance")

    @cached_property
    def drift(self) -> Array:
        """Movement of the mean of each dimension over the window, (T, D); NaN in light evaluations."""
        return self._column("drift")

    @cached_property
    def drift_se(self) -> Array:
        """Standard errors of these, (T, D)."""
        return self._column("drift_se")

    @cached_property
    def worth(self) -> Array:
        """Worth of each dimension by the probe before each evaluation, (T, D); NaN without one."""
        return self._column("worth")

    @cached_property
    def worth_se(self) -> Array:
        """Standard errors of these, (T, D)."""
        return self._column("worth_se")

    @cached_property
    def in_use(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """True where a dimension is labelled active or mixed, (T, D)."""
        codes = np.frombuffer("".join(point.letters for point in self.measured).encode(), np.uint8)
        return np.isin(codes, np.frombuffer(IN_USE.encode(), np.uint8)).reshape(len(self.measured), -1)

    @cached_property
    def alerts(self) -> list[Alert]:
        """Alerts so far by step, oldest first; amended ones in their last form, with its step."""
        alerts: list[Alert] = []
        for point in self.points:
            for alert in point.alerts:
                add_alert(alerts, alert)
        return sorted(alerts, key=lambda alert: alert.step)

    def newest(self, name: str) -> Point | None:
        """Return the newest evaluation in which one of `ARRAYS` is known, as the drift, or the worth by a probe."""
        return next((point for point in reversed(self.measured) if np.isfinite(point.arrays[name]).any()), None)

    def since(self, dimension: int) -> int:
        """Return the first step of the newest stretch in which a dimension is in use, or is not, as it is now."""
        column = self.in_use[:, dimension]
        others = np.flatnonzero(column != column[-1])
        return int(self.steps[others[-1] + 1 if others.size else 0])

    @property
    def numbered(self) -> list[Numbered]:
        """Running numbers of the evaluations that the file has, those of another number of dimensions included."""
        return [*self._narrower, *(Numbered(point.number, point.step, point.resumed) for point in self.points)]

    @property
    def dimensions(self) -> int:
        """Number of dimensions; 0 before the first row."""
        return len(self.measured[-1].letters) if self.measured else 0

    @property
    def context(self) -> Mapping[str, float]:
        """The newest of each number that the loop logged."""
        newest: dict[str, float] = {}
        for point in self.points:
            newest |= point.context
        return newest

    def _column(self, name: str) -> Array:
        return np.array([point.arrays[name] for point in self.measured], np.float64)
