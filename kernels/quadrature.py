"""Entropy of a one-dimensional Gaussian mixture by the trapezoidal rule, at any ratio of scales: the compiled part.

q(z) = 1/n Σ N(z; μ_i, σ_i²). `mixture` documents what is computed; here is how, for each dimension:

* Components of nearly one σ whose means are close become one *cell*: a component of the same weight, mean and variance.
* Cells are sorted into *octaves* of σ. Octave o has a grid of its own, of step `STEP` 2^o σ_min, over the parts of the
  axis that its cells reach (*segments*); between them the grid has no point. So groups at any distance cost nothing.
* q_o is the density of the cells of octave o, and Q_o that of o and all wider ones, which are interpolated. With
  F(q) = q log q, ∫F(Q_0) = Σ_o ∫(F(Q_o) − F(Q_{o+1})), and each difference is zero outside of the grid of octave o.
* S = ∫ q₂/q, q₂ = 1/n Σ N_i², is summed in the same way.
* A cell's ∫ N log q takes log Q_o on its own grid, plus what narrower octaves add, carried over to that grid by the
  transpose of the interpolation.

The rows are read in any order if the axis is short in units of the least σ; the cells are then those of a table.
Otherwise the rows come with their order, and a cell is closed when a row lies beyond its width.
"""

import math

import numpy as np

from ._jit import helper, kernel

CELL = 0.8
"""Width of the means that may be joined, in σ."""
MIN_SPLIT = 24
"""Approximate number of cells of a narrow distribution of means."""
STEP = 0.9
"""Grid step, in the least σ of the octave."""
SIGMAS = 5.5
"""Largest distance from its mean, in its σ, at which a component is added to the grid."""
LEVELS = 4
"""Levels of σ in an octave: σ² of one level differ by a factor of 1.33 to 1.5."""
LEVEL_BITS, BIAS = 22, 127
"""Bits of a float32 below its level: two levels for each exponent of σ², four of σ; and its exponent's bias."""
OCTAVES = 32
"""Largest number of octaves. A σ below 2⁻³¹ of the largest is raised to that."""
ALL_LEVELS = OCTAVES * LEVELS
NODES = 4096
"""Largest number of points of the finest grid if rows come without their order."""
TABLE = 9 * NODES
"""Largest number of cells of a table; the cells of further levels are wider, so that they need no more."""
NODES_A_CELL = 40
"""Largest number of points that a cell of its own adds to a grid."""
HIGHER_ORDER = 0.35
"""Largest size of the next terms of the bias, relative to its first-order correction, for a very small σ."""
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
TINY = 1e-300
FLOAT = "float32[:, ::1]"


def nodes(n: int, ordered: bool) -> int:
    """Return the largest number of grid points of n rows."""
    return NODES_A_CELL * (n + OCTAVES) if ordered else 3 * NODES + OCTAVES * NODES_A_CELL


@helper
def _level(square):
    """Return the level of σ² (a float32): its exponent, and whether its mantissa is above 1.5, as one number."""
    mantissa, exponent = math.frexp(square)
    return 2 * (int(exponent) - 1 + BIAS) + int(mantissa >= 0.75)


@helper
def _raised(mu, s2, least):
    """Return the sum of log σ² by which smaller variances are raised to `least`."""
    total = 0.0
    for i in range(mu.shape[0]):
        y = np.float64(s2[i])
        if 0.0 < y < least and math.isfinite(mu[i]):
            total += math.log(least / y)
    return total


@helper
def _levels(reach, first, levels, narrow, table):
    """Fill table (3, ·) of each level of σ: its first cell, the cells in one unit of length, and its least σ.

    first: the level of the least σ². The last cell of all is the first of a level that is not there.
    """
    size = 0.0
    for b in range(levels):
        level = first + b
        least = math.ldexp(1.0 + 0.5 * (level & 1), (level >> 1) - BIAS)
        table[0, b], table[2, b] = size, math.sqrt(least)
        table[1, b] = 1.0 / (CELL * narrow * table[2, b])
        size += int(reach * table[1, b]) + 1.0
    for b in range(levels, table.shape[1]):
        table[0, b] = size


