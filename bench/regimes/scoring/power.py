"""The entropy of the mean alone cannot distinguish active from mixed, and from which share on the variance can.

Pairs have the same distribution of means and another behaviour of the variance. The power curve is over the share of
inputs that use a dimension and the size of the window, for our rule and the two published ones that know "mixed".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polar_monitor.criteria import CRITERIA
from polar_monitor.regime.information import by_information
from polar_monitor.regime.label import Label
from polar_monitor.statistics.snapshot import Snapshot

from . import laws
from .columns import Columns, where
from .dimensions import snapshot
from .intervals import Z, wilson
from .tables import markdown

SHARES = (0.01, 0.02, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5)
WINDOWS = (512, 1024, 2048, 4096, 8192, 16384)
HOMOGENEOUS = (
    {f"σ² = {m:g}": laws.gaussian(m) for m in (0.02, 0.3, 0.7)}
    | {
        f"σ² lognormal, mean {m:g}, log-sd {w:g}": laws.gaussian(m, w)
        for m, w in ((0.1, 0.5), (0.3, 0.5), (0.5, 0.5), (0.5, 0.7), (0.3, 0.9), (0.4, 0.9), (0.6, 1.0), (0.8, 1.0))
    }
    | {f"σ² {shape}, mean {m:g}": laws.broad(shape, m) for shape in laws.SHAPES for m in (0.4, 0.7)}
)
"""Dimensions whose σ² has one peak, however broad: to call one mixed is a false alarm."""
PAIRS = {
    "half of the inputs, mean near 0 where unused": (laws.gated_mean(0.5), laws.mixed(0.5)),
    "a fifth of the inputs, mean near 0 where unused": (laws.gated_mean(0.2), laws.mixed(0.2)),
    "normal means, σ² by a coin": (laws.coin(laws.normal, 1.0), laws.coin(laws.normal, 0.5)),
    "uniform means, σ² by a coin": (laws.coin(laws.uniform, 1.0), laws.coin(laws.uniform, 0.5)),
    "three clusters, σ² by a coin": (laws.coin(laws.clusters, 1.0), laws.coin(laws.clusters, 0.5)),
}
"""(active, mixed) laws with the same distribution of means."""
RULES = ("ours", "bonheme", "clapham_code")
"""Those that know "mixed"."""
Rows = list[dict[str, Any]]


def labels(snapshot: Snapshot) -> dict[str, tuple[Label, ...]]:
    """By our rule and by the published ones that know "mixed"."""
    return {"ours": by_information(snapshot)} | {name: CRITERIA[name](snapshot) for name in RULES[1:]}


def curve(dimensions: int = 400, seed: int = 0) -> Rows:
    """How often each rule says "mixed" of `dimensions` dimensions of each share and window; share 0: a false alarm."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    cases = [(f"{share:.0%}", share, laws.mixed(share)) for share in SHARES]
    cases += [(name, 0.0, draw) for name, draw in HOMOGENEOUS.items()]
    for name, share, draw in cases:
        for window in WINDOWS:
            for rule, found in labels(snapshot(*draw(rng, window, dimensions))).items():
                count = {label: sum(one == label for one in found) for label in Label}
                rows.append(
                    {"case": name, "share": share, "window": window, "rule": rule, "dimensions": dimensions}
                    | {str(label): n for label, n in count.items()}
                )
    return rows


def pairs(window: int = 4096, dimensions: int = 200, seed: int = 0) -> Rows:
    """Each pair: h(μ) with its standard error, the labels without and with the variance, and the variance gap."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for name, laws_of in PAIRS.items():
        both = [draw(rng, window, dimensions) for draw in laws_of]
        alone = [snapshot(mean, None) for mean, _ in both]
        whole = [snapshot(mean, variance) for mean, variance in both]
        difference = alone[1].entropy_knn - alone[0].entropy_knn
        error = np.hypot(alone[0].entropy_knn_se, alone[1].entropy_knn_se)
        rows.append(
            {
                "pair": name,
                "dimensions": dimensions,
                "entropy_active": float(alone[0].entropy_knn.mean()),
                "entropy_mixed": float(alone[1].entropy_knn.mean()),
                "entropy_se": float(error.mean()),
                "within": int((np.abs(difference) <= Z * error).sum()),
                "mean_only_active": _count(by_information(alone[0]), Label.ACTIVE),
                "mean_only_mixed": _count(by_information(alone[1]), Label.ACTIVE),
                "gap_active": float(whole[0].variance_gap.mean()),
                "gap_mixed": float(whole[1].variance_gap.mean()),
                "ours_active": _count(by_information(whole[0]), Label.ACTIVE),
                "ours_mixed": _count(by_information(whole[1]), Label.MIXED),
            }
        )
    return rows


def _count(found: tuple[Label, ...], label: Label) -> int:
    return sum(one == label for one in found)


def curve_table(c: Columns) -> str:
    """Detection rates in percent: share and rule a row, window a column."""
    found = []
    for share in SHARES:
        for name in RULES:
            rows = (np.abs(c["share"] - share) < 1e-9) & (c["rule"] == name)
            found.append([f"{share:.0%}, {name}", *_rates(where(c, rows))])
    return markdown(["inputs that use it, rule", *map(str, WINDOWS)], found)


def false_alarms(c: Columns) -> str:
    """How often a dimension that all inputs use alike is called mixed, in percent: law and rule a row."""
    found = [
        [f"{law}, {name}", *_rates(where(c, (c["case"] == law) & (c["rule"] == name)))]
        for law in HOMOGENEOUS
        for name in RULES
    ]
    return markdown(["every input uses it, rule", *map(str, WINDOWS)], found)


def _rates(c: Columns) -> list[str]:
    order = np.argsort(c["window"])
    return [str(wilson(int(c["mixed"][i]), int(c["dimensions"][i]))) for i in order]


def pairs_table(c: Columns) -> str:
    """What the mean alone says of either side of a pair, and what the variance adds."""
    found = []
    for i, name in enumerate(c["pair"].tolist()):
        n = int(c["dimensions"][i])
        found.append(
            [name, f"{c['entropy_active'][i]:.3f}", f"{c['entropy_mixed'][i]:.3f}", f"{c['entropy_se'][i]:.3f}"]
            + [f"{100 * c[key][i] / n:.0f} %" for key in ("within", "mean_only_active", "mean_only_mixed")]
            + [f"{c['gap_active'][i]:.2f}, {c['gap_mixed'][i]:.2f}"]
            + [f"{100 * c[key][i] / n:.0f} %" for key in ("ours_active", "ours_mixed")]
        )
    head = ["pair", "h(μ) active", "h(μ) mixed", "error of the difference", "difference within its interval"]
    head += ["mean alone: active called active", "mean alone: mixed called active", "variance gaps D"]
    return markdown([*head, "with variance: active called active", "with variance: mixed called mixed"], found)
