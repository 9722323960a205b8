"""Results of a comparison: scores of every arm, and differences with intervals."""

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
    """Mean score of `of` minus that of `over`, in accuracy or R²."""

    of: str
    over: str
    probe: str
    value: float
    low: float
    high: float
    """The interval of this difference alone."""
    p: float
    """Two-sided p value of no difference; in `Comparison.gains` adjusted for all of them by Holm's method."""

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
    """Reason for each arm that is absent."""
    scores: Mapping[Key, tuple[float, ...]]
    """Scores by (probe, scaling, arm), in one order of repeats and folds everywhere, so that they are paired."""
    probes: tuple[str, ...]
    folds: int
    repeats: int
    seed: int
    level: float
    warned: Mapping[str, int]
    """Warnings of scikit-learn (a solver that stopped early, for example), with the number of folds."""

    def score(self, arm: str, *, probe: str = "linear", scaling: str = "standardised") -> float:
        """Return the mean score of an arm. Raises PolarMonitorError for an absent arm, or a probe that did not run."""
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
        """Return the score of one arm minus that of another, paired by fold. `over_scaling` is `scaling` unless given.

        The default is the gain by passive dimensions: all dimensions over all with the passive ones shuffled. The p
        value is of this difference alone. Raises PolarMonitorError for an arm that is absent, or a probe that did not
        run.
        """
        other = scaling if over_scaling is None else over_scaling
        d = np.subtract(self._of(of, probe, scaling), self._of(over, probe, other))
        names = (of, over) if probe in SCALE_FREE else (f"{of} ({scaling})", f"{over} ({other})")
        return Difference(*names, probe, *corrected(d, 1 / (self.folds - 1), self.level))

    @property
    def gains(self) -> tuple[Difference, ...]:
        """Gains for each probe and scaling: passive dimensions beside the others, and alone (over chance).

        The p values are adjusted for all gains by Holm's method; each interval is of its gain alone.
        """
        pairs = (("all", "shuffled"), ("passive", "random")) if "passive" in self.arms else ()
        gains = [
            self.gain(of, over, probe=probe, scaling=scaling)
            for of, over in pairs
            for probe in self.probes
            for scaling in scalings(probe)
        ]
        adjusted = holm([one.p for one in gains])
        return tuple(replace(one, p=p) for one, p in zip(gains, adjusted, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
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
        lines += (
            [f"{self.level:.0%} intervals, each of one difference; p adjusted by Holm for all of them"]
            if self.gains
            else []
        )
        lines += [str(one) for one in self.gains]
        lines += [f"warning in {times} fits: {message}" for message, times in self.warned.items()]
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