@helper
def _tabulate(mu, s2, bits, complete, left, floor2, first_level, levels, table, first_cell, place, cells):
    """Add the rows to the cells of a table, cells (TABLE, 4): weight, Σ(μ - left), Σ((μ - left)² + σ²), left.

    place (n,): the cell of each row, or -1 of one that is not finite; complete: there is none. Return the number of
    cells. first_cell: work space, of a number for each level.
    """
    size, last = int(table[0, levels]), levels - 1
    for b in range(levels):
        first_cell[b] = int(table[0, b])
    for c in range(size):
        cells[c, 0] = cells[c, 1] = cells[c, 2] = 0.0
        cells[c, 3] = left
    for i in range(mu.shape[0]):
        x = np.float64(mu[i]) - left
        b = (np.int64(bits[i]) >> LEVEL_BITS) - first_level
        b = b if b > 0 else 0
        b = b if b < last else last
        c = first_cell[b] + int(x * table[1, b])
        c = c if c > 0 else 0  # what is not finite may give any number
        place[i] = c if c < size else size - 1
    if not complete:
        for i in range(mu.shape[0]):
            if not (math.isfinite(mu[i]) and 0.0 < s2[i] < np.inf):
                place[i] = -1
    for i in range(mu.shape[0]):
        c = place[i]
        if c >= 0:
            x, y = np.float64(mu[i]) - left, np.float64(s2[i])
            cells[c, 0] += 1.0
            cells[c, 1] += x
            cells[c, 2] += x * x + (y if y > floor2 else floor2)
    return size


@helper
def _sweep(mu, s2, bits, order, floor2, first_level, levels, table, current, place, cells, level_of):
    """Add the rows, in ascending order of μ, to cells that follow each other; return their number.

    order (n,): the rows in that order, the finite ones among them first. level_of: the level of each cell.
    current: work space, of a number for each level.
    """
    for b in range(levels):
        current[b] = -1
    size = 0
    for i in range(mu.shape[0]):
        place[i] = -1
    for k in range(mu.shape[0]):
        i = order[k]
        x, y = np.float64(mu[i]), np.float64(s2[i])
        b = (np.int64(bits[i]) >> LEVEL_BITS) - first_level
        b = b if b > 0 else 0
        b = b if b < levels else levels - 1
        if not (math.isfinite(x) and 0.0 < y < np.inf):
            continue
        c = current[b]
        if c < 0 or (x - cells[c, 3]) * table[1, b] > 1.0:
            c = current[b] = size
            size += 1
            cells[c, 0] = cells[c, 1] = cells[c, 2] = 0.0
            cells[c, 3], level_of[c] = x, b
        x -= cells[c, 3]
        place[i] = c
        cells[c, 0] += 1.0
        cells[c, 1] += x
        cells[c, 2] += x * x + (y if y > floor2 else floor2)
    return size


