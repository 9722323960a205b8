"""Our criterion: labels from the information of each dimension, and the sentence that explains a label.

With a variance representation a dimension is *passive* if its information is surely small. It is *mixed* if some inputs
surely use it, some surely do not, and a valley in the distribution of log σ² surely separates the two kinds. If this
valley is a factor of 4 wide and nearly empty, the two kinds are plain wherever it lies: the dimension is mixed if σ² of
the inputs above it is surely at least half of V + E; else all inputs use it, with two precisions. A mixed dimension may
carry little information in total, since few inputs may use it. Any other dimension whose information is surely not
small is *active*. Without a variance (autoencoders) the resolved entropy of the mean decides. No dimension
is called mixed then, because the entropy of the mean alone cannot distinguish active from mixed.

"Surely" means the 95 % confidence bound, unless another bound is given.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..statistics.resolution import noise_of
from ..statistics.snapshot import Array, Snapshot
from ..statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, MIN_ROWS, MIXED_SHARE, PASSIVE, Z
from .evidence import DRIFT, MIN_EVIDENCE, QUESTIONS, Z_CHANGE
from .label import Label
from .label_codes import UNDECIDED, Codes, decode, without_evidence
from .motion import Z_MOVES, ahead_of

MIXED_GAP = 0.02
"""Lower limit of a mixed dimension's `variance_gap`, in nats."""
MIXED_VALLEY = 0.85
"""Upper limit of a mixed dimension's `valley`: rows in the valley of log σ² per row in the smaller peak."""
MIXED_UPPER = 0.5
"""Lower limit of a mixed dimension's `upper_kind`: the largest σ² / (V + E) of an input that uses the dimension."""
MIN_MOVEMENT_NAMED = 0.1
"""Smallest movement of a mean over the window, in standard deviations of the dimension, that an explanation names."""
MIN_REPEATS_NAMED = 1.1
"""Smallest mean number of times that an input occurs in the window at which the reason of a label names it."""
Z_VALLEY = 3.0
"""Standard errors of "surely" for the valley: it is the deepest of about thirty that are tried."""


def by_information(s: Snapshot) -> tuple[Label, ...]:
    """Return the label of each dimension. A comparison with NaN is false: an unknown dimension stays undecided."""
    return decode(judge_by_information(s).codes.latest)


class Judged(NamedTuple):
    """The labels of one evaluation, as codes, with what the verdict asks of them."""

    codes: Codes
    unknown: int
    """Dimensions that cannot be estimated."""
    weakest: float
    """The least finite information of an informative dimension; inf for none."""
    strongest: float
    """The largest finite information of a passive dimension; -inf for none."""


def judge_by_information(
    s: Snapshot, previous: Codes | None = None, share: float = 1.0, before: Snapshot | None = None
) -> Judged:
    """Return the labels and the bounds of the two groups.

    `previous` are the codes of the evaluation `before`; a `share` of the window's rows is new since then.
    """
    from ..kernels.judging.labels import label

    D = s.dimensions
    if s.independent < MIN_ROWS:
        return Judged(without_evidence(bytes([UNDECIDED]) * D), D, math.inf, -math.inf)
    numbers = np.array(
        (
            s.information, s.information_se, s.information_upper, s.information_upper_se, s.variance_gap,
            s.variance_gap_se, s.share_active, s.share_active_se, s.share_passive, s.share_passive_se, s.valley,
            s.valley_se, s.upper_kind, s.upper_kind_se, s.finite,
        ),
        np.float64,
    )  # fmt: skip
    codes = bytearray(2 * D) + (bytes(D) if previous is None else previous.sides)
    evidence = bytearray(8 * QUESTIONS * D if previous is None else previous.evidence)
    rows = np.ndarray((3, D), np.uint8, codes)
    arrays = rows[2], np.ndarray((QUESTIONS, D), np.float64, evidence), rows[:2]
    rule, ahead, earlier = (Z_CHANGE, DRIFT, MIN_EVIDENCE, Z_MOVES), ahead_of(s, before), numbers
    if ahead > 0 and before is not None:
        earlier = np.array((before.information, before.information_se))
    cuts = Z, Z_VALLEY, PASSIVE, _cut(s), MIXED_GAP, MIXED_SHARE, MIXED_VALLEY, MIXED_UPPER, float(MIN_ROWS), *rule
    unknown, held, weakest, strongest = label(numbers, s.has_variance, cuts, share, earlier, ahead, *arrays)
    labels = bytes(codes[:D])
    latest = bytes(codes[D : 2 * D]) if held else labels
    return Judged(Codes(labels, latest, bytes(codes[2 * D :]), bytes(evidence)), unknown, weakest, strongest)


def too_few(s: Snapshot) -> NDArray[np.bool_]:
    """Return which dimensions have too few finite rows for a label (D,)."""
    return (s.finite < MIN_ROWS) | (s.independent < MIN_ROWS)


