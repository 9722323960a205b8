"""Window statistics of the posterior's parameters, with standard errors.

Inputs are float32 (D, n): the posterior's mean μ, variance σ² and log σ² for every row. With V = Var μ, E = mean σ²,
L = mean log σ² and T = V + E, for every dimension: I_G = ½ log T - ½ L (an upper bound of the information), the gap
½ (log E - L), the reliability V / T, the shares of rows with σ² <= T / 4 and with σ² >= 0.8 T, and the mean
KL(N(μ, σ²) ‖ N(prior_mean, prior_var)). A row that is not finite in a dimension is left out of that dimension.

Standard errors are the delta method's: the mean square of the rows' influence values, summed by cluster where rows are
dependent (one image gives many rows). A share of 0 or 1 has an error too (Agresti & Coull 1998).
"""

import math

import numpy as np
from numpy.typing import NDArray

from . import moments
from ._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

ACTIVE, PASSIVE = 0.25, 0.8
"""σ² / T at most (at least) this: the input uses the dimension (does not)."""
MOMENTS = ("rows", "mean", "variance", "posterior_variance", "posterior_variance_spread", "log_variance")
ESTIMATES = ("information_upper", "variance_gap", "reliability", "share_active", "share_passive", "kl")
NAMES = MOMENTS + tuple(name + error for name in ESTIMATES for error in ("", "_se"))
"""The rows of `posterior`'s result, by the names of `Snapshot`; "rows" counts the finite ones."""
LANES = 128
"""Partial sums that a quantity is gathered in: no addition waits for the last one, so the compiler can use vectors."""
MEAN_NAMES = ("rows", "mean", "variance", "low", "high")
"""The rows of `location`'s result."""


ROWS = "float32[:, ::1]"


@kernel(f"void({ROWS}, {ROWS}, {ROWS}, float64[::1], float64[::1], float64[:, ::1], float64[:, ::1])")
def _independent(mean, variance, log_variance, prior_mean, prior_var, lanes, out):
    """As `_clustered`, for rows that are each their own cluster; leaves out a dimension where one is not finite.

    lanes (6, LANES) is room to work in.
    """
    dimensions, n = mean.shape
    a, b, c = lanes[0], lanes[1], lanes[2]
    p, q, r = lanes[3], lanes[4], lanes[5]
    for d in range(dimensions):
        for i in range(LANES):
            a[i] = b[i] = c[i] = p[i] = q[i] = r[i] = 0.0
        for start in range(0, n, LANES):
            mu, s2 = mean[d, start : start + LANES], variance[d, start : start + LANES]
            ls = log_variance[d, start : start + LANES]
            for i in range(mu.shape[0]):
                a[i] += np.float64(mu[i])
                b[i] += np.float64(s2[i])
                c[i] += np.float64(ls[i])
        m = e = log = 0.0
        for i in range(LANES):
            m += a[i]
            e += b[i]
            log += c[i]
            a[i] = b[i] = c[i] = 0.0
        m /= n
        e /= n
        log /= n
        if not math.isfinite(m + e + log):
            continue
        for start in range(0, n, LANES):
            mu, s2 = mean[d, start : start + LANES], variance[d, start : start + LANES]
            for i in range(mu.shape[0]):
                x, y = np.float64(mu[i]) - m, np.float64(s2[i]) - e
                a[i] += x * x
                b[i] += y * y
        v = spread = 0.0
        for i in range(LANES):
            v += a[i]
            spread += b[i]
            a[i] = b[i] = 0.0
        v /= n
        t, twice, precision = v + e, 2.0 * (m - prior_mean[d]), 1.0 / prior_var[d]
        by_t, by_e = 1.0 / t, 1.0 / e
        low, high = ACTIVE * t, PASSIVE * t
        for start in range(0, n, LANES):
            mu, s2 = mean[d, start : start + LANES], variance[d, start : start + LANES]
            ls = log_variance[d, start : start + LANES]
            for i in range(mu.shape[0]):
                x, y, z = np.float64(mu[i]) - m, np.float64(s2[i]) - e, np.float64(ls[i]) - log
                square = x * x - v
                upper = (square + y) * by_t - z
                gap = y * by_e - z
                reliability = (square * e - y * v) * by_t * by_t
                kl = (square + twice * x + y) * precision - z
                a[i] += upper * upper
                b[i] += gap * gap
                c[i] += reliability * reliability
                p[i] += kl * kl
            for i in range(s2.shape[0]):
                q[i] += np.float64(s2[i]) <= low
                r[i] += np.float64(s2[i]) >= high
        s_upper = s_gap = s_reliability = s_kl = active = passive = 0.0
        for i in range(LANES):
            s_upper += a[i]
            s_gap += b[i]
            s_reliability += c[i]
            s_kl += p[i]
            active += q[i]
            passive += r[i]
        active /= n
        passive /= n
        out[d, 0], out[d, 1], out[d, 2] = n, m, v
        out[d, 3], out[d, 4], out[d, 5] = e, spread / n, log
        out[d, 6], out[d, 7] = active, passive
        out[d, 8], out[d, 9], out[d, 10] = n, s_upper / 4.0, s_gap / 4.0
        out[d, 11], out[d, 14] = s_reliability, s_kl / 4.0
        out[d, 12] = n * active * (1.0 - active)
        out[d, 13] = n * passive * (1.0 - passive)


