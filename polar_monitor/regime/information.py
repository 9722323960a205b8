"""Our criterion: which label the numbers of one snapshot give each dimension, and the sentence that says why.

With a variance representation a dimension is *passive* when its information is surely small. It is *mixed* when some
inputs surely use it, some surely do not, and the two are surely different kinds: a valley parts them in the
distribution of log σ². How much information it has as a whole is not asked then, since a few inputs that use it need
not make much of it. Any other dimension whose information is surely not small is *active*. Without a variance
(autoencoders) the entropy of the mean decides, and no dimension is ever called mixed: the entropy of the mean alone
cannot tell active from mixed. "Surely" is the 95 % confidence bound, where nothing else is said.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..statistics.snapshot import Array, Snapshot
from ..statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, MIN_ROWS, MIXED_SHARE, PASSIVE, Z
from .label import Label

MIXED_GAP = 0.02
"""Nats of `variance_gap` that a mixed dimension must surely have."""
MIXED_VALLEY = 0.85
"""Rows in the valley of log σ² that a mixed dimension must surely have less than, by those in the smaller peak."""
Z_VALLEY = 3.0
"""Standard errors of "surely" there: the valley is the deepest of some thirty that are tried."""


def by_information(s: Snapshot) -> tuple[Label, ...]:
    """The label of every dimension; a comparison with NaN is false, so what is not known stays undecided."""
    if s.independent < MIN_ROWS:
        return (Label.UNDECIDED,) * s.dimensions
    labels = np.empty(s.dimensions, dtype=object)
    labels.fill(Label.UNDECIDED)  # np.full would leave plain strings, which are not the label itself
    low, high = _bounds(s)
    informative = low >= _cut(s)
    labels[informative] = Label.ACTIVE
    if s.has_variance:
        labels[_mixed(s)] = Label.MIXED
    labels[np.fmin(high, _certificate(s)) <= PASSIVE] = Label.PASSIVE
    labels[np.isnan(s.information) | too_few(s)] = Label.UNDECIDED
    return tuple(labels.tolist())


def too_few(s: Snapshot) -> NDArray[np.bool_]:
    """Dimensions with too few finite rows to be judged (D,)."""
    return (s.finite < MIN_ROWS) | (s.independent < MIN_ROWS)


def sentence(s: Snapshot, j: int, label: Label) -> str:
    """Why dimension j of this snapshot has the label that `by_information` gives it."""
    if s.independent < MIN_ROWS:
        return f"only {s.independent} independent rows, {MIN_ROWS} are needed"
    if s.finite[j] < MIN_ROWS:
        of = f"{s.finite[j]:.0f} of {s.independent}"
        return f"only {of} independent rows are finite in it, {MIN_ROWS} are needed"
    if not math.isfinite(s.information[j]):
        return f"its information could not be estimated ({s.non_finite[j]:.0f} of its rows were not finite)"
    name = "information" if s.has_variance else f"entropy resolved at {s.resolution:.3g}"
    low, high = (float(bound[j]) for bound in _bounds(s))
    certificate, cut = float(_certificate(s)[j]), _cut(s)
    said = f"{name} {s.information[j]:.3f} nats, 95 % interval {max(low, 0):.3f} to {high:.3f}"
    if label is Label.PASSIVE and certificate < high:
        said = f"information at most {certificate:.3f} nats (from the moments, with 95 % confidence)"
    if label is Label.PASSIVE:
        return f"{said}, at or below {PASSIVE}"
    if label is Label.UNDECIDED:
        return f"{said}, which is neither surely below {PASSIVE} nor surely above {cut}"
    if not s.has_variance:
        return f"{said}, above {cut} (active and mixed cannot be told apart without a variance)"
    shares = f"{s.share_active[j]:.0%} of the inputs clearly use it, {s.share_passive[j]:.0%} clearly do not"
    if label is Label.MIXED:
        return f"{said}; {shares}, variance gap {s.variance_gap[j]:.2f} nats{_valley(s, j)}"
    return f"{said}, above {cut}; {shares}"


def _valley(s: Snapshot, j: int) -> str:
    if math.isnan(s.valley[j]):
        return ""
    return f"; the valley between the two kinds holds {s.valley[j]:.0%} of the rows of the smaller peak"


def _cut(s: Snapshot) -> float:
    return INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY


def _bounds(s: Snapshot) -> tuple[Array, Array]:
    return s.information - Z * s.information_se, s.information + Z * s.information_se


def _certificate(s: Snapshot) -> Array:
    """Upper confidence bound of the upper bound I_G; NaN without a variance."""
    return s.information_upper + Z * s.information_upper_se


def _mixed(s: Snapshot) -> NDArray[np.bool_]:
    """Some inputs surely use it, some surely do not, and σ² parts the two kinds."""
    gap = s.variance_gap - Z * s.variance_gap_se
    active, passive = s.share_active - Z * s.share_active_se, s.share_passive - Z * s.share_passive_se
    return (gap >= MIXED_GAP) & (np.minimum(active, passive) >= MIXED_SHARE) & two_kinds(s)


def two_kinds(s: Snapshot) -> NDArray[np.bool_]:
    """Whether a valley surely parts two kinds of inputs (D,)."""
    return np.asarray(s.valley + Z_VALLEY * s.valley_se <= MIXED_VALLEY)
