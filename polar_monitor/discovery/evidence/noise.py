"""Test of one reading: is (z − μ) / σ the noise of a reparameterised sample?

For the true mean, spread, unit and layout it has mean 0 and variance 1, is normal (or Laplace), and depends on nothing:
not on μ or σ, not on its neighbours, and not on the sums of a row or a column, which a normalisation layer would fix.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

MAX_DEVIATION = 5.0
"""Standard errors that each statistic may be away from what noise has."""
TOLERANCE = 0.02
"""Deviation of the residual variance that rounding of the sample may cause."""
MIN_NUMBERS = 100
"""Numbers of a sample that a decision needs."""
MIN_GAIN = 4.0
"""Log-likelihood by which a reading must be ahead of one with a constant σ."""
MIN_ROWS = 32
"""Rows from which on σ is fitted to each dimension."""
MIN_SIGNAL = 64.0
"""Sum of (μ / σ)² that a decision needs: the slope of the sample on its mean is then known to 1 / 8."""
MAX_SLOPE = 3.5
"""Standard errors that the slopes of the sample on its mean, and of its squares on σ, may be away for a decision."""


class Fit(NamedTuple):
    """Result of the test."""

    variance: float
    """Residual variance; that of the true reading is 1."""
    error: float
    """Its standard error."""
    worst: float
    """Largest deviation of a statistic from that of noise, in standard errors."""
    numbers: int
    signal: float = np.inf
    """Sum of (μ / σ)²: the mean of a sample is not known as long as this is small."""
    spread_signal: float = np.inf
    """The same of σ: twice the sum of squares of what log σ differs from its mean."""
    slope: float = 0.0
    """Larger deviation of the slopes of the sample on its mean and of its squares on σ, in standard errors."""
    gain: float = np.inf
    """Log-likelihood by which the reading is ahead of one with the same σ in all inputs."""

    @property
    def fits(self) -> bool:
        """True if the residual can be noise."""
        return self.worst <= MAX_DEVIATION and self.numbers >= MIN_NUMBERS

    def has_moved(self, signal: float = MIN_SIGNAL) -> bool:
        """Return True if the data would show that there is no mean, or that the spread is always the same."""
        is_known = self.signal >= signal and self.spread_signal >= signal and self.slope <= MAX_SLOPE
        return is_known and self.gain >= MIN_GAIN


def fit(mean: F64, log_scale: F64, sample: F64, laplace: bool) -> Fit:
    """Test residuals (rows, numbers of a row); `log_scale` is log σ, or log b of a Laplace distribution."""
    scale = np.exp(log_scale) * (np.sqrt(2) if laplace else 1)
    residual = (sample - mean) / scale
    n, kurtosis = residual.size, 6.0 if laplace else 3.0
    squares = residual * residual
    variance = float(squares.mean())
    error = np.sqrt((kurtosis - 1) / n)
    off = max(abs(variance - 1) - TOLERANCE, 0.0) / error
    scores = [off, _z(residual)]
    if not laplace:
        scores.append((float((squares * squares).mean()) - 3 - 12 * (variance - 1)) / np.sqrt(96 / n))
    slopes = _correlation(residual, mean), _correlation(squares, log_scale)
    scores += [*slopes, _correlation(residual, log_scale)]
    scores += [_correlation(squares, np.abs(mean))]
    if residual.shape[1] > 1:
        scores.append(_correlation(residual[:, 1:], residual[:, :-1]))
    if residual.shape[0] > 1:
        scores.append(_correlation(residual[1:], residual[:-1]))
    scores += [_unevenness(squares, axis, kurtosis) for axis in (0, 1)]
    scores += [_too_centred(residual, axis) for axis in (0, 1)]
    with np.errstate(all="ignore"):
        signal = float(np.square(mean / scale).sum())
        moved = 2 * float(np.square(log_scale - log_scale.mean()).sum())
    worst, gain = float(max(abs(score) for score in scores)), _gain(sample - mean, log_scale, residual, laplace)
    return Fit(variance, float(error), worst, n, signal, moved, max(map(abs, slopes)), gain)


def _gain(difference: F64, log_scale: F64, residual: F64, laplace: bool) -> float:
    """Return the log-likelihood by which a reading is ahead of one whose σ is the same in all inputs.

    That σ is fitted, for all dimensions together or for each, which costs half the logarithm of the numbers it is
    fitted to.
    """
    size = np.abs(difference) if laplace else difference * difference
    weight = 1.0 if laplace else 0.5
    own = np.abs(residual) * np.sqrt(2) if laplace else residual * residual / 2
    rows, columns = difference.shape
    together = weight * difference.size * (np.log(size.mean() + 1e-300) + 1)
    if rows >= MIN_ROWS:
        each = weight * rows * float((np.log(size.mean(0) + 1e-300) + 1).sum()) + columns * np.log(rows) / 2
        together = min(together, each)
    return float(together - log_scale.sum() - own.sum())


def _z(values: F64) -> float:
    return float(values.mean() * np.sqrt(values.size))


def _correlation(first: F64, second: F64) -> float:
    """Return the correlation in standard errors; 0 if one side is constant."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return 0.0 if norm < 1e-12 * a.size else float((a * b).sum()) / norm * np.sqrt(a.size)


def _unevenness(squares: F64, axis: int, kurtosis: float) -> float:
    """Return how much less even the sums of squares along an axis are than those of noise, in standard errors."""
    sums = squares.sum(axis)
    if len(sums) < 16:
        return 0.0
    ratio = float(sums.var()) / ((kurtosis - 1) * squares.shape[axis])
    return float((ratio - 1) / np.sqrt(2 / len(sums) + 24 / squares.size))


def _too_centred(residual: F64, axis: int) -> float:
    """Return how much nearer to 0 the means along an axis are than those of noise, in standard errors."""
    means = residual.mean(axis) * np.sqrt(residual.shape[axis])
    ratio = float((means * means).mean())
    return float(max(0.0, (1 - ratio) * np.sqrt(len(means) / 2)))
