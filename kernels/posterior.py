"""Window statistics of the posterior's parameters, with standard errors: one kernel, one visit of each dimension.

Inputs are float32 (D, n): the posterior's mean μ and variance σ² for every row. With V = Var μ, E = mean σ²,
L = mean log σ² and T = V + E, for every dimension: I_G = ½ log T - ½ L (an upper bound of the information), the gap
½ (log E - L), the reliability V / T, the shares of rows with σ² <= T / 2 and with σ² >= 0.7 T, and the mean
KL(N(μ, σ²) ‖ N(prior_mean, prior_var)). A row that is not finite in a dimension is left out of that dimension.

Standard errors are the delta method's: the mean square of the rows' influence values, summed by input where several
rows belong to one (one image gives many rows). A share of 0 or 1 has an error too (Agresti & Coull 1998).

The logarithm is exact to 2·10⁻¹¹: exponent and mantissa of the float32, the mantissa by the series of artanh. It runs
on vectors, which a call of the C library does not.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import helper, inlined, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

ACTIVE, PASSIVE = 0.5, 0.7
"""Largest σ² / T of an input that uses the dimension, and smallest of an input that does not."""
MOMENTS = ("finite", "mean", "variance", "posterior_variance", "posterior_variance_spread", "log_variance")
ESTIMATES = ("information_upper", "variance_gap", "reliability", "share_active", "share_passive", "kl")
NAMES = MOMENTS + tuple(name + error for name in ESTIMATES for error in ("", "_se"))
"""First rows of `posterior`'s result, by the names of `Snapshot`; "finite" counts the inputs with a finite row."""
LOG = NAMES.index("log_variance")
ROWS, MEAN_LOW, MEAN_HIGH, VARIANCE_LOW, VARIANCE_HIGH = range(len(NAMES), len(NAMES) + 5)
"""Further rows of the result: the number of finite rows, and the ends of μ and of σ² among them."""
OUT = VARIANCE_HIGH + 1
WIDTH = 64
"""Number of partial sums: no addition waits for the one before, so that the compiler can use vectors."""
SUMS = 5
"""Largest number of sums that one pass makes; one more row of the work space holds the numbers of a dimension."""
SQRT_HALF = 0x3F3504F3
"""√½ as the bits of a float32: mantissas are taken from [√½, √2)."""
LOG_2 = math.log(2.0)
THIRD, FIFTH, SEVENTH, NINTH, ELEVENTH = 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11
"""Coefficients of the series of 2 artanh."""
MEAN, E, LOG_MEAN, V, LOW, HIGH = range(6)
"""Places in the numbers of a dimension: m, E, L, V, the last σ² of an input that uses the dimension, and the first of
one that does not."""
BY_T, BY_E, SQUARE_R, SPREAD_R, LINEAR, PRECISION = range(6, 12)
"""The factors of the influences: 1 / T, 1 / E, E / T², V / T², 2 (m - prior's mean), 1 / prior's variance."""
USES, IGNORES = 12, 13
"""The shares of the rows on either side."""
SQUARES = 14
"""First of the sums of squares: of (σ² - E)² and of the influences of I_G, the gap, V / T, KL and the shares."""
TOTALS = SQUARES + 7
"""Sums of μ and of σ²."""
FLOAT = "float32[:, ::1]"


@helper
def _finite_rows(mean, variance, group, mean_kept, variance_kept, group_kept):
    """Copy the rows that are finite, and have a variance above 0, to the front of the work space; return their number.

    variance is empty if there is none; group is empty if every row is an input of its own.
    """
    k = 0
    for i in range(mean.shape[0]):
        finite = math.isfinite(mean[i])
        if variance.shape[0] > 0:
            finite &= math.isfinite(variance[i]) & (variance[i] > 0.0)
            variance_kept[k] = variance[i]
        mean_kept[k] = mean[i]
        if group.shape[0] > 0:
            group_kept[k] = group[i]
        k += int(finite)
    return k


