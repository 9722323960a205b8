"""Which dimensions need which kernels, and the statistics of all of them together: two visits of each dimension.

`choose` lies between the description of the rows (`posterior`) and the kernels that read rows again. `gather` comes
after them. A block has one row for each of `NAMES`, as a snapshot has an array.
"""

import math

import numpy as np

from .. import posterior
from .._jit import kernel

INFORMATION, VALLEY = len(posterior.NAMES) - 1, len(posterior.NAMES) + 1
FINITE, NON_FINITE, ROWS = VALLEY + 4, VALLEY + 5, VALLEY + 6
NAMES = (
    *posterior.NAMES[1:], "information", "information_se", "valley", "valley_se", "upper_kind", "upper_kind_se",
    "finite", "non_finite", "rows",
)  # fmt: skip
"""Rows of a block; the last three are counts."""
UPPER = NAMES.index("information_upper")
VARIANCE, POSTERIOR, LOG = (NAMES.index(name) for name in ("variance", "posterior_variance", "log_variance"))
USED, UNUSED = NAMES.index("share_active"), NAMES.index("share_passive")
GAP, MIN_GAP = NAMES.index("variance_gap"), 0.015
"""Row of the variance gap, and nats: two kinds a factor of 4 apart in σ², with 5 % of the inputs each, give 0.0155."""
ERRORS = tuple(NAMES.index(name) for name in posterior.NAMES if name.endswith("_se"))
TABLE_ROWS, ENDS = posterior.ROWS, posterior.MEAN_LOW
"""Columns of the description: the number of finite rows, and the first of the ends of μ and σ²."""
NEAR, FAR, SIDES = range(3)
"""Lists of dimensions: whose rows the quadrature reads in any order, in ascending order; that may have two kinds."""
KEY, LARGEST, TOTAL, CERTIFIED = range(4)
"""Rows of the notes: minus the upper bound of the information, for the order of the dimensions by it; the greatest
variance of an input that uses the dimension; T; 1 where I_G itself is the estimate."""
Z = 1.96
ACTIVE = posterior.ACTIVE


@kernel(
    "UniTuple(int64, 4)(float64[:, ::1], boolean, float64, UniTuple(float64, 5), float64[:, ::1], float64[:, ::1],"
    "float64[:, ::1], int64[:, ::1], float64[:, ::1])"
)
def choose(table, has_variance, tau, cuts, block, described, notes, lists, result):
    """Fill the block with what the table (D, OUT) of `posterior` says, and lists (3, D), notes (4, D); clear `result`.

    tau: σ of all rows, without a variance. cuts: the least number of rows of an estimate, the largest certified
    I_G, the nats that show which inputs recur, the least share on both sides of a valley, and the largest squared span
    of the means, in the least σ, of rows that may come in any order. described (7, D): what the quadrature reads.
    Return the length of each list, and the number of dimensions that show which inputs recur.
    """
    min_rows, certain, recurs, share, span = cuts
    near = far = sides = several = 0
    square = np.float64(np.float32(tau * tau))
    for d in range(table.shape[0]):
        own = table[d]
        for r in range(INFORMATION):
            block[r, d] = own[r + 1]
        for r in range(INFORMATION, FINITE):
            block[r, d] = np.nan
        block[FINITE, d], block[ROWS, d] = own[0], own[TABLE_ROWS]
        result[d, 0], result[d, 1] = np.nan, np.nan
        described[0, d], described[1, d], described[2, d] = own[0], own[1 + LOG], own[TABLE_ROWS]
        for k in range(4):
            described[3 + k, d] = own[ENDS + k]
        upper = own[1 + UPPER]
        notes[CERTIFIED, d] = 0.0
        if has_variance:
            if upper + Z * own[2 + UPPER] <= certain and own[TABLE_ROWS] >= min_rows:
                notes[CERTIFIED, d] = 1.0
        else:
            described[1, d], described[5, d], described[6, d] = math.log(square), square, square
            upper = math.log1p(own[1 + VARIANCE] / (tau * tau)) / 2.0
        notes[KEY, d], notes[LARGEST, d] = -upper, ACTIVE * own[1 + VARIANCE]
        notes[TOTAL, d] = own[1 + VARIANCE] + own[1 + POSTERIOR]
        several += int(upper >= recurs)
        if own[TABLE_ROWS] >= min_rows and notes[CERTIFIED, d] == 0.0:
            reach = described[4, d] - described[3, d]
            if reach * reach > span * described[5, d]:
                lists[FAR, far] = d
                far += 1
            else:
                lists[NEAR, near] = d
                near += 1
        if has_variance and own[1 + USED] >= share and (own[1 + UNUSED] >= share or own[1 + GAP] >= MIN_GAP):
            lists[SIDES, sides] = d
            sides += 1
    return near, far, sides, several


@kernel("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], int64[::1], boolean, float64)")
def gather(block, notes, result, depths, sides, has_variance, repeats):
    """Complete the block: information from result (D, 3), the valleys of the dimensions `sides` from depths (·, 4).

    Each input occurs `repeats` times: errors grow by its root, and as many inputs are different.
    """
    widen = math.sqrt(repeats)
    for d in range(block.shape[1]):
        information, error = result[d, 0], result[d, 1]
        for k in ERRORS:
            block[k, d] *= widen
        if repeats > 1.0:
            block[FINITE, d] = math.ceil(block[FINITE, d] / repeats)
        if has_variance:
            upper = block[UPPER, d]
            upper = 0.0 if upper < 0.0 else upper
            if notes[CERTIFIED, d] > 0.0:
                information, error = upper, block[UPPER + 1, d]
            elif not information <= upper:
                information = upper if information > upper else np.nan
            block[VALLEY, d] = 1.0 if block[FINITE, d] > 0.0 else np.nan
            block[VALLEY + 1, d] = 0.0 if block[FINITE, d] > 1.0 else np.nan
        block[INFORMATION, d], block[INFORMATION + 1, d] = information, error
    for k in range(sides.shape[0]):
        for r in range(0, 4, 2):
            block[VALLEY + r, sides[k]], block[VALLEY + r + 1, sides[k]] = depths[k, r], depths[k, r + 1] * widen
