"""What is remembered of every dimension between evaluations.

Arrays of shape (D,), or (h, D) for the last h evaluations; nothing is changed in place, so a state can be kept.
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
from .trend import BEFORE, SHORT

NEVER = -1
"""Stands for no step."""
HISTORY = SHORT + BEFORE - 1
"""Evaluations that are remembered: those that trends are of."""
TOLD = 3
BETA, RATE, RECONSTRUCTION = range(TOLD)
"""Places of what the loop tells."""
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DimensionHistory:
    """The history of all dimensions, as far as alerts depend on it."""

    steps: Ints
    """(h,)."""
    information: Array
    errors: Array
    """(h, D): `Snapshot.information` and its standard error; 0 where it is not finite."""
    told: Array
    """(h, 3): β, the learning rate and the reconstruction term; NaN where the loop has not told them."""
    decline: Cusum
    """Of the information."""
    variance: Array
    noise: Array
    """V and E of the last evaluation at which a dimension had not fallen yet; NaN before there was one."""
    told_then: Array
    """(D, 3): what was told there; of β and the learning rate the least shortly before, as a rise takes effect late."""
    named: Ints
    """The cause that its fall was put down to, a place in `causes.NAMES`; 0 for none."""
    in_use: Ints
    """Evaluations for which a dimension has been in use; 0 when it is not."""
    worthy: Ints
    """Of these, after the warm-up, how many found more in it than an alert about it needs."""
    proven: Ints
    """The same with those of the warm-up."""
    was_used: Flags
    """It has been established at some time."""
    falling: Ints
    """Evaluations in a row that saw it fall."""
    calm: Ints
    """Evaluations in a row that did not."""
    warned: Flags
    """A FADING is out and not yet taken back by a recovery."""
    healthy: Ints
    """The last step before it began to fall."""

    @classmethod
    def empty(cls, dimensions: int) -> DimensionHistory:
        """Before the first evaluation."""
        none, no = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.bool_)
        history = np.zeros((0, dimensions))
        unknown, whole = np.full(dimensions, np.nan), Cusum.none(dimensions)
        return cls(
            np.zeros(0, np.int64), history, history, np.zeros((0, TOLD)), whole,
            unknown, unknown, np.full((dimensions, TOLD), np.nan),
            none, none, none, none, no, none, none, no, none + NEVER,
        )  # fmt: skip

    def remember(self, s: Snapshot, context: Context) -> DimensionHistory:
        """With one evaluation more; from the beginning if it has another number of dimensions."""
        if len(self.in_use) != s.dimensions:
            return DimensionHistory.empty(s.dimensions).remember(s, context)
        now = _known(s.information)
        return replace(
            self,
            steps=np.append(self.steps, s.step)[-HISTORY:],
            information=np.vstack([self.information, now])[-HISTORY:],
            errors=np.vstack([self.errors, _known(s.information_se)])[-HISTORY:],
            told=np.vstack([self.told, _row(context)])[-HISTORY:],
            decline=self.decline.after(self.information[-1], now) if len(self.steps) else self.decline,
        )

    def calmed(self) -> DimensionHistory:
        """As if nothing had been falling: what still falls is news."""
        none = np.zeros_like(self.falling)
        return replace(
            self, falling=none, warned=np.zeros_like(self.warned), worthy=none, decline=self.decline.pardoned()
        )

    @property
    def told_before(self) -> Array:
        """(3,): the least β and learning rate of the evaluations that are remembered, and the last reconstruction."""
        return np.append(np.fmin.reduce(self.told[:, :RECONSTRUCTION]), self.told[-1, RECONSTRUCTION])

    @property
    def interval(self) -> float:
        """Steps from one evaluation to the next."""
        return float(self.steps[-1] - self.steps[0]) / max(len(self.steps) - 1, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; None where there is no number."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value.to_dict() if isinstance(value, Cusum) else finite_json(value) for name, value in plain.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DimensionHistory:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for what is none."""
        dimensions = len(data["in_use"])
        empty, decline = cls.empty(dimensions), Cusum.from_dict(data["decline"])
        names = [f.name for f in fields(cls) if f.name != "decline"]
        arrays = {name: np.array(data[name], getattr(empty, name).dtype) for name in names}
        history = len(arrays["steps"])
        wide = {name: (history, dimensions) for name in ("information", "errors")}
        wide |= {"told": (history, TOLD), "told_then": (dimensions, TOLD)}
        arrays |= {name: arrays[name].reshape(shape) for name, shape in wide.items()}
        shapes = {a.shape for name, a in arrays.items() if name != "steps" and name not in wide}
        shapes |= {getattr(decline, f.name).shape for f in fields(decline)}
        if shapes != {(dimensions,)}:
            raise ValueError(f"a history of {dimensions} dimensions with arrays of {sorted(shapes)}")
        return cls(**arrays, decline=decline)


def _known(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _row(context: Context) -> list[float]:
    return [
        np.nan if value is None else value for value in (context.beta, context.learning_rate, context.reconstruction)
    ]
