"""Running count, mean and sum of squared deviations of every dimension, exact to float64 and mergeable.

Shapes: x (D, n) float32, rows of the stream in the last axis; count (D,) int64, mean and m2 (D,) float64, changed in
place. Only finite values are counted. The variance (ddof 0) is m2 / count. Zeros are the empty state, the identity of
`merge`. A block is reduced in two passes and joined by the pairwise formula of Chan, Golub & LeVeque 1983, which does
not cancel as the sum of squares does. NumPy alone: its sums are as fast as compiled loops, and cost no compilation.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ints = NDArray[np.int64]

AT_ONCE = 2**15
"""Numbers worked on at once, so that intermediate results stay in the cache."""


def blocks(x: F32) -> Iterator[slice]:
    """Yield slices of the dimensions of x (D, n), each small enough for the cache."""
    some = max(AT_ONCE // max(x.shape[1], 1), 1)
    for start in range(0, x.shape[0], some):
        yield slice(start, start + some)


def _deviations(x: F32) -> tuple[Ints, F64, F64, F64]:
    """Return count, mean and sum of squared deviations of the finite values, (D,) each, and x minus its mean.

    The last is 0 where x is not finite.
    """
    finite: NDArray[np.bool_] | bool = True
    with np.errstate(invalid="ignore"):
        count, total = np.full(len(x), x.shape[1]), x.sum(axis=1, dtype=np.float64)
    if not np.isfinite(total).all():
        finite = np.isfinite(x)
        count, total = finite.sum(axis=1), x.sum(axis=1, dtype=np.float64, where=finite)
    some = np.maximum(count, 1)
    centre = total / some
    apart = x - centre[:, None]
    if finite is not True:
        apart[~finite] = 0.0
    shift = apart.sum(axis=1) / some  # rounding error of the centre
    return count, centre + shift, np.einsum("dn,dn->d", apart, apart) - shift * shift * count, apart


def update(count: Ints, mean: F64, m2: F64, x: F32) -> None:
    """Add the rows of x (D, n) to the state."""
    for some in blocks(x):
        merge(count[some], mean[some], m2[some], *_deviations(x[some])[:3])


def merge(count: Ints, mean: F64, m2: F64, other_count: Ints, other_mean: F64, other_m2: F64) -> None:
    """Add another state to the first, as if its rows had been added."""
    apart, share = other_mean - mean, other_count / np.maximum(count + other_count, 1)
    m2 += other_m2 + apart * apart * share * count
    mean += apart * share
    count += other_count


def standardise(x: F32, variance: F64) -> None:
    """Give every dimension of x (D, n), in place, mean 0 and length 1; variance (D,) is that before, ddof 0.

    A value that is not finite counts as the mean. A dimension that does not vary becomes 0, with variance 0.
    """
    for some in blocks(x):
        count, _, squares, apart = _deviations(x[some])
        varies = squares > 0.0  # exact: the mean of equal values is that value, as long as there are fewer than 2²⁹
        scale = np.divide(1.0, np.sqrt(squares), out=np.zeros(len(squares)), where=varies)
        np.multiply(apart, scale[:, None], out=x[some], casting="same_kind")
        variance[some] = squares / np.maximum(count, 1)
