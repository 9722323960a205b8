"""What makes latents collapse: twelve causes, each a function that draws a course.

Nearly every course trains in peace until its onset, `CALM` times its pace or later, and has fast and slow variants.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .course import Course, Host, Kind, drawn, geometric
from .data import SPECTRUM

CALM = 50
"""Units of a course's pace before the trouble begins: most dimensions have their place by then."""


def beta_ramp(rng: np.random.Generator) -> Course:
    """β rises by a constant factor a step until nothing pays any more (the demo's case)."""
    setup, ramp = drawn(rng), int(rng.integers(35, 96))
    onset, length = CALM * setup.pace, ramp * setup.pace
    top = setup.nominal * (40.0 if setup.data == "digits" else 150.0)

    def change(host: Host, step: int) -> None:
        host.beta = geometric(setup.nominal, top, (step - onset) / length)

    return Course(replace(setup, steps=onset + length + 10 * setup.pace), change)


def beta_jump(rng: np.random.Generator) -> Course:
    """β is set to a multiple in one step, as when a configuration is changed on a restart."""
    setup, factor = drawn(rng), float(rng.choice([12.0, 40.0, 150.0]))
    onset = CALM * setup.pace

    def change(host: Host, step: int) -> None:
        host.beta = setup.nominal * (factor if step >= onset else 1.0)

    return Course(replace(setup, steps=onset + 60 * setup.pace), change)


def reduction(rng: np.random.Generator) -> Course:
    """The reconstruction becomes a mean over pixels while the KL term stays a sum; sometimes from the first step."""
    setup = drawn(rng)
    onset = 0 if rng.random() < 0.3 else CALM * setup.pace
    pixels = 64 if setup.data == "digits" else 256

    def change(host: Host, step: int) -> None:
        host.weight = 1.0 if step < onset else 1.0 / pixels

    return Course(replace(setup, steps=onset + 80 * setup.pace), change)


def decoder_variance(rng: np.random.Generator) -> Course:
    """A learned decoder variance grows without need: its normaliser loses its weight and then its sign."""
    setup, ramp = drawn(rng, data="sprites", family="gaussian", hidden=96), int(rng.integers(30, 91))
    onset, length = CALM * setup.pace, ramp * setup.pace

    def change(host: Host, step: int) -> None:
        share = min(max((step - onset) / length, 0.0), 1.0)
        host.model.normaliser = 1.0 - 1.5 * share  # type: ignore[assignment]

    return Course(replace(setup, steps=onset + length + 25 * setup.pace), change)


def teacher_forcing(rng: np.random.Generator) -> Course:
    """The decoder is given the pixels before each pixel, little by little, until it can do without the latents."""
    setup, ramp = drawn(rng, data="sprites", family="rows", hidden=96, nominal=2.0), int(rng.integers(15, 71))
    onset, length = CALM * setup.pace, ramp * setup.pace

    def change(host: Host, step: int) -> None:
        host.model.forcing = min(max((step - onset) / length, 0.0), 1.0)  # type: ignore[assignment]

    return Course(replace(setup, steps=onset + length + 50 * setup.pace), change)


def lagging(rng: np.random.Generator) -> Course:
    """A strong decoder and a slow encoder from the first step: the inference network never catches up (He et al.).

    Most warm β up meanwhile, so that dimensions come into use and are given up again.
    """
    setup = drawn(rng, data="sprites", family="rows", hidden=96, nominal=float(rng.uniform(1.0, 2.5)), warmup=0)
    length = float(rng.choice([0, 50], p=[0.3, 0.7])) * setup.pace

    def change(host: Host, step: int) -> None:
        host.model.forcing = 1.0  # type: ignore[assignment]
        host.beta = setup.nominal * (min(step / length, 1.0) ** 2 if length else 1.0)

    return Course(replace(setup, steps=120 * setup.pace), change, slow_encoder=float(rng.choice([0.1, 0.2, 0.3])))


