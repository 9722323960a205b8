"""Later check of a reading: does a step of training still fit it, and if not, what do its heads become?

The lines are tested as they are read. What they become instead is `rivals`' to say; here are a scale and shift of the
mean, as normalisation makes them, and the units of Laplace noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..forms import FORMS
from ..noise import Fit, fit
from ..reading import Reading
from ..seen import Seen
from ..step import Step
from ..tally import F64, with_rounding
from ..trial import numbers_of

MAX_NUMBERS = 8192
"""Numbers of a sample that are tested."""


class Numbers(NamedTuple):
    """Sample, mean and spread of a step as the modules gave them, in the shape of the mean."""

    z: F64
    mean: F64
    spread: F64
    mantissa: int


@dataclass(frozen=True)
class Check:
    """Result of a check."""

    fit: Fit
    """Test of the reading."""
    squares: F64 | None = None
    """Squared residuals of the reading in the shape of the mean, if the reading fits and they are known."""
    numbers: Numbers | None = None
    """Numbers that were tested, if they have the shape of the mean."""

    @property
    def fits(self) -> bool:
        """True if the reading still fits, or the step shows too little to say."""
        return self.fit.fits or self.fit.numbers < MIN_CHECKED


MIN_CHECKED = 100
"""Numbers of a sample below which nothing is said."""


def check(reading: Reading, seen: Sequence[Seen]) -> Check | None:
    """Test a reading on one step, of which only `reading.modules` have to be seen.

    Returns None if the step does not show them, or with numbers that are not finite: those fit no reading.
    """
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
    if not all(np.isfinite(side).all() for side in (z, mean, spread)):
        return None
    shaped = None
    if not reading.way:
        first, second, third = (side.reshape(lines.sizes) for side in (z, mean, spread))
        shaped = Numbers(first, second, third, sample.mantissa)
    with np.errstate(all="ignore"):
        own = with_rounding(reading.form.log_scale(spread), z.astype(np.float32), sample.mantissa)
        result = fit(mean, own, z, reading.form.laplace) if np.isfinite(own).all() else NO_FIT
        if result is not NO_FIT and np.isnan(result.variance):
            return None  # σ so small that it is 0 as a number
        if not (result.fits or result.numbers < MIN_CHECKED):
            return Check(result, numbers=shaped)
        residual = (z - mean) * np.exp(-own) / (np.sqrt(2) if reading.form.laplace else 1.0)
        return Check(result, None if shaped is None else (residual**2).reshape(lines.sizes), shaped)


def is_rescaled(reading: Reading, numbers: Numbers) -> bool:
    """Return True if a reading fits once its mean is scaled and shifted in each dimension, as by a normalisation."""
    z, mean, spread = (side.reshape(len(side), -1) for side in numbers[:3])
    with np.errstate(all="ignore"):
        own = with_rounding(reading.form.log_scale(spread), z.astype(np.float32), numbers.mantissa)
        if not np.isfinite(own).all():
            return False
        return fit(_regressed(mean, z, np.exp(-2 * own)), own, z, reading.form.laplace).fits


def unit_of(reading: Reading, numbers: Numbers) -> Reading | None:
    """Return the reading in another form of Laplace noise that fits numbers which a reading does not."""
    z, mean, spread = (side.reshape(len(side), -1) for side in numbers[:3])
    for form in FORMS:
        if form is not reading.form and form.laplace:
            with np.errstate(all="ignore"):
                scale = form.log_scale(spread)
                if np.isfinite(scale).all() and (other := fit(mean, scale, z, laplace=True)).fits:
                    return replace(reading, form=form, fit=other)
    return None


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
