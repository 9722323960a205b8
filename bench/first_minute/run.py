"""One training run, as a script: `python bench/first_minute/run.py NAME RECORD [--cpu]`, with the code on PYTHONPATH.

The monitor is `attach(model)` and nothing else. At a grid of steps its labels are compared with those of `classify` on
the model at that step: a forward of 4096 training inputs in train mode, without gradient and hooks, and the random
numbers are put back. Only names that earlier versions of the package have are used here.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import logging
import sys
import tempfile
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

GRID = (25, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000)
"""Steps at which the labels are compared."""
ROWS = 4096
"""Training inputs that `classify` gets."""
TRAIN = 8192
"""Rows to train on; there are 1,797 digits."""
Z, PASSIVE, INFORMATIVE = 1.96, 0.05, 0.15
MIXED_SHARE, MIXED_GAP, MIXED_VALLEY, Z_VALLEY = 0.05, 0.02, 0.85, 3.0
"""Cuts of the labels."""


@dataclass(frozen=True)
class Setup:
    """One run; `seed` is for the data, the weights and the batches."""

    data: str
    family: str
    beta: float
    latents: int
    steps: int
    seed: int
    rate: float = 1e-3


RUNS = {
    "sprites-mlp-1": Setup("sprites", "mlp", 1.0, 10, 3000, 701),
    "sprites-mlp-4": Setup("sprites", "mlp", 4.0, 10, 2500, 702),
    "sprites-mlp-12-wide": Setup("sprites", "mlp", 12.0, 32, 2000, 703),
    "sprites-mlp-300": Setup("sprites", "mlp", 300.0, 10, 2000, 704),
    "sprites-conv-4": Setup("sprites", "conv", 4.0, 10, 2000, 705),
    "digits-mlp-0.5": Setup("digits", "mlp", 0.5, 10, 3000, 706),
    "digits-mlp-1-wide": Setup("digits", "mlp", 1.0, 32, 3000, 707),
    "digits-mlp-5": Setup("digits", "mlp", 5.0, 10, 2000, 708),
    "digits-conv-1": Setup("digits", "conv", 1.0, 10, 3000, 709),
    "digits-conv-0.3-wide": Setup("digits", "conv", 0.3, 32, 2000, 710),
}
"""Ten runs. No number of the package was chosen on them."""


def build(setup: Setup) -> tuple[torch.nn.Module, torch.Tensor]:
    """Return the untrained model and its training inputs."""
    from bench import zoo
    from polar_monitor.demo import data, models

    torch.manual_seed(setup.seed)
    x = data.sprites(TRAIN, setup.seed)[0] if setup.data == "sprites" else data.digits()[0]
    if setup.family == "conv":
        return zoo.ConvVae(x.shape[1], setup.latents, 8), x
    return models.BetaVae(x.shape[1], setup.latents, 128), x


def true_labels(model: torch.nn.Module, monitor: Any, x: torch.Tensor) -> Any:
    """Return the regime of `classify` on the model as it is now. Neither the training nor the monitor notices."""
    import polar_monitor

    state = torch.get_rng_state()
    with monitor.detached(), torch.no_grad():
        rows = torch.arange(ROWS) * 7919 % len(x) if len(x) >= ROWS else torch.arange(len(x))
        _, mean, logvar = model(x[rows])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the variances of an untrained model are about 1
            regime = polar_monitor.classify(mean, logvar=logvar)
    torch.set_rng_state(state)
    return regime


def near_a_cut(live: Any, true: Any, labels: set[str], j: int) -> bool:
    """True if in either snapshot the 95 % band of a dimension touches a cut that tells these labels apart."""
    bands = [("information", Z, (PASSIVE, INFORMATIVE))]
    if labels == {"active", "mixed"}:
        shares = [(name, Z, (MIXED_SHARE,)) for name in ("share_active", "share_passive")]
        bands = [*shares, ("variance_gap", Z, (MIXED_GAP,)), ("valley", Z_VALLEY, (MIXED_VALLEY,))]
    for name, z, cuts in bands:
        for snapshot in (live, true):
            value, error = float(getattr(snapshot, name)[j]), float(getattr(snapshot, f"{name}_se")[j])
            if any(abs(value - cut) <= z * error for cut in cuts):
                return True
    return False


def compared(live: Any, true: Any) -> dict[str, Any]:
    """Return how many labels are right, or in the band of a cut, and the wrong ones; `live` may be None."""
    labels = ["none"] * len(true.labels) if live is None else [str(label) for label in live.labels]
    right = [mine == str(label) for mine, label in zip(labels, true.labels, strict=True)]
    band = [
        live is not None and near_a_cut(live.snapshot, true.snapshot, {labels[j], str(true.labels[j])}, j)
        for j, ok in enumerate(right)
        if not ok
    ]
    left = [j for j, ok in enumerate(right) if not ok]
    wrong = [_both(live, true, labels[j], j) for j, counts in zip(left, band, strict=True) if not counts]
    return {
        "right": sum(right), "in_band": sum(band), "dimensions": len(right), "wrong": wrong,
        "verdict": None if live is None else str(live.verdict), "true_verdict": str(true.verdict),
        "evaluated": None if live is None else live.step,
    }  # fmt: skip


def _both(live: Any, true: Any, label: str, j: int) -> dict[str, Any]:
    """Return a dimension whose label is wrong: the labels and the information of both sides."""
    nats, true_nats = _nats(live, j), _nats(true, j)
    return {"dimension": j, "live": label, "true": str(true.labels[j]), "nats": nats, "true_nats": true_nats}


def _nats(regime: Any, j: int) -> list[float] | None:
    """Return the information of a dimension and its standard error; None before the first evaluation."""
    s = None if regime is None else regime.snapshot
    return None if s is None else [float(s.information[j]), float(s.information_se[j])]


def run(setup: Setup) -> dict[str, Any]:
    """Train with the monitor and return what was seen."""
    import polar_monitor

    model, x = build(setup)
    optimizer = torch.optim.Adam(model.parameters(), setup.rate)
    grid, verdicts = [], []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the default sinks write to runs/ here
        monitor = polar_monitor.attach(model)
        pipeline, latest = monitor._loop.pipelines["train"], None
        began, apart = time.perf_counter(), 0.0
        for step in range(1, setup.steps + 1):
            loss = model.loss(x[torch.randint(len(x), (128,))], setup.beta)  # type: ignore[operator]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if pipeline.regime is not latest:
                latest = pipeline.regime
                verdicts.append((step, str(latest.verdict)))
            if step in GRID:
                paused = time.perf_counter()
                grid.append({"step": step} | compared(latest, true_labels(model, monitor, x)))
                apart += time.perf_counter() - paused
        seconds, health = time.perf_counter() - began - apart, monitor.health()
        collapse = [alert.step for alert in monitor.alerts if str(alert.kind) == "collapse"]
        monitor.detach()
        os.chdir("/")
    return {
        "beta": setup.beta, "steps": setup.steps, "seconds": seconds, "grid": grid, "verdicts": verdicts,
        "evaluations": health.evaluations, "overhead": health.overhead, "collapse": collapse[:1],
        "package": str(Path(polar_monitor.__file__).parent),
    }  # fmt: skip


def clock(cpu: bool) -> AbstractContextManager[None]:
    """Return the clock of the run: processor time, or that of the wall."""
    if not cpu:
        return nullcontext()
    from bench.schedule.cpu_time import cpu_time  # not for the code of another checkout

    return cpu_time()


def main() -> None:
    name, out = sys.argv[1], Path(sys.argv[2]).resolve()
    torch.set_num_threads(1)
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    with clock(cpu="--cpu" in sys.argv):
        record = run(RUNS[name])
    out.write_text(json.dumps(record))


if __name__ == "__main__":
    main()
