"""Spectrum: nats of the dimensions by rank on a log axis, of one run or of several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .figure import MARKERS, SERIES, documents_of, new_figure, thousands

FLOOR = 1e-4
"""Nats of the lowest place of the axis."""
MAX_LINEAR = 30
"""Dimensions up to which the axis of ranks is linear."""
MAX_MARKERS = 40
Run = str | os.PathLike[str] | dict[str, Any]


def spectrum(runs: Run | Sequence[Run], *, name: str = "", mode: str = "train") -> Any:
    """Return a matplotlib figure of the nats by rank; the grey band lies between the cuts of the labels.

    A folder of runs stands for all of them.

    Raises PolarMonitorError for a run that cannot be read, and ImportError without matplotlib.
    """
    several = [runs] if isinstance(runs, str | os.PathLike | dict) else list(runs)
    drawn = [document for run in several for document in documents_of(run, name, mode)]
    many = max((len(data["spectrum"]["nats"]) for data in drawn), default=1) > MAX_LINEAR
    figure, axes = new_figure(6.0, 3.6)
    for k, data in enumerate(drawn):
        nats = np.array([np.nan if v is None else max(v, FLOOR) for v in data["spectrum"]["nats"]], float)
        marker = MARKERS[k % len(MARKERS)]
        ranks = np.arange(1, len(nats) + 1)
        axes.plot(
            ranks,
            nats,
            marker=marker,
            ms=5,
            markevery=slice(0, MAX_MARKERS),
            color=SERIES[k % len(SERIES)],
            label=data["title"],
        )
    low, high = drawn[0]["cuts"] if drawn else (0.05, 0.15)
    axes.axhspan(low, high, color="#57606a", alpha=0.15, lw=0)
    axes.set(yscale="log", xlabel=f"rank of the dimension{' (log)' * many}", ylabel="nats")
    if many:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(thousands)
    axes.annotate(
        f"between the cuts, {low} to {high}",
        (0.99, low),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color="#57606a",
    )
    if len(drawn) > 1:
        axes.legend(frameon=False, fontsize=8)
    return figure
