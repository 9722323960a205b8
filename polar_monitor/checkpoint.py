"""The monitor's state as tensors and plain data, to be saved beside the model's, and back.

Tensors, because `torch.load` refuses NumPy arrays by default (`weights_only=True`). Nothing is ever unpickled here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from .alerts import Alert
from .conductor import Conductor
from .errors import PolarMonitorError
from .lane import Lane
from .rest import Rest

VERSION = 1
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What reading a state that is none can raise; PolarMonitorError is a ValueError."""


def save(conductor: Conductor) -> dict[str, Any]:
    """Everything a resumed run needs to say what the uninterrupted one would; waiting rows are taken in first."""
    for lane in conductor.lanes.values():
        lane.drains += lane.ring.requests()
        lane.wait()
        lane.ingest()
    state = {
        "version": VERSION,
        "clock": conductor.state_dict(),
        "alerts": [alert.to_dict() for alert in conductor.alerts],
        "lanes": {mode: lane.state_dict() for mode, lane in conductor.lanes.items()},
    }
    return dict(_each(state, np.ndarray, torch.from_numpy))


def load(conductor: Conductor, state: Any) -> None:
    """Go on from what `save` returned. Raises PolarMonitorError, and changes nothing, if it does not fit."""
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise PolarMonitorError(f"state: expected a dict of version {VERSION}, from PolarMonitor.state_dict()")
    try:
        lanes = _trial(conductor, _each(state["lanes"], torch.Tensor, lambda tensor: tensor.cpu().numpy()))
        alerts = [Alert.from_dict(alert) for alert in state["alerts"]]
        clock = {key: state["clock"][key] for key in conductor.state_dict()}
        Rest().load_state_dict(clock["rest"])
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


def _each(value: Any, kind: type, convert: Callable[[Any], Any]) -> Any:
    """The same nested dicts and lists with every leaf of a kind converted; enumerations become plain strings."""
    if isinstance(value, kind):
        return convert(value)
    if isinstance(value, Mapping):
        return {str(key): _each(item, kind, convert) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, kind, convert) for item in value]
    return str(value) if isinstance(value, str) else value


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
        trial.load_state_dict(saved[mode])
        expected = None if lane is None or lane.stream is None else lane.stream.dimensions
        if trial.stream is not None and expected not in (None, trial.stream.dimensions):
            raise PolarMonitorError(f"state: expected {expected} dimensions, got {trial.stream.dimensions}")
        trials[mode] = trial
    return trials
