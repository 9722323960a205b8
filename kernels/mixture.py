"""Information of a dimension by quadrature, in nats: I(x; z) = h(z) − mean ½ log 2πeσ², z from the window's mixture.

q(z) = 1/n Σ N(z; μ_i, σ_i²) is a one-dimensional Gaussian mixture. Its entropy, by the trapezoidal rule on a uniform
grid, makes I the information that z has on which row of the window it came from: always in [0, log n], which noise in
an estimate of the entropy does not promise. Steps:

* components of nearly one σ (within 20 %) whose means lie within σ/2 become one of the same weight, mean and variance;
* each is laid on a grid of step 0.7 of the least σ by a recurrence of two multiplications a point;
* a σ below 1/16384 of the spread is raised to that, in both terms: I is then that of a noisier channel, so too small,
  but beyond about 8 nats, where a window of some thousand rows could not measure it either;
* a row far outside of all others (beyond 20 times the spread) stands alone: it tells itself, log n nats.

E[Î] ≤ I (h is concave); the first-order term, b = 1/2n (∫ q₂/q − 1) with q₂ = 1/n Σ N_i², is added back. The standard
error is that of the mean of KL(N_i ‖ q) over rows, and of the second-order term, whose variance is b/n. Shapes: mean, variance, log_variance (D, n) float32, finite, variance > 0.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, kernel
from .spacing import cluster_square

LEVEL = 0.2
"""Width in log σ of the components that may be joined."""
CELL = 0.5
"""Width of the means that may be joined, in σ."""
STEP = 0.7
"""Grid step, in the least σ."""
REACH = 6.0
"""Where a component ends, in its σ."""
POINTS = 16384
"""Most grid points."""
FAR = 20.0
ROWS = "float32[:, ::1]"


@helper
def _lay(q, q2, start, step, m, s, weight, height):
    """Add weight·N(m, s²) to the grid q, and weight·N² to q2."""
    first = max(int(math.ceil((m - REACH * s - start) / step)), 0)
    last = min(int((m + REACH * s - start) / step), q.shape[0] - 1)
    at = (start + first * step - m) / s
    ratio, pace = math.exp(-at * step / s - 0.5 * step * step / (s * s)), math.exp(-step * step / (s * s))
    g = height * math.exp(-0.5 * at * at)
    for i in range(first, last + 1):
        q[i] += weight * g
        q2[i] += weight * g * g
        g *= ratio
        ratio *= pace


@helper
def _mean_log(log_q, start, step, m, s, height):
    """−∫ N(m, s²) log q on the grid."""
    first = max(int(math.ceil((m - REACH * s - start) / step)), 0)
    last = min(int((m + REACH * s - start) / step), log_q.shape[0] - 1)
    at = (start + first * step - m) / s
    ratio, pace = math.exp(-at * step / s - 0.5 * step * step / (s * s)), math.exp(-step * step / (s * s))
    g, total = height * math.exp(-0.5 * at * at), 0.0
    for i in range(first, last + 1):
        total += g * log_q[i]
        g *= ratio
        ratio *= pace
    return -total * step


@kernel(f"void({ROWS}, {ROWS}, {ROWS}, float64[:, ::1], int64, float64[::1], float64[:, ::1])")
def divergences(mean, variance, log_variance, core, independent, correction, out):
    """KL(N_i ‖ q) of every row, (D, n), whose mean is Î, and the correction of its bias, (D,)."""
    dimensions, n = mean.shape
    place = np.empty(n, np.int64)
    for d in range(dimensions):
        low, high = core[0, d], core[1, d]
        left, right, least, most, inside = np.inf, -np.inf, np.inf, 0.0, 0
        for i in range(n):
            mu = float(mean[d, i])
            if low <= mu <= high:
                inside += 1
                left, right = min(left, mu), max(right, mu)
                s2 = float(variance[d, i])
                least, most = min(least, s2), max(most, s2)
        floor = math.sqrt(least)
        most = math.sqrt(most)
        floor = max(floor, (right - left + 2 * REACH * most) / (STEP * (POINTS - 2)))
        log_floor = math.log(floor)
        # cells: one row of them for each level of log σ
        levels = int((max(math.log(most), log_floor) - log_floor) / LEVEL) + 1
        first, per_width = np.empty(levels + 1, np.int64), np.empty(levels)
        first[0] = 0
        for b in range(levels):
            per_width[b] = 1.0 / (CELL * floor * math.exp(LEVEL * b))
            first[b + 1] = first[b] + int((right - left) * per_width[b]) + 2
        weight, centre, square = np.zeros(first[levels]), np.zeros(first[levels]), np.zeros(first[levels])
        for i in range(n):
            mu = float(mean[d, i])
            if not low <= mu <= high:
                place[i] = -1
                continue
            log_s = max(0.5 * log_variance[d, i], log_floor)
            b = min(int((log_s - log_floor) * (1.0 / LEVEL)), levels - 1)
            apart = mu - left
            c = first[b] + int(apart * per_width[b])
            place[i] = c
            weight[c] += 1.0
            centre[c] += apart
            square[c] += apart * apart + max(float(variance[d, i]), floor * floor)
        step = STEP * floor
        start = left - REACH * most - step
        points = int((right - left + 2 * REACH * most) / step) + 3
        q, q2 = np.zeros(points), np.zeros(points)
        for c in range(first[levels]):
            if weight[c] > 0:
                m = centre[c] / weight[c]
                s = math.sqrt(max(square[c] / weight[c] - m * m, floor * floor))
                centre[c], square[c] = left + m, s
                _lay(q, q2, start, step, left + m, s, weight[c] / n, 1.0 / (math.sqrt(2 * math.pi) * s))
        excess = 0.0
        for i in range(points):
            if q[i] > 1e-300:
                excess += q2[i] / q[i]
                q[i] = math.log(q[i])
            else:
                q[i] = -690.0
        alone = n - inside
        correction[d] = 0.5 / independent * (excess * step + alone - 1.0)
        for c in range(first[levels]):
            if weight[c] > 0:
                s = square[c]
                cross = _mean_log(q, start, step, centre[c], s, 1.0 / (math.sqrt(2 * math.pi) * s))
                square[c] = cross - 0.5 * math.log(2 * math.pi * math.e) - math.log(s)
                weight[c] = math.log(s)
        for i in range(n):
            if place[i] < 0:
                out[d, i] = math.log(n)
            else:
                c = place[i]
                out[d, i] = square[c] + weight[c] - max(0.5 * log_variance[d, i], log_floor)


def core(mean: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ends (2, D) of the interval outside of which a row stands alone, from 256 evenly spaced rows."""
    stride = max(mean.shape[1] // 256, 1)
    some = np.sort(mean[:, ::stride], axis=1).astype(np.float64)
    last = some.shape[1] - 1
    low, high = some[:, int(0.05 * last)], some[:, last - int(0.05 * last)]
    noise = np.sqrt(np.median(variance[:, ::stride], axis=1).astype(np.float64))
    reach = FAR * (high - low + 6.0 * noise)
    return np.stack([low - reach, high + reach])


Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def information(
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
    cluster: NDArray[np.int64] | None = None,
    log_variance: NDArray[np.float32] | None = None,
) -> Pair:
    """Î and its standard error, float64 (D,) each; rows of one `cluster` (n,) are dependent."""
    dimensions, n = mean.shape
    terms, correction = np.empty((dimensions, n)), np.empty(dimensions)
    independent = n if cluster is None else 1 + int(np.count_nonzero(cluster[1:] != cluster[:-1]))
    logs = np.log(variance) if log_variance is None else log_variance
    divergences(mean, variance, logs, core(mean, variance), independent, correction, terms)
    value = terms.mean(axis=1)
    terms -= value[:, None]
    square = np.einsum("dn,dn->d", terms, terms) / n if cluster is None else cluster_square(terms, cluster)
    error = np.sqrt(square / n + np.maximum(correction, 0.0) / independent)
    return np.clip(value + correction, 0.0, math.log(n)), error


def resolved(mean: NDArray[np.float32], tau: NDArray[np.float64], cluster: NDArray[np.int64] | None = None) -> Pair:
    """H_τ(μ) = h(μ + τε) − ½ log 2πeτ² and its standard error, (D,) each: the information at a noise of τ (D,)."""
    variance = np.broadcast_to((tau * tau).astype(np.float32)[:, None], mean.shape)
    return information(mean, np.ascontiguousarray(variance), cluster)
