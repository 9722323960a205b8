"""Runs of the suite of the early warning with the rises that a test gives them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.alerts.training.course import Setup
from bench.alerts.training.record import Run

TINY = Setup(data="digits", latents=4, hidden=32, nominal=0.1, batch=64, steps=700, pace=14, every=14, window=1024)


def made(rise: Any, *, healthy: bool = False, warmup: int = 0, seed: int = 0, **host: Any) -> Run:
    """Return a run with the given rises (T, D), an evaluation every 25 steps from step 25 on, at a price of 1."""
    rise = np.asarray(rise, np.float64)
    steps = 25 * np.arange(1, len(rise) + 1)
    total = host.pop("total", rise.sum(axis=1))
    flat = np.zeros(len(rise))
    truth = {"rise": rise, "rise_se": 0.01 * np.abs(rise), "total": total, "total_se": flat}
    truth |= {"mi": host.pop("mi", flat), "validation": host.pop("validation", np.nanmax(total) - total)}
    truth |= {name: host.pop(name, flat + 1) for name in ("noise", "beta")}
    return Run(
        name=f"made-{seed}",
        kind="made",
        seed=seed,
        healthy=healthy,
        every=25,
        warmup=warmup,
        nominal=1.0,
        said="",
        seconds=0.0,
        recipe="",
        known=(),
        alerts=(),
        labels=np.zeros(rise.shape, np.int8),
        steps=steps,
        observed=np.full(len(steps), 2400),
        snapshots={"variance": host.pop("variance", np.ones(rise.shape))},
        seldom={},
        host={"kl": flat, "beta": flat + 1, "rate": flat + 1, **host},
        truth_steps=steps,
        truth=truth,
    )


def at(place: int) -> int:
    """Return the step of an evaluation."""
    return 25 * (place + 1)


STEADY = np.full(60, 5.0)
GONE = np.concatenate([np.full(30, 5.0), 5.0 * 0.74 ** np.arange(1, 31)])
"""At 90 % of the plateau for the last time at 29; 0.74^10 = 0.049 is the first below 5 % of it: lost at 39."""
BROKEN = np.concatenate([np.full(30, 5.0), np.zeros(30)])
