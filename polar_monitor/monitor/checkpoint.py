"""State of the monitor as tensors and plain data, to be saved beside the model's, and back.

Tensors, because `torch.load` refuses NumPy arrays by default (`weights_only=True`). Nothing is ever unpickled here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .._torch_compat import rank
from .._validation import is_version, state_count
from ..alerts.alert import Alert
from ..alerts.alert_log import AlertLog
from ..distributed.ranks import is_shared
from ..errors import PolarMonitorError
from ..schedule.duty_cycle import HookDutyCycle
from ..schedule.shared import SharedSchedule
from .evaluation_loop import EvaluationLoop
from .pipeline import ModePipeline, check_pipeline
from .training_context import TrainingContextBuffer

VERSION = 1
BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RuntimeError, MemoryError)
"""Errors that reading anything else than a state can raise; RecursionError is a RuntimeError."""
MAX_LEAVES = 4 * 10**6
"""Items of a state: lists that contain each other many times have no end when they are written out."""
LEAVES_PER_DIMENSION, MAX_WIDTH = 200, 2**18
"""Items beyond these for each dimension of a window that the state holds, of which at most so many count."""
MINIMUM = {"next": 1, "every": 1}
"""Smallest numbers of a schedule; the others may be 0."""
LATER = ("quiet", "allowance")
"""Numbers of a schedule that older states lack; 0 then."""


def save(loop: EvaluationLoop) -> dict[str, Any]:
    """Return everything with which a resumed run equals the uninterrupted one; takes in the waiting rows first."""
    loop.ingest_pending()
    state = {
        "version": VERSION,
        "schedule": loop.state_dict(),
        "training_context": loop.training_context.state_dict(),
        "alerts": [alert.to_dict() for alert in loop.alerts.alerts],
        "pipelines": {mode: pipeline.state_dict() for mode, pipeline in loop.pipelines.items()},
    }
    return dict(_each(state, np.ndarray, torch.from_numpy))


def load(loop: EvaluationLoop, state: Any) -> None:
    """Continue from what `save` returned. Raises PolarMonitorError, and changes nothing, if it does not fit."""
    if not isinstance(state, Mapping) or not is_version(state, VERSION):
        got = f"version {state.get('version', 'none')!s:.40}" if isinstance(state, Mapping) else type(state).__name__
        raise PolarMonitorError(
            f"state: expected a dict of version {VERSION}, from PolarMonitor.state_dict(), got {got}"
        )
    with _part():
        parts = [state[key] for key in ("pipelines", "alerts", "schedule", "training_context")]
    with _part("pipelines"):
        left = iter(range(MAX_LEAVES + LEAVES_PER_DIMENSION * min(_width(parts[0]), MAX_WIDTH)))
    with _part("pipelines"):
        pipelines = _pipelines(loop, _each(_dict(parts[0]), torch.Tensor, _array, left))
    with _part("alerts"):
        alerts = [Alert.from_dict(alert) for alert in _each(parts[1], torch.Tensor, _array, left)]
        json.dumps([alert.to_dict() for alert in alerts])
    with _part("schedule"):
        schedule = _schedule(loop, _dict(parts[2]))
    with _part("training_context"):
        training_context = TrainingContextBuffer()
        training_context.load_state_dict(_dict(parts[3]))
    _resume(loop, schedule, pipelines, training_context, alerts)


def _resume(
    loop: EvaluationLoop,
    schedule: Mapping[str, Any],
    pipelines: Mapping[str, ModePipeline],
    training_context: TrainingContextBuffer,
    alerts: Iterable[Alert],
) -> None:
    """Continue from the checked parts of another run's state."""
    for mode, loaded in pipelines.items():
        if mode in loop.pipelines and loop.pipelines[mode].kind == loaded.kind:
            loop.pipelines[mode].adopt(loaded, schedule["steps"])
        else:
            loop.pipelines[mode] = loaded
    loop.schedule_training()
    training_context.weight_decay = loop.training_context.weight_decay
    loop.training_context = training_context
    loop.schedule.load_state_dict(schedule)
    if is_shared() and any(pipeline.loaded_shared for pipeline in pipelines.values()):
        loop.schedule.shared = SharedSchedule()  # no rank may evaluate by itself before the first merge
    loop.evaluations = schedule["evaluations"]
    loop.alerts = AlertLog(alerts)
    loop.diagnostics.resume()
    loop.sinks.resume(loop.schedule.steps)


