"""The monitor's state as tensors and plain data, to be saved beside the model's, and back.

Tensors, because `torch.load` refuses NumPy arrays by default (`weights_only=True`). Nothing is ever unpickled here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from .alerts import Alert
from .conductor import Conductor
from .errors import PolarMonitorError
from .lane import Lane
from .rest import Rest

VERSION = 1
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RuntimeError, MemoryError)
"""What reading a state that is none can raise; PolarMonitorError is a ValueError, RecursionError a RuntimeError."""
MOST = 4 * 10**6
"""Leaves of a state: lists that hold each other many times over would be written out, and have no end."""
BINS = 512
"""Of a LatentStream's histogram."""
COUNT = 2**62
"""All counts are below."""


def save(conductor: Conductor) -> dict[str, Any]:
    """Everything a resumed run needs to say what the uninterrupted one would; waiting rows are taken in first."""
    conductor.take_in()
    state = {
        "version": VERSION,
        "clock": conductor.state_dict(),
        "alerts": [alert.to_dict() for alert in conductor.alerts],
        "lanes": {mode: lane.state_dict() for mode, lane in conductor.lanes.items()},
    }
    return dict(_each(state, np.ndarray, torch.from_numpy))


def load(conductor: Conductor, state: Any) -> None:
    """Go on from what `save` returned. Raises PolarMonitorError, and changes nothing, if it does not fit."""
    if not isinstance(state, Mapping) or not _is_version(state, VERSION):
        raise PolarMonitorError(f"state: expected a dict of version {VERSION}, from PolarMonitor.state_dict()")
    try:
        left = iter(range(MOST))
        lanes = _trial(conductor, _each(state["lanes"], torch.Tensor, _array, left))
        alerts = [Alert.from_dict(alert) for alert in _each(state["alerts"], torch.Tensor, _array, left)]
        clock = _clock(conductor, state["clock"])
        json.dumps([alert.to_dict() for alert in alerts])
    except PolarMonitorError:
        raise
    except BROKEN as broken:
        said = f"no field {broken}" if isinstance(broken, KeyError) else str(broken)
        raise PolarMonitorError(f"state: expected what PolarMonitor.state_dict() returned, got {said}") from broken
    for mode, trial in lanes.items():
        if mode in conductor.lanes:
            conductor.lanes[mode].take_over(trial)
        else:
            conductor.lanes[mode] = trial
    conductor.resume(clock, alerts)


def _each(value: Any, kind: type, convert: Callable[[Any], Any], left: Iterator[int] | None = None) -> Any:
    """The same nested dicts and lists with every leaf of a kind converted; enumerations become plain strings.

    Raises PolarMonitorError when there are more items than `left`.
    """
    if left is not None and next(left, None) is None:
        raise PolarMonitorError(f"state: expected at most {MOST} items, got more")
    if isinstance(value, kind):
        return convert(value)
    if isinstance(value, Mapping):
        return {str(key): _each(item, kind, convert, left) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, kind, convert, left) for item in value]
    return str(value) if isinstance(value, str) else value


def _array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Its numbers, without a copy. PolarMonitorError for a tensor that says it is larger than what was loaded."""
    size = tensor.numel() * tensor.element_size()
    if tensor.layout is not torch.strided or tensor.is_meta or size > tensor.untyped_storage().nbytes():
        raise PolarMonitorError(f"state: expected dense tensors, got {tuple(tensor.shape)} that is not all there")
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def _clock(conductor: Conductor, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The counters of a run."""
    clock = {key: saved[key] for key in conductor.state_dict()}
    rest = Rest()
    clock["rest"] = {key: _count(key, clock["rest"][key]) for key in rest.state_dict()}
    rest.load_state_dict(clock["rest"])
    least = {"next": 1, "every": 1}
    return {key: value if key == "rest" else _count(key, value, least.get(key, 0)) for key, value in clock.items()}


def _is_version(state: Mapping[str, Any], version: int) -> bool:
    found = state.get("version")
    return isinstance(found, int) and found == version


def _count(word: str, value: Any, least: int = 0, most: int = COUNT) -> int:
    """A whole number from `least` on and below `most`."""
    if not isinstance(value, int | np.integer) or not least <= value < most:
        raise PolarMonitorError(f"state: expected {word} to be a whole number from {least} on, got {str(value)[:40]}")
    return int(value)


