"""Runs to draw: the demo's β-VAE on its sprites, with other numbers of dimensions and other β."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

import polar_monitor
from polar_monitor.demo.models import BetaVae
from polar_monitor.demo.models._likelihood import bernoulli
from polar_monitor.demo.run import BATCH, HIDDEN, PLANS, RATE, Plan, images, start

from .console import Camera

CONSOLE = "demo.svg"
"""Picture of the live view, in the folder of the demo's run."""


@dataclass(frozen=True)
class Run:
    """One training: its plan of β, its dimensions, and the steps after which it stops."""

    dimensions: int
    plan: Plan
    steps: int
    every: int | None = 20


RUNS = {
    "demo": Run(10, PLANS["sprites"], 2000),
    "one": Run(1, Plan(1.0, 1.0, 400, 0), 400),
    "wide": Run(128, Plan(1.0, 1.0, 1500, 0), 1500),
    "widest": Run(512, Plan(1.0, 30.0, 800, 700), 1500, 10),
    "beta=1": Run(10, Plan(1.0, 1.0, 1000, 0), 1000, None),
    "beta=4": Run(10, Plan(4.0, 4.0, 1000, 0), 1000, None),
    "beta=16": Run(10, Plan(16.0, 16.0, 1000, 0), 1000, None),
}


def train(name: str, folder: Path, seed: int = 0) -> Path:
    """Train a run in `folder`/`name`, unless it is there, and return its folder."""
    run, place = RUNS[name], folder / name
    if (place / "polar.jsonl").exists():
        return place
    x = images("sprites")
    if name == "demo":
        camera = Camera(run.steps)
        training = start(x, run.plan, sinks=(camera,), log_dir=place, seed=seed)
        training.run(lambda _: None, run.steps)
        training.monitor.probe(x[:1024], loss=lambda output, batch: bernoulli(batch, output[0]))
        training.monitor.evaluate()
        training.monitor.detach()
        camera.save(place / CONSOLE)
        return place
    torch.manual_seed(seed)
    model = BetaVae(x.shape[1], run.dimensions, HIDDEN)
    monitor = polar_monitor.attach(model, every=run.every, max_overhead=0.2, log_dir=place)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    for step in range(run.steps):
        beta = run.plan.at(step)
        monitor.log(beta=beta)
        loss = model.loss(x[torch.randint(len(x), (BATCH,))], beta)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    monitor.detach()
    return place
