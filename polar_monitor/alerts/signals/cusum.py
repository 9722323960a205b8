"""When a level has surely fallen: Page's CUSUM of the changes of its logarithm, one for each of D series.

S ← max(0, S − Δ log x − allowance) (Page 1954): with no allowance S is how far log x is below its highest value, and
exp(−S) the share that is left. The allowance, a change an evaluation that is no news, lets slow settling go. A level
that fell before and came back is known to do so (a cycle of β): only a deeper fall counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALLOWANCE = 0.002
"""A fall of so much of a level in one evaluation is settling."""
FLOOR = 0.01
"""Nats below which a level is as good as nothing."""
RETURN = 0.5
"""Share of a fall that must be made good for it to count as one that comes back."""
MARGIN = 1.2
"""A fall must be so much deeper than one that came back."""
DEEP = 1.2
"""No fall deeper than this is expected to come back: 0.3 of the level is left."""


@dataclass(frozen=True, eq=False)
class Cusum:
    """How far each of D series is below where it was; all arrays (D,), in units of the logarithm."""

    fallen: Array
    """S."""
    deepest: Array
    """Largest S of the fall that is under way."""
    forgiven: Array
    """The deepest fall that came back."""
    excused: Array
    """The part of S that is no news: of the warm-up, or of a fall that has stopped."""

    @classmethod
    def none(cls, dimensions: int) -> Cusum:
        """Nothing has fallen."""
        zero = np.zeros(dimensions)
        return cls(zero, zero, zero, zero)

    def after(self, before: Array, now: Array) -> Cusum:
        """With one evaluation more, in which the level went from `before` to `now`."""
        change = np.log(np.maximum(now, FLOOR)) - np.log(np.maximum(before, FLOOR))
        fallen = np.maximum(self.fallen - change - ALLOWANCE, 0.0)
        deepest = np.maximum(self.deepest, fallen)
        back = fallen <= (1 - RETURN) * deepest
        return Cusum(
            fallen,
            np.where(back, fallen, deepest),
            np.where(back, np.maximum(self.forgiven, np.minimum(deepest, DEEP)), self.forgiven),
            np.minimum(self.excused, fallen),
        )

    def pardoned(self, where: Flags | bool = True) -> Cusum:
        """There, as it is now is how it should be; what comes back is still remembered."""
        return replace(self, excused=np.where(where, self.fallen, self.excused))

    def only(self, where: Flags) -> Cusum:
        """Nothing has fallen elsewhere."""
        return Cusum(*(np.where(where, getattr(self, f.name), 0.0) for f in fields(self)))

    def exceeds(self, share: float) -> Flags:
        """Which have lost more than a share of their level, and more than they are known to get back."""
        return np.asarray(self.fallen - self.excused >= np.maximum(-np.log1p(-share), MARGIN * self.forgiven))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cusum:
        """The inverse of `to_dict`."""
        return cls(**{f.name: np.array(data[f.name], np.float64) for f in fields(cls)})
