"""Third-party rules, and a monitor that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polar_monitor import PolarMonitor
from polar_monitor.alerts import custom_rule
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.sinks.jsonl import JsonlSink


class Weak:
    """Says once that the total is below a nat."""

    def start(self) -> Any:
        return {"told": False}

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        if snapshot is None or state["told"] or snapshot.information.sum() > 1.0:
            return state, ()
        return {"told": True}, [
            custom_rule.alert(step, "less than a nat", evidence={"total": snapshot.information.sum()})
        ]


class Broken(Weak):
    """Fails."""

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        raise RuntimeError("no such table")


class Counting:
    """Says at every evaluation how many there were, and the least mean so far."""

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def start(self) -> Any:
        return {"count": 0, "least": float("inf")}

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        state["count"] += 1  # in place, as a careless rule would
        state["least"] = min(state["least"], float(snapshot.mean.min()))
        evidence = {"count": state["count"], "least": state["least"], "unknown": float("nan")}
        return state, [custom_rule.alert(step, "counted", evidence=evidence)] if state[
            "count"
        ] % self.every == 0 else ()


def run(log: Path | None, steps: range, state: Any = None, **options: Any) -> PolarMonitor:
    """Two dimensions that carry next to nothing."""
    options = {"every": 1, "window": 512, "max_overhead": 1.0} | options
    monitor = PolarMonitor(sinks=[] if log is None else [JsonlSink(log)], **options)
    if state is not None:
        monitor.load_state_dict(state)
    for step in steps:
        monitor.log(beta=0.1 * step)
        monitor.observe(np.random.default_rng(step).normal(size=(512, 2)) * 0.01, var=np.ones((512, 2)))
        monitor.step()
    monitor.detach()
    return monitor


def custom(alerts: Sequence[Alert]) -> list[tuple[int, str]]:
    return [(alert.step, alert.message) for alert in alerts if alert.kind is AlertKind.CUSTOM]
