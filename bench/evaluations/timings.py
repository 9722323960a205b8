"""Times of evaluations, as JSON on standard output: `python -m evaluations.timings ARGUMENTS`.

ARGUMENTS are JSON: dimensions, cases, training, budget (seconds for each) and cpu (which clock). `bench/evaluation.py`
starts one such process after another, on each checkout in turn.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from .drive import Drive

WARM_UP = 2
"""Evaluations that are not counted."""
LEAST = 5
"""Smallest number of evaluations of each kind that were seen."""
MOST = 400
"""Largest number of evaluations."""
STAGES = (
    ("polar_monitor.monitor.pipeline", "ModePipeline.ingest", "ingest"),
    ("polar_monitor.statistics.stream", "LatentStream.snapshot", "statistics"),
    ("polar_monitor.monitor.pipeline", "judge", "judge"),
    ("polar_monitor.alerts.engine", "AlertEngine.evaluate", "alerts"),
    ("polar_monitor.sinks.tensorboard.sink", "TensorBoardSink.write", "TensorBoard"),
    ("polar_monitor.sinks.jsonl", "JsonlSink.write", "JSONL"),
)
"""Where each stage of an evaluation begins: module, name in it, and stage. The rest is the loop."""


class Stages:
    """Seconds that the stages of the current evaluation took."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: defaultdict[str, float] = defaultdict(float)
        for module, path, stage in STAGES:
            owner: Any = importlib.import_module(module)
            *parents, name = path.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            setattr(owner, name, self._timed(getattr(owner, name), stage))

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = self.clock()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[stage] += self.clock() - begin

        return timed


def count_python_calls(run: Callable[[], object]) -> int:
    """Return the number of calls of Python functions in one run."""
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls - 1  # without `run` itself


def measure(dimensions: int, case: str, training: bool, budget: float, stages: Stages) -> dict[str, Any]:
    """Return milliseconds, those of each stage and Python calls, by the kind of the evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        drive = Drive(dimensions, case, Path(folder), training, stages.clock)
        seen: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
        spent = 0.0
        for number in range(MOST):
            stages.seconds.clear()
            seconds = drive.evaluate()
            spent += seconds
            if number >= WARM_UP:
                parts = {"all": seconds, "loop": seconds - sum(stages.seconds.values()), **stages.seconds}
                seen[drive.kind].append(parts)
            enough = seen and all(len(times) >= LEAST for times in seen.values()) and number >= WARM_UP + 2 * 8
            if spent > budget and (enough or spent > 10 * budget):
                break
        calls = {}
        for _ in range(10):
            drive.prepare()
            count = count_python_calls(drive.monitor.step)
            calls[drive.kind] = count
        drive.finish()
    return {kind: {"calls": calls.get(kind), **summary(times)} for kind, times in seen.items()}


def summary(times: list[dict[str, float]]) -> dict[str, float]:
    """Return milliseconds: the median, and the means of the stages over the half of the evaluations around it."""
    times = sorted(times, key=lambda one: one["all"])
    middle = times[len(times) // 4 : len(times) - len(times) // 4]
    names = ("loop", *(stage for *_, stage in STAGES))
    means = {stage: 1e3 * sum(one.get(stage, 0.0) for one in middle) / len(middle) for stage in names}
    return {"all": 1e3 * median(one["all"] for one in times), **means}


def main() -> None:
    wanted = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    stages = Stages(time.process_time if wanted["cpu"] else time.perf_counter)
    result = [
        {"dimensions": d, "case": case, **measure(d, case, wanted["training"], wanted["budget"], stages)}
        for d in wanted["dimensions"]
        for case in wanted["cases"]
    ]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
