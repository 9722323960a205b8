"""What a comparison found: scores of every arm, and differences with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import PolarMonitorError
from .arms import ARMS, Arm
from .probes import SCALE_FREE, scalings
from .resampling import corrected, holm

Key = tuple[str, str, str]
"""Probe, scaling, arm."""


@dataclass(frozen=True)
class Difference:
    """The mean score of `of` less that of `over`, in accuracy or R²."""

    of: str
    over: str
    probe: str
    value: float
    low: float
    high: float
    """The interval of this difference alone."""
    p: float
    """Two-sided, of no difference; in `Comparison.gains` adjusted for all of them by Holm's method."""

    def __str__(self) -> str:
        return (
            f"{self.probe}: {self.of} over {self.over}: "
            f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}], p = {self.p:.2g}"
        )


@dataclass(frozen=True)
class Comparison:
    """Scores (folds × repeats) of every probe, scaling and arm; `str` of it is a table."""

    metric: str
    """`accuracy` or `R²`."""
    rows: int
    arms: Mapping[str, Arm]
    absent: Mapping[str, str]
    """The arms that could not be, and why."""
    scores: Mapping[Key, tuple[float, ...]]
    """By (probe, scaling, arm), in the same order of repeats and folds everywhere: they are paired."""
    probes: tuple[str, ...]
    folds: int
    repeats: int
    seed: int
    level: float
    warned: Mapping[str, int]
    """What scikit-learn warned of, and in how many folds: a solver that stopped early, say."""

    def score(self, arm: str, *, probe: str = "linear", scaling: str = "standardised") -> float:
        """Mean score of an arm. Raises PolarMonitorError for one that is absent, or a probe that did not run."""
        return float(np.mean(self._of(arm, probe, scaling)))

    def gain(
        self,
        of: str = "all",
        over: str = "shuffled",
        *,
        probe: str = "linear",
        scaling: str = "standardised",
        over_scaling: str | None = None,
    ) -> Difference:
        """The score of one arm less another's, paired by fold. `over_scaling` is `scaling` unless it is given.

        The default is what passive dimensions add: all dimensions, over all with the passive ones shuffled. The p
        value is of this difference alone. Raises PolarMonitorError for an arm that is absent, or a probe that did not
        run.
        """
        other = scaling if over_scaling is None else over_scaling
        d = np.subtract(self._of(of, probe, scaling), self._of(over, probe, other))
        names = (of, over) if probe in SCALE_FREE else (f"{of} ({scaling})", f"{over} ({other})")
        return Difference(*names, probe, *corrected(d, 1 / (self.folds - 1), self.level))

    @property
    def gains(self) -> tuple[Difference, ...]:
        """For each probe and scaling: what passive dimensions add, and what they tell by themselves (over chance).

        The p values are adjusted for all of them by Holm's method; the intervals are each one's own.
        """
        pairs = (("all", "shuffled"), ("passive", "random")) if "passive" in self.arms else ()
        found = [
            self.gain(of, over, probe=probe, scaling=scaling)
            for of, over in pairs
            for probe in self.probes
            for scaling in scalings(probe)
        ]
        adjusted = holm([one.p for one in found])
        return tuple(replace(one, p=p) for one, p in zip(found, adjusted, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("arms", "scores")}
        return plain | {
            "absent": dict(self.absent),
            "warned": dict(self.warned),
            "arms": {name: list(arm.columns) for name, arm in self.arms.items()},
            "scores": [
                {"probe": probe, "scaling": scaling, "arm": arm, "values": list(values)}
                for (probe, scaling, arm), values in self.scores.items()
            ],
            "gains": [dict(vars(one)) for one in self.gains],
        }

    def __str__(self) -> str:
        columns = [(probe, scaling) for probe in self.probes for scaling in scalings(probe)]
        heads = [probe if probe in SCALE_FREE else f"{probe}, {scaling}" for probe, scaling in columns]
        lines = [
            f"{self.metric} of {self.rows} rows, {self.folds} folds × {self.repeats} repeats",
            "  ".join([f"{'':22}", *(f"{head:>20}" for head in heads)]),
        ]
        for arm in ARMS:
            if arm in self.absent:
                lines.append(f"{arm:22}  {self.absent[arm]}")
                continue
            cells = [f"{self.score(arm, probe=probe, scaling=scaling):20.4f}" for probe, scaling in columns]
            lines.append("  ".join([f"{arm + ' (' + str(len(self.arms[arm].columns)) + ')':22}", *cells]))
        lines += [f"{self.level:.0%} intervals, each its own; p adjusted by Holm for all of them"] if self.gains else []
        lines += [str(one) for one in self.gains]
        lines += [f"warned of in {times} fits: {message}" for message, times in self.warned.items()]
        return "\n".join(lines)

    def _of(self, arm: str, probe: str, scaling: str) -> tuple[float, ...]:
        if arm in self.absent:
            raise PolarMonitorError(f"arm {arm!r} is absent: {self.absent[arm]}")
        key = (probe, scalings(probe)[0] if probe in SCALE_FREE else scaling, arm)
        if key not in self.scores:
            raise PolarMonitorError(
                f"expected an arm of {', '.join(self.arms)}, a probe of {', '.join(self.probes)} and a scaling, raw or "
                f"standardised, got {arm!r}, {probe!r} and {scaling!r}"
            )
        return self.scores[key]
