"""Scale of a code: the noise τ at which it is resolved, and what a decoder says of its dimensions.

With V the variance of a dimension, and W = V g² where the decoder's gain g is known, τ is a tenth of √(Σ W² / Σ W): the
typical standard deviation of a dimension, each counted by the variance that it has. Dimensions without variance do not
enter it, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays.short_floats import shortened
from ..errors import PolarMonitorError
from .rounding import VALUE_BYTES
from .snapshot import Array, Snapshot, unknown
from .thresholds import MIN_EFFECT, Z

RESOLUTION = 0.1
"""τ divided by the reference."""
MIN_SQUARE = 1e-200
"""Bound of Σ V² beyond which, and beyond whose inverse, it may be no exact number."""


def relative(variance: Array) -> float:
    """Return τ of mean-only latents from their variances, or those times the squared gains; 1 if all are 0."""
    total = float(variance.sum())
    if total > 0 and MIN_SQUARE < total * total < 1.0 / MIN_SQUARE:
        return RESOLUTION * math.sqrt(float(variance @ variance) / total)
    known = variance[np.isfinite(variance)]
    total = float(known.sum())
    if not 0 < total < math.inf:
        return 1.0
    return RESOLUTION * math.sqrt(float(known @ (known / total)))


def is_relative(s: Snapshot) -> bool:
    """Return True if `relative` gave the scale, so that labels only compare the dimensions with each other.

    The variances of a snapshot have fewer digits than those that gave the scale.
    """
    known = not s.has_variance and not has_gain(s)
    return known and math.isclose(s.resolution, relative(s.variance), rel_tol=2.0**-14)


def noise_of(s: Snapshot, j: int) -> float:
    """Return τ of one dimension in units of the code: infinite where the decoder ignores the code."""
    gain = float(s.gain[j])
    if math.isnan(gain):
        return s.resolution
    return s.resolution / gain if gain > 0 else math.inf


def has_gain(s: Snapshot) -> bool:
    """Return True if the decoder's gain sets the scale of each dimension."""
    return s.gain is not unknown(s.dimensions) and bool(np.isfinite(s.gain).any())


MAX_CHANGE = 3.0
"""Change of what the decoder sees of a code, as a standard deviation, after which its gains are measured anew."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Gains of the dimensions and the effect of the code as a whole, by the names of `Snapshot`."""

    gain: Array | None = None
    """(D,); None if it is not known. All are 0 while the decoder ignores the code."""
    effect: float = math.nan
    effect_se: float = math.nan
    reference: float = 0.0
    """The variance that `effect` is a share of."""
    total: float = 0.0
    """Σ V g² of the codes that were measured."""

    @classmethod
    def of(
        cls,
        gain: Any,
        effect: float = math.nan,
        effect_se: float = math.nan,
        reference: float = 0.0,
        total: float = 0.0,
        before: Scale | None = None,
    ) -> Scale:
        """Return the scale of gains (D,) that were measured, in the digits that a log holds.

        A code that was ignored at the measurement `before` stays so until its effect is surely above the cut.
        """
        ignored = before is not None and before.gain is not None and not before.gain.any()
        known = shortened(np.array([gain], np.float64), np.array([VALUE_BYTES])).values[0]
        scale = cls(known, effect, effect_se, reference, total)
        if scale.is_ignored or (ignored and scale.is_open):
            return replace(scale, gain=np.zeros_like(known))
        return scale

    @property
    def is_ignored(self) -> bool:
        """True if the decoder surely ignores the code."""
        return self.effect + Z * self.effect_se < MIN_EFFECT

    @property
    def is_open(self) -> bool:
        """True if the effect is neither surely below the cut nor surely above it."""
        return not (self.is_ignored or self.effect - Z * self.effect_se >= MIN_EFFECT or math.isnan(self.effect))

    def is_outdated(self, variance: Array) -> bool:
        """Return True if what the decoder sees of the code has changed by more than a factor of 3 since."""
        if self.gain is None or not self.total > 0:
            return False
        change = float(variance @ self.gain**2) / self.total
        return not MAX_CHANGE**-2 < change < MAX_CHANGE**2

    def state_dict(self) -> dict[str, Any]:
        """Return the scale as plain data."""
        gain = None if self.gain is None else self.gain.copy()
        return {"gain": gain, **{name: getattr(self, name) for name in NUMBERS}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], dimensions: int) -> Scale:
        """Read what `state_dict` returned. Raises PolarMonitorError for gains of another shape."""
        effect, effect_se, reference, total = (float(state[name]) for name in NUMBERS)
        gain = None if state["gain"] is None else np.array(state["gain"], np.float64)
        if gain is not None and gain.shape != (dimensions,):
            raise PolarMonitorError(f"state: expected gains ({dimensions},), got {gain.shape}")
        return cls(gain, effect, effect_se, reference, total)


NUMBERS = ("effect", "effect_se", "reference", "total")
"""Numbers of a scale, in the order of its fields."""
NO_SCALE = Scale()
"""The scale without a decoder."""