def too_few_rows(s: Snapshot) -> str:
    """Say that the window has too few independent rows, and whether that is because inputs recur in it."""
    if s.repeats >= MIN_REPEATS_NAMED:
        return f"only {s.independent} different inputs in {s.n} rows, {MIN_ROWS} are needed"
    return f"only {s.independent} independent rows, {MIN_ROWS} are needed"


def sentence(s: Snapshot, j: int, label: Label) -> str:
    """Explain the label that `by_information` gives dimension j."""
    if s.independent < MIN_ROWS:
        return too_few_rows(s)
    if s.finite[j] < MIN_ROWS:
        rows = f"{s.finite[j]:.0f} of {s.independent}"
        return f"only {rows} independent rows are finite in it, {MIN_ROWS} are needed"
    if not math.isfinite(s.information[j]):
        return f"its information could not be estimated ({s.non_finite[j]:.0f} of its rows were not finite)"
    name = "information" if s.has_variance else f"entropy resolved at {noise_of(s, j):.3g}{_gain(s, j)}:"
    low, high = (float(bound[j]) for bound in _bounds(s))
    certificate, cut = float(_certificate(s)[j]), _cut(s)
    interval = f"{_beside(max(low, 0.0), cut)} to {_beside(high, PASSIVE)}"
    text = f"{name} {s.information[j]:.3f} nats, 95 % interval {interval}"
    if not math.isfinite(s.information_se[j]):
        text = f"{name} {s.information[j]:.3f} nats, whose error is not known"
    if label is Label.PASSIVE and certificate <= PASSIVE and not certificate >= high:
        text = f"information at most {_beside(certificate, PASSIVE)} nats (from the moments, with 95 % confidence)"
    if label is Label.PASSIVE:
        return f"{text}, at or below {PASSIVE}"
    if label is Label.UNDECIDED:
        return f"{text}, which is neither surely below {PASSIVE} nor surely above {cut}"
    if not s.has_variance:
        return f"{text}, at or above {cut} (active and mixed cannot be distinguished without a variance)"
    shares = f"{s.share_active[j]:.0%} of the inputs clearly use it, {s.share_passive[j]:.0%} clearly do not"
    if label is Label.MIXED:
        return f"{text}; {_two_kinds(s, j, shares)}"
    return f"{text}, at or above {cut}; {shares}{_two_precisions(s, j)}"


def _two_kinds(s: Snapshot, j: int, shares: str) -> str:
    gap = f"variance gap {s.variance_gap[j]:.2f} nats"
    if s.share_passive[j] - Z * s.share_passive_se[j] >= MIXED_SHARE and not s.valley[j] >= 1.0:
        return f"{shares}, {gap}{_valley(s, j)}"
    return (
        f"{s.share_active[j]:.0%} of the inputs clearly use it, {gap}; a nearly empty valley in σ² separates two kinds "
        f"of inputs, and σ² of the wider kind is {s.upper_kind[j]:.2f} (V + E), surely at least {MIXED_UPPER}"
    )


def _two_precisions(s: Snapshot, j: int) -> str:
    if math.isnan(s.upper_kind[j]):
        return ""
    return (
        "; two precisions: a nearly empty valley in σ² separates two kinds of inputs, and σ² of the wider kind is "
        f"{s.upper_kind[j]:.2f} (V + E), not surely at least {MIXED_UPPER} as where inputs do not use a dimension"
    )


def _gain(s: Snapshot, j: int) -> str:
    if math.isnan(s.gain[j]):
        return ""
    if s.gain[j] == 0:
        return ", since the decoder does not react to it"
    return f", where the decoder's gain is {s.gain[j]:.3g}"


def movement(s: Snapshot, j: int) -> str:
    """Say how far the mean of dimension j has moved over the window; '' if that is not surely much, or not known."""
    share, error = (float(numbers[j]) for numbers in s.drift_share)
    if not share - Z * max(error, 0.0) >= MIN_MOVEMENT_NAMED:
        return ""
    aside = "" if s.has_variance else ", which is no part of its spread"
    moved = f"{share:.2g} ± {error:.1g}" if error >= 0 else f"{share:.2g}"
    return f"the training has moved its mean by {moved} standard deviations over the window{aside}"


def _beside(value: float, cut: float) -> str:
    """Return a number with three decimals, or with as many more as show on which side of the cut it is."""
    text = f"{value:.3f}"
    for decimals in range(4, 10):
        if (float(text) <= cut) == (value <= cut) and (float(text) >= cut) == (value >= cut):
            break
        text = f"{value:.{decimals}f}"
    return text


def _valley(s: Snapshot, j: int) -> str:
    if math.isnan(s.valley[j]):
        return ""
    return f"; the valley between the two kinds holds {s.valley[j]:.0%} of the rows of the smaller peak"


def _cut(s: Snapshot) -> float:
    return INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY


def _bounds(s: Snapshot) -> tuple[Array, Array]:
    return s.information - Z * s.information_se, s.information + Z * s.information_se


def _certificate(s: Snapshot) -> Array:
    """Return the upper confidence bound of the upper bound I_G; NaN without a variance."""
    return s.information_upper + Z * s.information_upper_se
