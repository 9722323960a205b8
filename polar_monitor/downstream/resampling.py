"""Intervals for differences of cross-validated scores, paired over folds and repeats.

Scores of different folds share most of their training rows, so they are not independent, and the usual t interval is
too narrow. The corrected resampled t-test (Nadeau & Bengio 2003; for repeated k-fold, Bouckaert & Frank 2004) replaces
the variance s²/J of the mean of J differences by (1/J + test rows / training rows) s². A bootstrap would
resample the folds as if they were independent and so be too narrow as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def corrected(differences: ArrayLike, ratio: float, level: float = 0.95) -> tuple[float, float, float, float]:
    """Return the mean, its lower and upper bound, and the two-sided p of a mean of 0.

    `differences` (J,) of scores, `ratio` of test to training rows (0: the usual t interval), `level` of the interval.

    Example:
        >>> value, low, high, p = corrected([0.02, 0.01, 0.03, 0.02, 0.02], ratio=0.25)
        >>> f"{value:.3f} [{low:.3f}, {high:.3f}], p = {p:.3f}"
        '0.020 [0.007, 0.033], p = 0.014'
    """
    from scipy.stats import t as student  # type: ignore[import-untyped]

    d = np.asarray(differences, np.float64)
    value = float(d.mean())
    error = math.sqrt((1 / d.size + ratio) * float(d.var(ddof=1)))
    if error == 0.0:
        return value, value, value, 1.0 if value == 0.0 else 0.0
    reach = error * float(student.ppf(0.5 + level / 2, d.size - 1))
    return value, value - reach, value + reach, float(2 * student.sf(abs(value) / error, d.size - 1))


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Return p values adjusted for their number (Holm 1979); they bound the chance of any false positive among them.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, j in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[j]))
        adjusted[j] = largest
    return tuple(adjusted)
