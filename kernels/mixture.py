"""Information of a dimension by quadrature, in nats: I(x; z) = h(z) − mean ½ log 2πeσ², z from the window's mixture.

q(z) = 1/n Σ N(z; μ_i, σ_i²) is a one-dimensional Gaussian mixture. Its entropy, by the trapezoidal rule on a uniform
grid, makes I the information that z has on which row of the window it came from: always in [0, log n], which noise in
an estimate of the entropy does not promise. Steps:

* components of nearly one σ (`LEVEL`) whose means are close (`CELL`) become one of the same weight, mean and variance,
  finer where the means are close together and there is little to resolve;
* each is added to a grid of step 0.9 of the least σ by a recurrence of two multiplications a point;
* a σ below 1/16384 of the spread is raised to that, in both terms: I is then that of a noisier channel, so too small,
  but beyond about 8 nats, where a window of some thousand rows could not measure it either;
* a row far outside of all others (beyond 20 times the spread) stands alone: it identifies itself, log n nats.

E[Î] ≤ I (h is concave); the first-order term, S/2n with S = ∫ q₂/q − 1 and q₂ = 1/n Σ N_i², is added back. The
standard error is that of the mean of KL(N_i ‖ q) over rows, and of the second-order term, whose variance is Σ λ²/2n²
with eigenvalues 0 ≤ λ ≤ 1 of sum S, so at most min(S, S²)/2n². Where all rows give the same (equal clusters) only the
latter is left, and the error is too large by up to twofold. Where σ is so small that rows are identified one
by one, the correction falls short by up to `HIGHER_ORDER` of itself, which the error includes. Within a nat of log n, Î
is a lower bound. Dependent rows count for n divided by their design effect: how much more often than by chance rows of
one cluster fall into one cell (Rao & Scott 1981).

Shapes: mean, variance, log_variance (D, n) float32, finite, variance > 0.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import moments
from ._jit import inlined, kernel
from .blocking import cluster_square

LEVEL, MIN_LEVEL = 0.2, 0.1
"""Width in log σ of the components that may be joined, and its smallest value."""
CELL = 0.8
"""Width of the means that may be joined, in σ."""
MIN_SPLIT = 40
"""Approximate number of cells of a narrow distribution of means. LEVEL shrinks in proportion."""
STEP = 0.9
"""Grid step, in the least σ."""
HIGHER_ORDER = 0.35
"""Largest size of the next terms of the bias, relative to its first-order correction, for a very small σ."""
MAX_GRID_SIGMAS = 5.5
"""Largest distance from its mean, in its σ, at which a component is added to the grid."""
POINTS = 16384
"""Largest number of grid points."""
LEVELS = int(math.log(STEP * POINTS / (2 * MAX_GRID_SIGMAS)) / MIN_LEVEL) + 2
CELLS = int(STEP * POINTS / CELL / (1 - math.exp(-MIN_LEVEL))) + 3 * LEVELS
"""Largest number of levels of σ, and of cells in all of them, that POINTS grid points allow."""
MIN_ALONE_DISTANCE = 20.0
"""Smallest distance of a row that stands alone, in units of the spread of the others."""
LARGEST = float(np.finfo(np.float32).max)
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
ROWS = "float32[:, ::1]"
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Ids = NDArray[np.int64]
Pair = tuple[F64, F64]


@inlined
def _fill_grid(q, q2, left, step, m, s, weight, rule):
    """Add weight·N(m, s²) to the grid q, and weight·N² to q2; rule (7,) keeps the recurrence for `_cross`."""
    first = math.ceil((m - MAX_GRID_SIGMAS * s - left) / step)
    last = (m + MAX_GRID_SIGMAS * s - left) / step
    first = first if first > 0 else 0
    last = int(last if last < q.shape[0] - 1 else q.shape[0] - 1)
    at, pace = (left + first * step - m) / s, step / s
    g = math.exp(-0.5 * at * at - HALF_LOG_2PI) / s
    ratio, drop = math.exp(-pace * (at + 0.5 * pace)), math.exp(-pace * pace)
    rule[0], rule[1], rule[2] = first, last, g
    rule[3], rule[4] = ratio, drop
    rule[5], rule[6] = at, pace
    for i in range(first, last + 1):
        q[i] += weight * g
        q2[i] += weight * g * g
        g *= ratio
        ratio *= drop


@inlined
def _cross(log_q, step, rule):
    """Return the cross-entropy −∫ N log q of a component that `_fill_grid` added, and its derivative by log σ."""
    g, ratio, drop = rule[2], rule[3], rule[4]
    at, pace = rule[5], rule[6]
    total = square = 0.0
    for i in range(int(rule[0]), int(rule[1]) + 1):
        term = g * log_q[i]
        total += term
        square += term * at * at
        at += pace
        g *= ratio
        ratio *= drop
    return -total * step, (total - square) * step


@kernel(
    f"void({ROWS}, {ROWS}, {ROWS}, float64[:, ::1], int64[::1], int32[::1], float64[::1], float64[:, ::1],"
    "float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])"
)
def divergences(mean, variance, log_variance, plan, cluster, place, above, level_cells, cells, rules, grid, terms, out):
    """Fill terms (D, n) with KL(N_i ‖ q) minus its mean over rows.

    out (4, D): that mean, S, `pairs` and the number of cells. plan (8, D): see `_plan`. cluster: (n,) or empty. `pairs`
    is a sum over all cells and clusters: the squared number of rows in both, divided by the rows of the cell. Work
    space: place (n,), above (n,), level_cells (2, LEVELS), cells (6, 2 CELLS), rules (CELLS, 7), grid (2, POINTS).
    """
    dimensions, n = mean.shape
    weight, centre, square, logs = cells[0], cells[1], cells[2], cells[3]
    seen, newest = cells[4], cells[5]
    for d in range(dimensions):
        mu, s2, log_s2 = mean[d], variance[d], log_variance[d]
        left, reach, most, floor = plan[0, d], plan[1, d], plan[2, d], plan[3, d]
        cell, per_level, levels, inside = plan[4, d], plan[5, d], int(plan[6, d]), int(plan[7, d])
        log_floor, floor2, log_n = math.log(floor), floor * floor, math.log(n)

        # cells: one row of them for each level of log σ
        size = 0
        for b in range(levels):
            per_width = 1.0 / (cell * math.exp(b / per_level))
            level_cells[0, b], level_cells[1, b] = size, per_width
            size += int(reach * per_width) + 2
        for k in range(6):
            for c in range(2 * size):
                cells[k, c] = 0.0
        for i in range(n):
            level = max(0.5 * np.float64(log_s2[i]) - log_floor, 0.0)
            b = int(min(level * per_level, levels - 1.0))
            at = min(max(np.float64(mu[i]) - left, 0.0), reach)
            place[i] = int(level_cells[0, b] + at * level_cells[1, b])
            above[i] = level
        for i in range(n):
            at = np.float64(mu[i]) - left
            if inside < n and not 0.0 <= at <= reach:
                place[i] = -1
            else:
                c = place[i] + (i & 1) * size  # in turns to two halves: many rows of one cell would wait for each other
                weight[c] += 1.0
                centre[c] += at
                square[c] += at * at + max(np.float64(s2[i]), floor2)
                logs[c] += above[i]
        for k in range(4):
            for c in range(size):
                cells[k, c] += cells[k, size + c]

        step = STEP * floor
        start = left - MAX_GRID_SIGMAS * most - step
        points = int((reach + 2 * MAX_GRID_SIGMAS * most) / step) + 3
        q, q2 = grid[0, :points], grid[1, :points]
        for i in range(points):
            q[i] = q2[i] = 0.0
        filled = 0
        for c in range(size):
            if weight[c] > 0:
                filled += 1
                m = centre[c] / weight[c]
                s = math.sqrt(max(square[c] / weight[c] - m * m, floor2))
                _fill_grid(q, q2, start, step, left + m, s, weight[c] / n, rules[c])
        excess = 0.0
        for i in range(points):
            if q[i] > 1e-300:
                excess += q2[i] / q[i]
                q[i] = math.log(q[i])
            else:
                q[i] = -690.0
        alone = n - inside
        value = alone * log_n
        for c in range(size):
            if weight[c] > 0:
                cross, by_log = _cross(q, step, rules[c])
                level = logs[c] / weight[c]
                kl = cross - HALF_LOG_2PI - 0.5 - log_floor - level
                value += weight[c] * kl
                # to first order in its log σ, which the components of a cell differ by
                square[c] = by_log - 1.0
                centre[c] = kl - square[c] * level
        value /= n

        pairs = 0.0
        clusters = 1.0
        for i in range(n):
            c = place[i]
            terms[d, i] = (centre[c] + square[c] * above[i] if c >= 0 else log_n) - value
            if cluster.shape[0] > 0:
                if c >= 0:
                    seen[c] = seen[c] + 1.0 if newest[c] == clusters else 1.0
                    newest[c] = clusters
                    pairs += (2.0 * seen[c] - 1.0) / weight[c]
                if i + 1 < n and cluster[i + 1] != cluster[i]:
                    clusters += 1.0
        out[0, d], out[1, d], out[2, d], out[3, d] = value, excess * step + alone - 1.0, pairs, filled


def _interval(mean: F32, variance: F32) -> F64:
    """Return the ends (2, D) of the interval outside of which a row stands alone, from 256 evenly spaced rows."""
    stride = max(mean.shape[1] // 256, 1)
    some = np.sort(mean[:, ::stride], axis=1).astype(np.float64)
    last = some.shape[1] - 1
    low, high = some[:, int(0.05 * last)], some[:, last - int(0.05 * last)]
    noise = np.sqrt(np.median(variance[:, ::stride], axis=1).astype(np.float64))
    reach = MIN_ALONE_DISTANCE * (high - low + 6.0 * noise)
    return np.stack([low - reach, high + reach])


def _ends(mean: F32, variance: F32) -> F64:
    """Return the least and greatest mean and variance of the rows that do not stand alone, and their number; (5, D)."""
    ends = np.empty((5, mean.shape[0]))
    ends[0], ends[1] = mean.min(axis=1), mean.max(axis=1)
    ends[2], ends[3] = variance.min(axis=1), variance.max(axis=1)
    ends[4] = mean.shape[1]
    # no row can stand alone where all are closer than the noise alone lets the interval reach
    wide = np.flatnonzero(ends[1] - ends[0] > MIN_ALONE_DISTANCE * 6.0 * np.sqrt(ends[2]))
    if wide.size:
        low, high = _interval(mean[wide], variance[wide])
        for d, least, most in zip(wide, low, high, strict=True):
            if ends[0, d] < least or ends[1, d] > most:
                inside = (mean[d] >= least) & (mean[d] <= most)
                mu, s2 = mean[d, inside], variance[d, inside]
                ends[:, d] = mu.min(), mu.max(), s2.min(), s2.max(), len(mu)
    return ends


def _plan(left: F64, right: F64, least: F64, greatest: F64, inside: F64) -> F64:
    """Return the layout of each dimension, (8, D).

    The rows are: the least mean; the range of the means; the greatest and the least σ of the grid; the width of the
    cells at the least σ; the number of levels for each unit of log σ, and of all levels; the number of rows that do not
    stand alone.
    """
    reach, most = right - left, np.sqrt(greatest)
    floor = np.maximum(np.sqrt(least), (reach + 2 * MAX_GRID_SIGMAS * most) / (STEP * (POINTS - 4)))
    spread = reach / (MIN_SPLIT * floor)
    cell = np.clip(spread, 1e-6, CELL) * floor
    per_level = 1.0 / np.clip(LEVEL * spread / CELL, MIN_LEVEL, LEVEL)
    levels = np.floor(np.log(np.maximum(most / floor, 1.0)) * per_level) + 1
    return np.stack([left, reach, most, floor, cell, per_level, levels, inside])


def information(
    mean: F32,
    variance: F32,
    cluster: Ids | None = None,
    log_variance: F32 | None = None,
    *,
    square: Callable[[F64], F64] | None = None,
) -> Pair:
    """Return Î and its standard error, float64 (D,) each. Rows of one `cluster` (n,) are dependent.

    A dimension gives NaN if a mean is not finite, or if a variance is not finite and above 0.

    `square` is for rows that depend on each other in another way, such as in time. It takes terms (D, n), one for each
    row in the given order, and returns n times the variance of their mean. With None, `cluster` determines the
    variance.
    """
    dimensions, n = mean.shape
    logs = np.log(variance) if log_variance is None else log_variance
    ids = np.zeros(0, np.int64) if cluster is None else cluster
    ends = _ends(mean, variance)
    known = np.isfinite(ends).all(axis=0) & (ends[2] > 0)
    if not known.all():  # the kernel trusts its plan with the places it writes to
        both = np.full((2, dimensions), math.nan)
        if known.any():
            both[:, known] = information(mean[known], variance[known], cluster, logs[known], square=square)
        return both[0], both[1]
    plan = _plan(*ends)
    room = [np.empty(n, np.int32), np.empty(n)]
    room += [np.empty(shape) for shape in ((2, LEVELS), (6, 2 * CELLS), (CELLS, 7), (2, POINTS))]
    out, spread = np.empty((4, dimensions)), np.empty(dimensions)
    for some in moments.blocks(mean):
        terms, part = np.empty(mean[some].shape), np.empty((4, len(mean[some])))
        divergences(mean[some], variance[some], logs[some], plan[:, some].copy(), ids, *room, terms, part)
        out[:, some] = part
        if square is not None:
            spread[some] = square(terms)
        elif cluster is None:
            spread[some] = np.einsum("dn,dn->d", terms, terms) / max(n - 1, 1)
        else:
            spread[some] = cluster_square(terms, ids)
    value, excess, pairs, cells = out
    design = np.ones(dimensions)
    if cluster is not None:
        heads = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        chance = (np.diff(heads, append=n) ** 2).sum() / n
        design = np.maximum((pairs - chance) / np.maximum(cells - 1, 1), 1.0)
    effective = n / design
    second = np.minimum(excess, excess * excess) / (2 * effective**2) + (HIGHER_ORDER * excess / (2 * effective)) ** 2
    value = np.clip(value + excess / (2 * effective), 0.0, math.log(n))
    return value, np.sqrt(spread / n + np.maximum(second, 0.0))


def resolved(mean: F32, tau: F64, cluster: Ids | None = None) -> Pair:
    """Return H_τ(μ) = h(μ + τε) − ½ log 2πeτ² and its standard error, (D,) each: the information at a noise τ (D,)."""
    with np.errstate(over="ignore", invalid="ignore"):  # in units of τ, whose square may be no float32
        scaled = np.clip(mean / tau[:, None], -LARGEST, LARGEST).astype(np.float32)
    return information(scaled, np.ones_like(scaled), cluster)
