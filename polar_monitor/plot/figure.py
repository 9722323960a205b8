"""The figure of a picture, the document behind it, and the colours that all pictures share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from ..views.document import documents
from ..views.find_logs import log_of_run, logs_of, titles
from ..views.log import RunLog

USED, FALLING, GREY, QUIET = "#0072b2", "#d55e00", "#aab1b9", "#57606a"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a51a3", "#555555")
MARKERS = "osD^vP*X"


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes, without a window. Raises ImportError where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def thousands(value: float, _: int) -> str:
    """Return the label of a tick on an axis of steps."""
    return f"{value:,.0f}" if float(value).is_integer() else ""


def document_of(run: str | os.PathLike[str] | dict[str, Any], name: str = "", mode: str = "train") -> dict[str, Any]:
    """Return the document of a latent and mode of a run. Raises PolarMonitorError if there is none."""
    return run if isinstance(run, dict) else _of_log(log_of_run(run), name, mode)


def documents_of(run: str | os.PathLike[str] | dict[str, Any], name: str, mode: str) -> list[dict[str, Any]]:
    """Return the same of each run below a folder. Raises PolarMonitorError for one that cannot be read."""
    if isinstance(run, dict):
        return [run]
    logs = logs_of(run)
    return [_of_log(log, name, mode) | {"title": title} for log, title in zip(logs, titles(logs), strict=True)]


def _of_log(path: Path, name: str, mode: str) -> dict[str, Any]:
    log = RunLog(path)
    log.refresh()
    if log.problem:
        raise PolarMonitorError(f"{str(path)!r}: {log.problem}")
    drawn = documents(log, titles([path])[0])
    chosen = [one for one in drawn if (one["name"], one["mode"]) == (name, mode)] or (drawn if len(drawn) == 1 else [])
    if not chosen:
        known = ", ".join(f"name={one['name']!r}, mode={one['mode']!r}" for one in drawn)
        raise PolarMonitorError(f"expected one of the latents of this run, got {name!r} in mode {mode!r}: {known}")
    return chosen[0]
