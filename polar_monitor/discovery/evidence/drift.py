"""Later check of a reading: does a step of training still fit it, and if not, which reading does it fit?

The lines are tested as they are read, then with the plain changes that people make between a layer and the sample:
another unit, a factor of log σ, a clamp, or a scale and shift of the mean as normalisation makes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .forms import FORMS, Form
from .noise import Fit, fit
from .reading import Reading
from .seen import Seen
from .step import Step
from .tally import F64, with_rounding
from .trial import numbers_of

MAX_NUMBERS = 8192
"""Numbers of a sample that are tested."""
FACTORS = (0.5, 2.0, 0.25)
"""Factors of log σ that are tried."""
CLAMPS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the spread's values at either end that a clamp may hold."""


@dataclass(frozen=True)
class Check:
    """Result of a check."""

    fit: Fit
    """Test of the reading."""
    better: Reading | None = None
    """The reading that fits, if this one does not, and another of its unit does."""
    squares: F64 | None = None
    """Squared residuals of the reading in the shape of the mean, if the reading fits and they are known."""
    change: str = ""
    """Words for what lies between what is read and the sample."""

    @property
    def fits(self) -> bool:
        """True if the reading still fits, or the step shows too little to say."""
        return self.fit.fits or self.fit.numbers < MIN_CHECKED


MIN_CHECKED = 100
"""Numbers of a sample below which nothing is said."""


def check(reading: Reading, seen: Sequence[Seen]) -> Check | None:
    """Test a reading on one step, of which only `reading.modules` have to be seen; None if it does not show them."""
    step = Step(seen)
    sample = step.find(reading.sample)
    if sample is None:
        return None
    pieces = step.paired(sample)
    if reading.mean not in pieces or reading.spread not in pieces:
        return None
    lines = numbers_of(step, sample, [pieces[reading.mean], pieces[reading.spread]], MAX_NUMBERS, reading.way)
    if lines is None or len(lines.places) < 2:
        return None
    z, mean, spread = (line.reshape(-1, lines.width).astype(np.float64) for line in lines.values)

    def test(mean: F64, log_scale: F64, laplace: bool) -> Fit:
        rounded = with_rounding(log_scale, z.astype(np.float32), sample.mantissa)
        return fit(mean, rounded, z, laplace)

    with np.errstate(all="ignore"):
        own = reading.form.log_scale(spread)
        result = test(mean, own, reading.form.laplace) if np.isfinite(own).all() else NO_FIT
        if result.fits or result.numbers < MIN_CHECKED:
            residual = (z - mean) * np.exp(-with_rounding(own, z.astype(np.float32), sample.mantissa))
            residual /= np.sqrt(2) if reading.form.laplace else 1.0
            return Check(result, squares=None if reading.way else (residual**2).reshape(lines.sizes))
        tried = []
        for form, scale, centre, rarity, change in _changes(reading.form, own, spread, mean, z):
            if np.isfinite(scale).all() and (other := test(centre, scale, reading.form.laplace)).fits:
                tried.append((_log_likelihood(z, centre, scale) - rarity, other, form, change))
    if not tried:
        return Check(result)
    _, best, form, change = max(tried, key=lambda one: one[0])
    return Check(result, None if form is None else replace(reading, form=form, fit=best), change=change)


def _log_likelihood(z: F64, mean: F64, log_scale: F64) -> float:
    return float(-np.square((z - mean) * np.exp(-log_scale)).sum() / 2 - log_scale.sum())


def _changes(
    form: Form, own: F64, spread: F64, mean: F64, z: F64
) -> Iterator[tuple[Form | None, F64, F64, float, str]]:
    """Yield (form, log σ, mean, rarity, words) of the changes that are tried."""
    for other in FORMS:
        if other is not form and other.laplace == form.laplace:
            yield other, other.log_scale(spread), mean, other.rarity, f"its spread is {other.name}, not {form.name}"
    if not np.isfinite(own).all():
        return
    for factor in FACTORS:
        yield None, factor * own, mean, 3, f"log σ is multiplied by {factor:g} after the module"
    for share in CLAMPS:
        low, high = np.quantile(own, share), np.quantile(own, 1 - share)
        yield None, np.minimum(own, high), mean, 5, f"log σ is clamped to at most about {high:.2g} after the module"
        yield None, np.maximum(own, low), mean, 5, f"log σ is clamped to at least about {low:.2g} after the module"
    moved = _regressed(mean, z, np.exp(-2 * own))
    cost = mean.shape[1] * float(np.log(len(mean)))
    yield None, own, moved, cost, "the mean is scaled or shifted after the module, as a normalisation layer does"
    rows = (mean - mean.mean(1, keepdims=True)) / np.maximum(mean.std(1, keepdims=True), 1e-9)
    yield None, own, rows, 3, "the mean is normalised in each row after the module, as a LayerNorm does"


def _regressed(mean: F64, z: F64, weight: F64) -> F64:
    """Return the mean scaled and shifted in each dimension, as it is nearest to the sample."""
    total = weight.sum(0)
    centre, target = (weight * mean).sum(0) / total, (weight * z).sum(0) / total
    scatter = (weight * (mean - centre) ** 2).sum(0)
    slope = (weight * (mean - centre) * (z - target)).sum(0) / np.where(scatter > 0, scatter, 1)
    moved: F64 = target + slope * (mean - centre)
    return moved


NO_FIT = Fit(float("nan"), float("nan"), float("inf"), MIN_CHECKED)
"""Result for a spread that the unit cannot have, such as a negative σ²."""
