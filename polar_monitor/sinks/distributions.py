"""Histograms of the means and of log σ² as a line of the log holds them, for the views alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
            data[name] = _compact(chosen_histograms(histograms, which))
    return data


def _compact(histograms: Sequence[Histogram]) -> list[list[Any] | None]:
    """Return each from its first filled bin to its last, with neighbours pooled into at most 32; all in one pass."""
    counts = np.zeros((len(histograms), max(len(one.counts) for one in histograms) + 1), np.int64)
    for row, one in zip(counts, histograms, strict=True):
        row[: len(one.counts)] = one.counts
    filled = counts > 0
    first = filled.argmax(axis=1)
    length = counts.shape[1] - filled[:, ::-1].argmax(axis=1) - first
    pool = (length - 1) // MAX_BINS + 1
    place = (np.arange(counts.shape[1]) - first[:, None]) // pool[:, None]
    place = np.clip(place, 0, MAX_BINS - 1) + MAX_BINS * np.arange(len(counts))[:, None]
    pooled = np.bincount(place.ravel(), counts.ravel(), counts.shape[0] * MAX_BINS).astype(np.int64)
    rows = pooled.reshape(-1, MAX_BINS).tolist()
    return [
        [one.left + skipped * one.width, bins * one.width, row[: -(-used // bins)]]
        if row[0] and math.isfinite(one.width)
        else None
        for one, row, skipped, bins, used in zip(
            histograms, rows, first.tolist(), pool.tolist(), length.tolist(), strict=True
        )
    ]
