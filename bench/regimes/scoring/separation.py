"""How well one number distinguishes mixed from active among trained dimensions in use: area under the ROC curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, where
from .intervals import Z
from .tables import markdown

SEPARATING: dict[str, Callable[[Columns], NDArray[np.float64]]] = {
    "h(μ)": lambda c: c["entropy_knn"],
    "h(μ) of the standardised mean": lambda c: c["entropy_knn"] - 0.5 * np.log(c["variance"]),
    "information I": lambda c: c["information"],
    "variance gap D": lambda c: c["variance_gap"],
    "smaller of the two shares": lambda c: np.minimum(c["share_active"], c["share_passive"]),
}


def table(c: Columns) -> str:
    """A number a row. 0.5 is chance; below it, mixed dimensions have less of it. Intervals resample models."""
    part = where(c, (c["has_variance"] > 0) & (c["truth"] != "passive"))
    positive = part["truth"] == "mixed"
    found = []
    for name, of in SEPARATING.items():
        value = of(part)
        low, high = _auc_interval(value, positive, part["model"], part["family"])
        area = f"{auc(value, positive):.2f} ({low:.2f} to {high:.2f})"
        found.append([name, int(positive.sum()), int((~positive).sum()), area])
    return markdown(["number", "mixed", "active", "area under the curve"], found)


def matched(c: Columns) -> str:
    """Trained pairs of a mixed and an active dimension with the same h(μ), within its 95 % interval, of any models."""
    part = where(c, (c["has_variance"] > 0) & (c["truth"] != "passive"))
    i, j = (np.flatnonzero(part["truth"] == truth) for truth in ("mixed", "active"))
    h, error = part["entropy_knn"], part["entropy_knn_se"]
    alike = np.abs(h[i, None] - h[None, j]) <= Z * np.hypot(error[i, None], error[None, j])
    first, second = i[np.nonzero(alike)[0]], j[np.nonzero(alike)[1]]
    side = np.minimum(part["share_active"], part["share_passive"])
    both = (part["by_ours"][first] == "mixed") & (part["by_ours"][second] == "active")
    found = [
        [
            len(first),
            len(np.unique(first)),
            len(np.unique(second)),
            *(
                f"{100 * told.mean():.0f} %" if len(told) else "-"
                for told in (
                    part["variance_gap"][first] > part["variance_gap"][second],
                    side[first] > side[second],
                    both,
                )
            ),
        ]
    ]
    head = ["pairs with the same h(μ)", "mixed in them", "active in them"]
    head += ["the mixed one has the larger D", "the larger smaller share", "our labels distinguish both"]
    return markdown(head, found, words=0)


def auc(value: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Chance that a positive has more of `value` than another, ties counted half (Mann & Whitney 1947); NaN of none."""
    if positive.all() or not positive.any():
        return float("nan")
    ends = np.sort(value[~positive])
    below = np.searchsorted(ends, value[positive], "left") + np.searchsorted(ends, value[positive], "right")
    return float(below.mean() / (2 * len(ends)))


def _auc_interval(
    value: NDArray[np.float64], positive: NDArray[np.bool_], models: NDArray[np.str_], families: NDArray[np.str_]
) -> tuple[float, float]:
    rng, found = np.random.default_rng(0), []
    rows = {model: np.flatnonzero(models == model) for model in np.unique(models)}
    of = {family: np.unique(models[families == family]) for family in np.unique(families)}
    for _ in range(1000):
        drawn = np.concatenate([rows[m] for names in of.values() for m in rng.choice(names, len(names))])
        found.append(auc(value[drawn], positive[drawn]))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)
