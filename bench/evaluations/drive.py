"""One monitor with its default sinks, and windows of new rows for it: all that timings and counts share.

It runs on any checkout of the project: what an older one lacks is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from toll.loop import Loop
from toll.models import perceptron

import polar_monitor

WINDOW = 4096
POOL = 4
"""Windows of rows, which are observed in turns."""
TRAINING_SET = 1000
"""Number of inputs that repeat."""
PLACES, ROWS_PER_INPUT = 16, 4
"""Places of a map, and those of them that the monitor takes as rows: a window holds 1024 maps."""
STEPS_BETWEEN = 3
"""Steps of the model between two evaluations: they leave nothing of ours in the caches."""
CODES, MASKS, MAPS_REPEAT, TWO_KINDS = "codes", "masks", "clusters repeat", "two kinds"
CASES = ("clean", "inputs repeat", "ties of bfloat16", "atoms", "NaN", "clusters")
"""Cases that are timed."""
COUNTED = (*CASES, CODES, MASKS, MAPS_REPEAT, TWO_KINDS)
"""Cases of which calls are counted: also codes without a variance, sequences of several lengths, maps of few inputs,
and two kinds of inputs in each active dimension."""
SEQUENCES, STEPS = 512, 16
"""Sequences of at most so many steps, whose mask leaves out half of the steps on average."""


def windows(dimensions: int, case: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return pairs of means and log-variances of a polarised code: half of the dimensions active, half passive."""
    rng = np.random.default_rng(0)
    active = np.arange(dimensions) % 2 == 0
    pairs = []
    for _ in range(POOL):
        n = {
            "inputs repeat": TRAINING_SET, "clusters": WINDOW * PLACES // ROWS_PER_INPUT, MASKS: SEQUENCES * STEPS,
            MAPS_REPEAT: WINDOW * PLACES // ROWS_PER_INPUT,
        }.get(case, WINDOW)  # fmt: skip
        mean = rng.normal(size=(n, dimensions)) * np.where(active, 1.0, 0.02)
        logvar = np.log(np.where(active, 0.02, 1.0) * rng.lognormal(0.0, 0.1, (n, dimensions)))
        if case == "inputs repeat":
            order = np.concatenate([rng.permutation(n) for _ in range(-(-WINDOW // n))])[:WINDOW]
            mean, logvar = mean[order], logvar[order]
        if case == "atoms":
            mean = np.where(rng.random((n, dimensions)) < 0.5, 0.5, mean)
        if case == "NaN":
            mean[:, ::8] = np.where(rng.random((WINDOW, len(mean[0, ::8]))) < 0.01, np.nan, mean[:, ::8])
        if case == TWO_KINDS:
            unused = active & (rng.random((n, dimensions)) < 0.5)
            mean, logvar = np.where(unused, 0.02 * mean, mean), np.where(unused, 0.0, logvar)
        if case == MAPS_REPEAT:
            mean, logvar = (np.tile(part[: n // 8], (8, 1)) for part in (mean, logvar))
        pair = [torch.from_numpy(part.astype(np.float32)) for part in (mean, logvar)]
        if case == "ties of bfloat16":
            pair = [part.bfloat16() for part in pair]
        if case == MASKS:
            pair = [part.reshape(SEQUENCES, STEPS, dimensions) for part in pair]
        if case in ("clusters", MAPS_REPEAT):
            side = int(PLACES**0.5)
            pair = [part.reshape(-1, side, side, dimensions).permute(0, 3, 1, 2).contiguous() for part in pair]
        pairs.append((pair[0], pair[1]))
    return pairs


class Drive:
    """A monitor that evaluates at every step, and the kind of its latest evaluation."""

    def __init__(
        self,
        dimensions: int,
        case: str,
        folder: Path,
        training: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.kind = ""
        self._clock = clock
        self._windows = windows(dimensions, case)
        self._case, self._count = case, 0
        lengths = np.random.default_rng(0).integers(1, STEPS + 1, (SEQUENCES, 1))
        self._mask = torch.from_numpy(np.arange(STEPS) < lengths) if case == MASKS else None
        self.monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, log_dir=folder, sinks=(self,))
        self._loop = Loop(perceptron(784, 400, 32), (128, 784)) if training else None

    def write(self, evaluation: Any) -> None:
        """Note the kind of an evaluation."""
        self.kind = "full" if getattr(evaluation.snapshot, "full", True) else "light"

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def prepare(self) -> None:
        """Observe a window of new rows, and train for some steps."""
        mean, logvar = self._windows[self._count % POOL]
        self._count += 1
        given: dict[str, Any] = {} if self._mask is None else {"mask": self._mask}
        self.monitor.observe(mean, logvar=None if self._case == CODES else logvar, **given)
        if self._loop is not None:
            self._loop.run(STEPS_BETWEEN)

    def evaluate(self) -> float:
        """Return the seconds of the evaluation of a new window."""
        self.prepare()
        begin = self._clock()
        self.monitor.step()
        return self._clock() - begin

    def finish(self) -> None:
        """Close the sinks; raise if the monitor met an error."""
        health = self.monitor.health()
        self.monitor.detach()
        if health.errors or health.sink_drops:
            raise RuntimeError(f"{health.errors} errors, {health.sink_drops} dropped records: {health.last_error}")
