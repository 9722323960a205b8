"""Runs the alert engine over made-up histories of information."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge

KINDS = frozenset(AlertKind(name) for name in (
    "fading", "lost", "revived", "drain", "collapse", "variance_collapse", "non_finite", "silent",
    "settling",
))  # fmt: skip
"""Kinds that these tests list in full. A new built-in alert has tests of its own and stays out of theirs."""
RULES = AlertRules(kinds=KINDS)
STEADY = [2.0] * 40
RAMP = [1.5] * 12 + [1.5 * 0.85**t for t in range(28)]


def run(
    histories: Sequence[Sequence[float]],
    *,
    noise: float = 0.005,
    warmup: int = 0,
    split: int = -1,
    every: int = 25,
    rows: int = 2400,
    kinds: Collection[str] = KINDS,
) -> list[Alert]:
    """Return the alerts of a run in which dimension j carries histories[j][t] nats at evaluation t.

    An evaluation comes every 25 steps and has 2,400 new rows of the 4,096 in its window, as with batches of 96.
    """
    rules = AlertRules(kinds=frozenset(kinds))
    rng = np.random.default_rng(1)
    engine, regime, alerts = AlertEngine(), None, []
    for t, row in enumerate(zip(*histories, strict=True)):
        nats = np.maximum(np.array(row) + noise * rng.normal(size=len(row)), 0.0)
        snapshot = make_snapshot(every * (t + 1), [PASSIVE] * len(row), information=nats.tolist())
        snapshot = replace(snapshot, information_se=np.full(len(row), noise), information_upper=nats + 0.001)
        regime = judge(snapshot, regime)
        if t == split:
            engine = restarted(engine)
        alerts += engine.evaluate(Observation(snapshot.step, rows, snapshot, regime), rules, warmup)
    return alerts


def run_at(steps: Iterable[int], nats: Callable[[int], float], *, noise: float = 0.005, batch: int = 96) -> list[Alert]:
    """Return the alerts of a run evaluated at some steps: one dimension carries `nats` at a step, the other 4 nats."""
    rng = np.random.default_rng(1)
    engine, regime, alerts, before = AlertEngine(), None, [], 0
    for step in steps:
        rows = min(batch * step, 4096)
        levels = np.maximum(np.array([nats(step), 4.0]) + noise * rng.normal(size=2), 0.0)
        snapshot = make_snapshot(step, [PASSIVE] * 2, information=levels.tolist(), bins=4)
        snapshot = replace(snapshot, n=rows, information_se=np.full(2, noise), information_upper=levels + 0.001)
        regime = judge(snapshot, regime)
        alerts += engine.evaluate(Observation(step, batch * (step - before), snapshot, regime), RULES)
        before = step
    return alerts


def restarted(engine: AlertEngine) -> AlertEngine:
    """Return another engine with the state of this one, through JSON."""
    other = AlertEngine()
    other.load_state_dict(json.loads(json.dumps(engine.state_dict())))
    return other


def kinds(alerts: Sequence[Alert]) -> list[str]:
    return [str(alert.kind) for alert in alerts]
