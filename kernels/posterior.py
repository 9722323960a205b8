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
"""Largest number of sums that one pass makes."""
SQRT_HALF = 0x3F3504F3
"""√½ as the bits of a float32: mantissas are taken from [√½, √2)."""
LOG_2 = math.log(2.0)
ARTANH = tuple(2.0 / k for k in (3, 5, 7, 9, 11))
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
def _sum_and_ends(x, part, ends):
    """Return the sum of x (n,), not finite if one of them is not; ends (2,) receives the least and greatest value.

    part: (3, WIDTH) work space.
    """
    total, low, high = part[0], part[1], part[2]
    for i in range(WIDTH):
        total[i], low[i], high[i] = 0.0, np.inf, -np.inf
    blocks = x.shape[0] // WIDTH
    for b in range(blocks):
        some = x[b * WIDTH : (b + 1) * WIDTH]
        for i in range(WIDTH):
            value = np.float64(some[i])
            total[i] += value
            low[i] = value if value < low[i] else low[i]
            high[i] = value if value > high[i] else high[i]
    rest = x[blocks * WIDTH :]
    for i in range(rest.shape[0]):
        value = np.float64(rest[i])
        total[i] += value
        low[i] = value if value < low[i] else low[i]
        high[i] = value if value > high[i] else high[i]
    result, ends[0], ends[1] = 0.0, np.inf, -np.inf
    for i in range(WIDTH):
        result += total[i]
        ends[0] = low[i] if low[i] < ends[0] else ends[0]
        ends[1] = high[i] if high[i] > ends[1] else ends[1]
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
            series = z * (ARTANH[0] + z * (ARTANH[1] + z * (ARTANH[2] + z * (ARTANH[3] + z * ARTANH[4]))))
            result[i] = result[i] * LOG_2 + s * (2.0 + series)
            part[i] += result[i]
    total = 0.0
    for i in range(WIDTH):
        total += part[i]
    return total


@helper
def _squared_influences(mu, s2, logs, means, factors, part, sums):
    """Put sums over independent rows into sums (5,): of (σ² - E)² and of the squared influences of the estimates.

    means: m, E, L, V, the last σ² of an input that uses the dimension, and the first of one that does not. factors of
    the influences: 1 / T, 1 / E, E / T², V / T², 2 (m - prior's mean), 1 / prior's variance. Work space: part
    (5, WIDTH).
    """
    part[:] = 0.0
    m, e, log, v = means[0], means[1], means[2], means[3]
    by_t, by_e, square_r, spread_r, linear, precision = (
        factors[0], factors[1], factors[2], factors[3], factors[4], factors[5],
    )  # fmt: skip
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
    for k in range(5):
        sums[k] = 0.0
        for i in range(WIDTH):
            sums[k] += part[k, i]


