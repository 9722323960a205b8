"""Likelihoods of all readings of one sample.

For a sample z and candidates for mean and spread, the log-likelihood of z under N(μ, σ²), or a Laplace distribution, is
a matrix product over its numbers, so that all pairs and forms are tried at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .forms import IS_LAPLACE, log_scales
from .seen import F32
from .views import FULL_MANTISSA

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOG_2PI = float(np.log(2 * np.pi))
MAX_LOG_SCALE = 30.0
MIN_GAIN = 8.0
"""Log-likelihood by which noise of constant σ may be ahead of a reading."""
SAME_NUMBERS = 1e-6
"""Relative difference up to which a sample equals a piece."""
MAX_SLOPE = 5.5
"""Standard errors that the slope of a sample on its mean may be away from 1."""


class Tally(NamedTuple):
    """Sums over numbers of a sample, by mean, spread and form."""

    likelihood: F64
    squares: F64
    """Squared residuals, of Laplace noise in units of 2 b²."""
    numbers: int
    total: float
    """Sum of the sample."""
    total_squares: float
    """Sum of its squares."""
    left: F64
    """Sums of the squares, and of the sizes, of what each mean leaves of the sample: (2, means)."""

    @property
    def null(self) -> float:
        """Log-likelihood of normal noise with the sample's own mean and variance."""
        mean = self.total / self.numbers
        variance = max(self.total_squares / self.numbers - mean * mean, 1e-30)
        return -self.numbers / 2 * (1 + LOG_2PI + float(np.log(variance)))

    @property
    def constant(self) -> F64:
        """Log-likelihood of each mean with the same σ in all inputs: (means, forms)."""
        with np.errstate(all="ignore"):
            normal, laplace = np.log(self.left / self.numbers)
        each = normal[:, None] / 2 + (1 + LOG_2PI) / 2, laplace[:, None] + 1 + np.log(2)
        likelihood: F64 = -self.numbers * np.where(IS_LAPLACE, each[1], each[0])
        return np.where(np.isfinite(likelihood), likelihood, -np.inf)

    def plus(self, other: Tally) -> Tally:
        """Return the sums of both."""
        return Tally(
            self.likelihood + other.likelihood,
            self.squares + other.squares,
            self.numbers + other.numbers,
            self.total + other.total,
            self.total_squares + other.total_squares,
            self.left + other.left,
        )

    def of(self, keep: Bools) -> Tally:
        """Return the sums of some of the pieces."""
        return Tally(self.likelihood[keep][:, keep], self.squares[keep][:, keep], *self[2:5], self.left[:, keep])

    def plausible(self, deviations: float, slack: float) -> Bools:
        """Return which readings have a residual variance near 1, and are as likely as noise of constant σ."""
        error = np.sqrt(np.where(IS_LAPLACE, 5.0, 2.0) / max(self.numbers, 1))
        with np.errstate(all="ignore"):
            off = np.abs(np.log(self.squares / max(self.numbers, 1)))
        near: Bools = off < deviations * error + slack
        return near & (self.likelihood > np.maximum(self.null, self.constant)[:, None] - MIN_GAIN)


class Scales(NamedTuple):
    """Forms of one spread: the same for all samples of a step."""

    sums: F64
    """(forms,): sum of log σ; NaN where the form cannot be."""
    weights: F32
    """(forms, n): 1 / σ², or 1 / b²."""
    laplace: F32
    """(Laplace's forms, n): 1 / b."""


def scales_of(spread: F32, sample: F32 | None = None, mantissa: int = FULL_MANTISSA) -> Scales:
    """Return σ by each form; with the rounding of a sample of low precision."""
    scale = log_scales(spread)
    with np.errstate(all="ignore"):
        possible = np.abs(scale).max(1) < MAX_LOG_SCALE
    scale[~possible] = 0
    if sample is not None:
        scale = with_rounding(scale, sample, mantissa)
    sums = np.where(possible, scale.sum(1, dtype=np.float64), np.nan)
    inverse = np.exp(-scale).astype(np.float32, copy=False)
    return Scales(sums, inverse * inverse, inverse[IS_LAPLACE])


def tally(lines: F32, pairs: Bools, scales: Callable[[int], Scales]) -> Tally:
    """Measure the readings of a sample, which is the first line, by pieces, which are the others.

    `pairs` says which mean and spread to try; other readings are impossible.
    """
    count, z, numbers = len(lines) - 1, lines[0], lines.shape[1]
    means, spreads = np.flatnonzero(pairs.any(1)), np.flatnonzero(pairs.any(0))
    likelihood, squares = (np.full((count, count, len(IS_LAPLACE)), filler) for filler in (-np.inf, np.nan))
    forms = [scales(place) for place in spreads.tolist()]
    sums = np.stack([form.sums for form in forms])
    weights, laplace = (np.concatenate(part) for part in zip(*(form[1:] for form in forms), strict=True))
    distance = np.abs(z - lines[1:][means])
    with np.errstate(all="ignore"):
        table = (distance * distance) @ weights.T
        normal = table.reshape(len(means), *sums.shape).astype(np.float64)
        exponent = normal / 2
        exponent[:, :, IS_LAPLACE] = (distance @ laplace.T).reshape(len(means), len(spreads), -1)
        value = -exponent - sums - np.where(IS_LAPLACE, np.log(2), LOG_2PI / 2) * numbers
    at = np.ix_(means, spreads)
    likelihood[at] = np.where(np.isfinite(value), value, -np.inf)
    squares[at] = np.where(IS_LAPLACE, normal / 2, normal)
    total, total_squares = float(z.sum(dtype=np.float64)), float(np.square(z, dtype=np.float64).sum())
    left = np.zeros((2, count))
    left[:, means] = (distance * distance).sum(1, dtype=np.float64), distance.sum(1, dtype=np.float64)
    return Tally(likelihood, squares, numbers, total, total_squares, left)


def with_rounding(log_scale: F64, sample: F32, mantissa: int) -> F64:
    """Return log σ with the noise that rounding adds to a sample of low precision."""
    if mantissa >= FULL_MANTISSA:
        return log_scale
    _, exponent = np.frexp(np.abs(sample) + np.float32(1e-30))
    log_step = (exponent - 1 - mantissa) * np.log(2) - np.log(12) / 2
    both: F64 = np.logaddexp(2 * log_scale, 2 * log_step) / 2
    return both


def possible_means(lines: F32) -> Bools:
    """Return which pieces can be the mean of a sample: what is left does not depend on them, and is not nothing."""
    means = lines[1:]
    left = lines[0] - means
    products = left * means
    with np.errstate(all="ignore"):
        slack = MAX_SLOPE * np.sqrt(np.einsum("pn,pn->p", products, products)) + 1e-30
        exact = np.abs(left).max(1) <= SAME_NUMBERS * np.abs(lines[0]).max()
        can: Bools = (np.abs(products.sum(1)) <= slack) & (not exact.any())
    return can
