"""Entropy by nearest neighbours, and the distance from a Gaussian's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from ..kernels import histogram, spacing
from ..kernels.negentropy import negentropy as _negentropy
from ..rows import Rows, as_rows
from ._estimate import Estimate
from ._found import LEAST_ROWS, Found

MOST_ROWS = 2**20
"""Most rows that are sorted: some 30 MB and 0.1 s a dimension."""


def knn(x: Any, k: int | None = None, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """Differential entropy by the distance to the k-th nearest neighbour (Kozachenko & Leonenko 1987).

    `k` from 1; None chooses it from the number of rows. Values tied by rounding are spread over their rounding cell;
    values repeated beyond what rounding explains are `atoms`, and the value is the entropy of the others. Raises
    PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> print(entropy.knn(np.random.default_rng(0).normal(size=10_000)))
        1.4176 ± 0.0073 nats
    """
    return knn_of(as_rows("x", x, MOST_ROWS), k, groups=groups, dependent=dependent)


def knn_of(rows: Rows, k: int | None = None, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """`knn` of rows that have been read already."""
    if k is not None and k < 1:
        raise PolarMonitorError(f"k: expected 1 or more, got {k}")
    found = Found(rows, groups)
    for part, cluster in found.parts(max(LEAST_ROWS, (k or 0) + 2)):
        result = spacing.estimate(part.rows, cluster, k, part.mantissa, dependent)._asdict()
        del result["rows"]  # all are looked at
        found.put(part, result | {"value": result["value"] + part.log_scale, "outliers": _outliers(part.rows)})
    return found.estimate()


def _outliers(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many of rows (k, n) the online histogram would call outliers, (k,)."""
    n, apart = rows.shape[1], histogram.EXTREMES
    if n < histogram.LEAST:
        return np.zeros(len(rows), np.int64)
    ends = np.partition(rows, (apart, n - 1 - apart), axis=1).astype(np.float64)
    low, high = ends[:, apart, None], ends[:, n - 1 - apart, None]
    reach = histogram.FAR * (high - low)
    return np.asarray(((rows < low - reach) | (rows > high + reach)).sum(axis=1))


def negentropy(x: Any, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """J(x) = ½ log 2πeV − h(x) ≥ 0: how far x is from a Gaussian of its variance, 0 for a Gaussian alone (Comon 1994).

    Unchanged by shifting and scaling. Rows on atoms, and all but one of each value that is repeated, are left out. NaN
    for a constant. Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> x = np.random.default_rng(0).uniform(size=10_000)
        >>> round(float(entropy.negentropy(x)), 2)
        0.18
    """
    found = Found(as_rows("x", x, MOST_ROWS), groups)
    for part, cluster in found.parts():
        value, error = _negentropy(part.rows, cluster, part.mantissa, dependent)
        judged = spacing.estimate(part.rows, mantissa=part.mantissa)
        for d in np.flatnonzero(judged.rows < part.rows.shape[1]):
            kept = spacing.left(part.rows[d : d + 1], mantissa=part.mantissa)
            own = None if cluster is None else cluster[kept]
            alone = np.ascontiguousarray(part.rows[d : d + 1, kept])
            value[d : d + 1], error[d : d + 1] = _negentropy(alone, own, part.mantissa, dependent)
        flags = {"ties": judged.ties, "atoms": judged.atoms, "floor": judged.floor}
        found.put(part, {"value": value, "standard_error": error} | flags)
    return found.estimate()


def repeats(rows: NDArray[np.float32], mantissa: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many independent rows one of these (k, n) is worth, at most 1, and the share of tied rows; (k,) each.

    Inputs that a window holds more than once tell nothing new; rows on an atom do.
    """
    judged = spacing.estimate(rows, mantissa=mantissa)
    apart = rows.shape[1] * (1.0 - judged.atoms)
    return np.minimum(judged.rows / np.maximum(apart, judged.rows), 1.0), judged.ties
