"""Labels by our criterion, in one pass over the dimensions; `regime/information.py` explains the cuts."""

import numpy as np

from .._jit import kernel

PASSIVE, UNDECIDED, MIXED, ACTIVE = range(4)
"""Codes of the labels."""


@kernel("Tuple((int64, float64, float64))(float64[:, ::1], boolean, UniTuple(float64, 8), uint8[::1])")
def label(numbers, has_variance, cuts, codes):
    """Write the code of each dimension into codes (D,).

    numbers (13, D): information, its upper bound, the variance gap, the shares of inputs that use it and that do not,
    and the valley, each before its standard error; last the finite rows. Returns the number of dimensions that cannot
    be estimated, the least finite information of an informative dimension and the largest of a passive one.
    """
    z, z_valley, passive, informative, mixed_gap, mixed_share, mixed_valley, min_rows = cuts
    unknown, weakest, strongest = 0, np.inf, -np.inf
    for j in range(codes.shape[0]):
        information, margin = numbers[0, j], z * numbers[1, j]
        code = UNDECIDED
        if np.isnan(information) or numbers[12, j] < min_rows:
            unknown += 1
        elif information + margin <= passive or numbers[2, j] + z * numbers[3, j] <= passive:
            code = PASSIVE
        elif (
            has_variance
            and numbers[10, j] + z_valley * numbers[11, j] <= mixed_valley
            and numbers[4, j] - z * numbers[5, j] >= mixed_gap
            and numbers[6, j] - z * numbers[7, j] >= mixed_share
            and numbers[8, j] - z * numbers[9, j] >= mixed_share
        ):
            code = MIXED
        elif information - margin >= informative:
            code = ACTIVE
        codes[j] = code
        if np.isfinite(information):
            if code == PASSIVE:
                strongest = max(strongest, information)
            elif code != UNDECIDED:
                weakest = min(weakest, information)
    return unknown, weakest, strongest