def _trial(conductor: Conductor, saved: Mapping[str, Any]) -> dict[str, Lane]:
    """New lanes with the saved state; those of the conductor are not touched."""
    trials = {}
    for mode in conductor.options.modes:
        lane = conductor.lanes.get(mode)
        if mode not in saved:
            raise PolarMonitorError(f"state: expected the mode {mode!r}, got {', '.join(map(repr, saved)) or 'none'}")
        kind = saved[mode]["kind"]
        if lane is not None and lane.kind != kind:
            raise PolarMonitorError(
                f"state: mode {mode!r} expects {lane.kind or 'no variance'}, got {kind or 'no variance'}"
            )
        trial = Lane(mode, kind, conductor.options.settings, None)
        for word in ("written", "dropped", "seen", "observed"):
            _count(word, saved[mode][word])
        if saved[mode]["stream"] is not None:
            _check_histogram(saved[mode]["stream"])
        trial.load_state_dict(saved[mode])
        _check_lane(trial, saved[mode])
        expected = None if lane is None or lane.stream is None else lane.stream.dimensions
        if trial.stream is not None and expected not in (None, trial.stream.dimensions):
            raise PolarMonitorError(f"state: expected {expected} dimensions, got {trial.stream.dimensions}")
        trials[mode] = trial
    return trials


def _check_histogram(stream: Mapping[str, Any]) -> None:
    """Whether a histogram is one that rows can have made: the kernels trust it with the places they write to.

    Nothing is allocated before the arrays are known to be as large as they should be.
    """
    from .kernels import histogram  # compiles the kernels, so not on `import polar_monitor`
    from .panes import PANES

    if not _is_version(stream, 1):
        raise PolarMonitorError(f"state: expected version 1, got {str(stream.get('version'))[:40]}")
    state, dimensions = stream["histogram"], _count("dimensions", stream["dimensions"], 1)
    panes, bins = len(state["rows"]), _count("bins", state["bins"])
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
            (counts >= 0).all() and (state["tallies"] >= 0).all() and (state["tallies"] < COUNT).all(),
            (state["non_finite_left"] >= 0).all() and all(0 <= n < COUNT for n in state["rows"].tolist()),
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


def _check_lane(lane: Lane, saved: Mapping[str, Any]) -> None:
    """Whether the parts of a lane belong together: what is of another shape would break every later evaluation."""
    stream, dimensions = lane.stream, None if lane.stream is None else lane.stream.dimensions
    if stream is not None:
        state = stream.state_dict()
        n = state["mean"].shape[1]
        _count("place", state["place"], 0, stream.window)
        _count("per", state["per"], 1)
        _count("mantissa", state["mantissa"], 1, 53)
        for word in ("inputs", "rows"):
            _count(word, state[word])
        shapes: dict[str, tuple[int | None, ...]] = {"input": (n,), "non_finite": (dimensions,)}
        if stream.has_variance:
            shapes["variance"] = (dimensions, n)
        for word, shape in shapes.items():
            if np.shape(saved["stream"][word]) != shape:
                raise PolarMonitorError(f"state: expected {word} {shape}, got {np.shape(saved['stream'][word])}")
        if n < stream.window and state["place"] != n:
            raise PolarMonitorError(f"state: expected place {n}, after {n} rows, got {state['place']}")
    tracks = lane.watched.tracks
    widths = {len(tracks.in_use)} if len(tracks.in_use) else set()
    arrays = [tracks.was_used, tracks.falling, tracks.calm, tracks.warned, tracks.healthy]
    if any(array.shape != tracks.in_use.shape for array in arrays):
        raise PolarMonitorError("state: expected the alerts' history to have one number a dimension, got other shapes")
    if lane.snapshot is not None:
        data = vars(lane.snapshot).values()
        widths |= {value.shape for value in data if isinstance(value, np.ndarray) and value.shape != (dimensions,)}
        widths.add(lane.snapshot.dimensions)
    if lane.regime is not None:
        widths |= {len(lane.regime.labels), len(lane.regime.latest), len(lane.regime.agreeing)}
    if widths - {dimensions}:
        raise PolarMonitorError(f"state: expected {dimensions} dimensions everywhere, got {sorted(map(str, widths))}")
    for word, value in vars(lane.watched).items():
        if word != "tracks" and not isinstance(value, int | float) and (word, value) != ("healthy_step", None):
            raise PolarMonitorError(f"state: expected {word} to be a number, got {type(value).__name__}")
