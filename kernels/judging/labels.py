"""Labels by our criterion, in one pass over the dimensions; `regime/information.py` explains the cuts.

Each dimension has three questions: is it passive, is it informative, is it mixed? An answer that is not known is given
by the 95 % bounds of this evaluation. A known one changes at once if this evaluation is far beyond the cut, and
otherwise by evidence that adds up over evaluations; `regime/evidence.py` explains the rule. A dimension that moves is
not held, and has no label while it moves through a cut; `regime/motion.py` explains it.
"""

import math

import numpy as np

from .._jit import kernel

PASSIVE, UNDECIDED, MIXED, ACTIVE = range(4)
"""Codes of the labels."""
UNKNOWN, NO, YES = range(3)
"""Codes of an answer; two bits of `sides` for each question: passive, informative, mixed."""
MOVES = 1 << 6
"""Bit of `sides` that marks a dimension that moves through a cut."""
GAP = 1 << 7
"""Bit of `sides` that marks a mixed dimension of which a nearly empty valley says so, rather than the fixed places."""


@kernel(
    "Tuple((int64, int64, float64, float64))"
    "(float64[:, ::1], boolean, UniTuple(float64, 13), float64, float64[:, ::1], float64, uint8[::1],"
    "float64[:, ::1], uint8[:, ::1])"
)
def label(numbers, has_variance, cuts, share, before, ahead, sides, evidence, codes):
    """Write the code of each dimension into codes (2, D): the label, and that by this evaluation alone.

    numbers (15, D): information, its upper bound, the variance gap, the shares of inputs that use it and that do not,
    the valley, and the upper kind, each before its standard error; last the finite rows. `sides` (D,) and `evidence`
    (3, D) are those of the evaluation before and become those of this one; `share` of the window's rows came since
    then. before (2, D): the information of that evaluation and its error; the label is about a time that is `ahead`
    times as far from the rows of this one as those are from the rows before, or about them if that is 0. Returns the
    number of dimensions that cannot be estimated and of labels that differ from this evaluation's own, the least finite
    information of an informative dimension and the largest of a passive one.
    """
    (
        z,
        z_valley,
        passive,
        informative,
        mixed_gap,
        mixed_share,
        mixed_valley,
        mixed_upper,
        min_rows,
        z_change,
        drift,
        needed,
        z_moves,
    ) = cuts
    unknown, held, weakest, strongest = 0, 0, np.inf, -np.inf
    for j in range(sides.shape[0]):
        information, error, upper, upper_error = numbers[0, j], numbers[1, j], numbers[2, j], numbers[3, j]
        if np.isnan(information) or numbers[14, j] < min_rows:
            unknown += 1
            sides[j] = UNKNOWN
            for question in range(3):
                evidence[question, j] = 0.0
            codes[0, j] = codes[1, j] = UNDECIDED
            continue
        certified = upper + z * upper_error <= passive
        is_passive = certified or information + z * error <= passive
        is_informative = information - z * error >= informative
        is_mixed = has_variance and (
            numbers[12, j] - z * numbers[13, j] >= mixed_upper
            or (
                numbers[10, j] + z_valley * numbers[11, j] <= mixed_valley
                and numbers[4, j] - z * numbers[5, j] >= mixed_gap
                and numbers[6, j] - z * numbers[7, j] >= mixed_share
                and numbers[8, j] - z * numbers[9, j] >= mixed_share
            )
        )
        below = above = np.nan
        if math.isfinite(error):
            below, above = (passive - information) / error, (information - informative) / error
        bound = (passive - upper) / upper_error if math.isfinite(upper_error) else np.nan
        if bound > below and (certified or sides[j] & 3 != YES):  # a noisy bound does not keep a dimension passive
            below = bound
        gap, low, high = (
            (numbers[4, j] - mixed_gap) / numbers[5, j],
            (numbers[6, j] - mixed_share) / numbers[7, j],
            (numbers[8, j] - mixed_share) / numbers[9, j],
        )
        valley = (mixed_valley - numbers[10, j]) / numbers[11, j] * (z / z_valley)
        if numbers[10, j] >= 1.0:  # none was found, without an error: the next window may show it
            valley = max(valley, -z if (sides[j] >> 4) & 3 == UNKNOWN else -drift)
        two_kinds = min(min(gap, low), min(high, valley))
        if np.isnan(gap) or np.isnan(low) or np.isnan(high) or np.isnan(valley):
            two_kinds = np.nan
        apart = (numbers[12, j] - mixed_upper) / numbers[13, j]
        unused = (1.0 - mixed_share - numbers[6, j]) / numbers[7, j]
        if np.isnan(numbers[12, j]) and sides[j] & GAP:  # no gap was found: the next window may show it
            apart = np.nan if np.isnan(low) or np.isnan(unused) else min(-drift, min(low, unused))
        by_gap = has_variance and not np.isnan(apart) and not two_kinds >= apart
        two_kinds = apart if by_gap else two_kinds
        margins, answers = (below, above, two_kinds), (is_passive, is_informative, is_mixed)
        change = information - before[0, j] if ahead > 0 else 0.0
        moves = abs(change) > z_moves * math.hypot(error, before[1, j])
        packed = 0
        for question in range(3):
            margin, side, total = margins[question], (sides[j] >> (2 * question)) & 3, 0.0
            if side == UNKNOWN or np.isnan(margin) or (moves and question < 2):
                side = YES if answers[question] else NO if margin <= -z else UNKNOWN
            else:
                against = -margin if side == YES else margin
                changes = against > z_change
                if not changes:
                    total = max(0.0, evidence[question, j] + share * drift * (against - 0.5 * drift))
                    changes = total >= needed
                if changes:
                    side, total = YES + NO - side, 0.0
            evidence[question, j] = total
            packed |= side << (2 * question)
        code = PASSIVE if packed & 3 == YES else MIXED if packed >> 4 == YES else UNDECIDED
        if code == UNDECIDED and (packed >> 2) & 3 == YES:
            code = ACTIVE
        then = information + ahead * change
        if moves and ((code == PASSIVE and then > passive) or (code == ACTIVE and then < informative)):
            code = UNDECIDED
            packed |= MOVES
        if by_gap and (packed >> 4) & 3 == YES:
            packed |= GAP
        sides[j] = packed
        alone = PASSIVE if is_passive else MIXED if is_mixed else ACTIVE if is_informative else UNDECIDED
        codes[0, j], codes[1, j] = code, alone
        held += int(code != alone)
        if math.isfinite(information):
            if code == PASSIVE:
                strongest = max(strongest, information)
            elif code != UNDECIDED:
                weakest = min(weakest, information)
    return unknown, held, weakest, strongest
