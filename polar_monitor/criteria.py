"""The published criteria, one function each: what others would say of the same snapshot.

Each maps a `Snapshot` to one label a dimension. They need a variance representation unless the name says otherwise,
most assume an N(0, 1) prior, and their cuts lie up to two orders of magnitude apart: counts of "active units" from
different papers are not comparable, which is why they are printed side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .errors import PolarMonitorError
from .label import Label
from .snapshot import Snapshot

Labels = tuple[Label, ...]


def _two(informative: NDArray[np.bool_], known: NDArray[np.bool_]) -> Labels:
    return tuple(
        Label.UNDECIDED if not k else Label.ACTIVE if i else Label.PASSIVE
        for i, k in zip(informative, known, strict=True)
    )


def active_units(s: Snapshot) -> Labels:
    """Var μ > 0.01 (Burda, Grosse & Salakhutdinov 2016). Needs no variance."""
    return _two(s.variance > 0.01, np.isfinite(s.variance))


def factor_vae(s: Snapshot) -> Labels:
    """sd μ ≥ 0.05 (the pruning of FactorVAE as disentanglement_lib has it). Needs no variance."""
    return _two(np.sqrt(s.variance) >= 0.05, np.isfinite(s.variance))


def kl(s: Snapshot) -> Labels:
    """KL > 0.1 nats (the count that NVAE logs)."""
    return _two(s.kl > 0.1, np.isfinite(s.kl))


def kl_udr(s: Snapshot) -> Labels:
    """KL > 0.01 nats (the informative latents of UDR, Duan et al. 2020)."""
    return _two(s.kl > 0.01, np.isfinite(s.kl))


def rolinek(s: Snapshot) -> Labels:
    """Var μ > 0.5, as a reproduction of Rolinek, Zietlow & Martius 2019 gives it. Needs no variance."""
    return _two(s.variance > 0.5, np.isfinite(s.variance))


def bonheme(s: Snapshot) -> Labels:
    """Bonheme & Grzes 2021 on σ² alone: spread < 0.1 and mean near 1 (passive) or at most 0.1 (active), else mixed."""
    spread, level = s.posterior_variance_spread, s.posterior_variance
    still = spread < 0.1
    labels = []
    for steady, m in zip(still, level, strict=True):
        if not math.isfinite(m):
            labels.append(Label.UNDECIDED)
        elif steady and 0.9 <= m <= 1.1:
            labels.append(Label.PASSIVE)
        elif steady and m <= 0.1:
            labels.append(Label.ACTIVE)
        else:
            labels.append(Label.MIXED)
    return tuple(labels)


def mean_entropy(s: Snapshot) -> Labels:
    """h(μ) against the entropy that a KL of 0.1 nats allows at most, ½ log(4πe·0.1). Needs no variance.

    The cut follows from h(μ) ≤ ½ log(4πe KL) for an N(0, 1) prior; it is blind to discrete codes and to scale.
    """
    cut = 0.5 * math.log(4 * math.pi * math.e * 0.1)
    return _two(s.entropy_knn > cut, np.isfinite(s.entropy_knn))


CRITERIA: dict[str, Callable[[Snapshot], Labels]] = {
    f.__name__: f for f in (active_units, bonheme, factor_vae, kl, kl_udr, mean_entropy, rolinek)
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
