"""Check the state of a histogram from an untrusted file before a kernel uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._validation import MAX_COUNT, is_version, state_count
from ..errors import PolarMonitorError
from ..kernels import histogram
from .full import MAX_COVERED
from .windowed_histogram import PANES

BINS = 512
"""Number of bins of a `LatentStream`'s histogram."""


def check_histogram(stream: Mapping[str, Any]) -> None:
    """Raise PolarMonitorError unless rows can have made the histogram in the state of a `LatentStream`.

    Kernels compute the places they write to from this state. The shapes are checked before anything is allocated.
    """
    if not is_version(stream, 1):
        raise PolarMonitorError(f"state: expected version 1, got {str(stream.get('version'))[:40]}")
    state, dimensions = stream["histogram"], state_count("dimensions", stream["dimensions"], 1)
    if state is None and dimensions > MAX_COVERED:
        return  # so wide a latent has none
    panes, bins = len(state["rows"]), state_count("bins", state["bins"])
    if not 1 <= panes <= PANES or bins != BINS:
        raise PolarMonitorError(f"state: expected at most {PANES} panes of {BINS} bins, got {panes} of {bins}")
    each = (panes, dimensions)
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "counts": ((*each, bins), np.int64),
        "exponent": (each, np.int64),
        "low": (each, np.float64),
        "high": (each, np.float64),
        "extremes": ((*each, 2 * histogram.EXTREMES), np.float32),
        "tallies": ((panes, 4, dimensions), np.int64),
        "rows": ((panes,), np.int64),
        "non_finite_left": ((3, dimensions), np.int64),
    }
    for name, (shape, dtype) in shapes.items():
        if state[name].shape != shape or state[name].dtype != dtype:
            raise PolarMonitorError(f"state: expected {name} {shape} of {np.dtype(dtype)}, got {state[name].shape}")
    k, e, low, high = histogram.EXTREMES, state["exponent"], state["low"], state["high"]
    counts, finite, extremes = state["counts"], state["tallies"][:, 0], state["extremes"].astype(np.float64)
    binned, used = low <= high, np.minimum(finite, 2 * k)
    with np.errstate(all="ignore"):
        first, last = (np.floor(np.ldexp(end, -np.clip(e, -256, 256))) for end in (low, high))
        numbers = np.where(np.arange(2 * k) < used[..., None], extremes, np.inf)
        fits = [
            (counts >= 0).all() and (state["tallies"] >= 0).all() and (state["tallies"] < MAX_COUNT).all(),
            (state["non_finite_left"] >= 0).all() and all(0 <= n < MAX_COUNT for n in state["rows"].tolist()),
            (e >= histogram.FINEST).all() and (e <= 128).all(),
            (binned == (finite > used)).all() and (counts.sum(axis=2) == finite - used).all(),
            (np.isfinite(low) & np.isfinite(high) & (last - first < bins) | ~binned).all(),
            (np.maximum(np.abs(first), np.abs(last)) <= 2.0**24)[binned].all(),
            (binned | (np.isposinf(low) & np.isneginf(high))).all(),
            np.isfinite(numbers[np.arange(2 * k) < used[..., None]]).all() and not (np.diff(numbers) < 0).any(),
            ((extremes[..., k - 1] <= low) & (high <= extremes[..., k]) | ~binned).all(),
        ]
    if not all(fits):
        raise PolarMonitorError("state: expected the histogram of a LatentStream, got numbers that no rows can give")
