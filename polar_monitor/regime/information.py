"""Our criterion: labels from the information of each dimension, and the sentence that explains a label.

With a variance representation a dimension is *passive* if its information is surely small. It is *mixed* if some inputs
surely use it, some surely do not, and a valley in the distribution of log σ² surely separates the two kinds. A mixed
dimension may carry little information in total, since few inputs may use it. Any other dimension whose information is
surely not small is *active*. Without a variance (autoencoders) the resolved entropy of the mean decides. No dimension
is called mixed then, because the entropy of the mean alone cannot distinguish active from mixed.

"Surely" means the 95 % confidence bound, unless another bound is given.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..statistics.snapshot import Array, Snapshot
from ..statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, MIN_ROWS, MIXED_SHARE, PASSIVE, Z
from .label import Label
from .label_codes import ACTIVE, MIXED, UNDECIDED, decode
from .label_codes import PASSIVE as PASSIVE_CODE

MIXED_GAP = 0.02
"""Lower limit of a mixed dimension's `variance_gap`, in nats."""
MIXED_VALLEY = 0.85
"""Upper limit of a mixed dimension's `valley`: rows in the valley of log σ² per row in the smaller peak."""
MIN_REPEATS_NAMED = 1.1
"""Smallest mean number of times that an input occurs in the window at which the reason of a label names it."""
Z_VALLEY = 3.0
"""Standard errors of "surely" for the valley: it is the deepest of about thirty that are tried."""


def by_information(s: Snapshot) -> tuple[Label, ...]:
    """Return the label of each dimension. A comparison with NaN is false: an unknown dimension stays undecided."""
    return decode(codes_by_information(s))


def codes_by_information(s: Snapshot) -> bytes:
    """Return the labels of `by_information` as codes."""
    if s.independent < MIN_ROWS:
        return bytes([UNDECIDED]) * s.dimensions
    margin = Z * s.information_se
    codes = np.where(s.information - margin >= _cut(s), ACTIVE, UNDECIDED)
    if s.has_variance and np.fmin.reduce(s.valley, initial=np.inf) <= MIXED_VALLEY:  # few codes have a valley
        codes[_mixed(s)] = MIXED
    codes[np.fmin(s.information + margin, _certificate(s)) <= PASSIVE] = PASSIVE_CODE
    if not are_all_known(s):
        codes[np.isnan(s.information) | too_few(s)] = UNDECIDED
    return codes.tobytes()


def are_all_known(s: Snapshot) -> bool:
    """Return True if every dimension surely has an information and enough rows for a label: a cheap first test."""
    rows = s.finite.min(initial=np.inf)
    return bool(rows >= MIN_ROWS and s.independent >= MIN_ROWS and math.isfinite(s.information.sum()))


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
    name = "information" if s.has_variance else f"entropy resolved at {s.resolution:.3g}:"
    low, high = (float(bound[j]) for bound in _bounds(s))
    certificate, cut = float(_certificate(s)[j]), _cut(s)
    text = f"{name} {s.information[j]:.3f} nats, 95 % interval {max(low, 0):.3f} to {high:.3f}"
    if label is Label.PASSIVE and certificate < high:
        text = f"information at most {certificate:.3f} nats (from the moments, with 95 % confidence)"
    if label is Label.PASSIVE:
        return f"{text}, at or below {PASSIVE}"
    if label is Label.UNDECIDED:
        return f"{text}, which is neither surely below {PASSIVE} nor surely above {cut}"
    if not s.has_variance:
        return f"{text}, above {cut} (active and mixed cannot be distinguished without a variance)"
    shares = f"{s.share_active[j]:.0%} of the inputs clearly use it, {s.share_passive[j]:.0%} clearly do not"
    if label is Label.MIXED:
        return f"{text}; {shares}, variance gap {s.variance_gap[j]:.2f} nats{_valley(s, j)}"
    return f"{text}, above {cut}; {shares}"


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


def _mixed(s: Snapshot) -> NDArray[np.bool_]:
    """Return where some inputs surely use the dimension, some surely do not, and σ² separates the two kinds (D,)."""
    gap = s.variance_gap - Z * s.variance_gap_se
    active, passive = s.share_active - Z * s.share_active_se, s.share_passive - Z * s.share_passive_se
    return (gap >= MIXED_GAP) & (np.minimum(active, passive) >= MIXED_SHARE) & _has_two_kinds(s)


def _has_two_kinds(s: Snapshot) -> NDArray[np.bool_]:
    """Return where a valley surely separates two kinds of inputs (D,)."""
    return np.asarray(s.valley + Z_VALLEY * s.valley_se <= MIXED_VALLEY)
