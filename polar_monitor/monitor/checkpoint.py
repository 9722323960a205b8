"""The monitor's state as tensors and plain data, to be saved beside the model's, and back.

Tensors, because `torch.load` refuses NumPy arrays by default (`weights_only=True`). Nothing is ever unpickled here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from .._validation import is_version, state_count
from ..alerts.alert import Alert
from ..errors import PolarMonitorError
from ..schedule.duty_cycle import HookDutyCycle
from .evaluation_loop import EvaluationLoop
from .pipeline import ModePipeline, check_pipeline
from .training_context import TrainingContextBuffer

VERSION = 1
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RuntimeError, MemoryError)
"""What reading a state that is none can raise; PolarMonitorError is a ValueError, RecursionError a RuntimeError."""
MOST = 4 * 10**6
"""Leaves of a state: lists that hold each other many times over would be written out, and have no end."""


def save(conductor: EvaluationLoop) -> dict[str, Any]:
    """Everything a resumed run needs to say what the uninterrupted one would; waiting rows are taken in first."""
    conductor.take_in()
    state = {
        "version": VERSION,
        "clock": conductor.state_dict(),
        "told": conductor.told.state_dict(),
        "alerts": [alert.to_dict() for alert in conductor.alerts],
        "lanes": {mode: lane.state_dict() for mode, lane in conductor.lanes.items()},
    }
    return dict(_each(state, np.ndarray, torch.from_numpy))


def load(conductor: EvaluationLoop, state: Any) -> None:
    """Go on from what `save` returned. Raises PolarMonitorError, and changes nothing, if it does not fit."""
    if not isinstance(state, Mapping) or not is_version(state, VERSION):
        raise PolarMonitorError(f"state: expected a dict of version {VERSION}, from PolarMonitor.state_dict()")
    try:
        left = iter(range(MOST))
        lanes = _trial(conductor, _each(state["lanes"], torch.Tensor, _array, left))
        alerts = [Alert.from_dict(alert) for alert in _each(state["alerts"], torch.Tensor, _array, left)]
        clock, told = _clock(conductor, state["clock"]), TrainingContextBuffer()
        told.load_state_dict(state["told"])
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
    conductor.told = told
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


def _clock(conductor: EvaluationLoop, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The counters of a run."""
    clock = {key: saved[key] for key in conductor.state_dict()}
    rest = HookDutyCycle()
    clock["rest"] = {key: state_count(key, clock["rest"][key]) for key in rest.state_dict()}
    rest.load_state_dict(clock["rest"])
    least = {"next": 1, "every": 1}
    return {key: value if key == "rest" else state_count(key, value, least.get(key, 0)) for key, value in clock.items()}


def _trial(conductor: EvaluationLoop, saved: Mapping[str, Any]) -> dict[str, ModePipeline]:
    """New lanes with the saved state; those of the conductor are not touched."""
    from ..statistics.histogram_state import check_histogram

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
        trial = ModePipeline(mode, kind, conductor.options.settings, None)
        for word in ("written", "dropped", "seen", "observed"):
            state_count(word, saved[mode][word])
        if saved[mode]["stream"] is not None:
            check_histogram(saved[mode]["stream"])
        trial.load_state_dict(saved[mode])
        check_pipeline(trial, saved[mode])
        expected = None if lane is None or lane.stream is None else lane.stream.dimensions
        if trial.stream is not None and expected not in (None, trial.stream.dimensions):
            raise PolarMonitorError(f"state: expected {expected} dimensions, got {trial.stream.dimensions}")
        trials[mode] = trial
    return trials
