"""Window statistics of the posterior's parameters, with standard errors.

Inputs are float32 (D, n): the posterior's mean μ, variance σ² and log σ² for every row. With V = Var μ, E = mean σ²,
L = mean log σ² and T = V + E, for every dimension: I_G = ½ log T - ½ L (an upper bound of the information), the gap
½ (log E - L), the reliability V / T, the shares of rows with σ² <= T / 2 and with σ² >= 0.7 T, and the mean
KL(N(μ, σ²) ‖ N(prior_mean, prior_var)). A row that is not finite in a dimension is left out of that dimension.

Standard errors are the delta method's: the mean square of the rows' influence values, summed by cluster where rows are
dependent (one image gives many rows). A share of 0 or 1 has an error too (Agresti & Coull 1998).

Independent rows are compiled. Clusters, and dimensions with a row that is not finite, are left to NumPy.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ids = NDArray[np.int64]

ACTIVE, PASSIVE = 0.5, 0.7
"""Largest σ² / T of an input that uses the dimension, and smallest of an input that does not."""
MOMENTS = ("rows", "mean", "variance", "posterior_variance", "posterior_variance_spread", "log_variance")
ESTIMATES = ("information_upper", "variance_gap", "reliability", "share_active", "share_passive", "kl")
NAMES = MOMENTS + tuple(name + error for name in ESTIMATES for error in ("", "_se"))
"""Rows of `posterior`'s result, by the names of `Snapshot`; "rows" counts the finite ones."""
MAX_PARTIAL_SUMS = 64
"""Largest number of partial sums: no addition waits for the previous one, so the compiler can use vectors."""
AT_ONCE = 2**14
"""Numbers that NumPy works on at once, so that intermediate results stay in the cache."""
SUMS = 15
"""Number of sums that give the estimates of a dimension: its rows, m, E, L, V, Var σ², the two shares, its clusters,
and the sums of squared influences of ESTIMATES."""


BLOCKS = "float32[:, :, ::1]"


@kernel(f"void({BLOCKS}, {BLOCKS}, {BLOCKS}, float64[::1], float64[::1], float64[:, ::1], float64[:, ::1])")
def _influences(mean, variance, log_variance, prior_mean, prior_var, partial, out):
    """Fill out (9, D): m, E, L, V, and the sums of (σ² - E)² and of the squared influences of I_G, gap, r and KL.

    mean, variance, log_variance: (D, n / width, width), independent rows. A dimension with a row that is not finite is
    left out. partial (5, width) is work space.
    """
    dimensions, blocks, width = mean.shape
    n = blocks * width
    for d in range(dimensions):
        partial[:] = 0.0
        for k in range(blocks):
            mu, s2, ls = mean[d, k], variance[d, k], log_variance[d, k]
            for i in range(width):
                partial[0, i] += np.float64(mu[i])
                partial[1, i] += np.float64(s2[i])
                partial[2, i] += np.float64(ls[i])
        m = e = log = v = 0.0
        for i in range(width):
            m += partial[0, i]
            e += partial[1, i]
            log += partial[2, i]
        m /= n
        e /= n
        log /= n
        if not math.isfinite(m + e + log):
            continue
        for k in range(blocks):
            mu = mean[d, k]
            for i in range(width):
                x = np.float64(mu[i]) - m
                partial[3, i] += x * x
        for i in range(width):
            v += partial[3, i]
        v /= n
        twice, precision = 2.0 * (m - prior_mean[d]), 1.0 / prior_var[d]
        by_t, by_e = 1.0 / (v + e), 1.0 / e
        partial[:] = 0.0
        for k in range(blocks):
            mu, s2, ls = mean[d, k], variance[d, k], log_variance[d, k]
            for i in range(width):
                x, y, z = np.float64(mu[i]) - m, np.float64(s2[i]) - e, np.float64(ls[i]) - log
                square = x * x - v
                upper = (square + y) * by_t - z
                gap = y * by_e - z
                reliability = (square * e - y * v) * by_t * by_t
                kl = (square + twice * x + y) * precision - z
                partial[0, i] += y * y
                partial[1, i] += upper * upper
                partial[2, i] += gap * gap
                partial[3, i] += reliability * reliability
                partial[4, i] += kl * kl
        out[0, d], out[1, d], out[2, d], out[3, d] = m, e, log, v
        for k in range(5):
            total = 0.0
            for i in range(width):
                total += partial[k, i]
            out[4 + k, d] = total