@kernel(f"void({ROWS}, {ROWS}, {ROWS}, int64[::1], float64[::1], float64[::1], float64[:, ::1])")
def _clustered(mean, variance, log_variance, cluster, prior_mean, prior_var, out):
    """Fill the rows of out (D, 15) that begin with NaN.

    They are: rows, m, V, E, Var σ², L, the two shares, clusters; the squared influences of each of ESTIMATES, which are
    of the sums over the rows of a cluster. cluster: (n,), or empty where every row is its own.
    """
    dimensions, rows = mean.shape
    alone = cluster.shape[0] == 0
    for d in range(dimensions):
        if not math.isnan(out[d, 0]):
            continue
        mus, variances, logs = mean[d], variance[d], log_variance[d]
        n = 0
        m = e = log = v = spread = 0.0
        for i in range(rows):
            mu, s2, ls = np.float64(mus[i]), np.float64(variances[i]), np.float64(logs[i])
            if math.isfinite(mu + s2 + ls):
                n += 1
                m += mu
                e += s2
                log += ls
        out[d, 0] = n
        if n == 0:
            continue
        m /= n
        e /= n
        log /= n
        for i in range(rows):
            x, y = np.float64(mus[i]) - m, np.float64(variances[i]) - e
            if math.isfinite(x + y + np.float64(logs[i])):
                v += x * x
                spread += y * y
        v /= n
        t, twice, precision = v + e, 2.0 * (m - prior_mean[d]), 1.0 / prior_var[d]
        by_t, by_e = 1.0 / t, 1.0 / e
        low, high = ACTIVE * t, PASSIVE * t
        # sums over the rows of a cluster, in which the influence values are linear; the shares are known at the end
        c = clusters = 0
        s_mu = s_sq = s_s2 = s_ls = s_active = s_passive = 0.0
        n_active = n_passive = upper = gap = reliability = kl = cc = aa = ac = pp = pc = 0.0
        for i in range(rows):
            x, y, z = np.float64(mus[i]) - m, np.float64(variances[i]) - e, np.float64(logs[i]) - log
            if math.isfinite(x + y + z):
                c += 1
                s_mu += x
                s_sq += x * x - v
                s_s2 += y
                s_ls += z
                s_active += np.float64(variances[i]) <= low
                s_passive += np.float64(variances[i]) >= high
            if c > 0 and (alone or i + 1 == rows or cluster[i + 1] != cluster[i]):
                clusters += 1
                by_upper = (s_sq + s_s2) * by_t - s_ls
                by_gap = s_s2 * by_e - s_ls
                by_reliability = (s_sq * e - s_s2 * v) * by_t * by_t
                by_kl = (s_sq + twice * s_mu + s_s2) * precision - s_ls
                upper += by_upper * by_upper
                gap += by_gap * by_gap
                reliability += by_reliability * by_reliability
                kl += by_kl * by_kl
                n_active += s_active
                n_passive += s_passive
                cc += c * c
                aa += s_active * s_active
                ac += s_active * c
                pp += s_passive * s_passive
                pc += s_passive * c
                c = 0
                s_mu = s_sq = s_s2 = s_ls = s_active = s_passive = 0.0
        active, passive = n_active / n, n_passive / n
        out[d, 1], out[d, 2], out[d, 3] = m, v, e
        out[d, 4], out[d, 5] = spread / n, log
        out[d, 6], out[d, 7] = active, passive
        out[d, 8], out[d, 9], out[d, 10] = clusters, upper / 4.0, gap / 4.0
        out[d, 11], out[d, 14] = reliability, kl / 4.0
        out[d, 12] = aa - 2.0 * active * ac + active * active * cc
        out[d, 13] = pp - 2.0 * passive * pc + passive * passive * cc


