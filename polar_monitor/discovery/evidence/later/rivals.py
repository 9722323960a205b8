"""Rivals of a reading: the same heads, processed a little. Their likelihoods add up over the steps of a training.

A soft clamp or a floor changes the residuals of one step by less than their error. The likelihood ratio of a rival to
the reading is a martingale if the reading is true: that it ever passes e^`DECISIVE` has a probability of e^-`DECISIVE`,
however often one looks.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ..forms import Form
from ..tally import F64, with_rounding
from .processing import (
    BOUNDS,
    MAX_TESTED,
    MEANS,
    Explanation,
    Function,
    Processed,
    explanation_of,
    further,
    log_scale_of,
    soft,
    tanh,
)

DECISIVE = 16.0
"""Log-likelihood by which a rival must be ahead, beside its rarity."""
MAX_NUMBERS = 1536
"""Numbers of a step that are compared."""
SHARE, FLOOR = 0.01, 0.003
"""Difference of the KL, as a share and in nats, up to which a rival says the same."""


class Rivals:
    """Sums of the rivals' likelihoods, relative to the reading."""

    def __init__(self, form: Form) -> None:
        self._is_laplace = form.laplace
        """True if the likelihoods of normal noise say nothing of the reading; its numbers are kept."""
        self._own = Processed(form.code, form.values, 0.0, form.unit)
        self._means, self._spreads = MEANS[1:], (*further(self._own), *_softened(self._own))
        self._lead = np.zeros(len(self._means) + len(self._spreads))
        self._cost = np.array([one.rarity for one in (*self._means, *self._spreads)])
        self._kept: deque[tuple[F64, F64, F64]] = deque()
        self._mantissa = 23

    def begin(self) -> None:
        """Forget what spoke against rivals: they may have become true since."""
        self._lead = np.maximum(self._lead, 0.0)

    def forget(self) -> None:
        """Forget the numbers that were kept for an explanation."""
        self._kept.clear()

    def add(self, z: F64, mean: F64, spread: F64, mantissa: int) -> None:
        """Take a step: the sample, and what the heads gave, in its shape."""
        if self._kept and self._kept[-1][0].shape[1:] != z.shape[1:]:
            self._kept.clear()
        self._kept.append((z, mean, spread))
        while self.numbers > MAX_TESTED and len(self._kept) > 1:
            self._kept.popleft()
        self._mantissa = mantissa
        rows = slice(max(1, MAX_NUMBERS // z[0].size))
        z, mean, spread = z[rows], mean[rows], spread[rows]
        with np.errstate(all="ignore"):
            own = self._log_scale(self._own, z, spread).ravel()
            squares = np.stack([np.square(z - one.apply(mean)).ravel() for one in (MEANS[0], *self._means)])
            by_mean = -squares @ np.exp(-2 * own) / 2
            scales = np.stack([self._log_scale(one, z, spread).ravel() for one in self._spreads])
            by_spread = -np.exp(-2 * scales) @ squares[0] / 2 - scales.sum(1) + own.sum()
        lead = np.concatenate([by_mean[1:], by_spread]) - by_mean[0]
        self._lead += np.nan_to_num(lead, nan=-np.inf, posinf=-np.inf)

    def _log_scale(self, one: Processed, z: F64, spread: F64) -> F64:
        return with_rounding(log_scale_of(one, spread), z.astype(np.float32), self._mantissa)

    @property
    def numbers(self) -> int:
        """Numbers that are kept for an explanation."""
        return sum(kept[0].size for kept in self._kept)

    @property
    def ahead(self) -> bool:
        """True if a rival is far ahead whose KL is another one in the latest step."""
        if not self._kept or self._is_laplace:
            return False
        z, mean, spread = self._kept[-1]
        own = self._log_scale(self._own, z, spread)
        rivals = (*self._means, *self._spreads)
        for place in np.flatnonzero(self._lead - self._cost > DECISIVE):
            one, is_mean = rivals[place], place < len(self._means)
            with np.errstate(all="ignore"):
                made = one.apply(mean) if is_mean else mean
                scale = own if is_mean else self._log_scale(one, z, spread)
                if _distance(mean, own, made, scale) > 1:
                    return True
        return False

    def explanation(self) -> Explanation | None:
        """Return what the heads become on their way into the sample of the kept steps; None if nothing fits."""
        if not self._kept:
            return None
        z, mean, spread = (np.concatenate(side) for side in zip(*self._kept, strict=True))
        return explanation_of(z, mean, spread, self._mantissa)


def _softened(own: Processed) -> list[Processed]:
    code, apply, _, unit = own
    if unit not in ("logvar", "logstd"):
        return []
    soft_ones = [Processed(f"{c:g} * ({code} / {c:g}).tanh()", _after(apply, soft(c)), 4, unit) for c in BOUNDS]
    return soft_ones + [Processed(f"{c:g} * ({code}).tanh()", _after(apply, tanh(c)), 4, unit) for c in BOUNDS]


def _after(first: Function, second: Function) -> Function:
    return lambda s: second(first(s))


def _distance(mean: F64, own: F64, other: F64, scale: F64) -> float:
    """Return the largest difference of the KL of a dimension, on the second and the last axis, in what is allowed."""
    first, second = ((np.square(m) + np.exp(2 * s) - 1) / 2 - s for m, s in ((mean, own), (other, scale)))
    worst = 0.0
    for axis in {1, mean.ndim - 1} if mean.ndim > 1 else {0}:
        others = tuple(place for place in range(mean.ndim) if place != axis)
        a, b = first.mean(others), second.mean(others)
        worst = max(worst, float(np.nan_to_num(np.abs(a - b) / (SHARE * b + FLOOR), nan=np.inf).max()))
    return worst
