"""The demo: a β-VAE polarises, then β rises and its dimensions are lost one by one, each after a warning."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import polar_monitor

from ..alerts.alert import AlertKind
from ..monitor.monitor import PolarMonitor
from ..sinks import Sink
from . import data
from .models import BetaVae

LATENTS, HIDDEN, BATCH = 10, 128, 128
RATE = 2e-3
EVERY = 20
MAX_OVERHEAD = 0.1
"""Share of the loop's time. The demo evaluates every 20 steps, so it may take more than the usual 1 %."""


@dataclass(frozen=True)
class Plan:
    """Schedule of β: constant for `settle` steps, then up by a constant factor a step to `top` in `ramp` steps."""

    beta: float
    top: float
    settle: int
    ramp: int

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.settle + self.ramp

    def at(self, step: int) -> float:
        """Return β at a step."""
        progress = max(step - self.settle, 0) / max(self.ramp, 1)
        return float(self.beta * (self.top / self.beta) ** progress)


PLANS = {"sprites": Plan(1.0, 120.0, 1200, 1200), "digits": Plan(0.5, 8.0, 1200, 1200)}


def images(name: str) -> Tensor:
    """Return the images of a data set (n, pixels). Raises ImportError for digits without scikit-learn."""
    return data.digits()[0] if name == "digits" else data.sprites(16384)[0]


@dataclass
class Training:
    """Plain training loop; nothing in `run` knows of the monitor."""

    model: BetaVae
    monitor: PolarMonitor
    x: Tensor
    plan: Plan

    def run(self, say: Callable[[str], None], steps: int) -> None:
        """Train for so many steps of the plan; `say` gets a line at the start of each phase."""
        optimizer = torch.optim.Adam(self.model.parameters(), RATE)
        say(f"phase 1: {len(self.x)} images, {LATENTS} latents, beta = {self.plan.beta:g}: the latents polarise")
        for step in range(steps):
            if step == self.plan.settle:
                say(f"phase 2: from step {step} on beta ramps up from {self.plan.beta:g} to {self.plan.top:g}")
            loss = self.model.loss(self.x[torch.randint(len(self.x), (BATCH,))], self.plan.at(step))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def start(
    x: Tensor, plan: Plan, *, sinks: tuple[Sink, ...], log_dir: str | os.PathLike[str], seed: int = 0
) -> Training:
    """Return a β-VAE and its monitor, ready to train on x (n, pixels); `seed` fixes the weights and the training."""
    torch.manual_seed(seed)
    model = BetaVae(x.shape[1], LATENTS, HIDDEN)
    monitor = polar_monitor.attach(
        model, every=EVERY, max_overhead=MAX_OVERHEAD, warmup=plan.settle, log_dir=log_dir, sinks=sinks
    )
    return Training(model, monitor, x, plan)


def outcome(monitor: PolarMonitor) -> list[str]:
    """Return a line for each lost dimension: the step of its loss, and the warning before it."""
    warned: dict[int, int] = {}
    lines = []
    for alert in monitor.alerts:
        if alert.kind is AlertKind.FADING:
            warned |= dict.fromkeys(alert.dimensions, alert.step)
        elif alert.kind is AlertKind.LOST:
            for j in alert.dimensions:
                at = warned.pop(j, None)
                ahead = "without a warning" if at is None else f"warned of at step {at}, {alert.step - at} steps before"
                lines.append(f"dimension {j} lost at step {alert.step}: {ahead}")
    return lines