@helper
def _sum_and_ends(x, part, out, place):
    """Return the sum of x (n,), not finite if one of them is not; out[place:] receives the least and greatest value.

    part: work space, three rows of WIDTH.
    """
    total, low, high = part[0], part[1], part[2]
    for i in range(WIDTH):
        total[i], low[i], high[i] = 0.0, np.inf, -np.inf
    for start in range(0, x.shape[0], WIDTH):
        some = x[start : start + WIDTH]
        for i in range(some.shape[0]):
            value = np.float64(some[i])
            total[i] += value
            low[i] = value if value < low[i] else low[i]
            high[i] = value if value > high[i] else high[i]
    result, least, greatest = 0.0, np.inf, -np.inf
    for i in range(WIDTH):
        result += total[i]
        least = low[i] if low[i] < least else least
        greatest = high[i] if high[i] > greatest else greatest
    out[place], out[place + 1] = least, greatest
    return result


@helper
def _logarithms(bits, mantissa_bits, mantissa, part, logs):
    """Put the logarithms of positive, normal float32 numbers into logs (n,), and return their sum.

    bits: the numbers as int32. mantissa_bits and mantissa are one memory (n,), as int32 and as float32.
    """
    half, digits = np.int32(SQRT_HALF), np.int32(23)
    for i in range(bits.shape[0]):
        exponent = np.int32(np.int32(bits[i] - half) >> digits)
        mantissa_bits[i] = np.int32(bits[i] - np.int32(exponent << digits))
        logs[i] = exponent
    part[:] = 0.0
    for start in range(0, bits.shape[0], WIDTH):
        some, result = mantissa[start : start + WIDTH], logs[start : start + WIDTH]
        for i in range(some.shape[0]):
            m = np.float64(some[i])
            s = (m - 1.0) / (m + 1.0)
            z = s * s
            series = z * (THIRD + z * (FIFTH + z * (SEVENTH + z * (NINTH + z * ELEVENTH))))
            result[i] = result[i] * LOG_2 + s * (2.0 + series)
            part[i] += result[i]
    total = 0.0
    for i in range(WIDTH):
        total += part[i]
    return total


@helper
def _squared_influences(mu, s2, logs, numbers, part):
    """Put sums over independent rows into the numbers of a dimension: the first five from `SQUARES` on.

    part: work space, SUMS rows of WIDTH.
    """
    for k in range(SUMS):
        for i in range(WIDTH):
            part[k, i] = 0.0
    m, e, log, v = numbers[MEAN], numbers[E], numbers[LOG_MEAN], numbers[V]
    by_t, by_e, square_r, spread_r = numbers[BY_T], numbers[BY_E], numbers[SQUARE_R], numbers[SPREAD_R]
    linear, precision = numbers[LINEAR], numbers[PRECISION]
    n = mu.shape[0]
    for start in range(0, n, WIDTH):
        x_, y_, z_ = mu[start : start + WIDTH], s2[start : start + WIDTH], logs[start : start + WIDTH]
        for i in range(x_.shape[0]):
            x, y, z = np.float64(x_[i]) - m, np.float64(y_[i]) - e, z_[i] - log
            square = x * x - v
            upper = (square + y) * by_t - z
            gap = y * by_e - z
            reliability = square * square_r - y * spread_r
            kl = (square + linear * x + y) * precision - z
            part[0, i] += y * y
            part[1, i] += upper * upper
            part[2, i] += gap * gap
            part[3, i] += reliability * reliability
            part[4, i] += kl * kl
    for k in range(SUMS):
        total = 0.0
        for i in range(WIDTH):
            total += part[k, i]
        numbers[SQUARES + k] = total


