"""Detects that a level has surely fallen: Page's CUSUM of the changes of its logarithm, one for each of D series.

S ← max(0, S − Δ log x − allowance) (Page 1954). Without an allowance S is the distance of log x from its highest value,
and exp(−S) is the share that is left. The allowance lets slow settling pass. A level that fell before and recovered
may do so again (a cycle of β): only a deeper fall counts then.
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
"""A smaller fall of the logarithm in one evaluation is settling."""
LEVEL_FLOOR = 0.01
"""Nats; a smaller level counts as this one."""
MIN_RECOVERED_SHARE = 0.5
"""Share of a drop that a level must gain back before the drop counts as recovered."""
MIN_RATIO_TO_RECOVERED = 1.2
"""Factor by which a drop must exceed one that recovered."""
MAX_RECOVERED_DROP = 1.2
"""No deeper drop is expected to recover: 0.3 of the level is left."""


@dataclass(frozen=True, eq=False)
class Cusum:
    """The drop of each of D series below its highest level; all arrays (D,), in units of the logarithm."""

    drop: Array
    """S."""
    deepest_drop: Array
    """The largest S of the present fall."""
    recovered_drop: Array
    """The deepest drop that recovered."""
    baseline_drop: Array
    """The part of S that is not reported again: from the warm-up, or from a fall that has stopped."""

    @classmethod
    def zero(cls, dimensions: int) -> Cusum:
        """Return the state in which nothing has fallen."""
        zero = np.zeros(dimensions)
        return cls(zero, zero, zero, zero)

    def update(self, before: Array, now: Array) -> Cusum:
        """Return the state after one more evaluation, in which the level went from `before` to `now`."""
        change = np.log(np.maximum(now, LEVEL_FLOOR)) - np.log(np.maximum(before, LEVEL_FLOOR))
        drop = np.maximum(self.drop - change - ALLOWANCE, 0.0)
        deepest = np.maximum(self.deepest_drop, drop)
        back = drop <= (1 - MIN_RECOVERED_SHARE) * deepest
        recovered = np.maximum(self.recovered_drop, np.minimum(deepest, MAX_RECOVERED_DROP))
        return Cusum(
            drop,
            np.where(back, drop, deepest),
            np.where(back, recovered, self.recovered_drop),
            np.minimum(self.baseline_drop, drop),
        )

    def rebase(self, where: Flags | bool = True) -> Cusum:
        """Return the state in which the present level is the normal one there; drops that recovered are kept."""
        return replace(self, baseline_drop=np.where(where, self.drop, self.baseline_drop))

    def keep(self, where: Flags) -> Cusum:
        """Return the state in which nothing has fallen elsewhere."""
        return Cusum(*(np.where(where, getattr(self, f.name), 0.0) for f in fields(self)))

    def exceeds(self, share: float) -> Flags:
        """Return which series lost more than a share of their level, and more than they ever recovered from."""
        unreported_drop = self.drop - self.baseline_drop
        return np.asarray(
            unreported_drop >= np.maximum(-np.log1p(-share), MIN_RATIO_TO_RECOVERED * self.recovered_drop)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists."""
        return {f.name: getattr(self, f.name).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cusum:
        """Return the inverse of `to_dict`."""
        return cls(**{f.name: np.array(data[f.name], np.float64) for f in fields(cls)})
