"""Models of the study, each in a process of its own: `python -m bench.models.run NAME … [--steps N] [--windows N]`.

It prints one JSON object a line, a model each. The monitor is `attach(model)` and nothing else.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import tempfile
import time
import traceback
import warnings
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn, optim

from . import lines
from .judge import Reading, best_reading
from .structure import Structure
from .truth import INPUTS, ablation, references

SEED = 7
WINDOW = 4096
ALERT = re.compile(r"step [\d,]+ [A-Z_]+:")
"""Beginning of an alert, which says something of the training; SILENT says something of the reading."""
HEAVY_STEPS, HEAVY_INPUTS = 20, 1024
MAX_FROZEN_SECONDS = 60.0
"""Seconds for the windows at frozen weights."""


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


class Run:
    """A model in training."""

    def __init__(self, structure: Structure) -> None:
        torch.compiler.reset()  # code that another run has compiled takes no hooks
        self.structure, self.model = structure, structure.build(SEED)
        self.model.train()
        self.optimisers = structure.optimisers(self.model)
        self.batches = structure.batches(SEED)
        torch.manual_seed(SEED)

    def train(self, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            self.structure.step(self.model, self.optimisers, next(self.batches))

    def freeze(self) -> None:
        """Keep the weights from now on: the loop goes on with rates of 0."""
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = 0.0

    def bits(self) -> dict[str, Any]:
        """Return the weights, the buffers and the state of the random numbers."""
        return {name: value.clone() for name, value in self.model.state_dict().items()} | {"rng": torch.get_rng_state()}


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Compare two such states bit by bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name].view(-1), b[name].view(-1)) for name in a)


def windows_of(run: Run, monitor: Any, wanted: int) -> list[Any]:
    """Go on at frozen weights and return a snapshot of each of so many windows that share no row."""
    found: list[Any] = []
    last, began = None, time.perf_counter()
    while len(found) < wanted and time.perf_counter() - began < MAX_FROZEN_SECONDS:
        run.train(16)
        monitor.evaluate()
        snapshot = monitor.snapshot()
        if snapshot is None:
            if time.perf_counter() - began > 3:
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
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
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
            if snapshots and regime is not None:
                truth = references(structure, run.model, SEED, HEAVY_INPUTS if structure.heavy else INPUTS)
                result["reading"] = best_reading(snapshots, regime, truth, structure.inputs)
                result["ablation"] = _agreement(structure, run.model, truth, regime, result["reading"])
                result["labels"] = [str(label) for label in regime.labels]
        else:
            monitor.evaluate()
        result["explain"] = monitor.explain()
        stated = re.search(r"([\d.]+) ms", result["explain"])
        result["discovery_ms"] = float(stated[1]) if stated else None
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
    return result | {"family": structure.family, "where": structure.where, "is_latent": structure.is_latent}


def _line_that_holds(structure: Structure, steps: int, result: dict[str, Any]) -> str | None:
    """Try the lines that the messages offer, if the monitor alone is not right; return the first that is right."""
    reading = result["reading"]
    text = "\n".join([result["error"] or "", *result["messages"]])
    calls = lines.offered(text)
    result["offered"] = len(calls)
    if structure.truth is None or (reading is not None and reading.right):
        return None
    for call in calls[: 2 if structure.heavy else lines.MAX_TRIED]:
        tried = watched(structure, min(steps, 60), 2, call)["reading"]
        if isinstance(tried, Reading) and tried.right:
            return call
    return None


def find(name: str) -> Structure:
    """Return a model of the study by its name."""
    if name.startswith("packages."):
        from .packages import find as find_package

        return find_package(name.removeprefix("packages."))
    from .structures import ALL

    return ALL[name]


def warm_up() -> None:
    """Load the package and its kernels once, for all processes that are forked from this one."""
    import polar_monitor

    model = nn.ModuleDict({"fc_mu": nn.Linear(4, 2), "fc_logvar": nn.Linear(4, 2)})
    monitor = polar_monitor.attach(model, mean="fc_mu", logvar="fc_logvar", sinks=())
    optimiser = optim.SGD(model.parameters(), 0.0)
    for _ in range(40):
        x = torch.randn(64, 4)
        (model["fc_mu"](x).sum() + model["fc_logvar"](x).sum()).backward()
        optimiser.step()
    monitor.evaluate()
    monitor.snapshot()
    monitor.detach()


def forked(name: str, steps: int, windows: int, timeout: float) -> str:
    """Study one model in a process of its own; return its result as one line of JSON."""
    with tempfile.NamedTemporaryFile() as file:
        child = os.fork()
        if not child:
            status = 1
            try:
                with open(file.name, "w", encoding="utf-8") as out:
                    try:
                        result = study(find(name), steps, windows)
                    except BaseException as error:
                        result = {"crashed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
                    out.write(json.dumps(result, ensure_ascii=False))
                status = 0
            finally:
                os._exit(status)
        began = time.perf_counter()
        while time.perf_counter() - began < timeout:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                with open(file.name, encoding="utf-8") as text:
                    return text.read() or json.dumps({"crashed": f"status {status}"})
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return json.dumps({"crashed": f"no result after {timeout:.0f} s"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.models.run", description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds for one model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    for name in arguments.names:
        print(forked(name, arguments.steps, arguments.windows, arguments.timeout), flush=True)


if __name__ == "__main__":
    main()
