"""Healthy runs that look alarming: eleven kinds beside plain training, each a function that draws a course.

None has a cause of collapse. Some lose a dimension all the same, as the truth finds: a warning of that is not false.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from .course import Course, Host, Kind, drawn
from .data import HELD, SIDE, easy_sprites, images
from .plain import PLAIN
from .train import one_step, optimizer_of, restart


def warm_up(rng: np.random.Generator) -> Course:
    """β rises from 0 to its value; the user says so with `warmup`."""
    setup, length = drawn(rng), int(rng.integers(20, 61))
    setup = replace(setup, steps=(length + 70) * setup.pace, warmup=length * setup.pace)

    def change(host: Host, step: int) -> None:
        host.beta = setup.nominal * min((step + 1) / setup.warmup, 1.0)

    return Course(setup, change)


def cyclical(rng: np.random.Generator) -> Course:
    """β goes from a part of its value to all of it, again and again (Fu et al. 2019)."""
    setup, period = drawn(rng, latents=6), int(rng.integers(15, 31))
    setup = replace(setup, steps=120 * setup.pace, nominal=0.5 * setup.nominal, warmup=2 * period * setup.pace)

    def change(host: Host, step: int) -> None:
        phase = (step / setup.pace % period) / period
        host.beta = setup.nominal * min(max(2 * phase, 0.1), 1.0)

    return Course(setup, change)


def superfluous(rng: np.random.Generator) -> Course:
    """More dimensions than the data need: those to spare go passive early."""
    setup = drawn(rng, latents=int(rng.integers(12, 17)))
    return Course(replace(setup, steps=110 * setup.pace, nominal=2 * setup.nominal))


def rate_drop(rng: np.random.Generator) -> Course:
    """The learning rate falls tenfold, twice."""
    setup, first = drawn(rng), int(rng.integers(40, 60))
    setup = replace(setup, steps=120 * setup.pace)

    def change(host: Host, step: int) -> None:
        drops = (step >= first * setup.pace) + (step >= (first + 30) * setup.pace)
        host.set_rate(setup.rate * 0.1**drops)

    return Course(setup, change)


def small_batches(rng: np.random.Generator) -> Course:
    """Batches of a few images at a high learning rate: everything is noisy."""
    setup = drawn(rng, batch=int(rng.choice([8, 12, 16])), rate=3e-3, window=1024)
    return Course(replace(setup, steps=120 * setup.pace))


def batch_norm(rng: np.random.Generator) -> Course:
    """Batch norm goes from the statistics of the batch to the running ones and back, as when layers are frozen."""
    setup, period = drawn(rng, family="norm", hidden=96), int(rng.integers(8, 25))
    setup = replace(setup, steps=110 * setup.pace)

    def change(host: Host, step: int) -> None:
        frozen = step >= 40 * setup.pace and step // (period * setup.pace) % 2 == 1
        for module in host.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.train(not frozen)

    return Course(setup, change)


def curriculum(rng: np.random.Generator) -> Course:
    """The data change: from easy images to all of them, or back."""
    setup, at = drawn(rng, data="sprites"), int(rng.integers(40, 60))
    setup, harder = replace(setup, steps=120 * setup.pace), bool(rng.random() < 0.5)

    def change(host: Host, step: int) -> None:
        if step == (0 if harder else at * setup.pace):
            host.x = easy_sprites()
        elif step in (0, at * setup.pace):
            host.x = images("sprites")[:-HELD]

    return Course(setup, change)


def longer(rng: np.random.Generator) -> Course:
    """A curriculum of longer sequences: images of which more and more rows are shown."""
    setup, stages = drawn(rng, data="sprites"), int(rng.integers(2, 5))
    setup = replace(setup, steps=120 * setup.pace)

    def change(host: Host, step: int) -> None:
        stage = min(step * (stages + 1) // (80 * setup.pace), stages)
        rows = SIDE // 2 + (SIDE // 2) * stage // stages
        host.pixels = (torch.arange(SIDE * SIDE) < rows * SIDE).float()

    return Course(setup, change)


def fine_tune(rng: np.random.Generator) -> Course:
    """Going on from a checkpoint, at a lower learning rate, on data that are a little different."""
    setup, before = drawn(rng), int(rng.integers(1000, 2000))
    setup = replace(setup, steps=80 * setup.pace)

    def start(host: Host) -> None:
        for _ in range(before):
            one_step(host)
        host.optimizer = optimizer_of(host.model, 0.3 * setup.rate)
        host.x, host.held = 0.1 + 0.8 * host.x, 0.1 + 0.8 * host.held

    return Course(setup, start=start)


def resume(rng: np.random.Generator) -> Course:
    """Killed and resumed, once or twice: model, optimiser and monitor are made anew from their states."""
    setup, times = drawn(rng), sorted(int(t) for t in rng.integers(20, 90, 2))
    setup = replace(setup, steps=110 * setup.pace)

    def change(host: Host, step: int) -> None:
        if step in [t * setup.pace + 7 for t in times]:
            restart(host)

    return Course(setup, change)


def trading(rng: np.random.Generator) -> Course:
    """Dimensions in use trade places: at once, or turned into each other little by little."""
    setup, at = drawn(rng, family="mlp", hidden=96), int(rng.integers(40, 60))
    setup, turn = replace(setup, steps=110 * setup.pace), int(rng.choice([1, 10 * setup.pace, 25 * setup.pace]))
    pair: list[int] = []

    def change(host: Host, step: int) -> None:
        since = step - at * setup.pace
        if since == 0:
            pair[:] = _unlike(host)
        if 0 <= since < turn:
            _turn(host, pair, math.pi / 2 / turn, swap=since == turn // 2)

    return Course(setup, change)


@torch.no_grad()
def _unlike(host: Host) -> list[int]:
    """Of the dimensions in use (KL above half a nat on held-out images), that of the largest and the smallest KL."""
    mean, logvar = host.model.posterior(host.held)
    kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean(0)
    order = torch.argsort(kl).tolist()
    return [order[-1], next(j for j in order if kl[j] > 0.5)]


@torch.no_grad()
def _turn(host: Host, pair: list[int], angle: float, swap: bool) -> None:
    """Rotate two dimensions of the mean, and the decoder with them; `swap` their log-variances."""
    c, s = math.cos(angle), math.sin(angle)
    turned = torch.tensor([[c, -s], [s, c]])
    head, first = host.model.fc_mu, host.model.decoder[0]  # type: ignore[index]
    head.weight[pair] = turned @ head.weight[pair]
    head.bias[pair] = turned @ head.bias[pair]
    first.weight[:, pair] = first.weight[:, pair] @ turned.T
    if swap:
        for values in (host.model.fc_logvar.weight, host.model.fc_logvar.bias):
            values[pair] = values[pair[::-1]]


HEALTHY: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        warm_up,
        cyclical,
        superfluous,
        rate_drop,
        small_batches,
        batch_norm,
        curriculum,
        longer,
        fine_tune,
        resume,
        trading,
    )
} | PLAIN
