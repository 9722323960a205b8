"""Rows that have no joint density as they stand: repeated, rounded, on a plane or on another surface.

Planes and repeated rows are found whatever their dimension, other surfaces by how the distances of neighbours grow
(Levina & Bickel 2004), where few dimensions make one. Shape: x (d, n) float32, finite.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..copula import functions, local_dimension
from .ica import MIN_RELATIVE_DEVIATION

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MAX_CELLS = 2.0
"""Largest distance, in rounding cells, between values that rounding tied and the next."""
MAX_CHECKED_ROWS = 5000
"""Largest number of evenly spaced rows whose neighbours are searched."""
MIN_CHECKED_ROWS = 200
"""Smallest number of rows that show how many dimensions they fill."""
FAR = 1e6
"""Limit of the distance from the median, in spreads of a dimension: outliers beyond it are moved to it."""
MAX_SURFACE_DIMENSIONS = 3
"""Largest number of dimensions in which neighbours distinguish a surface from a volume."""
MIN_MISSING = 0.5
"""Smallest number of dimensions that the rows of a surface do not fill."""


def first_of_their_kind(x: F32) -> I64:
    """Return the rows of x (d, n) that repeat no earlier row, or all rows if rows may be equal by chance.

    Rounded rows are equal by chance, and then many more rows are equal in all dimensions except one. Repeated inputs
    are equal in all dimensions or in none. Sums of random multiples of their bits identify the rows.
    """
    d, n = x.shape
    if d == 1:  # `knn_1d` handles repeats in one dimension
        return np.arange(n)
    bits = (x + np.float32(0.0)).view(np.int32).astype(np.int64)  # -0.0 becomes 0.0
    bits *= np.random.default_rng(0).integers(-(1 << 63), 1 << 63, (d, 1)) | 1
    row_hash = bits.sum(axis=0)
    first, count = np.unique(row_hash, return_index=True, return_counts=True)[1:]
    pairs = int(count @ (count - 1))
    for part in bits if pairs else ():
        count = np.unique(row_hash - part, return_counts=True)[1]
        if int(count @ (count - 1)) > 2 * pairs:
            return np.arange(n)
    return np.sort(first)


def linear(x: F32, mantissa: int) -> list[int]:
    """List the dimensions of x (d, n) that are constant or linear functions of earlier ones, up to rounding.

    Such a function holds with any weights of the rows. The weights here leave no row further than 1 from the median.
    """
    z = x.astype(np.float64)
    low, middle, high = np.quantile(z, (0.1, 0.5, 0.9), axis=1)
    z -= middle[:, None]
    scale = np.where(high > low, high - low, np.abs(z).max(axis=1))
    scale = np.where(scale > 0, scale, 1.0)[:, None]
    z /= scale
    weight = 1 / np.maximum(np.abs(z).max(axis=0), 1.0)
    z *= weight
    z -= np.outer(z @ weight / (weight @ weight), weight)
    spread = np.linalg.norm(z, axis=1)
    rounding = np.linalg.norm(weight * (x / scale), axis=1) * 2.0**-mantissa
    spread[spread == 0] = 1.0
    z /= spread[:, None]
    return functions(z @ z.T, np.maximum(MIN_RELATIVE_DEVIATION, rounding / spread))


def _cells(values: F64, mantissa: int) -> F64:
    """Return the widths of the rounding cells at values (n,), as in `knn_1d`."""
    exponent = np.frexp(np.abs(values))[1]
    least = np.frexp(np.quantile(np.abs(values), 0.875))[1] - 8
    return np.asarray(np.ldexp(1.0, np.maximum(exponent, least) - 1 - mantissa))


def unrounded(x: F32, mantissa: int, within: F64) -> F32 | None:
    """Return x (n,) minus its median, with each value moved inside its rounding cell; None if x lies on a lattice.

    `within` (n,): the moves, from -½ to ½ of a cell.
    """
    values, counts = np.unique(x.astype(np.float64), return_counts=True)
    cells, tied = _cells(values, mantissa), np.flatnonzero(counts[:-1] > 1)
    near = values[tied + 1] - values[tied] <= MAX_CELLS * np.maximum(cells[tied], cells[tied + 1])
    if 2 * counts[tied] @ near < counts[tied].sum():
        return None
    wide = x.astype(np.float64)
    wide += _cells(wide, mantissa) * within
    return np.asarray(wide - np.median(wide), np.float32)


def on_a_surface(x: F32, parts: list[list[int]], cluster: NDArray[Any] | None = None) -> bool:
    """Return True if the rows of x (d, n) lie on a surface in any of the small `parts`.

    Rows of one `cluster` (n,), ids side by side, are similar: only one of each is used.
    """
    n = x.shape[1]
    some = np.arange(n) if cluster is None else np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    some = some[np.linspace(0, len(some) - 1, min(len(some), MAX_CHECKED_ROWS)).astype(np.int64)]
    for part in parts if len(some) >= MIN_CHECKED_ROWS else ():
        if 1 < len(part) <= MAX_SURFACE_DIMENSIONS:
            y = x[part][:, some].astype(np.float64)
            low, middle, high = np.quantile(y, (0.1, 0.5, 0.9), axis=1)[..., None]
            y = np.clip((y - middle) / np.maximum(high - low, 1e-300), -FAR, FAR)
            if local_dimension(y.astype(np.float32)) < len(part) - MIN_MISSING:
                return True
    return False
