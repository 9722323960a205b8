"""What is remembered of every dimension between evaluations.

Arrays of shape (D,), or (h, D) for the last h evaluations; nothing is changed in place, so a state can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .detector import Decline
from .snapshot import Array, Snapshot

NEVER = -1
"""Stands for no step."""
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tracks:
    """The history of all dimensions, as far as alerts depend on it."""

    steps: Ints
    """(h,)."""
    information: Array
    errors: Array
    """(h, D): `Snapshot.information` and its standard error; 0 where it is not finite."""
    decline: Decline
    """Of the information."""
    variance: Array
    noise: Array
    """V and E of the last evaluation at which a dimension had not fallen yet; NaN before there was one."""
    named: Ints
    """The cause that its fall was put down to, a place in `causes.NAMES`; 0 for none."""
    in_use: Ints
    """Evaluations for which a dimension has been in use; 0 when it is not."""
    worthy: Ints
    """Of these, how many found more in it than an alert about it needs."""
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
    def empty(cls, dimensions: int) -> Tracks:
        """Before the first evaluation."""
        none, no = np.zeros(dimensions, np.int64), np.zeros(dimensions, np.bool_)
        history = np.zeros((0, dimensions))
        unknown, whole = np.full(dimensions, np.nan), Decline.none(dimensions)
        return cls(
            np.zeros(0, np.int64), history, history, whole, unknown, unknown,
            none, none, none, no, none, none, no, none + NEVER,
        )  # fmt: skip

    def remember(self, s: Snapshot, history: int) -> Tracks:
        """With one evaluation more, of at most `history`; from the beginning if it has another number of dimensions."""
        if len(self.in_use) != s.dimensions:
            return Tracks.empty(s.dimensions).remember(s, history)
        now = _known(s.information)
        return replace(
            self,
            steps=np.append(self.steps, s.step)[-history:],
            information=np.vstack([self.information, now])[-history:],
            errors=np.vstack([self.errors, _known(s.information_se)])[-history:],
            decline=self.decline.after(self.information[-1], now) if len(self.steps) else self.decline,
        )

    def calmed(self) -> Tracks:
        """As if nothing had been falling: what still falls is news."""
        none = np.zeros_like(self.falling)
        return replace(
            self, falling=none, warned=np.zeros_like(self.warned), worthy=none, decline=self.decline.pardoned()
        )

    @property
    def interval(self) -> float:
        """Steps from one evaluation to the next."""
        return float(self.steps[-1] - self.steps[0]) / max(len(self.steps) - 1, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists; None where there is no number."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value.to_dict() if isinstance(value, Decline) else _plain(value) for name, value in plain.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tracks:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for what is none."""
        dimensions = len(data["in_use"])
        empty, decline = cls.empty(dimensions), Decline.from_dict(data["decline"])
        names = [f.name for f in fields(cls) if f.name != "decline"]
        arrays = {name: np.array(data[name], getattr(empty, name).dtype) for name in names}
        history = (len(arrays["steps"]), dimensions)
        arrays |= {name: arrays[name].reshape(history) for name in ("information", "errors")}
        shapes = {a.shape for name, a in arrays.items() if name not in ("steps", "information", "errors")}
        shapes |= {getattr(decline, f.name).shape for f in fields(decline)}
        if shapes != {(dimensions,)}:
            raise ValueError(f"a history of {dimensions} dimensions with arrays of {sorted(shapes)}")
        return cls(**arrays, decline=decline)


def _known(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _plain(array: NDArray[Any]) -> list[Any]:
    if array.ndim == 1 and array.dtype == np.float64:
        return [value if np.isfinite(value) else None for value in array.tolist()]
    return list(array.tolist())