def posterior(
    mean: F32, variance: F32, log_variance: F32, cluster: NDArray[np.int64], prior_mean: F64, prior_var: F64
) -> F64:
    """All statistics of the rows, float64 (18, D), in the order of `NAMES`.

    mean, variance, log_variance: float32 (D, n), C-contiguous. cluster: int64 (n,), non-decreasing ids of the rows that
    belong together; empty: every row is its own. prior_mean, prior_var: float64 (D,). NaN where no row is finite; an
    error needs two clusters.
    """
    out = np.full((mean.shape[0], 15), np.nan)
    rows, prior = (mean, variance, log_variance), (prior_mean, prior_var)
    if len(cluster) == 0:
        _independent(*rows, *prior, np.empty((6, LANES)), out)
    if np.isnan(out[:, 0]).any():
        _clustered(*rows, cluster, *prior, out)
    n, m, v, e, spread, log, active, passive, clusters = out.T[:9]
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = 0.5 * ((v + np.square(m - prior_mean) + e) / prior_var - 1.0 - log + np.log(prior_var))
        few = np.where(clusters > 1, clusters / (clusters - 1), np.nan)
        errors = np.sqrt(np.maximum(out.T[9:], 0.0) * few) / n
        for share, error in ((active, errors[3]), (passive, errors[4])):
            error[:] = _share_error(share, error, n, clusters)
        upper, gap, reliability = 0.5 * (np.log(v + e) - log), 0.5 * (np.log(e) - log), v / (v + e)
    estimates = np.stack([upper, gap, reliability, active, passive, kl])
    return np.concatenate([[n, m, v, e, spread, log], np.stack([estimates, errors], 1).reshape(12, -1)])


def _share_error(share: F64, error: F64, n: F64, clusters: F64) -> F64:
    """Standard error of a share: two successes and two failures are added to the rows that are effectively there."""
    effective = share * (1.0 - share) / (error * error)
    effective = np.where(effective > 0.0, np.clip(effective, clusters, n), clusters)
    p = (share * effective + 2.0) / (effective + 4.0)
    return np.where(clusters > 1, np.sqrt(p * (1.0 - p) / (effective + 4.0)), np.nan)


def location(mean: F32) -> F64:
    """The part that needs no variance, float64 (5, D), in the order of `MEAN_NAMES`; variance with ddof 0.

    mean: float32 (D, n), C-contiguous. NaN where no row is finite.
    """
    count, centre, m2 = np.zeros(len(mean), np.int64), np.zeros(len(mean)), np.zeros(len(mean))
    moments.update(count, centre, m2, mean)
    finite = np.isfinite(mean)
    low, high = mean.min(1, where=finite, initial=np.inf), mean.max(1, where=finite, initial=-np.inf)
    out = np.stack([count, centre, m2 / np.maximum(count, 1), low, high])
    out[1:, count == 0] = np.nan
    return out
