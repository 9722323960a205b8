"""Negentropy of one dimension, in nats: J = ½ log 2πeV − h, the entropy of a Gaussian of its variance minus its own.

J ≥ 0, and 0 for a Gaussian only; it changes neither with the mean nor with the scale (Comon 1994). The errors of its
parts nearly cancel where it is small, so the standard error is that of the difference, row by row: the influence of a
row is ½ ((x − m)²/V − 1) + log f(x) + h. Shape: x (D, n) float32, finite.
"""

import math

import numpy as np
from numpy.typing import NDArray

from . import blocking, knn_1d
from .rank_plan import plan

F64 = NDArray[np.float64]


def negentropy(
    x: NDArray[np.float32],
    cluster: NDArray[np.int64] | None = None,
    mantissa: int = 23,
    dependent: bool = False,
) -> tuple[F64, F64]:
    """Return J, clipped at 0, and its standard error, (D,); NaN for a constant. Arguments as for `knn_1d.estimate`."""
    n = x.shape[1]
    chosen = plan(n, None)
    terms, order, _ = knn_1d.nearest(x, chosen, mantissa, False, True)
    np.log(terms, out=terms)
    entropy = terms @ chosen.weight
    terms -= entropy[:, None]
    influence = np.empty(x.shape, np.float32)
    knn_1d.by_row(order, chosen.owner, terms, influence)
    apart = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    variance = np.einsum("dn,dn->d", apart, apart) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 0.5 * np.log(2 * math.pi * math.e * variance) - entropy
        rows = 0.5 * (apart * apart / variance[:, None] - 1.0) - influence
    rows -= rows.mean(axis=1, keepdims=True)
    if cluster is not None:
        square = blocking.cluster_square(rows, cluster)
    else:
        square = blocking.square(rows) if dependent else np.einsum("dn,dn->d", rows, rows) / n
    error = np.sqrt((np.maximum(square - chosen.noise, 0.0) + chosen.shared) / n)
    varies = variance > 0
    return np.where(varies, np.maximum(value, 0.0), np.nan), np.where(varies, error, np.nan)
