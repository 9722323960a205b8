"""The published criteria, one function each: what others would say of the same snapshot.

Each maps a `Snapshot` to one label a dimension, as published or as released code has it. They need a variance
representation unless the name says otherwise, most assume an N(0, 1) prior, and their cuts lie up to two orders of
magnitude apart: counts of "active units" from different papers are not comparable, which is why they are printed side
by side. A dimension whose statistics are not known is undecided, as is what a rule leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from ..statistics.snapshot import Array, Snapshot
from .label import Label

Labels = tuple[Label, ...]
ENTROPY_CUT = 0.5 * math.log(4 * math.pi * math.e * 0.1)
"""The largest h(μ) that a KL of 0.1 nats to N(0, 1) allows."""
MINMAX_CUT = 0.5 * math.log(30)
"""Half of what 30 bins can hold."""
SHARP = 0.03
"""`delta_kl` below this is a polarised regime (Rolinek, Zietlow & Martius 2019)."""


def active_units(s: Snapshot, ddof: int = 0) -> Labels:
    """Var μ > 0.01 (Burda, Grosse & Salakhutdinov 2016). Needs no variance.

    They take the variance with ddof 0, of 500 rows. He et al. 2019 (vae-lagging-encoder) take ddof 1, of all rows.
    """
    return _two(s.variance * s.n / max(s.n - ddof, 1) > 0.01, s.variance)


def factor_vae(s: Snapshot) -> Labels:
    """sd μ ≥ 0.05 (the pruning of FactorVAE as disentanglement_lib has it). Needs no variance."""
    return _two(np.sqrt(s.variance) >= 0.05, s.variance)


def rolinek(s: Snapshot) -> Labels:
    """Var μ > 0.5, as a reproduction of Rolinek, Zietlow & Martius 2019 gives it. Needs no variance."""
    return _two(s.variance > 0.5, s.variance)


def rolinek_sd(s: Snapshot) -> Labels:
    """sd μ > 0.5, as the same reproduction has it in another place. Needs no variance."""
    return _two(np.sqrt(s.variance) > 0.5, s.variance)


def drvi(s: Snapshot) -> Labels:
    """max |μ| ≥ 0.5, where DRVI 0.2.3 calls a dimension not vanished (0.1 before). Needs no variance."""
    return _two(s.mean_largest >= 0.5, s.mean_largest)


def kl(s: Snapshot) -> Labels:
    """Mean KL > 0.1 nats (the count that NVAE logs; Vahdat & Kautz 2020)."""
    return _two(s.kl > 0.1, s.kl)


def kl_udr(s: Snapshot) -> Labels:
    """Mean KL > 0.01 nats (the informative latents of UDR, Duan et al. 2020)."""
    return _two(s.kl > 0.01, s.kl)


def lucas(s: Snapshot) -> Labels:
    """(ε, δ)-collapse of Lucas et al. 2019, ε = δ = 0.01: passive if at least 1 − δ of the inputs have a KL < ε."""
    return _two(s.share_collapsed < 1.0 - 0.01, s.share_collapsed)


def bonheme(s: Snapshot) -> Labels:
    """Bonheme & Grzes 2021 on σ² alone: spread < 0.1 and mean near 1 (passive) or at most 0.1 (active), else mixed.

    As their code has it: Var σ² with ddof 0, near is 0.9 to 1.1.
    """
    still, level = s.posterior_variance_spread < 0.1, s.posterior_variance
    labels = np.empty(s.dimensions, dtype=object)
    labels.fill(Label.MIXED)
    labels[still & (level >= 0.9) & (level <= 1.1)] = Label.PASSIVE
    labels[still & (level <= 0.1)] = Label.ACTIVE
    labels[~np.isfinite(level)] = Label.UNDECIDED
    return tuple(labels.tolist())


def clapham_code(s: Snapshot) -> Labels:
    """Code that Clapham released: mean σ < ½ active, σ and μ at the prior's 1 and 0 passive, inputs of both mixed.

    Passive: |mean σ − 1| ≤ 0.1, Var σ ≤ 0.01, |mean μ| ≤ 0.1 and Var μ ≤ 0.01. Mixed: one input or more with σ < ½, and
    one or more with |σ − 1| ≤ 0.1 and |μ| ≤ 0.1. There a dimension may be two at once, and none; here mixed goes before
    passive and active, and none is undecided. The code is of later work, not shown to be that of arXiv 2605.15965.
    """
    level = s.posterior_deviation
    with np.errstate(invalid="ignore"):
        still = s.posterior_variance - np.square(level) <= 0.01
    labels = np.empty(s.dimensions, dtype=object)
    labels.fill(Label.UNDECIDED)
    labels[level < 0.5] = Label.ACTIVE
    labels[still & (np.abs(level - 1.0) <= 0.1) & (np.abs(s.mean) <= 0.1) & (s.variance <= 0.01)] = Label.PASSIVE
    labels[(s.share_narrow > 0.0) & (s.share_standard > 0.0)] = Label.MIXED
    return tuple(labels.tolist())


def mean_entropy(s: Snapshot) -> Labels:
    """h(μ) against the entropy that a KL of 0.1 nats allows at most, ½ log(4πe·0.1). Needs no variance.

    The cut follows from h(μ) ≤ ½ log(4πe KL) for an N(0, 1) prior; it is blind to discrete codes and to scale.
    """
    return _two(s.entropy_knn > ENTROPY_CUT, s.entropy_knn)


def minmax_entropy(s: Snapshot) -> Labels:
    """Entropy of μ over 30 bins between its own least and largest value > ½ log 30. Needs no variance.

    Code that Clapham released averages it over dimensions and has no cut; half of what is possible is ours. It is the
    same for any scale of a dimension, so it cannot tell passive from active: a baseline only.
    """
    return _two(s.entropy_minmax > MINMAX_CUT, s.entropy_minmax)


CRITERIA: dict[str, Callable[[Snapshot], Labels]] = {
    f.__name__: f
    for f in (
        active_units,
        bonheme,
        clapham_code,
        drvi,
        factor_vae,
        kl,
        kl_udr,
        lucas,
        mean_entropy,
        minmax_entropy,
        rolinek,
        rolinek_sd,
    )
}


def check(criterion: str) -> None:
    """Raise `PolarMonitorError` unless `criterion` is a known name."""
    if criterion != "information" and criterion not in CRITERIA:
        known = ", ".join(["information", *CRITERIA])
        raise PolarMonitorError(f"criterion: expected one of {known}; got {criterion!r}")


def labels_by(criterion: str, snapshot: Snapshot) -> Labels:
    """Labels by a published criterion. Raises PolarMonitorError for an unknown name."""
    check(criterion)
    return CRITERIA[criterion](snapshot)


def delta_kl(s: Snapshot, criterion: Callable[[Snapshot], Labels] = rolinek) -> float:
    """Δ_KL of Rolinek, Zietlow & Martius 2019: the share of the KL that sharp active dimensions do not explain.

    |L − L̃| / L with L = ½ Σ E[μ² + σ² − log σ² − 1] over all dimensions, and L̃ = ½ Σ E[μ² − log σ² − 1] over those that
    `criterion` calls active. Less than `SHARP` is a polarised regime there. NaN without a variance, for another prior
    than N(0, 1), or if no dimension has a KL.
    """
    square = s.variance + np.square(s.mean)
    standard = 0.5 * (square + s.posterior_variance - s.log_variance - 1.0)
    known = np.isfinite(standard)
    total = float(standard[known].sum())
    if not known.any() or total <= 0.0 or not np.allclose(standard[known], s.kl[known], rtol=1e-6, atol=1e-6):
        return math.nan
    active = known & np.array([label is Label.ACTIVE for label in criterion(s)])
    return abs(total - float(0.5 * (square - s.log_variance - 1.0)[active].sum())) / total


def _two(informative: NDArray[np.bool_], of: Array) -> Labels:
    """Active or passive where the statistic is known."""
    return tuple(
        Label.UNDECIDED if not math.isfinite(value) else Label.ACTIVE if i else Label.PASSIVE
        for i, value in zip(informative.tolist(), of.tolist(), strict=True)
    )
