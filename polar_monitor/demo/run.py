"""The demo: a β-VAE polarises, then β ramps up and its dimensions are lost one by one, each warned of before."""

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
"""The demo looks every 20 steps, which only a demo needs to do: it may spend more than the usual 1 %."""


@dataclass(frozen=True)
class Plan:
    """How β goes: constant for `settle` steps, then up by a constant factor a step to `top` in `ramp` steps."""

    beta: float
    top: float
    settle: int
    ramp: int

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.settle + self.ramp

    def at(self, step: int) -> float:
        """β at a step."""
        risen = max(step - self.settle, 0) / max(self.ramp, 1)
        return float(self.beta * (self.top / self.beta) ** risen)


PLANS = {"sprites": Plan(1.0, 120.0, 1200, 1200), "digits": Plan(0.5, 8.0, 1200, 1200)}


def images(name: str) -> Tensor:
    """The data set (n, pixels). Raises ImportError, which names the extra to install, for digits without theirs."""
    return data.digits()[0] if name == "digits" else data.sprites(16384)[0]


@dataclass
class Training:
    """A training loop as anybody's; nothing in `run` knows of the monitor."""

    model: BetaVae
    monitor: PolarMonitor
    x: Tensor
    plan: Plan

    def run(self, say: Callable[[str], None], steps: int) -> None:
        """Train for so many steps of the plan; `say` is told of its phases."""
        optimizer = torch.optim.Adam(self.model.parameters(), RATE)
        say(f"phase 1: {len(self.x)} images, {LATENTS} latents, beta = {self.plan.beta:g}: the latents polarise")
        for step in range(steps):
            if step == self.plan.settle:
                say(f"phase 2: from step {step} on beta ramps up from {self.plan.beta:g} to {self.plan.top:g}")
            loss = self.model.loss(self.x[torch.randint(len(self.x), (BATCH,))], self.plan.at(step))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def start(x: Tensor, plan: Plan, *, sinks: tuple[Sink, ...], log_dir: str | os.PathLike[str]) -> Training:
    """A β-VAE and its monitor, ready to train on x (n, pixels)."""
    model = BetaVae(x.shape[1], LATENTS, HIDDEN)
    monitor = polar_monitor.attach(
        model, every=EVERY, max_overhead=MAX_OVERHEAD, warmup=plan.settle, log_dir=log_dir, sinks=sinks
    )
    return Training(model, monitor, x, plan)


def outcome(monitor: PolarMonitor) -> list[str]:
    """For each dimension that was lost: when that was warned of, and how far ahead."""
    warned: dict[int | None, int] = {}
    lines = []
    for alert in monitor.alerts:
        if alert.kind is AlertKind.FADING:
            warned[alert.dimension] = alert.step
        elif alert.kind is AlertKind.LOST:
            at = warned.pop(alert.dimension, None)
            ahead = "without a warning" if at is None else f"warned of at step {at}, {alert.step - at} steps before"
            lines.append(f"dimension {alert.dimension} lost at step {alert.step}: {ahead}")
    return lines
