"""Why a published criterion labels a dimension otherwise than ours: one short sentence each, from the numbers.

Every criterion looks at one or two numbers and compares them with a fixed cut. `fact` says which; `disagreements` also
what they leave out: the noise that gives a scale its meaning, the prior's part in the KL, the mean, or the variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..statistics.snapshot import Snapshot
from ..statistics.thresholds import MIXED_SHARE
from .information import MIXED_GAP, two_kinds
from .label import Label
from .published import CRITERIA, ENTROPY_CUT, MINMAX_CUT

THREE = ("bonheme", "clapham_code")
"""Criteria that know mixed dimensions; the others only tell passive dimensions from the rest."""
OF_KL = ("kl", "kl_udr", "lucas")
CLUSTERED = 1.0
"""Nats of negentropy of μ above which its values are said to cluster."""


def disagree(one: Label, other: Label, three: bool) -> bool:
    """Whether two labels contradict each other; `three`: both criteria know mixed. Undecided contradicts nothing."""
    return one is not other and Label.UNDECIDED not in (one, other) and (three or Label.PASSIVE in (one, other))


def disagreements(s: Snapshot, j: int, ours: Label) -> Iterator[str]:
    """A sentence for every published criterion that contradicts our label of dimension j."""
    for name, criterion in CRITERIA.items():
        said = criterion(s)[j]
        if disagree(said, ours, name in THREE):
            yield f"{name} says {said}: {fact(name, s, j, said)}, {_but(name, s, j, said, ours)}"


def opinions(s: Snapshot, j: int) -> str:
    """Which criteria call dimension j what, where ours says nothing: 'active by …; passive by …'."""
    by: dict[Label, list[str]] = {}
    for name, criterion in CRITERIA.items():
        by.setdefault(criterion(s)[j], []).append(name)
    return "; ".join(f"{label} by {', '.join(by[label])}" for label in Label if label in by and label != "undecided")


def fact(name: str, s: Snapshot, j: int, said: Label) -> str:
    """The number of dimension j that made this criterion say so, beside its cut."""
    if said is Label.UNDECIDED:
        return "what it needs is not known, or fits none of its labels"
    above = said is not Label.PASSIVE
    match name:
        case "active_units" | "rolinek":
            return f"Var μ = {_n(s.variance[j])} is {_over(above)} {0.01 if name == 'active_units' else 0.5}"
        case "factor_vae":
            return f"sd μ = {_n(math.sqrt(s.variance[j]))} is {'at least' if above else 'below'} 0.05"
        case "rolinek_sd":
            return f"sd μ = {_n(math.sqrt(s.variance[j]))} is {_over(above)} 0.5"
        case "drvi":
            return f"max |μ| = {_n(s.mean_largest[j])} is {'at least' if above else 'below'} 0.5"
        case "kl" | "kl_udr":
            return f"KL = {_n(s.kl[j])} is {_over(above)} {0.1 if name == 'kl' else 0.01} nats"
        case "lucas":
            than = "less than" if above else "at least"
            return f"{s.share_collapsed[j]:.1%} of the inputs have a KL below 0.01 nats, {than} 99 %"
        case "mean_entropy":
            return f"h(μ) = {_n(s.entropy_knn[j])} is {_over(above)} {ENTROPY_CUT:.2f}"
        case "minmax_entropy":
            return f"the entropy over 30 bins = {_n(s.entropy_minmax[j])} is {_over(above)} {MINMAX_CUT:.2f}"
        case "bonheme":
            return _bonheme(s, j, said)
    return _clapham(s, j, said)


def _bonheme(s: Snapshot, j: int, said: Label) -> str:
    level, spread = _n(s.posterior_variance[j]), _n(s.posterior_variance_spread[j])
    if said is Label.ACTIVE:
        return f"mean σ² = {level} is at most 0.1"
    if said is Label.PASSIVE:
        return f"mean σ² = {level} is near 1 and Var σ² = {spread} below 0.1"
    if s.posterior_variance_spread[j] >= 0.1:
        return f"Var σ² = {spread} is at least 0.1"
    return f"mean σ² = {level} is outside both of its bands (at most 0.1, 0.9 to 1.1)"


def _clapham(s: Snapshot, j: int, said: Label) -> str:
    if said is Label.ACTIVE:
        return f"mean σ = {_n(s.posterior_deviation[j])} is below ½"
    if said is Label.PASSIVE:
        return "σ stays at 1 and μ at 0, as in the prior"
    return f"{s.share_narrow[j]:.1%} of the inputs have σ < ½ and {s.share_standard[j]:.1%} lie at the prior"


def _but(name: str, s: Snapshot, j: int, said: Label, ours: Label) -> str:
    """What the fact leaves out, with the numbers of ours."""
    if said is Label.MIXED:
        return _not_mixed(name, s, j, ours)
    if said is Label.ACTIVE and ours is Label.MIXED:
        return f"but {s.share_passive[j]:.0%} of the inputs do not use it"
    if said is Label.ACTIVE:
        return _not_active(name, s, j)
    return _not_passive(name, s, j)


def _not_mixed(name: str, s: Snapshot, j: int, ours: Label) -> str:
    gap = f"(variance gap {s.variance_gap[j]:.2f})"
    if name == "clapham_code":
        return f"but one input of each kind is enough there {gap}"
    if ours is Label.PASSIVE:
        return f"but those suit a prior of variance 1; the information is {_n(s.information[j])} nats"
    if s.variance_gap[j] < MIXED_GAP:
        return f"though σ² is {'' if s.variance_gap[j] < 0.005 else 'nearly '}the same for every input {gap}"
    if min(s.share_active[j], s.share_passive[j]) >= MIXED_SHARE and not two_kinds(s)[j]:
        return "though no valley in σ² parts two kinds of inputs"
    if s.share_passive[j] < s.share_active[j]:
        return f"though only {s.share_passive[j]:.1%} of the inputs do not use it"
    return f"though only {s.share_active[j]:.1%} of the inputs clearly use it"


def _not_active(name: str, s: Snapshot, j: int) -> str:
    """It is passive by ours."""
    v, off = _n(s.variance[j]), s.kl[j] - s.information_upper[j]
    if name in THREE:
        return f"but the mean is nearly the same for every input: Var μ = {v}, which is {_signal(s, j)}"
    if name == "drvi" and s.mean[j] ** 2 > s.variance[j]:
        return f"but so it is for every input (Var μ = {v})"
    if name == "minmax_entropy":
        return f"but that is the same at any scale, and Var μ = {v} is {_signal(s, j)}"
    if name not in OF_KL:
        return f"but {_at_noise(s, j)} that is {_signal(s, j)}"
    if off > s.kl[j] / 2:
        return f"but {_n(off)} nats are the aggregate posterior's distance from the prior (KL − I_G), not information"
    return f"but the information is only {_n(s.information[j])} nats"


def _not_passive(name: str, s: Snapshot, j: int) -> str:
    """It is informative by ours."""
    told = f"the information is {_n(s.information[j])} nats"
    if s.variance_gap[j] > _snr(s, j):  # false without a variance
        return f"but σ² is much smaller for some inputs (variance gap {s.variance_gap[j]:.2f}): {told}"
    if name == "minmax_entropy":
        return f"but few filled bins can tell much: {told}"
    if name == "mean_entropy" and _negentropy(s, j) > CLUSTERED:
        return f"but the values cluster, and h falls with the width of the clusters, not with what they tell: {told}"
    if name in THREE:
        return f"but the mean is not looked at: Var μ = {_n(s.variance[j])} {_at_noise(s, j)} is {_signal(s, j)}"
    return f"but {told}" if name in OF_KL else f"but {_at_noise(s, j)} that is {_signal(s, j)}"


def _noise(s: Snapshot, j: int) -> float:
    return float(s.posterior_variance[j]) if s.has_variance else s.resolution**2


def _snr(s: Snapshot, j: int) -> float:
    """½ log(1 + V / E), nats: what a Gaussian mean of this variance tells through this noise."""
    return 0.5 * math.log1p(float(s.variance[j]) / _noise(s, j))


def _signal(s: Snapshot, j: int) -> str:
    return f"{_n(_snr(s, j))} nats"


def _at_noise(s: Snapshot, j: int) -> str:
    if s.has_variance:
        return f"at a posterior variance of {_n(_noise(s, j))}"
    return f"at the resolution {_n(s.resolution)}"


def _negentropy(s: Snapshot, j: int) -> float:
    with np.errstate(divide="ignore"):
        return float(0.5 * np.log(2 * math.pi * math.e * s.variance[j]) - s.entropy_knn[j])


def _over(above: bool) -> str:
    return "above" if above else "at most"


def _n(value: float) -> str:
    """Two significant digits."""
    return f"{value + 0.0:.2g}".replace("-", "−")
