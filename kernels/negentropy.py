"""Negentropy of one dimension, in nats: J = ½ log 2πeV − h, the entropy of a Gaussian of its variance minus its own.

J ≥ 0, and 0 for a Gaussian only; it changes neither with the mean nor with the scale (Comon 1994). The errors of its
parts nearly cancel where it is small, so the standard error is that of the difference, row by row: the influence of a
row is ½ ((x − m)²/V − 1) + log f(x) + h. Shape: x (D, n) float32; rows
that are not finite, on atoms or repeated beyond rounding are left out of their dimension.
"""

import math

import numpy as np
from numpy.typing import NDArray

from . import blocking, knn_1d

F64 = NDArray[np.float64]


def negentropy(
    x: NDArray[np.float32],
    cluster: NDArray[np.int64] | None = None,
    mantissa: int = 23,
    dependent: bool = False,
) -> knn_1d.Spacing:
    """Return J, clipped at 0, with its error and flags; NaN for a constant. Arguments as for `knn_1d.estimate`."""
    tally, sums, influence = knn_1d.terms(x, None, mantissa, True, True)
    used = np.isfinite(influence)
    n: F64 = used.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(used, x, np.float64(0.0))
        apart -= (apart.sum(axis=1) / n)[:, None]
        if not used.all():
            apart[~used] = 0.0
        variance = np.einsum("dn,dn->d", apart, apart) / n
        value = 0.5 * np.log(2 * math.pi * math.e * variance) - sums[:, 0]
        rows = 0.5 * (apart * apart / variance[:, None] - 1.0) - influence
        rows -= (np.nansum(rows, axis=1) / n)[:, None]
    value, alone = np.maximum(value, 0.0), np.nansum(rows * rows, axis=1) / n
    if cluster is not None:
        result = knn_1d.flagged(value, blocking.cluster_square(rows, cluster), tally, sums)
    else:
        result = knn_1d.flagged(value, blocking.square(rows) if dependent else alone, tally, sums)
    if dependent and cluster is None:
        error = knn_1d.flagged(value, alone, tally, sums).standard_error
        result.standard_error[:] = blocking.with_bias(result.standard_error, error, result.rows)
    result.value[~(variance > 0)] = result.standard_error[~(variance > 0)] = np.nan
    return result