@helper
def _squared_influences_of_inputs(mu, s2, logs, group, means, factors, shares, sums):
    """Put the same sums into sums (8,) where rows of one `group` (n,) belong to one input; return the inputs.

    The influences are linear in their terms, so the terms are summed by input first. shares: those of the rows on
    either side. The last three sums are of the squared influences of the shares, and of nothing.
    """
    m, e, log, v, low, high = means[0], means[1], means[2], means[3], means[4], means[5]
    n, inputs = mu.shape[0], 0
    for k in range(sums.shape[0]):
        sums[k] = 0.0
    a = b = c = d = used = ignored = rows = 0.0
    for i in range(n):
        x, y = np.float64(mu[i]) - m, np.float64(s2[i]) - e
        sums[0] += y * y
        a += x
        b += x * x - v
        c += y
        d += logs[i] - log
        used += int(np.float64(s2[i]) <= low)
        ignored += int(np.float64(s2[i]) >= high)
        rows += 1.0
        if i + 1 == n or group[i + 1] != group[i]:
            upper = (b + c) * factors[0] - d
            gap = c * factors[1] - d
            reliability = b * factors[2] - c * factors[3]
            kl = (b + factors[4] * a + c) * factors[5] - d
            used -= shares[0] * rows
            ignored -= shares[1] * rows
            sums[1] += upper * upper
            sums[2] += gap * gap
            sums[3] += reliability * reliability
            sums[4] += kl * kl
            sums[5] += used * used
            sums[6] += ignored * ignored
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
def _describe(mu, s2, bits, group, total, total2, prior_mean, prior_var, logs, mantissa_bits, mantissa, part, out):
    """Fill out (OUT,) of one dimension, whose n > 0 rows are finite and have the sums `total` and `total2`."""
    n = mu.shape[0]
    sums, means, factors, shares = np.empty(7), np.empty(6), np.empty(6), np.empty(2)
    m = total / n
    v = _centred_square(mu, m, part[0]) / n
    out[1], out[2], out[ROWS] = m, v, n
    if s2.shape[0] == 0:
        inputs = 1
        for i in range(1, group.shape[0]):
            inputs += int(group[i] != group[i - 1])
        out[0] = inputs if group.shape[0] > 0 else n
        return
    e = total2 / n
    log = _logarithms(bits, mantissa_bits, mantissa, part[0], logs) / n
    t = v + e
    means[0], means[1], means[2], means[3], means[4], means[5] = m, e, log, v, ACTIVE * t, PASSIVE * t
    factors[0], factors[1], factors[2], factors[3] = 1.0 / t, 1.0 / e, e / (t * t), v / (t * t)
    factors[4], factors[5] = 2.0 * (m - prior_mean), 1.0 / prior_var
    used = ignored = 0
    for i in range(n):
        used += int(np.float64(s2[i]) <= means[4])
        ignored += int(np.float64(s2[i]) >= means[5])
    uses, ignores, inputs = used / n, ignored / n, n
    if group.shape[0] > 0:
        shares[0], shares[1] = uses, ignores
        inputs = _squared_influences_of_inputs(mu, s2, logs, group, means, factors, shares, sums)
    else:
        _squared_influences(mu, s2, logs, means, factors, part, sums)
        sums[5], sums[6] = n * uses * (1.0 - uses), n * ignores * (1.0 - ignores)
    out[0], out[3], out[4], out[5] = inputs, e, sums[0] / n, log
    out[6], out[8], out[10] = 0.5 * (math.log(t) - log), 0.5 * (math.log(e) - log), v / t
    out[12], out[14] = uses, ignores
    apart = m - prior_mean
    out[16] = 0.5 * ((v + apart * apart + e) / prior_var - 1.0 - log + math.log(prior_var))
    if inputs > 1:
        few = inputs / (inputs - 1.0)
        out[7], out[9] = 0.5 * math.sqrt(sums[1] * few) / n, 0.5 * math.sqrt(sums[2] * few) / n
        out[11], out[17] = math.sqrt(sums[3] * few) / n, 0.5 * math.sqrt(sums[4] * few) / n
        out[13] = _share_error(uses, sums[5], n, inputs)
        out[15] = _share_error(ignores, sums[6], n, inputs)


@kernel(
    f"void({FLOAT}, {FLOAT}, int32[:, ::1], int32[::1], float64[:, ::1], float32[:, ::1], int32[:, ::1], float64[::1],"
    "float64[:, ::1], float64[:, ::1])"
)
def describe(mean, variance, bits, group, prior, room, room_bits, logs, part, out):
    """Fill out (D, OUT) with the statistics of mean and variance (D, n), by the names of `NAMES` and after.

    bits: the memory of variance as int32. Without a variance both are (0, 0). group (n,): the input that a row belongs
    to, rows of one side by side; empty if every row is its own. prior (2, D): mean and variance of the prior. Work
    space: room (4, n) and the same memory as int32, logs (n,), part (SUMS, WIDTH). NaN where no row is finite.
    """
    has = 1 if variance.shape[0] > 0 else 0
    for d in range(mean.shape[0]):
        out[d] = np.nan
        mu, s2, s2_bits, ids, total2, least = mean[d], room[1, :0], room_bits[1, :0], group, 0.0, 1.0
        total = _sum_and_ends(mu, part[:3], out[d, MEAN_LOW : MEAN_LOW + 2])
        if has:
            s2, s2_bits = variance[d], bits[d]
            total2 = _sum_and_ends(s2, part[:3], out[d, VARIANCE_LOW : VARIANCE_LOW + 2])
            least = out[d, VARIANCE_LOW]
        if not (math.isfinite(total + total2) and least > 0.0):
            n = _finite_rows(mu, s2, group, room[0], room[1], room_bits[2])
            mu, s2, s2_bits = room[0, :n], room[1, : has * n], room_bits[1, : has * n]
            ids = room_bits[2, : n if group.shape[0] > 0 else 0]
            out[d, MEAN_LOW:] = np.nan
            if n > 0:
                total = _sum_and_ends(mu, part[:3], out[d, MEAN_LOW : MEAN_LOW + 2])
            if n > 0 and has:
                total2 = _sum_and_ends(s2, part[:3], out[d, VARIANCE_LOW : VARIANCE_LOW + 2])
        if mu.shape[0] == 0:
            out[d, 0] = out[d, ROWS] = 0.0
            continue
        rows = s2.shape[0]
        _describe(
            mu, s2, s2_bits, ids, total, total2, prior[0, d], prior[1, d], logs[:rows], room_bits[3, :rows],
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
        np.empty((SUMS, WIDTH)),
        out,
    )
    return np.ascontiguousarray(out.T)
