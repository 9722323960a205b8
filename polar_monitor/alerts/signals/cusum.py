"""Detects that a level has surely fallen: Page's CUSUM of the changes of its logarithm, one for each of D series.

S ← max(0, S − Δ log x − allowance) (Page 1954). Without an allowance S is the distance of log x from its highest value,
and exp(−S) is the share that is left. The allowance lets slow settling pass: it grows with the logarithm of the step,
so that any spacing of the changes gives the same S. A level that fell before and recovered may do so again (a cycle of
β): only a deeper fall counts then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEVEL_FLOOR = 0.01
"""Nats; a smaller level counts as this one."""
MIN_RECOVERED_SHARE = 0.5
"""Share of a drop that a level must gain back before the drop counts as recovered."""
MIN_RATIO_TO_RECOVERED = 1.2
"""Factor by which a drop must exceed one that recovered."""
MAX_RECOVERED_DROP = 1.2
"""No deeper drop is expected to recover: 0.3 of the level is left."""
MAX_CACHED = 16
"""Logarithms that are kept."""
Drops = tuple[float, float, float, float]
NAMES = ("drop", "deepest_drop", "recovered_drop", "baseline_drop")


def log_level(level: Array) -> Array:
    """Return the logarithm of a level, which has a floor."""
    logarithm: Array = np.log(np.maximum(level, LEVEL_FLOOR))
    return logarithm


@lru_cache(MAX_CACHED)
def log_of(level: float) -> float:
    """Return the `log_level` of one series."""
    return math.log(max(level, LEVEL_FLOOR))


@lru_cache(MAX_CACHED)
def drop_of(share: float) -> float:
    """Return the drop of the logarithm of a level that loses a share."""
    return float(-np.log1p(-share))


@dataclass(frozen=True, eq=False)
class Cusum:
    """The drop of each of D series below its highest level, in units of the logarithm."""

    drops: Array
    """(4, D): the four arrays below, one a row."""

    @classmethod
    def zero(cls, dimensions: int) -> Cusum:
        """Return the state in which nothing has fallen."""
        return cls(np.zeros((len(NAMES), dimensions)))

    @property
    def drop(self) -> Array:
        """S (D,)."""
        return self._row(0)

    @property
    def deepest_drop(self) -> Array:
        """The largest S of the present fall (D,)."""
        return self._row(1)

    @property
    def recovered_drop(self) -> Array:
        """The deepest drop that recovered (D,)."""
        return self._row(2)

    @property
    def baseline_drop(self) -> Array:
        """The part of S that is not reported again (D,): from the warm-up, or from a fall that has stopped."""
        return self._row(3)

    @property
    def unreported_drop(self) -> Array:
        """The rest of S (D,)."""
        return self.drop - self.baseline_drop

    def _row(self, place: int) -> Array:
        row: Array = self.drops[place]
        return row

    def rebase(self, where: Flags | bool = True) -> Cusum:
        """Return the state in which the present level is the normal one there; drops that recovered are kept."""
        drop, deepest, recovered, baseline = self.drops
        return Cusum(np.array((drop, deepest, recovered, np.where(where, drop, baseline))))

    def keep(self, where: Flags) -> Cusum:
        """Return the state in which nothing has fallen elsewhere."""
        return Cusum(np.where(where, self.drops, 0.0))

    def exceeds(self, share: float) -> Flags:
        """Return which series lost more than a share of their level, and more than they ever recovered from."""
        return np.asarray(
            self.unreported_drop >= np.maximum(drop_of(share), MIN_RATIO_TO_RECOVERED * self.recovered_drop)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists."""
        return dict(zip(NAMES, self.drops.tolist(), strict=True))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cusum:
        """Return the inverse of `to_dict`. Raises KeyError, TypeError or ValueError for other data."""
        return cls(np.array([data[name] for name in NAMES], np.float64))


def recovers(drop: Any, deepest_before: Any) -> Any:
    """Return True where a drop has become so small that the fall is over."""
    return drop <= (1 - MIN_RECOVERED_SHARE) * deepest_before


def update_one(drops: Drops, change: float, allowance: float) -> Drops:
    """Return the drops of one series after one more evaluation, in which its logarithm changed by `change`.

    They are the four of `Cusum`. The kernel `follow` does the same for all dimensions.
    """
    before, deepest_before, recovered, baseline = drops
    drop = max(before - change - allowance, 0.0)
    deepest = max(deepest_before, drop)
    if drop <= (1 - MIN_RECOVERED_SHARE) * deepest:
        return drop, drop, max(recovered, min(deepest, MAX_RECOVERED_DROP)), min(baseline, drop)
    return drop, deepest, recovered, min(baseline, drop)
