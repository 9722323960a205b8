"""Whether a saved state is one that a run can have made: it is checked before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._validation import MAX_COUNT, is_version, state_count
from .errors import PolarMonitorError
from .lane import Lane

BINS = 512
"""Of a LatentStream's histogram."""


def check_histogram(stream: Mapping[str, Any]) -> None:
    """Whether a histogram is one that rows can have made: the kernels trust it with the places they write to.

    Nothing is allocated before the arrays are known to be as large as they should be.
    """
    from .kernels import histogram  # compiles the kernels, so not on `import polar_monitor`
    from .panes import PANES

    if not is_version(stream, 1):
        raise PolarMonitorError(f"state: expected version 1, got {str(stream.get('version'))[:40]}")
    state, dimensions = stream["histogram"], state_count("dimensions", stream["dimensions"], 1)
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


def check_lane(lane: Lane, saved: Mapping[str, Any]) -> None:
    """Whether the parts of a lane belong together: what is of another shape would break every later evaluation."""
    stream, dimensions = lane.stream, None if lane.stream is None else lane.stream.dimensions
    if stream is not None:
        state = stream.state_dict()
        n = state["mean"].shape[1]
        state_count("place", state["place"], 0, stream.window)
        state_count("per", state["per"], 1)
        state_count("mantissa", state["mantissa"], 1, 53)
        for word in ("inputs", "rows"):
            state_count(word, state[word])
        shapes: dict[str, tuple[int | None, ...]] = {"input": (n,), "non_finite": (dimensions,)}
        if stream.has_variance:
            shapes["variance"] = (dimensions, n)
        for word, shape in shapes.items():
            if np.shape(saved["stream"][word]) != shape:
                raise PolarMonitorError(f"state: expected {word} {shape}, got {np.shape(saved['stream'][word])}")
        if n < stream.window and state["place"] != n:
            raise PolarMonitorError(f"state: expected place {n}, after {n} rows, got {state['place']}")
    widths = lane.alarms.watched.checked()
    if lane.snapshot is not None:
        data = vars(lane.snapshot).values()
        widths |= {value.shape for value in data if isinstance(value, np.ndarray) and value.shape != (dimensions,)}
        widths.add(lane.snapshot.dimensions)
    if lane.regime is not None:
        widths |= {len(lane.regime.labels), len(lane.regime.latest), len(lane.regime.agreeing)}
    if widths - {dimensions}:
        raise PolarMonitorError(f"state: expected {dimensions} dimensions everywhere, got {sorted(map(str, widths))}")
