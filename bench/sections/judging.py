"""Labels and alerts of an evaluation in which nothing falls: `pytest bench/sections/judging.py`.

`seconds(dimensions)` gives the medians to a table. Snapshots are made before; half of the dimensions are active.
"""

import math
import time
from dataclasses import fields
from statistics import median

import numpy as np
import pytest

from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge
from polar_monitor.statistics.snapshot import Snapshot

WARM = 20
"""Evaluations after which labels, streaks and trends are settled."""


def snapshots(dimensions: int, evaluations: int = 80) -> list[Snapshot]:
    """Light snapshots of a polarised code; the information varies by one per cent between evaluations."""
    rng = np.random.default_rng(0)
    level = np.where(np.arange(dimensions) % 2 == 0, 2.0, 0.01)
    names = [f.name for f in fields(Snapshot) if f.type == "Array"]
    made = []
    for t in range(evaluations):
        arrays = {name: np.full(dimensions, 0.01) for name in names}
        nats = level * (1.0 + 0.01 * rng.normal(size=dimensions))
        arrays |= {"information": nats, "information_upper": nats + 0.005, "valley": np.ones(dimensions)}
        arrays |= {"finite": np.full(dimensions, 4096.0), "non_finite": np.zeros(dimensions)}
        counts = {"rows": 4096, "n": 4096, "independent": 4096}
        made.append(Snapshot(step=100 * t, **counts, has_variance=True, resolution=math.nan, **arrays, full=False))
    return made


def seconds(dimensions: int) -> dict[str, float]:
    """Return the median seconds of `judge` and of the alert engine."""
    engine, regime, rules = AlertEngine(), None, AlertRules()
    taken: dict[str, list[float]] = {"judge": [], "alerts": []}
    for s in snapshots(dimensions):
        start = time.perf_counter()
        regime = judge(s, regime)
        judged = time.perf_counter()
        engine.evaluate(Observation(s.step, 100, s, regime), rules)
        taken["alerts"].append(time.perf_counter() - judged)
        taken["judge"].append(judged - start)
    return {name: median(times[WARM:]) for name, times in taken.items()}


@pytest.mark.parametrize("dimensions", [10, 32, 512])
def test_labels_and_alerts(benchmark, dimensions):
    """One evaluation after the other, each with a snapshot of its own."""
    engine, rules, state = AlertEngine(), AlertRules(), {"regime": None}
    made = snapshots(dimensions, 400)

    def evaluate(s: Snapshot) -> None:
        state["regime"] = judge(s, state["regime"])
        engine.evaluate(Observation(s.step, 100, s, state["regime"]), rules)

    for s in made[:WARM]:
        evaluate(s)
    rest = iter(made[WARM:])
    benchmark.pedantic(evaluate, setup=lambda: ((next(rest),), {}), rounds=300)
    assert state["regime"].count(state["regime"].labels[0]) == (dimensions + 1) // 2
