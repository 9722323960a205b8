"""Exact exponential decays of the information, with the noise of the estimator: whether the forecast holds the end.

Rows are drawn from the posteriors of Gaussian dimensions and go through the statistics, labels and rules of a monitor.
At its beginning an exponential looks like a line, which would end in a third of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge
from polar_monitor.statistics.stream import LatentStream
from polar_monitor.statistics.thresholds import INFORMATIVE

TIMES, EVERY, SEEDS = (100, 200, 400, 800, 1500), (20, 50, 100), 4
"""Time constants and spacings of the evaluations, in steps; repetitions of each pair."""
BEGIN, HIGH, STEADY, BATCH = 800, 3.0, 2.5, 96
"""Step at which the decay begins, nats from which it falls, those of two other dimensions, and rows of a step."""


class Forecasted(NamedTuple):
    """The first FADING of a decay."""

    time: int
    every: int
    held: bool | None
    """Whether its interval holds the end; None without a forecast."""


def decays(seeds: int = SEEDS) -> Iterator[Forecasted]:
    """Run every pair of a time constant and a spacing some times."""
    for time in TIMES:
        for every in EVERY:
            for seed in range(seeds):
                end = BEGIN + time * math.log(HIGH / INFORMATIVE)
                alerts = alerts_of(time, every, seed, int(end) + 2 * every)
                forecast = next((alert.forecast for alert in alerts if alert.kind == "fading"), None)
                held = None if forecast is None else forecast.low <= end <= (forecast.high or math.inf)
                yield Forecasted(time, every, held)


def alerts_of(time: int, every: int, seed: int, last: int) -> list[Alert]:
    """The alerts of one decay up to a step."""
    rng = np.random.default_rng((time, every, seed))
    stream, engine, regime, alerts = LatentStream(3), AlertEngine(), None, list[Alert]()
    for step in range(every, last + 1, every):
        steps = np.repeat(np.arange(step - every, step), BATCH)
        nats = np.full((len(steps), 3), STEADY)
        nats[:, 0] = HIGH * np.exp(-np.maximum(steps - BEGIN, 0) / time)
        variance = np.exp(-2 * nats)
        means = rng.normal(size=nats.shape) * np.sqrt(1 - variance)
        stream.update(means.astype(np.float32), variance.astype(np.float32))
        snapshot = stream.snapshot(step)
        regime = judge(snapshot, regime)
        alerts += engine.evaluate(Observation(step, len(steps), snapshot, regime), AlertRules())
    return alerts


def table(seeds: int = SEEDS) -> str:
    """Of the decays with a forecast, how many ended in its interval, by time constant and spacing."""
    found = list(decays(seeds))
    lines = [f"| time constant | {' | '.join(f'every={e}' for e in EVERY)} | all |", "| --- " * (len(EVERY) + 2) + "|"]
    for time in (*TIMES, None):
        mine = [one for one in found if time in (None, one.time)]
        cells = [_cell([one for one in mine if one.every == every]) for every in EVERY]
        lines.append(f"| {time or 'all'} | {' | '.join(cells)} | {_cell(mine)} |")
    return "\n".join(lines) + "\n"


def _cell(of: list[Forecasted]) -> str:
    known = [one.held for one in of if one.held is not None]
    return f"{sum(known)} of {len(known)}"
