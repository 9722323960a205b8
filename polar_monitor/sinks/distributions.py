"""Histograms of the means and of log σ² as a line of the log holds them, for the views alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..statistics.drawn_histograms import chosen_histograms
from ..statistics.snapshot import Histogram, Snapshot
from ..statistics.windowed_histogram import MAX_LOG

MAX_BINS = 32
"""Bins of a histogram in a line."""


def distributions(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the histograms of the dimensions with most information; None if the snapshot has none.

    Each is [left edge, width of a bin, counts], or null if there is no finite value.
    """
    if not snapshot.histograms:
        return None
    order = np.argsort(-np.nan_to_num(snapshot.information, nan=-np.inf), kind="stable")
    which = np.sort(order[:MAX_LOG]).tolist()
    data: dict[str, Any] = {"dimensions": which}
    for name, histograms in (("mean", snapshot.histograms), ("log_variance", snapshot.log_variance_histograms)):
        if histograms:
            data[name] = [_compact(one) for one in chosen_histograms(histograms, which)]
    return data


def _compact(histogram: Histogram) -> list[Any] | None:
    """Return a histogram from its first filled bin to its last, with neighbours pooled into at most 32."""
    filled = np.flatnonzero(histogram.counts)
    if not filled.size or not math.isfinite(histogram.width):
        return None
    first, last = int(filled[0]), int(filled[-1])
    pool = (last - first) // MAX_BINS + 1
    counts = np.add.reduceat(histogram.counts[first : last + 1], np.arange(0, last - first + 1, pool))
    return [float(histogram.left + first * histogram.width), float(pool * histogram.width), counts.tolist()]
