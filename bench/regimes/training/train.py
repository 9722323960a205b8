"""Train the models of the grid and record them: `python -m bench.regimes.training.train [--quick]`.

A model is trained with the monitor attached, by its seed alone, on one thread; then it is judged by interventions on
inputs it has not seen. Records that are there already are kept, unless other code made them.
"""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import polar_monitor
from bench.zoo import LatentModel
from bench.zoo import train as fit
from polar_monitor.evaluation import Evaluation
from polar_monitor.statistics.snapshot import Snapshot

from . import grid, truth
from .grid import Spec
from .intervention import intervene
from .materials import TARGETS, Rows, build, rows
from .recipe import LIBRARY, RECIPE, digest
from .record import Trained, load

INTERVENED = 2048
"""Held-out rows that are intervened on, half as many where there is no variance: no share of them is asked for."""
EVALUATIONS = 32
"""Live ones, in a training."""


class Trajectory:
    """A sink that keeps the per-dimension arrays of every snapshot, with all statistics."""

    def __init__(self) -> None:
        self.monitor: polar_monitor.PolarMonitor | None = None
        self.snapshots: list[Snapshot] = []

    def write(self, evaluation: Evaluation) -> None:
        """Ask for the full snapshot and keep it: the evaluation may have a light one."""
        assert self.monitor is not None
        snapshot = self.monitor.snapshot()
        if snapshot is not None:
            self.snapshots.append(snapshot)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to let go."""

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """(T, D) by the names of `Snapshot`, and the steps (T,)."""
        snapshots = [vars(snapshot) for snapshot in self.snapshots]
        names = [name for name, value in snapshots[0].items() if isinstance(value, np.ndarray) and value.ndim == 1]
        found = {name: np.stack([s[name] for s in snapshots]).astype(np.float64) for name in names}
        return {"step": np.array([s["step"] for s in snapshots], np.float64), **found}


def make(spec: Spec) -> Trained:
    """Train the model, watch it, judge it."""
    torch.manual_seed(spec.seed)
    seen, unseen = rows(spec)
    model = build(spec, seen)
    assert isinstance(model, nn.Module)
    sink = Trajectory()
    monitor = polar_monitor.attach(model, sinks=[sink], every=spec.steps // EVALUATIONS, max_overhead=1.0)
    sink.monitor = monitor
    begin = perf_counter()
    fit(model, seen.x, weight=spec.strength, steps=spec.steps, u=seen.u, rate=spec.rate)
    seconds = perf_counter() - begin
    monitor.detach()
    model.eval()
    regime = monitor.regime()
    assert regime is not None
    return _judged(
        spec,
        model,
        unseen,
        {
            "seconds": seconds,
            "live_labels": tuple(str(label) for label in regime.labels),
            "live_verdict": str(regime.verdict),
            "trajectory": sink.arrays(),
        },
    )


def _judged(spec: Spec, model: LatentModel, unseen: Rows, live: dict[str, object]) -> Trained:
    assert isinstance(model, nn.Module)
    with torch.no_grad():
        mean, logvar = model.encode(unseen.x, unseen.u)
        prior = model.prior(unseen.u)
        z = mean if logvar is None else mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
    part = slice(INTERVENED // (2 if logvar is None else 1))
    rises = intervene(model, unseen.x[part], None if unseen.u is None else unseen.u[part], seed=spec.seed)
    priced = not math.isnan(spec.price)
    rise, rise_se = truth.mean_and_error(rises.by_draw)
    rise_mean, rise_mean_se = truth.mean_and_error(rises.by_mean)
    rise_all, rise_all_mean = float(rises.all_by_draw.mean()), float(rises.all_by_mean.mean())
    unit = truth.unit(spec.price, rise_all, rises.loss)
    share, low, high = truth.share_in_use(rises.by_draw, unit)
    given, given_se = (None, None) if rises.by_prior is None else truth.mean_and_error(rises.by_prior)

    def array(tensor: Tensor) -> NDArray[np.float32]:
        return np.asarray(tensor.numpy(), np.float32)

    return Trained(
        name=spec.name,
        library=digest(LIBRARY),
        recipe=digest(RECIPE),
        family=spec.family,
        data=spec.data,
        option=spec.option,
        seed=spec.seed,
        strength=spec.strength,
        price=spec.price,
        unit="nats" if priced else "squared error",
        steps=spec.steps,
        mean=array(mean),
        logvar=None if logvar is None else array(logvar),
        prior_mean=None if prior is None else array(prior[0]),
        prior_logvar=None if prior is None else array(prior[1]),
        z=array(z),
        targets=unseen.targets,
        target_names=TARGETS[spec.data],
        loss=rises.loss,
        rise=rise,
        rise_se=rise_se,
        rise_mean=rise_mean,
        rise_mean_se=rise_mean_se,
        rise_all=rise_all,
        rise_all_mean=rise_all_mean,
        importance=truth.importance(rise_mean, rise_all_mean),
        rise_given_prior=given,
        rise_given_prior_se=given_se,
        rows=rises.by_draw,
        rows_given_prior=rises.by_prior,
        scale=unit,
        share_in_use=share,
        share_low=low,
        share_high=high,
        truth=truth.labels(rises.by_draw, unit, mixed=priced),
        truth_given_prior=None if rises.by_prior is None else truth.labels(rises.by_prior, unit),
        verdict=truth.verdict(rises.by_draw, unit, mixed=priced),
        inputs=unseen.x.shape[1],
        weights={name: np.asarray(value) for name, value in model.state_dict().items()} if logvar is None else None,
        **live,  # type: ignore[arg-type]
    )


def kept(path: Path) -> Trained | None:
    """The record of that path, or None if there is none, or one that other code made."""
    try:
        found = load(path)
    except (FileNotFoundError, KeyError, TypeError):
        return None
    return found if found.recipe == digest(RECIPE) else None


def record(spec: Spec, folder: Path) -> str:
    """Make one model's record unless it is there; returns a line that says what came out."""
    path = folder / f"{spec.name}.npz"
    torch.set_num_threads(1)
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)  # alerts are not what this is about
    found = kept(path)
    if found is None:
        make(spec).save(folder)
        found = load(path)
    counts = ", ".join(f"{found.truth.count(label)} {label}" for label in dict.fromkeys(found.truth))
    return f"{found.name:44}{found.seconds:6.1f} s  {found.verdict:11} {counts}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the models of the grid and record them.")
    parser.add_argument("--quick", action="store_true", help="a few models")
    parser.add_argument("--cache", type=Path, default=Path(".regimes"), help="folder of the records")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    options = parser.parse_args()
    specs = grid.quick() if options.quick else grid.full()
    begin = perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        waiting = [pool.submit(record, spec, options.cache) for spec in specs]
        for done in as_completed(waiting):
            print(done.result(), flush=True)
    print(f"{len(specs)} models in {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
