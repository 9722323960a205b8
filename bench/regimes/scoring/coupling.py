"""The bounds between entropy, variance, information and KL, checked in every snapshot of every run.

h(μ) ≤ ½ log(2πe V) and, for an N(0, 1) prior, h(μ) ≤ ½ log(4πe KL); 0 ≤ I ≤ I_G ≤ KL. The estimates have errors, so
an excess counts as a violation beyond 4 standard errors; the largest excess is told in standard errors.

Where values repeat (one blank image many times in a batch), h(μ) as a whole is −∞, and the estimate is that of the
other rows: a share 1 − t of all, whose variance is at most V / (1 − t), and that is what bounds it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..training.record import Trained
from .columns import Columns
from .tables import markdown

SURE = 4.0
"""Standard errors beyond which an excess is a violation."""
ROUNDING = 1e-4
"""Nats: what quadrature and float32 may be off by."""
POINTS = 16
"""Points of one model in the picture, at most."""
BOUNDS = {
    "h_variance": "h(μ) ≤ ½ log 2πeV",
    "h_kl": "h(μ) ≤ ½ log 4πeKL",
    "positive": "0 ≤ I",
    "i_upper": "I ≤ I_G",
    "upper_kl": "I_G ≤ KL",
}
Array = NDArray[np.float64]


def excesses(t: dict[str, Array], has_variance: bool) -> dict[str, tuple[Array, Array]]:
    """By how much each bound is exceeded, in nats, and the standard error of that; arrays (T, D), NaN where unknown.

    `t` has the arrays of snapshots by their names in `Snapshot`. Without a variance there are no KL and no I_G.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        h = t["entropy_knn"] + 0.5 * np.log1p(-t["ties"])
        found = {
            "h_variance": (
                h - 0.5 * np.log(2 * math.pi * math.e * pooled_variance(t, has_variance)),
                t["entropy_knn_se"],
            ),
            "positive": (-t["information"], t["information_se"]),
        }
        if has_variance:
            error = np.hypot(t["entropy_knn_se"], 0.5 * t["kl_se"] / t["kl"])
            found["h_kl"] = h - 0.5 * np.log(4 * math.pi * math.e * t["kl"]), error
            found["i_upper"] = t["information"] - t["information_upper"], t["information_se"]
            found["upper_kl"] = t["information_upper"] - t["kl"], np.zeros_like(t["kl"])
    return found


def pooled_variance(t: dict[str, Array], has_variance: bool) -> Array:
    """The variance over the window (T, D): that of a code is within steps, and h(μ) is of all rows, drift included."""
    return t["variance"] if has_variance else t["variance"] + np.nan_to_num(t["drift"]) ** 2


def checked(model: Trained) -> dict[str, Any]:
    """One row a model: snapshots, and for each bound how often it was checked, violated, and the largest excess."""
    row: dict[str, Any] = {"model": model.name, "family": model.family, "snapshots": len(model.trajectory["step"])}
    found = excesses(model.trajectory, model.logvar is not None)
    for name in BOUNDS:
        excess, error = found.get(name, (np.zeros((0, 1)), np.zeros((0, 1))))
        known = np.isfinite(excess) & np.isfinite(error)
        beyond = excess[known] - ROUNDING
        row[f"{name}_checked"] = int(known.sum())
        row[f"{name}_violated"] = int((beyond > SURE * error[known]).sum())
        with np.errstate(divide="ignore"):
            over = np.where(beyond > 0, beyond / error[known], 0.0)
        row[f"{name}_largest"] = float(over.max(initial=0.0))
    return row


def points(model: Trained, seed: int = 0) -> list[dict[str, Any]]:
    """Some (h, V, KL) of the run, and the truth about the dimension, for the picture."""
    t = model.trajectory
    known = np.argwhere(np.isfinite(t["entropy_knn"]))
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(known))[:POINTS]
    has = model.logvar is not None
    variance = pooled_variance(t, has)
    return [
        {
            "family": model.family,
            "truth": model.truth[j],
            "entropy": float(t["entropy_knn"][i, j]),
            "variance": float(variance[i, j]),
            "kl": float(t["kl"][i, j]) if has else math.nan,
        }
        for i, j in known[np.sort(chosen)].tolist()
    ]


def table(c: Columns) -> str:
    """A family a row, and all of them: checks, and of each bound violations of checks and the largest excess."""
    found = []
    for family in [*np.unique(c["family"]).tolist(), "all"]:
        inside = (c["family"] == family) | (family == "all")
        line: list[object] = [family, int(inside.sum()), int(c["snapshots"][inside].sum())]
        for name in BOUNDS:
            checks = int(c[f"{name}_checked"][inside].sum())
            violated, largest = int(c[f"{name}_violated"][inside].sum()), c[f"{name}_largest"][inside].max()
            line.append(f"{violated} of {checks} ({largest:.1f})" if checks else "-")
        found.append(line)
    return markdown(["family", "models", "snapshots", *BOUNDS.values()], found)
