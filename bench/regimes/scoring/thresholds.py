"""Statistics that published rules cut once, with the cut that suits the models of an earlier run best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .columns import Columns

Words = NDArray[np.str_]
ONE_CUT = {
    "Var μ": ("variance", 1),
    "KL": ("kl", 1),
    "h(μ)": ("entropy_knn", 1),
    "largest absolute μ": ("mean_largest", 1),
    "min–max entropy": ("entropy_minmax", 1),
    "inputs with KL < 0.01": ("share_collapsed", -1),
}
"""Statistics that published rules cut once, and whether more of it (1) or less (−1) is active.

Active units, FactorVAE's pruning and both of Rolinek's are cuts of the first, NVAE's and UDR's of the second.
"""


def one_cut(c: Columns, of: str, cut: float) -> Words:
    """ "active" above the cut, "passive" at or below it, "undecided" where the statistic is not known."""
    value = _oriented(c, of)
    return np.where(np.isnan(value), "undecided", np.where(value > cut, "active", "passive"))


def choose_one_cut(c: Columns, of: str, truth: Words) -> float:
    """The cut of a statistic that agrees best with `truth`: every midpoint is tried; of equals, the middle one.

    The cut is of the statistic times its sign in `ONE_CUT`.
    """
    value = _oriented(c, of)
    ends = np.unique(value[np.isfinite(value)])
    if len(ends) == 0:
        return 0.0
    tried = np.concatenate([[ends[0] - 1], (ends[1:] + ends[:-1]) / 2])
    hits = np.array([(one_cut(c, of, cut) == truth).sum() for cut in tried])
    best = tried[hits == hits.max()]
    return float(best[len(best) // 2])


def _oriented(c: Columns, of: str) -> NDArray[np.float64]:
    statistic, sign = ONE_CUT[of]
    return np.asarray(sign * c[statistic], np.float64)
