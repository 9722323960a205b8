"""Whether a saved state is one that a run can have made: it is checked before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._validation import state_count
from .errors import PolarMonitorError
from .lane import Lane


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
