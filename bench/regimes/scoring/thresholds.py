"""Cuts chosen on one half of the models and reported on the other: of our rule, and of each published one-cut rule.

The rule is written here a second time, over columns of statistics, so that a grid of cuts takes seconds; a test holds
it to `polar_monitor.regime.information`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polar_monitor.kernels import posterior
from polar_monitor.regime import information
from polar_monitor.statistics import resolution

from .columns import Columns, where
from .dimensions import KAPPAS, LEAVES, USES

Words = NDArray[np.str_]
ANY = 1e9


@dataclass(frozen=True)
class Cuts:
    """The cuts of our rule, by their names in `polar_monitor.regime.information`, and what it could look at besides.

    `mixed_information` is what a mixed dimension must surely have: nothing, as it is set. `uses` and `leaves` are the
    shares of V + E that tell an input's side.
    """

    passive: float = information.PASSIVE
    informative: float = information.INFORMATIVE
    informative_mean_only: float = information.INFORMATIVE_MEAN_ONLY
    mixed_share: float = information.MIXED_SHARE
    mixed_gap: float = information.MIXED_GAP
    mixed_information: float = -ANY
    mixed_valley: float = information.MIXED_VALLEY
    resolution: float = resolution.RESOLUTION
    uses: float = posterior.ACTIVE
    leaves: float = posterior.PASSIVE


AS_SET = Cuts()
GRID = {
    "passive": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15),
    "informative": (0.03, 0.05, 0.07, 0.1, 0.15, 0.2),
    "informative_mean_only": (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0),
    "mixed_share": (0.02, 0.05, 0.1),
    "mixed_gap": (0.01, 0.02, 0.05, 0.1, 0.15, 0.2),
    "mixed_information": (-ANY, information.INFORMATIVE),
    "mixed_valley": (0.7, information.MIXED_VALLEY, ANY),
    "resolution": KAPPAS,
    "uses": USES,
    "leaves": LEAVES,
}


WITH_VARIANCE = ("informative", "mixed_share", "mixed_gap", "mixed_information", "mixed_valley", "uses", "leaves")
WITHOUT = ("informative_mean_only", "resolution")


def ours(c: Columns, cuts: Cuts = AS_SET) -> Words:
    """The label of every row by our rule with other cuts."""
    has = c["has_variance"] > 0
    value = np.where(has, c["information"], c[f"resolved_{cuts.resolution:g}"])
    error = np.where(has, c["information_se"], c[f"resolved_{cuts.resolution:g}_se"])
    least = np.where(has, cuts.informative, cuts.informative_mean_only)
    low = value - information.Z * error
    uses, leaves = c[f"uses_{cuts.uses:g}"], c[f"leaves_{cuts.leaves:g}"]
    kinds = np.minimum(surely(uses, c["n"]), surely(leaves, c["n"])) >= cuts.mixed_share
    kinds &= c["valley"] + information.Z_VALLEY * c["valley_se"] <= cuts.mixed_valley
    gap = c["variance_gap"] - information.Z * c["variance_gap_se"]
    certificate = c["information_upper"] + information.Z * c["information_upper_se"]
    labels = np.full(len(value), "undecided", dtype="<U9")
    kinds &= gap >= cuts.mixed_gap
    if "upper_kind" in c:  # tables of older code do not have it
        kinds |= c["upper_kind"] - information.Z * c["upper_kind_se"] >= information.MIXED_UPPER
    several = has & kinds & (low >= cuts.mixed_information)
    labels[low >= least] = "active"
    labels[several] = "mixed"
    labels[np.fmin(value + information.Z * error, certificate) <= cuts.passive] = "passive"
    labels[np.isnan(value) | (c["finite"] < information.MIN_ROWS)] = "undecided"
    return labels


def surely(share: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower 95 % bound of a share of n independent rows, with the error of snapshots (Agresti & Coull 1998)."""
    p = (share * n + 2.0) / (n + 4.0)
    return np.asarray(share - information.Z * np.sqrt(p * (1.0 - p) / (n + 4.0)))


def choose(c: Columns) -> Cuts:
    """The cuts of `GRID` that agree best with the truth of these rows; of equals, those nearest to what is set now."""
    best, found = (-1.0, 0.0), AS_SET
    alone, whole = (where(c, c["has_variance"] == kind) for kind in (0, 1))
    for passive in _tried("passive"):
        cuts, hits, moved = replace(AS_SET, passive=passive), 0.0, _distance("passive", passive)
        for part, names in ((whole, WITH_VARIANCE), (alone, WITHOUT)):
            if len(part["truth"]) == 0:
                continue
            scored = []
            for values in itertools.product(*(_tried(name) for name in names)):
                tried = replace(cuts, **dict(zip(names, values, strict=True)))
                if min(tried.informative, tried.informative_mean_only) < passive:
                    continue
                far = sum(_distance(name, value) for name, value in zip(names, values, strict=True))
                scored.append((float((ours(part, tried) == part["truth"]).sum()), -far, values))
            if not scored:
                break
            right, near, values = max(scored)
            cuts, hits, moved = replace(cuts, **dict(zip(names, values, strict=True))), hits + right, moved - near
        else:
            if (hits, -moved) > best:
                best, found = (hits, -moved), cuts
    return found


def _tried(name: str) -> list[float]:
    return sorted({*GRID[name], getattr(AS_SET, name)})


def _distance(name: str, value: float) -> float:
    ratio = value / getattr(AS_SET, name)
    return min(abs(math.log(ratio)), 1.0) if ratio > 0 else 1.0


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
