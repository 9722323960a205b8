"""Information of a dimension by quadrature, in nats: I(x; z) = h(z) − mean ½ log 2πeσ², z from the window's mixture.

q(z) = 1/n Σ N(z; μ_i, σ_i²) is a one-dimensional Gaussian mixture. Its entropy, by the trapezoidal rule, makes I the
information that z has on which row of the window it came from: always in [0, log n], which noise in an estimate of the
entropy does not promise. It depends on neither the order of the rows nor their position: `quadrature` says how.

E[Î] ≤ I (h is concave); the first-order term, S/2n with S = ∫ q₂/q − 1 and q₂ = 1/n Σ N_i², is added back. The
standard error is that of the mean of KL(N_i ‖ q) over rows, and of the second-order term, whose variance is Σ λ²/2n²
with eigenvalues 0 ≤ λ ≤ 1 of sum S, so at most min(S, S²)/2n². Where all rows give the same (equal clusters) only the
latter is left, and the error is too large by up to twofold: an error that is exact there is too small for clusters that
are nearly equal. Where σ is so small that rows are identified one by one, the correction falls short by up to
a third of itself, which the error includes. Within a nat of log n, Î is a lower bound.

n counts independent rows: the rows of one input count for its design effect, how much more often than by chance they
fall into one cell (Rao & Scott 1981), and an input that recurs counts once (`repeats`).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import posterior
from . import quadrature as grid

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Pair = tuple[F64, F64]

MIN_SCALE = 1e-15
"""Smallest noise, and inverse of the largest, whose square is surely a float32."""
LARGEST = float(np.finfo(np.float32).max)
MIN_ROWS = 2
"""Smallest number of finite rows that have an information."""
DESCRIBED = [0, posterior.LOG, *range(posterior.ROWS, posterior.VARIANCE_HIGH + 1)]
"""Rows of `posterior.posterior`'s result that the quadrature reads."""
NO_ROWS, NO_ORDER, NO_TERMS = np.empty((0, 0), np.float32), np.empty((0, 0), np.int64), np.empty((0, 0))
NO_GROUP = np.empty(0, np.int32)


class Rows(NamedTuple):
    """Rows of a window (D, n) float32 with their description."""

    mean: F32
    variance: F32 | None
    group: I32 | None
    """(n,): the input that a row belongs to, rows of one side by side."""
    described: F64
    """Result of `posterior.posterior` for them."""


def information_of_rows(
    rows: Rows,
    which: NDArray[np.int64],
    *,
    tau: float = 1.0,
    distinct: float = 1.0,
    square: Callable[[F64], F64] | None = None,
) -> Pair:
    """Return Î and its standard error of the dimensions `which` (k,), float64 (k,) each.

    Without a variance, `tau` is σ of all rows, and Î the entropy resolved at τ. `distinct`: share of
    the inputs that are not repeats of another. `square` is for rows that depend on each other in another way, such as
    in time: it takes terms (k, n), one for each row in the given order, and returns n times the variance of their mean.
    NaN where fewer than `MIN_ROWS` rows are finite.
    """
    mean, n = rows.mean, rows.mean.shape[1]
    described, spread = rows.described[DESCRIBED], rows.variance
    if spread is None and not MIN_SCALE < tau < 1.0 / MIN_SCALE:
        scaled = _in_units(mean, np.full(len(mean), tau), rows.group)
        return information_of_rows(scaled, which, distinct=distinct, square=square)
    if spread is None:
        spread = np.full((1, n), tau * tau, np.float32)
        described[1], described[5], described[6] = math.log(spread[0, 0]), spread[0, 0], spread[0, 0]
    with np.errstate(all="ignore"):
        far = (described[4] - described[3]) ** 2 > (grid.STEP * grid.NODES) ** 2 * described[5]
    out = np.full((which.size, 3), np.nan)
    terms = NO_TERMS if square is None else np.zeros((which.size, n))
    places, packed = np.empty((3, max(n, grid.TABLE)), np.int32), np.empty((n, 11))
    cells = np.empty((places.shape[1], 4))
    segments, numbers = np.empty((4, n + grid.OCTAVES)), np.empty((8, grid.ALL_LEVELS + 1))
    counters = np.empty((5, grid.ALL_LEVELS), np.int64)
    group = NO_GROUP if rows.group is None else rows.group
    known = described[2, which] >= MIN_ROWS
    for ordered, some in ((False, np.flatnonzero(known & ~far[which])), (True, np.flatnonzero(known & far[which]))):
        if some.size:
            order = np.argsort(mean[which[some]], axis=1) if ordered else NO_ORDER
            nodes = np.empty((3, grid.nodes(n, ordered)))
            grid.quadrature(
                mean, spread, spread.view(np.int32), distinct, described, which[some], some, order, group,
                places, cells, packed, nodes, segments, numbers, counters, terms, out,
            )  # fmt: skip
    if square is not None:
        out[:, 1] = np.sqrt(square(terms) / (described[2, which] * distinct) + out[:, 2])
    return out[:, 0], out[:, 1]


def numbered(cluster: Any) -> I32 | None:
    """Return the numbers of the inputs (n,), from 0, of rows whose inputs have the ids `cluster`; None for None."""
    return None if cluster is None else np.cumsum(np.diff(cluster, prepend=cluster[:1]) != 0, dtype=np.int32)


def information(mean: F32, variance: F32, cluster: Any = None, *, square: Callable[[F64], F64] | None = None) -> Pair:
    """Return Î and its standard error of every dimension, as `information_of_rows` does.

    Rows of one `cluster` (n,) are dependent. A row counts that has a finite mean, and a finite variance above 0.
    """
    group = numbered(cluster)
    rows = Rows(mean, variance, group, posterior.posterior(mean, variance, group))
    return information_of_rows(rows, np.arange(len(mean)), square=square)


def resolved(mean: F32, tau: F64, cluster: Any = None) -> Pair:
    """Return H_τ(μ) = h(μ + τε) − ½ log 2πeτ² and its standard error, (D,) each: the information at a noise τ (D,)."""
    group = numbered(cluster)
    return information_of_rows(_in_units(mean, tau, group), np.arange(len(mean)))


def _in_units(mean: F32, tau: F64, group: I32 | None) -> Rows:
    """Return the rows in units of τ (D,), whose square may be no float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.clip(mean / tau[:, None], -LARGEST, LARGEST).astype(np.float32)
    return Rows(scaled, None, group, posterior.posterior(scaled, None, group))