@contextmanager
def _part(*keys: str) -> Iterator[None]:
    """Name the part of the state in every error that reading it raises."""
    where = "state" + "".join(f"[{key!r}]" for key in keys)
    try:
        yield
    except PolarMonitorError as error:
        if str(error).startswith("state["):
            raise
        raise PolarMonitorError(f"{where}: {str(error).removeprefix('state: ')}") from error
    except BROKEN as broken:
        got = f"no field {broken}" if isinstance(broken, KeyError) else str(broken)
        if isinstance(broken, TypeError | AttributeError):  # its text names Python's types, not the state's
            got = "values of another type"
        raise PolarMonitorError(f"{where}: expected what PolarMonitor.state_dict() returned, got {got}") from broken


def _dict(part: Any) -> Mapping[str, Any]:
    """Return a part of the state. Raises PolarMonitorError for anything else than a dict."""
    if not isinstance(part, Mapping):
        raise PolarMonitorError(f"expected a dict, got {type(part).__name__}")
    return part


def _each(value: Any, kind: type, convert: Callable[[Any], Any], left: Iterator[int] | None = None) -> Any:
    """Convert every leaf of a kind in nested dicts and lists; enumerations become plain strings.

    Raises PolarMonitorError if there are more items than `left`.
    """
    if left is not None and next(left, None) is None:
        raise PolarMonitorError(
            "state: expected fewer items, for its number of dimensions, got more than a run can have made"
        )
    if isinstance(value, kind):
        return convert(value)
    if isinstance(value, Mapping):
        return {str(key): _each(item, kind, convert, left) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, kind, convert, left) for item in value]
    return str(value) if isinstance(value, str) else value


def _width(pipelines: Any) -> int:
    """Return the dimensions of the windows that a state really holds, in all modes."""
    streams = [_dict(pipeline).get("stream") for pipeline in _dict(pipelines).values()]
    counts = [stream.get("non_finite") for stream in streams if isinstance(stream, Mapping)]
    return sum(_array(count).size for count in counts if isinstance(count, torch.Tensor))


def _array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return the numbers without a copy. Raises PolarMonitorError for a tensor larger than its loaded storage."""
    size = tensor.numel() * tensor.element_size()
    if tensor.layout is not torch.strided or tensor.is_meta or size > tensor.untyped_storage().nbytes():
        raise PolarMonitorError(f"state: expected dense tensors, got {tuple(tensor.shape)} without all of its numbers")
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def _schedule(loop: EvaluationLoop, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked numbers of a schedule."""
    duty_cycle = {key: state_count(key, saved["duty_cycle"][key]) for key in HookDutyCycle().state_dict()}
    saved = dict.fromkeys(LATER, 0) | dict(saved)
    numbers = [key for key in loop.state_dict() if key != "duty_cycle"]
    return {key: state_count(key, saved[key], MINIMUM.get(key, 0)) for key in numbers} | {"duty_cycle": duty_cycle}


def _pipelines(loop: EvaluationLoop, saved: Mapping[str, Any]) -> dict[str, ModePipeline]:
    """Return new pipelines with the saved state; those of the loop stay as they are."""
    loaded = {}
    for mode in loop.options.modes:
        if mode not in saved:
            raise PolarMonitorError(f"expected the mode {mode!r}, got {', '.join(map(repr, saved)) or 'none'}")
        with _part("pipelines", mode):
            loaded[mode] = _pipeline(loop, mode, _dict(saved[mode]))
    return loaded


def _pipeline(loop: EvaluationLoop, mode: str, saved: Mapping[str, Any]) -> ModePipeline:
    from ..statistics.histogram_state import check_histogram
    from ..statistics.stream import rows_of_window

    present, kind = loop.pipelines.get(mode), saved["kind"]
    if present is not None and present.kind != kind and not (loop.search and loop.search.is_open):
        raise PolarMonitorError(f"expected {present.kind or 'no variance'}, got {kind or 'no variance'}")
    loaded = ModePipeline(mode, kind, loop.options.settings, None)
    for word in ("written", "dropped", "skipped", "seen", "observed"):
        state_count(word, saved[word])
    if saved["stream"] is not None:
        check_histogram(saved["stream"])
        window, wanted = saved["stream"].get("window"), loop.options.settings.window
        expected_window = rows_of_window(wanted, state_count("dimensions", saved["stream"]["dimensions"], 1))
        if isinstance(window, int) and window != expected_window:
            remedy = f"write attach(model, window={window}), as in the saved run"
            raise PolarMonitorError(f"expected window {expected_window}, got {window}: {remedy}")
    loaded.load_state_dict(saved)
    check_pipeline(loaded, saved)
    expected = None if present is None or present.stream is None else present.stream.dimensions
    if loaded.stream is not None and expected not in (None, loaded.stream.dimensions):
        raise PolarMonitorError(
            f"expected {expected} dimensions, as the model has, got {loaded.stream.dimensions}: the state is of "
            "another latent"
        )
    if saved.get("merged") and rank():
        loaded.count_from_zero()
    return loaded
