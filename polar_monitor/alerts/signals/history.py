"""History of every dimension between evaluations.

Arrays of shape (D,), or (h, D) for the last h evaluations. Nothing is changed in place, so a state can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.finite_json import finite_json
from ...context import Context
from ...statistics.snapshot import Array, Snapshot
from .cusum import Cusum
from .trend import EARLY_ROWS, RECENT_ROWS

NEVER = -1
"""Stands for no step."""
MAX_HISTORY = RECENT_ROWS + EARLY_ROWS - 1
"""Evaluations that are kept: as many as a trend needs."""
CONTEXT_VALUES = 3
BETA, RATE, RECONSTRUCTION = range(CONTEXT_VALUES)
"""Columns of the context."""
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DimensionHistory:
    """The history of all dimensions, as far as alerts depend on it.

    A dimension is *in use* while its label is informative, and *established* after `AlertRules.established`
    evaluations in which it surely carried `AlertRules.worth` nats.
    """

    steps: Ints
    """(h,)."""
    information: Array
    errors: Array
    """(h, D): `Snapshot.information` and its standard error; 0 where it is not finite."""
    context: Array
    """(h, 3): β, the learning rate and the reconstruction term; NaN where the training loop did not log them."""
    cusum: Cusum
    """The drop of the information."""
    healthy_variance: Array
    healthy_noise: Array
    """V and E at the last evaluation at which a dimension had not fallen yet; NaN before there was one."""
    healthy_context: Array
    """(D, 3): the context there. β and the learning rate are the lowest of shortly before: a rise takes effect late."""
    cause: Ints
    """The `Cause` of its fall; `Cause.UNKNOWN` for none."""
    in_use: Ints
    """Evaluations for which a dimension has been in use; 0 if it is not."""
    above_worth: Ints
    """Evaluations among these, after the warm-up, in which it surely carried what an alert about it needs."""
    above_worth_incl_warmup: Ints
    """The same count with the warm-up."""
    was_used: Flags
    """True if it has been established at some time."""
    falling_streak: Ints
    """Evaluations in a row in which it fell."""
    stable_streak: Ints
    """Evaluations in a row in which it did not."""
    warned: Flags
    """True if a FADING was raised, and the dimension has neither recovered nor stopped falling."""
    healthy_step: Ints
    """The last step before it began to fall."""

    @classmethod
    def empty(cls, dimensions: int) -> DimensionHistory:
        """Return the history before the first evaluation."""
        zero, no = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.bool_)
        rows, unknown = np.zeros((0, dimensions)), np.full(dimensions, np.nan)
        return cls(
            steps=np.zeros(0, np.int64),
            information=rows,
            errors=rows,
            context=np.zeros((0, CONTEXT_VALUES)),
            cusum=Cusum.zero(dimensions),
            healthy_variance=unknown,
            healthy_noise=unknown,
            healthy_context=np.full((dimensions, CONTEXT_VALUES), np.nan),
            cause=zero,
            in_use=zero,
            above_worth=zero,
            above_worth_incl_warmup=zero,
            was_used=no,
            falling_streak=zero,
            stable_streak=zero,
            warned=no,
            healthy_step=zero + NEVER,
        )

    def remember(self, s: Snapshot, context: Context) -> DimensionHistory:
        """Return the history with one more evaluation; a new one if the number of dimensions changed."""
        if len(self.in_use) != s.dimensions:
            return DimensionHistory.empty(s.dimensions).remember(s, context)
        now = _finite_or_zero(s.information)
        return replace(
            self,
            steps=np.append(self.steps, s.step)[-MAX_HISTORY:],
            information=np.vstack([self.information, now])[-MAX_HISTORY:],
            errors=np.vstack([self.errors, _finite_or_zero(s.information_se)])[-MAX_HISTORY:],
            context=np.vstack([self.context, _row(context)])[-MAX_HISTORY:],
            cusum=self.cusum.update(self.information[-1], now) if len(self.steps) else self.cusum,
        )

    def without_falls(self) -> DimensionHistory:
        """Return the history as if nothing had been falling: a fall that goes on is reported after the warm-up."""
        zero, no = np.zeros_like(self.falling_streak), np.zeros_like(self.warned)
        return replace(self, falling_streak=zero, warned=no, above_worth=zero, cusum=self.cusum.rebase())

    @property
    def context_before(self) -> Array:
        """(3,): the lowest β and learning rate of the evaluations that are kept, and the last reconstruction term."""
        return np.append(np.fmin.reduce(self.context[:, :RECONSTRUCTION]), self.context[-1, RECONSTRUCTION])

    @property
    def interval(self) -> float:
        """Steps from one evaluation to the next."""
        return float(self.steps[-1] - self.steps[0]) / max(len(self.steps) - 1, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists; None where there is no number."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value.to_dict() if isinstance(value, Cusum) else finite_json(value) for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DimensionHistory:
        """Return the inverse of `to_dict`. Raises KeyError, TypeError or ValueError for other data."""
        dimensions = len(data["in_use"])
        empty, cusum = cls.empty(dimensions), Cusum.from_dict(data["cusum"])
        names = [f.name for f in fields(cls) if f.name != "cusum"]
        arrays = {name: np.array(data[name], getattr(empty, name).dtype) for name in names}
        rows = len(arrays["steps"])
        shapes = {name: (rows, dimensions) for name in ("information", "errors")}
        shapes |= {"context": (rows, CONTEXT_VALUES), "healthy_context": (dimensions, CONTEXT_VALUES)}
        arrays |= {name: arrays[name].reshape(shape) for name, shape in shapes.items()}
        others = {a.shape for name, a in arrays.items() if name != "steps" and name not in shapes}
        others |= {getattr(cusum, f.name).shape for f in fields(cusum)}
        if others != {(dimensions,)}:
            raise ValueError(f"a history of {dimensions} dimensions with arrays of {sorted(others)}")
        return cls(**arrays, cusum=cusum)


def _finite_or_zero(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _row(context: Context) -> list[float]:
    return [
        np.nan if value is None else value for value in (context.beta, context.learning_rate, context.reconstruction)
    ]
