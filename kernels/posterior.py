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
MEAN_NAMES = ("rows", "mean", "variance", "low", "high")
"""The rows of `location`'s result."""


@kernel(
    "void(float32[:, ::1], float32[:, ::1], float32[:, ::1], int64[::1], float64[::1], float64[::1], float64[:, ::1])"
)
def _moments(mean, variance, log_variance, cluster, prior_mean, prior_var, out):
    """Fill out (16, D): rows, m, V, E, Var σ², L, two shares, KL, clusters, and the six sums of squared influences."""
    rows, alone = mean.shape[1], cluster.shape[0] == 0
    for d in range(mean.shape[0]):
        n = rows
        m = e = log = v = spread = 0.0
        for i in range(rows):
            mu, s2, ls = np.float64(mean[d, i]), np.float64(variance[d, i]), np.float64(log_variance[d, i])
            if math.isfinite(mu + s2 + ls):
                m += mu
                e += s2
                log += ls
            else:
                n -= 1
        out[0, d] = n
        if n == 0:
            continue
        m /= n
        e /= n
        log /= n
        for i in range(rows):
            mu, s2 = mean[d, i] - m, variance[d, i] - e
            if math.isfinite(mu + s2 + log_variance[d, i]):
                v += mu * mu
                spread += s2 * s2
        v /= n
        t, offset, precision = v + e, m - prior_mean[d], 1.0 / prior_var[d]
        by_t, by_e, low, high = 1.0 / t, 1.0 / e, ACTIVE * t, PASSIVE * t
        # sums over the rows of a cluster, in which the influence values are linear; the shares are known at the end
        c = clusters = 0
        s_mu = s_sq = s_s2 = s_ls = s_active = s_passive = 0.0
        active = passive = upper = gap = reliability = kl = cc = aa = ac = pp = pc = 0.0
        for i in range(rows):
            mu, s2, ls = mean[d, i] - m, variance[d, i] - e, log_variance[d, i] - log
            if math.isfinite(mu + s2 + ls):
                c += 1
                s_mu += mu
                s_sq += mu * mu - v
                s_s2 += s2
                s_ls += ls
                s_active += variance[d, i] <= low
                s_passive += variance[d, i] >= high
            if c > 0 and (alone or i + 1 == rows or cluster[i + 1] != cluster[i]):
                clusters += 1
                a = (s_sq + s_s2) * by_t - s_ls
                upper += a * a
                a = s_s2 * by_e - s_ls
                gap += a * a
                a = (s_sq * e - s_s2 * v) * by_t * by_t
                reliability += a * a
                a = (s_sq + 2.0 * offset * s_mu + s_s2) * precision - s_ls
                kl += a * a
                active += s_active
                passive += s_passive
                cc += c * c
                aa += s_active * s_active
                ac += s_active * c
                pp += s_passive * s_passive
                pc += s_passive * c
                c = 0
                s_mu = s_sq = s_s2 = s_ls = s_active = s_passive = 0.0
        active /= n
        passive /= n
        out[1, d] = m
        out[2, d] = v
        out[3, d] = e
        out[4, d] = spread / n
        out[5, d] = log
        out[6, d] = active
        out[7, d] = passive
        out[8, d] = 0.5 * ((v + offset * offset + e) * precision - 1.0 - log - math.log(precision))
        out[9, d] = clusters
        out[10, d] = upper / 4.0
        out[11, d] = gap / 4.0
        out[12, d] = reliability
        out[13, d] = aa - 2.0 * active * ac + active * active * cc
        out[14, d] = pp - 2.0 * passive * pc + passive * passive * cc
        out[15, d] = kl / 4.0


def posterior(
    mean: F32, variance: F32, log_variance: F32, cluster: NDArray[np.int64], prior_mean: F64, prior_var: F64
) -> F64:
    """All statistics of the rows, float64 (18, D), in the order of `NAMES`.

    mean, variance, log_variance: float32 (D, n), C-contiguous. cluster: int64 (n,), non-decreasing ids of the rows that
    belong together; empty: every row is its own. prior_mean, prior_var: float64 (D,). NaN where no row is finite; an
    error needs two clusters.
    """
    out = np.full((16, mean.shape[0]), np.nan)
    _moments(mean, variance, log_variance, cluster, prior_mean, prior_var, out)
    n, m, v, e, spread, log, active, passive, kl, clusters = out[:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        few = np.where(clusters > 1, clusters / (clusters - 1), np.nan)
        errors = np.sqrt(np.maximum(out[10:], 0.0) * few) / n
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