@helper
def _squared_influences_of_inputs(mu, s2, logs, group, numbers):
    """Put the seven sums into the numbers where rows of one `group` (n,) belong to one input; return the inputs.

    The influences are linear in their terms, so the terms are summed by input first.
    """
    m, e, log, v = numbers[MEAN], numbers[E], numbers[LOG_MEAN], numbers[V]
    low, high, uses, ignores = numbers[LOW], numbers[HIGH], numbers[USES], numbers[IGNORES]
    by_t, by_e, square_r, spread_r = numbers[BY_T], numbers[BY_E], numbers[SQUARE_R], numbers[SPREAD_R]
    linear, precision = numbers[LINEAR], numbers[PRECISION]
    n, inputs = mu.shape[0], 0
    for k in range(SQUARES, TOTALS):
        numbers[k] = 0.0
    a = b = c = d = used = ignored = rows = 0.0
    for i in range(n):
        s, x = np.float64(s2[i]), np.float64(mu[i]) - m
        y = s - e
        numbers[SQUARES] += y * y
        a += x
        b += x * x - v
        c += y
        d += logs[i] - log
        used += 1.0 if s <= low else 0.0
        ignored += 1.0 if s >= high else 0.0
        rows += 1.0
        if i + 1 == n or group[i + 1] != group[i]:
            upper = (b + c) * by_t - d
            gap = c * by_e - d
            reliability = b * square_r - c * spread_r
            kl = (b + linear * a + c) * precision - d
            used -= uses * rows
            ignored -= ignores * rows
            numbers[SQUARES + 1] += upper * upper
            numbers[SQUARES + 2] += gap * gap
            numbers[SQUARES + 3] += reliability * reliability
            numbers[SQUARES + 4] += kl * kl
            numbers[SQUARES + 5] += used * used
            numbers[SQUARES + 6] += ignored * ignored
            inputs += 1
            a = b = c = d = used = ignored = rows = 0.0
    return inputs


@helper
def _share_error(share, square, n, inputs):
    """Return the standard error of a share: two successes and two failures are added to the effective rows."""
    error2 = square * inputs / (inputs - 1.0) / (n * n)
    effective = share * (1.0 - share) / error2
    if not effective > inputs:
        effective = inputs
    effective = n if effective > n else effective
    p = (share * effective + 2.0) / (effective + 4.0)
    return math.sqrt(p * (1.0 - p) / (effective + 4.0))


@inlined
def _centred_square(x, centre, part):
    """Return the sum of (x - centre)², x (n,)."""
    part[:] = 0.0
    for start in range(0, x.shape[0], WIDTH):
        some = x[start : start + WIDTH]
        for i in range(some.shape[0]):
            apart = np.float64(some[i]) - centre
            part[i] += apart * apart
    total = 0.0
    for i in range(WIDTH):
        total += part[i]
    return total


@helper
def _describe(mu, s2, bits, group, totals, prior_mean, prior_var, logs, mantissa_bits, mantissa, part, out):
    """Fill out (OUT,) of one dimension, whose n > 0 rows are finite and have the sums `totals` (2,)."""
    n, numbers = mu.shape[0], part[SUMS]
    m = totals[0] / n
    v = _centred_square(mu, m, part[0]) / n
    out[1], out[2], out[ROWS] = m, v, n
    if s2.shape[0] == 0:
        inputs = 1
        for i in range(1, group.shape[0]):
            inputs += 1 if group[i] != group[i - 1] else 0
        out[0] = inputs if group.shape[0] > 0 else n
        return
    e = totals[1] / n
    log = _logarithms(bits, mantissa_bits, mantissa, part[0], logs) / n
    t = v + e
    low, high = ACTIVE * t, PASSIVE * t
    used = ignored = 0
    for i in range(n):
        used += 1 if np.float64(s2[i]) <= low else 0
        ignored += 1 if np.float64(s2[i]) >= high else 0
    uses, ignores, inputs, apart = used / n, ignored / n, n, m - prior_mean
    numbers[MEAN], numbers[E], numbers[LOG_MEAN], numbers[V], numbers[LOW], numbers[HIGH] = m, e, log, v, low, high
    numbers[BY_T], numbers[BY_E], numbers[SQUARE_R], numbers[SPREAD_R] = 1.0 / t, 1.0 / e, e / (t * t), v / (t * t)
    numbers[LINEAR], numbers[PRECISION], numbers[USES], numbers[IGNORES] = 2.0 * apart, 1.0 / prior_var, uses, ignores
    if group.shape[0] > 0:
        inputs = _squared_influences_of_inputs(mu, s2, logs, group, numbers)
    else:
        _squared_influences(mu, s2, logs, numbers, part)
        numbers[SQUARES + 5], numbers[SQUARES + 6] = n * uses * (1.0 - uses), n * ignores * (1.0 - ignores)
    out[0], out[3], out[4], out[5] = inputs, e, numbers[SQUARES] / n, log
    out[6], out[8], out[10] = 0.5 * (math.log(t) - log), 0.5 * (math.log(e) - log), v / t
    out[12], out[14] = uses, ignores
    out[16] = 0.5 * ((v + apart * apart + e) / prior_var - 1.0 - log + math.log(prior_var))
    if inputs > 1:
        few = inputs / (inputs - 1.0)
        out[7] = 0.5 * math.sqrt(numbers[SQUARES + 1] * few) / n
        out[9] = 0.5 * math.sqrt(numbers[SQUARES + 2] * few) / n
        out[11] = math.sqrt(numbers[SQUARES + 3] * few) / n
        out[17] = 0.5 * math.sqrt(numbers[SQUARES + 4] * few) / n
        out[13] = _share_error(uses, numbers[SQUARES + 5], n, inputs)
        out[15] = _share_error(ignores, numbers[SQUARES + 6], n, inputs)


