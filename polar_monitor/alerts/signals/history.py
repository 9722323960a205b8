"""History of every dimension between evaluations.

Nothing is changed in place, so a state can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.finite_json import finite_json
from ...statistics.snapshot import Array
from .cusum import Cusum
from .recent import CONTEXT_VALUES, UNKNOWN_CONTEXT, Remembered
from .shared import NEVER, never, no_time, nowhere, same_context, zeros

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
PLAIN_NAMES = (
    "steps", "windows", "information", "errors", "context", "cusum", "healthy_variance", "healthy_noise",
    "healthy_context", "cause", "in_use", "above_worth", "above_worth_incl_warmup", "was_used",
    "falling_streak", "stable_streak", "warned", "story", "since_change", "swing", "fading_step",
    "fading_swing", "healthy_step",
)  # fmt: skip
"""Names of the plain data of a history, in their order."""


@dataclass(frozen=True, eq=False)
class DimensionHistory:
    """The history of all dimensions, as far as alerts depend on it; arrays of D columns.

    A dimension is *in use* while its label is informative, and *established* after `AlertRules.established_steps` in
    which it surely carried `AlertRules.worth` nats. `pace` says what a step is.
    """

    recent: tuple[Remembered, ...]
    """The last evaluations, as many as a trend needs."""
    cusum: Cusum
    """The drop of the information."""
    healthy_moments: Array
    """(2, D): V and E at the last evaluation at which a dimension had not fallen yet; NaN before there was one."""
    healthy_context: Array
    """(D, 3): the context there. β and the learning rate are the lowest of shortly before: a rise takes effect late."""
    cause: Ints
    """The `Cause` of its fall; `Cause.UNKNOWN` for none."""
    counts: Array
    """(4, D): `in_use`, `stable_streak`, `above_worth` and `above_worth_incl_warmup`; 0 if it is not in use."""
    was_used: Flags
    """True if it has been established at some time."""
    falling_streak: Array
    """Independent windows in a row in which it fell."""
    warned: Flags
    """True if a FADING was raised, and the dimension has neither recovered nor stopped falling."""
    healthy_steps: Ints | None
    """`healthy_step`; None if it is the latest step for every dimension in use."""
    used: Flags
    """True if it is in use: derived from `in_use`."""
    story: Ints
    """The last alert about its coming and going, a place in `usage`; 0 for none."""
    since_change: Array
    """Steps since it came into use or went; 0 before its first story."""
    swing: Array
    """Longest time from one coming or going to the next, in steps; 0 before a dimension has come back."""
    fading_step: Ints
    """Step of the newest FADING, or of one that the story of the dimension kept silent; `NEVER` for none."""
    fading_swing: Array
    """Longest time from one FADING to the next, in steps; 0 before the second one."""

    @classmethod
    def empty(cls, dimensions: int) -> DimensionHistory:
        """Return the history before the first evaluation."""
        zero, no = zeros(dimensions), nowhere(dimensions)
        return cls(
            recent=(),
            cusum=Cusum.zero(dimensions),
            healthy_moments=np.full((2, dimensions), np.nan),
            healthy_context=same_context(dimensions, UNKNOWN_CONTEXT),
            cause=zero,
            counts=np.zeros((4, dimensions)),
            was_used=np.zeros(dimensions, np.bool_),
            falling_streak=no_time(dimensions),
            warned=no,
            healthy_steps=never(dimensions),
            used=no,
            story=zero,
            since_change=no_time(dimensions),
            swing=no_time(dimensions),
            fading_step=never(dimensions),
            fading_swing=no_time(dimensions),
        )

    @property
    def dimensions(self) -> int:
        """Number D of dimensions."""
        return len(self.cause)

    @property
    def in_use(self) -> Array:
        """Steps for which a dimension has been in use."""
        row: Array = self.counts[0]
        return row

    @property
    def stable_streak(self) -> Array:
        """Steps in which it did not fall, up to now."""
        row: Array = self.counts[1]
        return row

    @property
    def above_worth(self) -> Array:
        """Steps of its use, after the warm-up, in which it surely carried what an alert about it needs."""
        row: Array = self.counts[2]
        return row

    @property
    def above_worth_incl_warmup(self) -> Array:
        """The same count with the warm-up."""
        row: Array = self.counts[3]
        return row

    @property
    def healthy_step(self) -> Ints:
        """The last step before it began to fall (D,); `NEVER` if it is not in use."""
        if self.healthy_steps is not None:
            return self.healthy_steps
        return np.where(self.used, self.recent[-1].step, NEVER)

    @property
    def healthy_variance(self) -> Array:
        """V of `healthy_moments`."""
        row: Array = self.healthy_moments[0]
        return row

    @property
    def healthy_noise(self) -> Array:
        """E of `healthy_moments`."""
        row: Array = self.healthy_moments[1]
        return row

    @property
    def windows(self) -> Array:
        """(h,): independent windows of the last h evaluations that are kept."""
        return np.array([one.windows for one in self.recent], np.float64)

    @property
    def steps(self) -> Ints:
        """(h,): their steps."""
        return np.array([one.step for one in self.recent], np.int64)

    @property
    def information(self) -> Array:
        """(h, D): `Snapshot.information`; 0 where it is not finite."""
        return self._rows([one.level for one in self.recent])

    @property
    def errors(self) -> Array:
        """(h, D): its standard error; 0 where it is not finite."""
        return self._rows([one.error for one in self.recent])

    @property
    def context(self) -> Array:
        """(h, 3): β, the learning rate and the reconstruction term; NaN where the training loop did not log them."""
        return np.array([one.context for one in self.recent], np.float64).reshape(-1, CONTEXT_VALUES)

    def _rows(self, rows: list[Array]) -> Array:
        return np.array(rows, np.float64).reshape(len(self.recent), self.dimensions)

    def without_falls(self) -> DimensionHistory:
        """Return the history as if nothing had been falling: a fall that goes on is reported after the warm-up."""
        nothing, none = no_time(self.dimensions), zeros(self.dimensions)
        counts = np.array((self.in_use, self.stable_streak, nothing, self.above_worth_incl_warmup))
        return replace(
            self, falling_streak=nothing, warned=nowhere(self.dimensions), counts=counts, cusum=self.cusum.rebase(),
            story=none, since_change=nothing, swing=nothing, fading_step=never(self.dimensions), fading_swing=nothing,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists; None where there is no number."""
        values = {name: getattr(self, name) for name in PLAIN_NAMES}
        return {
            name: value.to_dict() if isinstance(value, Cusum) else finite_json(value) for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DimensionHistory:
        """Return the inverse of `to_dict`; what data of an earlier version lack is as before the first evaluation.

        Raises KeyError, TypeError or ValueError for other data.
        """
        dimensions = len(data["in_use"])
        empty = cls.empty(dimensions)
        data = {**empty.to_dict(), **data}
        cusum = Cusum.from_dict(data["cusum"])
        names = [name for name in PLAIN_NAMES if name != "cusum"]
        arrays = {name: np.array(data[name], getattr(empty, name).dtype) for name in names}
        rows = len(arrays["steps"])
        shapes = {name: (rows, dimensions) for name in ("information", "errors")}
        shapes |= {"context": (rows, CONTEXT_VALUES), "healthy_context": (dimensions, CONTEXT_VALUES)}
        arrays |= {name: arrays[name].reshape(shape) for name, shape in shapes.items()}
        others = {a.shape for name, a in arrays.items() if name not in ("steps", "windows") and name not in shapes}
        others |= {cusum.drop.shape}
        if others != {(dimensions,)}:
            raise ValueError(f"a history of {dimensions} dimensions with arrays of {sorted(others)}")
        columns = (arrays[name] for name in ("steps", "information", "errors", "context", "windows"))
        names = ["in_use", "stable_streak", "above_worth", "above_worth_incl_warmup"]
        stacked = {
            "healthy_moments": np.array([arrays[n] for n in ("healthy_variance", "healthy_noise")]),
            "healthy_steps": arrays["healthy_step"],
            "counts": np.array([arrays[name] for name in names]),
        }
        used, kept = arrays["in_use"] > 0, {f.name: arrays[f.name] for f in fields(cls) if f.name in arrays}
        recent = tuple(Remembered.of(*row) for row in zip(*columns, strict=True))
        return cls(recent=recent, cusum=cusum, used=used, **stacked, **kept)