def posterior(mean: F32, variance: F32, log_variance: F32, cluster: Ids, prior_mean: F64, prior_var: F64) -> F64:
    """Compute the statistics of the rows, float64 (18, D), in the order of `NAMES`.

    mean, variance, log_variance: float32 (D, n), C-contiguous. cluster: int64 (n,), non-decreasing ids of the rows that
    belong together; empty: every row is its own. prior_mean, prior_var: float64 (D,). NaN where no row is finite; an
    error needs two clusters.
    """
    sums = np.full((SUMS, len(mean)), np.nan)
    starts = np.flatnonzero(np.diff(cluster, prepend=cluster[:1] - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        if mean.size and not cluster.size:
            _independent(mean, variance, log_variance, prior_mean, prior_var, sums)
        left, size = np.flatnonzero(np.isnan(sums[1])), max(AT_ONCE // max(mean.shape[1], 1), 1)
        for some in (left[start : start + size] for start in range(0, len(left), size)):
            part = mean[some], variance[some], log_variance[some]
            sums[:, some] = _clustered(*part, starts, prior_mean[some], prior_var[some])
        n, m, e, log, v, spread, active, passive, clusters = sums[:9]
        kl = 0.5 * ((v + np.square(m - prior_mean) + e) / prior_var - 1.0 - log + np.log(prior_var))
        few = np.where(clusters > 1, clusters / (clusters - 1), np.nan)
        errors = np.sqrt(sums[9:] * few) / n
        for share, error in ((active, errors[3]), (passive, errors[4])):
            error[:] = _share_error(share, error, n, clusters)
        upper, gap, reliability = 0.5 * (np.log(v + e) - log), 0.5 * (np.log(e) - log), v / (v + e)
    estimates = np.stack([upper, gap, reliability, active, passive, kl])
    return np.concatenate([[n, m, v, e, spread, log], np.stack([estimates, errors], 1).reshape(12, -1)])


def _independent(mean: F32, variance: F32, log_variance: F32, prior_mean: F64, prior_var: F64, sums: F64) -> None:
    """Fill sums (SUMS, D) of dimensions whose rows are all finite and independent. In others the means stay NaN."""
    dimensions, n = mean.shape
    width = math.gcd(n, MAX_PARTIAL_SUMS)
    rows = (x.reshape(dimensions, -1, width) for x in (mean, variance, log_variance))
    sums_of = np.full((9, dimensions), np.nan)
    _influences(*rows, prior_mean, prior_var, np.empty((5, width)), sums_of)
    m, e, log, v, spread, upper, gap, reliability, kl = sums_of
    low, high = _bound(ACTIVE * (v + e), -np.inf), _bound(PASSIVE * (v + e), np.inf)
    active = np.array([np.count_nonzero(row) for row in variance <= low[:, None]]) / n
    passive = np.array([np.count_nonzero(row) for row in variance >= high[:, None]]) / n
    squares = upper / 4.0, gap / 4.0, reliability, n * active * (1.0 - active), n * passive * (1.0 - passive), kl / 4.0
    sums[0] = sums[8] = n
    sums[1:8], sums[9:] = (m, e, log, v, spread / n, active, passive), squares


def _bound(bound: F64, towards: float) -> F32:
    """Return the next float32 of each bound in a direction: float32 numbers compare the same with both."""
    with np.errstate(over="ignore"):  # infinity is next to what is too large
        near = bound.astype(np.float32)
        short = near > bound if towards < 0.0 else near < bound
        return np.where(short, np.nextafter(near, np.float32(towards)), near)


def _clustered(mean: F32, variance: F32, log_variance: F32, starts: Ids, prior_mean: F64, prior_var: F64) -> F64:
    """Return the sums (SUMS, k) of k dimensions whose rows (k, n) may be clustered or not finite.

    starts: the first row of each cluster; empty if every row is its own cluster.
    The influences are linear in their terms, so the terms are summed by cluster.
    """
    finite = np.isfinite(mean) & np.isfinite(variance) & np.isfinite(log_variance)
    n, all_finite = finite.sum(axis=1), bool(finite.all())
    equal_size = np.array_equal(starts * starts.size, np.arange(starts.size) * mean.shape[1])

    def apart(rows: F32) -> tuple[F64, F64]:
        """Return the mean of the finite rows (k,), and the rows minus it (k, n), 0 where they are not finite."""
        x = rows.astype(np.float64) if all_finite else np.where(finite, rows, np.float64(0.0))
        centre = x.sum(axis=1) / n
        x -= centre[:, None]
        return centre, x if all_finite else x * finite

    def by_cluster(x: F64) -> F64:
        if equal_size and starts.size:  # a product, which is several times as fast as reduceat
            return np.asarray(x.reshape(len(x), starts.size, -1) @ np.ones(x.shape[1] // starts.size))
        return np.add.reduceat(x, starts, axis=1) if starts.size else x

    (m, x), (e, y), (log, z) = apart(mean), apart(variance), apart(log_variance)
    square, spread = np.square(x), np.square(y).sum(axis=1) / n
    v = square.sum(axis=1) / n
    low, high = _bound(ACTIVE * (v + e), -np.inf), _bound(PASSIVE * (v + e), np.inf)
    uses, ignores = finite & (variance <= low[:, None]), finite & (variance >= high[:, None])
    active, passive = uses.sum(axis=1) / n, ignores.sum(axis=1) / n
    x, y, z, square = (by_cluster(part) for part in (x, y, z, square))
    used, ignored, counts = (by_cluster(part.astype(np.float64)) for part in (uses, ignores, finite))
    by_row = np.stack([v, v + e, e, m - prior_mean, prior_var, active, passive])
    v_, t, e_, offset, prior, active_, passive_ = by_row[..., None]
    square -= v_ * counts
    influences = (
        0.5 * ((square + y) / t - z),
        0.5 * (y / e_ - z),
        (square * e_ - y * v_) / (t * t),
        used - active_ * counts,
        ignored - passive_ * counts,
        0.5 * ((square + 2.0 * offset * x + y) / prior - z),
    )
    squares = [np.square(influence).sum(axis=1) for influence in influences]
    return np.stack([n, m, e, log, v, spread, active, passive, np.count_nonzero(counts, axis=1), *squares])


def _share_error(share: F64, error: F64, n: F64, clusters: F64) -> F64:
    """Return the standard error of a share: two successes and two failures are added to the effective rows."""
    effective = share * (1.0 - share) / (error * error)
    effective = np.where(effective > 0.0, np.clip(effective, clusters, n), clusters)
    p = (share * effective + 2.0) / (effective + 4.0)
    return np.where(clusters > 1, np.sqrt(p * (1.0 - p) / (effective + 4.0)), np.nan)
