"""Entropy by nearest neighbours, and the distance from a Gaussian's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_count
from ..arrays.columns import log_cell
from ..arrays.rows import Rows, as_rows
from ..kernels import histogram, knn_1d
from ..kernels.negentropy import negentropy as _negentropy
from ._estimate import Estimate
from ._per_dimension import MIN_ROWS, PerDimension

MAX_ROWS = 2**20
"""Largest number of rows that are sorted: about 30 MB and 0.1 s a dimension."""
F32 = NDArray[np.float32]


def knn(x: Any, k: int | None = None, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """Differential entropy by the distance to the k-th nearest neighbour (Kozachenko & Leonenko 1987).

    x: (n,) or (n, D), array, CPU tensor or iterator of chunks, of any float type; each dimension separately. NaN for
    fewer than 32 finite rows (or k + 2). `k` is at least 1; None chooses it by rank and number of rows. Rows are in
    time order, and the error allows for their autocorrelation (`dependent=False`: they are independent). Rows of one of
    the `groups` (n,) depend on each other in any order. Values tied by the rounding of their type are spread over its
    cell. Values repeated beyond that are `atoms`, and the value is the entropy of the others. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> print(entropy.knn(np.random.default_rng(0).normal(size=10_000)))
        1.4176 ± 0.0073 nats
    """
    return knn_of(as_rows("x", x, MAX_ROWS), k, groups=groups, dependent=dependent)


def knn_of(rows: Rows, k: int | None = None, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """Return `knn` of rows that are already read."""
    order = None if k is None else checked_count("k", k)
    results = PerDimension(rows, groups)
    for part, cluster in results.parts(max(MIN_ROWS, (order or 0) + 2)):
        result = knn_1d.estimate(part.rows, cluster, order, part.mantissa, dependent)._asdict()
        del result["rows"]  # counts only rows off atoms
        result["value"] = result["value"] + part.log_scale
        for d in np.flatnonzero(result["floor"]):
            column = rows.values[:, part.which[d]]
            result["value"][d] = log_cell(float(column[np.isfinite(column)][0]), rows.mantissa)
        results.put(part, result | {"outliers": outliers(part.rows)})
    return results.estimate()


def negentropy(x: Any, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """Negentropy J(x) = ½ log 2πeV − h(x) ≥ 0: distance from a Gaussian of the same variance (Comon 1994).

    Shift and scale do not change it. Rows on atoms, and all but one of the rows of a repeated value, are left out. NaN
    for a constant. Arguments as for `knn`. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> x = np.random.default_rng(0).uniform(size=10_000)
        >>> round(float(entropy.negentropy(x)), 2)
        0.18
    """
    results = PerDimension(as_rows("x", x, MAX_ROWS), groups)
    for part, cluster in results.parts():
        result = _negentropy(part.rows, cluster, part.mantissa, dependent)._asdict()
        del result["rows"]  # counts only rows off atoms
        results.put(part, result | {"outliers": outliers(part.rows)})
    return results.estimate()


def outliers(rows: F32) -> NDArray[np.int64]:
    """Count the rows (k, n) that the online histogram calls outliers, (k,)."""
    dimensions, n = rows.shape
    apart, counts = histogram.EXTREMES, np.zeros(dimensions, np.int64)
    if n < histogram.MIN_OUTLIER_ROWS:
        return counts
    # a sample bounds the range: its ninth values from the ends are further in than those of all rows
    some = np.sort(rows[:, :: max(1, n // 256)], axis=1).astype(np.float64)
    low, high = some[:, apart], some[:, -1 - apart]
    reach = histogram.FAR * (high - low)
    for d in np.flatnonzero((rows.min(axis=1) < low - reach) | (rows.max(axis=1) > high + reach)):
        row = np.sort(rows[d]).astype(np.float64)
        low, high = row[apart], row[-1 - apart]
        counts[d] = np.count_nonzero(np.abs(row - 0.5 * (low + high)) > (histogram.FAR + 0.5) * (high - low))
    return counts
