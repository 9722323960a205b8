"""Plain healthy training from the first step to the last: nine kinds, each a function that draws a course.

Nothing happens to the models but their training. Dimensions come into use, many more than the data need; some of them
are given up again while others take over and the total still grows. No run has a warm-up of the monitor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .course import Course, Host, Kind, Setup

BETAS = {"digits": (0.25, 0.5, 1.0), "sprites": (0.5, 1.0, 2.0, 4.0), "large_sprites": (1.0, 2.0, 4.0, 8.0)}
"""Prices at which a model of these data keeps dimensions in use: a sum over four times the pixels pays for more."""
RATES = (5e-4, 1e-3, 2e-3)


def small_sprites(rng: np.random.Generator) -> Course:
    """A perceptron on sprites of 16 pixels."""
    return Course(_drawn(rng, hidden=_one(rng, (64, 128, 256)), batch=_one(rng, (32, 64, 128)), steps=4000))


def large_sprites(rng: np.random.Generator) -> Course:
    """A perceptron on sprites of 32 pixels."""
    return Course(_drawn(rng, data="large_sprites", batch=_one(rng, (32, 64, 128)), steps=3500))


def convolutional(rng: np.random.Generator) -> Course:
    """A convolutional encoder on sprites of 16 or 32 pixels."""
    data = _one(rng, ("sprites", "large_sprites"))
    return Course(_drawn(rng, data=data, family="conv", hidden=64, batch=_one(rng, (32, 64)), steps=3000))


def small_digits(rng: np.random.Generator) -> Course:
    """A perceptron on the digits."""
    return Course(_drawn(rng, data="digits", batch=_one(rng, (32, 64, 128, 256)), steps=4500))


def many_latents(rng: np.random.Generator) -> Course:
    """Latents of 32 or 128 dimensions, of which most are to spare."""
    data = _one(rng, ("sprites", "digits"))
    return Course(_drawn(rng, data=data, latents=_one(rng, (32, 128)), batch=_one(rng, (64, 128)), steps=3000))


def large_batches(rng: np.random.Generator) -> Course:
    """Batches of 256 or 512: many epochs of the same images."""
    data = _one(rng, ("sprites", "digits"))
    rate = _one(rng, (1e-3, 2e-3, 4e-3))
    return Course(_drawn(rng, data=data, batch=_one(rng, (256, 512)), rate=rate, steps=3000))


def undeclared_warm_up(rng: np.random.Generator) -> Course:
    """β rises from 0 to its value over 300 to 1,500 steps, and the monitor is not told."""
    data, length = _one(rng, ("sprites", "digits")), int(rng.integers(300, 1501))
    setup = _drawn(rng, data=data, steps=length + 2500)

    def change(host: Host, step: int) -> None:
        host.beta = setup.nominal * min((step + 1) / length, 1.0)

    return Course(setup, change)


def decaying_rate(rng: np.random.Generator) -> Course:
    """The learning rate falls to nothing by a cosine: training to the very end."""
    setup = _drawn(rng, data=_one(rng, ("sprites", "digits")), steps=4000)

    def change(host: Host, step: int) -> None:
        host.set_rate(setup.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / setup.steps))))

    return Course(setup, change)


def late_risers(rng: np.random.Generator) -> Course:
    """A small learning rate: nothing comes into use for a long time."""
    family, rate = _one(rng, ("mlp", "conv")), _one(rng, (1e-4, 2e-4))
    nominal, batch = _one(rng, (0.5, 1.0)), _one(rng, (32, 64))
    return Course(_drawn(rng, family=family, hidden=64, nominal=nominal, rate=rate, batch=batch, steps=4500))


def _drawn(rng: np.random.Generator, data: str = "sprites", **given: Any) -> Setup:
    """A set-up of 10 latents whose price, learning rate and batch are drawn, with some given."""
    nominal, rate, batch = _one(rng, BETAS[data]), _one(rng, RATES), _one(rng, (64, 128))
    return replace(Setup(data=data, nominal=nominal, rate=rate, batch=batch, hidden=96), **given)


def _one(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


PLAIN: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        small_sprites,
        large_sprites,
        convolutional,
        small_digits,
        many_latents,
        large_batches,
        undeclared_warm_up,
        decaying_rate,
        late_risers,
    )
}
