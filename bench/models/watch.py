"""One model with a monitor: it trains, then goes on at frozen weights, where the statements are judged."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from . import discovery_time, lines
from .judge import Reading, best_reading
from .structure import Structure
from .training import SEED, Run, equal, no_backward
from .truth import INPUTS, ablation, references

WINDOW = 4096
ALERT = re.compile(r"step [\d,]+ [A-Z_]+:")
"""Beginning of an alert, which says something of the training; SILENT says something of the reading."""
HEAVY_STEPS, HEAVY_INPUTS = 60, 1024
MAX_FROZEN_SECONDS = 60.0
"""Seconds of processor time for the windows at frozen weights."""


class Messages(logging.Handler):
    """Everything that the package says of the reading: warnings, and log records from WARNING on, but no alert."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log record."""
        self.texts.append(record.getMessage())

    def take(self, caught: list[warnings.WarningMessage]) -> list[str]:
        """Return all of it, without repeats."""
        ours = [str(one.message) for one in caught if one.category.__name__.startswith("PolarMonitor")]
        texts = dict.fromkeys(text.removeprefix("polar_monitor: ") for text in ours + self.texts)
        return [text for text in texts if "SILENT" in text or not (ALERT.match(text) or "kernels" in text)]


def windows_of(run: Run, monitor: Any, wanted: int) -> list[Any]:
    """Go on at frozen weights and return a snapshot of each of so many windows that share no row."""
    found: list[Any] = []
    last, began = None, time.process_time()
    while len(found) < wanted and time.process_time() - began < MAX_FROZEN_SECONDS:
        with no_backward():
            run.train(16)
        monitor.evaluate()
        snapshot = monitor.snapshot()
        if snapshot is None:
            if time.process_time() - began > 3:
                break
            continue
        if last is None:
            last = snapshot.rows  # rows of the time of training are still in the window
        if snapshot.rows - last >= max(snapshot.n, WINDOW // 2):
            found.append(snapshot)
            last = snapshot.rows
    return found


def first_label(folder: str) -> int | None:
    """Return the step of the first logged evaluation with a label other than undecided."""
    for root, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".jsonl"):
                with open(os.path.join(root, name), encoding="utf-8") as file:
                    for line in file:
                        record = json.loads(line)
                        if any(label != "undecided" for label in (record.get("regime") or {}).get("labels", ())):
                            return int(record["step"])
    return None


def watched(structure: Structure, steps: int, windows: int, line: str | None = None) -> dict[str, Any]:
    """Train with a monitor, by `attach(model)` or by an offered line, and judge what it says."""
    import polar_monitor

    handler, result = Messages(), {"error": None, "messages": [], "reading": None, "first_label": None}
    logging.getLogger("polar_monitor").addHandler(handler)
    logging.getLogger("polar_monitor").propagate = False
    with ExitStack() as context:
        folder = context.enter_context(tempfile.TemporaryDirectory())
        caught = context.enter_context(warnings.catch_warnings(record=True))
        search = context.enter_context(discovery_time.measured())
        warnings.simplefilter("always")
        os.chdir(folder)
        run = Run(structure)
        began = time.perf_counter()
        try:
            model = run.model
            monitor = polar_monitor.attach(model) if line is None else lines.evaluate(line, model, next(run.batches))
        except Exception as error:
            os.chdir("/")
            return result | {"error": f"{type(error).__name__}: {error}", "messages": handler.take(caught)}
        result["attach_ms"] = 1e3 * (time.perf_counter() - began)
        run.train(steps)
        result["bits"] = run.bits()
        result["first_label"] = first_label(folder)
        if structure.truth is not None:
            run.freeze()
            snapshots = windows_of(run, monitor, windows)
            regime = monitor.regime()
            result["windows"] = len(snapshots)
            if regime is not None and not snapshots:
                result["crashed"] = f"no complete window in {MAX_FROZEN_SECONDS:.0f} s"
            if snapshots and regime is not None:
                truth = references(structure, run.model, SEED, HEAVY_INPUTS if structure.heavy else INPUTS)
                result["reading"] = best_reading(snapshots, regime, truth, structure.inputs)
                result["ablation"] = _agreement(structure, run.model, truth, regime, result["reading"])
                result["labels"] = [str(label) for label in regime.labels]
        else:
            monitor.evaluate()
        result["explain"] = monitor.explain()
        result["discovery_ms"] = sum(search) if search else None
        result["discovery_steps"] = len(search)
        result["alerts"] = sorted({str(alert.kind) for alert in monitor.alerts})
        result["judged"] = monitor.regime() is not None
        result["errors"] = monitor.health().last_error
        monitor.detach()
        os.chdir("/")
        result["messages"] = handler.take(caught)
    return result


def _agreement(structure: Structure, model: nn.Module, truth: list[Any], regime: Any, found: Reading) -> str | None:
    """Return in how many decided dimensions the label does not contradict a permutation of the decoder's input.

    A passive dimension moves less than 2 % of the output's variance, another one more than 0.1 %.
    """
    reference = next(one for one in truth if one.name == found.name)
    effects = ablation(structure, model, reference)
    if effects is None or len(effects) != len(regime.labels):
        return None
    decided = [
        (str(label), float(e)) for label, e in zip(regime.labels, effects, strict=True) if str(label) != "undecided"
    ]
    agree = sum(effect < 0.02 if label == "passive" else effect > 0.001 for label, effect in decided)
    return f"{agree}/{len(decided)}"


def study(structure: Structure, steps: int, windows: int) -> dict[str, Any]:
    """Return everything about one model as plain data."""
    if structure.heavy:
        steps, windows = min(steps, HEAVY_STEPS), 1
    plain = Run(structure)
    began = time.perf_counter()
    plain.train(steps)
    seconds, without = time.perf_counter() - began, plain.bits()
    result = watched(structure, steps, windows)
    bits = result.pop("bits", None)
    result["bit_equal"] = None if bits is None else equal(without, bits)
    result["seconds"] = seconds
    result["line"] = _line_that_holds(structure, steps, result)
    if isinstance(result["reading"], Reading):
        result["reading"] = vars(result["reading"])
    import polar_monitor

    result["package"] = str(Path(polar_monitor.__file__).parent)
    return result | {"family": structure.family, "where": structure.where, "is_latent": structure.is_latent}


def _line_that_holds(structure: Structure, steps: int, result: dict[str, Any]) -> str | None:
    """Try the lines that the messages offer, if the monitor alone is not right; return the first that is right."""
    reading = result["reading"]
    text = "\n".join([result["error"] or "", *result["messages"]])
    calls = lines.offered(text)
    result["offered"] = len(calls)
    if structure.truth is None or (reading is not None and reading.right):
        return None
    for call in calls[: 4 if structure.heavy else lines.MAX_TRIED]:
        tried = watched(structure, min(steps, 60), 2, call)["reading"]
        if isinstance(tried, Reading) and tried.right:
            return call
    return None