@helper
def _pack(cells, size, ordered, level_of, octaves, table, packed, packed_of, starts):
    """List the cells that have rows by octave, packed (K, 11): weight, mean, σ, and what `_fill` and
    `_cross` add. Return K.

    starts (octaves + 1,): the first of each octave. packed_of: the place in the list of each cell.
    """
    k = 0
    for o in range(octaves):
        starts[o] = k
        first, last = 0, size
        if not ordered:
            first, last = int(table[0, o * LEVELS]), int(table[0, (o + 1) * LEVELS])
        for c in range(first, last):
            weight = cells[c, 0]
            if weight > 0.0 and (not ordered or level_of[c] // LEVELS == o):
                m = cells[c, 1] / weight
                packed[k, 0], packed[k, 1] = weight, cells[c, 3] + m
                packed[k, 2] = math.sqrt(cells[c, 2] / weight - m * m)
                packed_of[c] = k
                k += 1
    starts[octaves] = k
    return k


@helper
def _segments(packed, first, last, ordered, margin, step, segments, count, nodes):
    """Lay out the grid of one octave, whose cells are packed[first:last]. Return the numbers of segments and nodes.

    segments (4, ·): the least mean, the number of the first node, the number of nodes, and the distance of the least
    mean from the first node, which a position in float64 would lose beside a large mean; `count` of them are there.
    """
    if not ordered:
        low, high = packed[first, 1], packed[first, 1]
        for c in range(first + 1, last):
            m = packed[c, 1]
            low, high = m if m < low else low, m if m > high else high
        segments[0, count], segments[1, count], segments[3, count] = low, nodes, margin
        segments[2, count] = int((high - low + 2.0 * margin) / step) + 2
        return count + 1, nodes + int(segments[2, count])
    c = first
    while c < last:
        low = high = packed[c, 1]
        while c < last and packed[c, 1] - high <= 2.0 * margin:
            m = packed[c, 1]
            low, high = m if m < low else low, m if m > high else high
            c += 1
        segments[0, count], segments[1, count], segments[3, count] = low, nodes, margin
        segments[2, count] = int((high - low + 2.0 * margin) / step) + 2
        nodes += int(segments[2, count])
        count += 1
    return count, nodes


@helper
def _fill(packed, first, last, n, segments, segment, step, q, q2):
    """Add the cells of one octave, and their squares, to its grid. segment: the first segment of the octave.

    packed[:, 4:] keeps for `_cross` where a cell begins on the grid, its end, its density there, and the factors of the
    recurrence from point to point.
    """
    for c in range(first, last):
        weight, m, by = packed[c, 0] / n, packed[c, 1], 1.0 / packed[c, 2]
        while m - segments[0, segment] + segments[3, segment] > (segments[2, segment] - 1.0) * step:
            segment += 1
        offset, centre, reach = (
            int(segments[1, segment]),
            (m - segments[0, segment] + segments[3, segment]) / step,
            SIGMAS * packed[c, 2] / step,
        )
        start, stop = int(centre - reach) + 1, int(centre + reach) + 1
        pace = step * by
        at = (start - centre) * pace
        g = math.exp(-0.5 * at * at - HALF_LOG_2PI) * by
        ratio, drop = math.exp(-pace * (at + 0.5 * pace)), math.exp(-pace * pace)
        packed[c, 4], packed[c, 5], packed[c, 6], packed[c, 7], packed[c, 8] = (
            offset + start,
            offset + stop,
            g,
            ratio,
            drop,
        )
        for i in range(offset + start, offset + stop):
            part = weight * g
            q[i] += part
            q2[i] += part * g
            g *= ratio
            ratio *= drop


@helper
def _integrate(octave, octaves, bounds, segments, sigma, q, q2, field, at, index, weights, sums):
    """Add the octave's part of ∫ q log q and of ∫ q₂/q to sums (2,), and fill its `field` with log Q, times the step.

    What it adds to log q is carried over to the fields of the wider octaves. bounds (octaves + 1,): the first segment
    of each octave, from the widest: octave o has the segments bounds[o + 1] to bounds[o]. Work space for each octave:
    at, the segment that the present node is in, and index and weights (4, octaves) of the interpolation.
    """
    step = STEP * sigma * 2.0**octave
    for p in range(octaves):
        at[p] = bounds[p + 1]
    for k in range(bounds[octave + 1], bounds[octave]):
        low, offset = segments[0, k], int(segments[1, k])
        for i in range(int(segments[2, k])):
            own = q[offset + i]
            if own <= TINY:  # nothing of this octave, so nothing to add
                continue
            x, above, above2 = i * step - segments[3, k], 0.0, 0.0  # x: from the least mean
            for p in range(octave + 1, octaves):
                index[p] = -1
                wide = STEP * sigma * 2.0**p
                u = 0.0
                while at[p] < bounds[p]:
                    u = (low - segments[0, at[p]] + (x + segments[3, at[p]])) / wide
                    if u < segments[2, at[p]] - 2.0:
                        break
                    at[p] += 1
                if at[p] >= bounds[p] or u < 1.0:
                    continue
                j = int(u)
                t = u - j
                j += int(segments[1, at[p]]) - 1
                a, b, c, d = t + 1.0, t, t - 1.0, t - 2.0
                u, v, w, z = -b * c * d / 6.0, a * c * d / 2.0, -a * b * d / 2.0, a * b * c / 6.0
                weights[0, p], weights[1, p], weights[2, p], weights[3, p] = u, v, w, z
                index[p] = j
                wide = u * q[j] + v * q[j + 1] + w * q[j + 2] + z * q[j + 3]
                above += wide if wide > 0.0 else 0.0
                wide = u * q2[j] + v * q2[j + 1] + w * q2[j + 2] + z * q2[j + 3]
                above2 += wide if wide > 0.0 else 0.0
            total = own + above
            log = math.log(total)
            field[offset + i] += log * step
            sums[0] += total * log * step
            sums[1] += (q2[offset + i] + above2) / total * step
            if above > TINY:
                gain = log - math.log(above)
                sums[0] -= above * (log - gain) * step
                sums[1] -= above2 / above * step
                for p in range(octave + 1, octaves):
                    j = index[p]
                    if j >= 0:
                        for r in range(4):
                            field[j + r] += weights[r, p] * gain * step


@helper
def _cross(packed, count, field):
    """Put KL(N ‖ q) of all cells, but for ½ log 2πe, into packed[:, 3]. Return its mean over the rows."""
    mean = rows = 0.0
    for c in range(count):
        g, ratio, drop, total = packed[c, 6], packed[c, 7], packed[c, 8], 0.0
        for i in range(int(packed[c, 4]), int(packed[c, 5])):
            total += g * field[i]
            g *= ratio
            ratio *= drop
        packed[c, 3] = -total - math.log(packed[c, 2])
        mean += packed[c, 0] * packed[c, 3]
        rows += packed[c, 0]
    return mean / rows


@helper
def _by_input(place, packed_of, packed, group, rows):
    """Return the sum over inputs of the squared sums of their rows' terms, and `pairs`: see `quadrature`.

    packed[:, 2] holds 1 / weight, packed[:, 3] the terms; the last two columns, 0 before, are work space.
    """
    square = pairs = term = members = 0.0
    inputs = 1.0
    for i in range(group.shape[0]):
        if place[i] >= 0:
            c = packed_of[place[i]]
            term += packed[c, 3]
            if packed[c, 10] != inputs:
                packed[c, 9], packed[c, 10] = 0.0, inputs
            packed[c, 9] += 1.0
            pairs += (2.0 * packed[c, 9] - 1.0) * packed[c, 2]
            members += 1.0
        if i + 1 == group.shape[0] or group[i + 1] != group[i]:
            square += term * term
            pairs -= members * members / rows
            term = members = 0.0
            inputs += 1.0
    return square, pairs


@helper
def _judge(entropy, excess, square, pairs, cells, log_noise, rows, inputs, distinct, grouped, out):
    """Put the information, its standard error, and the square of the error's second-order part into out (3,)."""
    effective, spread = rows * distinct, square / (rows - 1.0)
    if grouped:
        spread = square / rows * inputs / (inputs - 1.0) if inputs > 1.0 else np.nan
        design = pairs / (cells - 1.0 if cells > 2.0 else 1.0)
        effective /= design if design > 1.0 else 1.0
    bias = excess / (2.0 * effective)
    second = bias / effective if bias / effective < 2.0 * bias * bias else 2.0 * bias * bias
    second = (second if second > 0.0 else 0.0) + (HIGHER_ORDER * bias) * (HIGHER_ORDER * bias)
    value = entropy - HALF_LOG_2PI - 0.5 - 0.5 * log_noise + bias
    largest = math.log(rows * distinct if rows * distinct > 1.0 else 1.0)
    value = value if value < largest else largest
    out[0] = value if value > 0.0 else 0.0
    out[1], out[2] = math.sqrt(spread / (rows * distinct) + second), second


@kernel(
    f"void({FLOAT}, {FLOAT}, int32[:, ::1], float64, float64[:, ::1], int64[::1], int64[::1],"
    "int64[:, ::1], int32[::1], int32[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1],"
    "float64[:, ::1], int64[:, ::1], float64[:, ::1], float64[:, ::1])"
)
def quadrature(
    mean, variance, bits, distinct, described, which, to, order, group, places, cells, packed, grid, segments, numbers,
    counters, terms, out,
):  # fmt: skip
    """Fill rows of out (k, 3) with the information of the dimensions `which`, its error, and the error's second order.

    The result of which[w] goes to out[to[w]]. variance and its memory as int32, `bits`, are (D, n), or (1, n) if
    all dimensions share it. distinct: share of the inputs that are no repeats. described (7, D): the inputs, mean
    log σ², the number of finite rows, and the ends of μ and σ². order: rows in ascending order of μ, (len(which), n),
    or (0, 0) if the means span few of the least σ. group (n,): the input of each row, or empty. A row's term is
    KL(N_i ‖ q) minus its mean; terms (k, n) receives them unless it is empty. Work space: places (3, n or TABLE), cells
    (n or TABLE, 4), packed (n, 11), grid (3, nodes), segments (4, n + OCTAVES), numbers (8, ALL_LEVELS + 1) and
    counters (5, ALL_LEVELS).

    Rows of one input fall into one cell more often than by chance: `pairs` is a sum over all cells and inputs, the
    squared number of rows in both, divided by the rows of the cell, less what chance gives.
    """
    table, sums, weights = numbers[:3], numbers[3], numbers[4:]
    starts, bounds, at, index, of_level = counters[0], counters[1], counters[2], counters[3], counters[4]
    place, packed_of, level_of, q, q2, field = places[0], places[1], places[2], grid[0], grid[1], grid[2]
    ordered = order.shape[0] > 0
    for w in range(which.shape[0]):
        d, e = which[w], to[w]
        own = d if variance.shape[0] == mean.shape[0] else 0
        mu, s2, s2_bits = mean[d], variance[own], bits[own]
        inputs, log_noise, left = described[0, d], described[1, d], described[3, d]
        reach, least = described[4, d] - left, described[6, d] * 4.0 ** (1 - OCTAVES)
        least = least if least > described[5, d] else described[5, d]
        if least > described[5, d]:
            log_noise += _raised(mu, s2, least) / described[2, d]
        first = _level(least)
        levels = _level(described[6, d]) - first + 1
        levels = levels if levels > 1 else 1
        floor = math.ldexp(1.0 + 0.5 * (first & 1), (first >> 1) - BIAS)
        sigma, octaves = math.sqrt(floor), (levels + LEVELS - 1) // LEVELS
        narrow = reach / (MIN_SPLIT * CELL * sigma)
        narrow = 1.0 if narrow > 1.0 else (narrow if narrow > 1e-6 else 1e-6)
        _levels(reach, first, levels, narrow, table)
        if ordered:
            size = _sweep(mu, s2, s2_bits, order[w], least, first, levels, table, of_level, place, cells, level_of)
        else:
            size = _tabulate(
                mu, s2, s2_bits, described[2, d] == mu.shape[0], left, least, first, levels, table, of_level, place,
                cells,
            )  # fmt: skip
        count = _pack(cells, size, ordered, level_of, octaves, table, packed, packed_of, starts)
        rows = 0.0
        for c in range(count):
            rows += packed[c, 0]
        segment = nodes = np.int64(0)
        for o in range(octaves - 1, -1, -1):
            bounds[o + 1], step, before = segment, STEP * sigma * 2.0**o, nodes
            if starts[o + 1] > starts[o]:
                margin = 0.0
                for c in range(starts[o], starts[o + 1]):
                    margin = packed[c, 2] if packed[c, 2] > margin else margin
                margin = SIGMAS * margin + 2.0 * step
                segment, nodes = _segments(
                    packed, starts[o], starts[o + 1], ordered, margin, step, segments, segment, nodes
                )
            for i in range(before, nodes):
                q[i] = q2[i] = field[i] = 0.0
            _fill(packed, starts[o], starts[o + 1], rows, segments, bounds[o + 1], step, q, q2)
        bounds[0] = segment
        sums[0] = sums[1] = 0.0
        for o in range(octaves - 1, -1, -1):
            _integrate(o, octaves, bounds, segments, sigma, q, q2, field, at, index, weights, sums)
        mean_term, square, pairs = _cross(packed, count, field), 0.0, 0.0
        for c in range(count):
            apart = packed[c, 3] - mean_term
            square += packed[c, 0] * apart * apart
        if group.shape[0] > 0:
            for c in range(count):
                packed[c, 9] = packed[c, 10] = 0.0
                packed[c, 2] = 1.0 / packed[c, 0]
                packed[c, 3] -= mean_term
            square, pairs = _by_input(place, packed_of, packed, group, rows)
            mean_term = 0.0
        if terms.shape[0] > 0:
            for i in range(mu.shape[0]):
                terms[e, i] = packed[packed_of[place[i]], 3] - mean_term if place[i] >= 0 else 0.0
        _judge(
            -sums[0], sums[1] - 1.0, square, pairs, count, log_noise, rows, inputs, distinct, group.shape[0] > 0, out[e]
        )