def rate_spike(rng: np.random.Generator) -> Course:
    """The learning rate is far too high for some steps."""
    setup, steps = drawn(rng), int(rng.integers(10, 60))
    onset, rate = CALM * setup.pace, float(rng.choice([0.04, 0.08]))

    def change(host: Host, step: int) -> None:
        host.set_rate(rate if onset <= step < onset + steps else setup.rate)

    return Course(replace(setup, steps=onset + 50 * setup.pace), change)


def weight_decay(rng: np.random.Generator) -> Course:
    """Weight decay on the encoder and its heads, stronger and stronger (the L2 term of Adam)."""
    setup, ramp = drawn(rng), int(rng.integers(20, 81))
    onset, length = CALM * setup.pace, ramp * setup.pace

    def change(host: Host, step: int) -> None:
        if step >= onset:
            host.optimizer.param_groups[0]["weight_decay"] = geometric(1e-2, 1e3, (step - onset) / length)

    return Course(replace(setup, steps=onset + length + 20 * setup.pace), change)


def dying_relu(rng: np.random.Generator) -> Course:
    """The biases of the rectified units before the heads are driven down, faster and faster, until the units die."""
    setup, ramp = drawn(rng, family="mlp", hidden=96), int(rng.integers(20, 81))
    onset, length = CALM * setup.pace, ramp * setup.pace

    def change(host: Host, step: int) -> None:
        if step >= onset:
            with torch.no_grad():
                drift = setup.rate * geometric(1.0, 1e3, (step - onset) / length)
                host.model.encoder[-2].bias.sub_(drift)  # type: ignore[index,union-attr]

    return Course(replace(setup, steps=onset + length + 15 * setup.pace), change)


def sharp(rng: np.random.Generator) -> Course:
    """β = 1e-6: the posterior becomes a point, the model a deterministic autoencoder. No dimension is lost."""
    setup = drawn(rng, nominal=1.0)
    onset = int(rng.integers(0, CALM)) * setup.pace

    def change(host: Host, step: int) -> None:
        host.beta = setup.nominal if step < onset else 1e-6

    return Course(replace(setup, steps=onset + 120 * setup.pace), change)


def never(rng: np.random.Generator) -> Course:
    """No dimension comes into use: β is 300, or the reconstruction is a mean over pixels and the KL term a sum."""
    setup, averaged = drawn(rng, warmup=0, rate=float(rng.choice([5e-4, 1e-3, 2e-3]))), bool(rng.random() < 0.5)
    pixels = 64 if setup.data == "digits" else 256

    def change(host: Host, step: int) -> None:
        host.beta, host.weight = (1.0, 1.0 / pixels) if averaged else (300.0, 1.0)

    return Course(replace(setup, steps=100 * setup.pace), change)


def linear(rng: np.random.Generator) -> Course:
    """A linear VAE under a β ramp: a dimension dies when β passes the variance of its axis, a known step."""
    setup = drawn(rng, data="gaussians", family="linear", latents=8, hidden=0, nominal=0.75, rate=8e-3)
    ramp = int(rng.integers(80, 161))
    calm, pace = 2 * CALM, 20
    setup = replace(setup, pace=pace, warmup=0, steps=(calm + ramp + 15) * pace)
    onset, length, top = calm * pace, ramp * pace, 1.3 * SPECTRUM[-1]
    deaths = [onset + length * np.log(v / setup.nominal) / np.log(top / setup.nominal) for v in SPECTRUM]

    def change(host: Host, step: int) -> None:
        host.beta = geometric(setup.nominal, top, (step - onset) / length)

    return Course(setup, change, known=tuple(int(np.ceil(step)) for step in deaths))


CAUSES: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        beta_ramp,
        beta_jump,
        reduction,
        decoder_variance,
        teacher_forcing,
        lagging,
        rate_spike,
        weight_decay,
        dying_relu,
        sharp,
        never,
        linear,
    )
}