@kernel(
    f"void({FLOAT}, {FLOAT}, int32[:, ::1], int32[::1], float64[:, ::1], float32[:, ::1], int32[:, ::1], float64[::1],"
    "float64[:, ::1], float64[:, ::1])"
)
def describe(mean, variance, bits, group, prior, room, room_bits, logs, part, out):
    """Fill out (D, OUT) with the statistics of mean and variance (D, n), by the names of `NAMES` and after.

    bits: the memory of variance as int32. Without a variance both are (0, 0). group (n,): the input that a row belongs
    to, rows of one side by side; empty if every row is its own. prior (2, D): mean and variance of the prior. Work
    space: room (4, n) and the same memory as int32, logs (n,), part (SUMS + 1, WIDTH). NaN where no row is finite.
    """
    has, totals = 1 if variance.shape[0] > 0 else 0, part[SUMS, TOTALS:]
    for d in range(mean.shape[0]):
        mu, s2, s2_bits, ids = mean[d], room[1, :0], room_bits[1, :0], group
        if has:
            s2, s2_bits = variance[d], bits[d]
        n = -1
        while n != 0:
            for k in range(OUT):
                out[d, k] = np.nan
            for side in range(1 + has):
                totals[side] = _sum_and_ends(s2 if side else mu, part, out[d], MEAN_LOW + 2 * side)
            if n > 0 or (math.isfinite(totals[0] + totals[1]) and not out[d, VARIANCE_LOW] <= 0.0):
                break
            n = _finite_rows(mu, s2, group, room[0], room[1], room_bits[2])
            mu, s2, s2_bits = room[0, :n], room[1, : has * n], room_bits[1, : has * n]
            ids = room_bits[2, : n if group.shape[0] > 0 else 0]
        if mu.shape[0] == 0:
            for k in range(MEAN_LOW, OUT):
                out[d, k] = np.nan
            out[d, 0] = out[d, ROWS] = 0.0
            continue
        rows = s2.shape[0]
        _describe(
            mu, s2, s2_bits, ids, totals, prior[0, d], prior[1, d], logs[:rows], room_bits[3, :rows],
            room[3, :rows], part, out[d],
        )  # fmt: skip


def posterior(
    mean: F32,
    variance: F32 | None,
    group: I32 | None = None,
    prior_mean: F64 | float = 0.0,
    prior_var: F64 | float = 1.0,
) -> F64:
    """Compute the statistics of the rows, float64 (OUT, D), in the order of `NAMES` and the constants after it.

    mean, variance: float32 (D, n), C-contiguous, variances normal numbers above 0 or not finite. group: int32 (n,),
    see `describe`. NaN where no row is finite; an error needs two inputs.
    """
    dimensions, n = mean.shape
    room, out, prior = np.empty((4, n), np.float32), np.empty((dimensions, OUT)), np.empty((2, dimensions))
    prior[0], prior[1] = prior_mean, prior_var
    spread = np.empty((0, 0), np.float32) if variance is None else variance
    ids = np.empty(0, np.int32) if group is None else group
    describe(
        mean,
        spread,
        spread.view(np.int32),
        ids,
        prior,
        room,
        room.view(np.int32),
        np.empty(n),
        np.empty((SUMS + 1, WIDTH)),
        out,
    )
    return np.ascontiguousarray(out.T)
