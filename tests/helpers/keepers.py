"""Keepers of healthy checkpoints, and evaluations to feed them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from records import ACTIVE, PASSIVE, make_alert, make_evaluation

from polar_monitor import PolarMonitor
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.healthy import RECOVERED_EVALUATIONS, KeepHealthy
from polar_monitor.regime.label import Label

LOST, FADING, DRAIN, COLLAPSE = AlertKind.LOST, AlertKind.FADING, AlertKind.DRAIN, AlertKind.COLLAPSE
BOTH, ONE, NONE = (ACTIVE, ACTIVE), (ACTIVE, PASSIVE), (PASSIVE, PASSIVE)
BACK = RECOVERED_EVALUATIONS
FULL = OSError(28, "No space left on device")


def alert(
    step: int, kind: AlertKind, dimension: int | None = 1, healthy: int | None = None, **evidence: float
) -> tuple[Alert, ...]:
    return (replace(make_alert(step, dimension, kind), last_healthy_step=healthy, evidence=evidence),)


def feed(
    keeper: KeepHealthy,
    steps: range | list[int],
    labels: tuple[Label, ...] = BOTH,
    nats: tuple[float, ...] = (2.0, 1.0),
    **more: Any,
) -> None:
    """Write evaluations of two dimensions, two and one nats without more words."""
    for step in steps:
        keeper.write(make_evaluation(step, labels, information=nats, **more))


def on_disk(folder: Path) -> list[int]:
    return sorted(int(file.stem.removeprefix("healthy-")) for file in folder.glob("healthy-*.pt"))


def run(
    keeper: KeepHealthy,
    steps: int,
    onset: float = 30,
    lost: int = 1,
    with_state: bool = False,
    state: dict[str, Any] | None = None,
) -> PolarMonitor:
    """Watch two dimensions, of which the last `lost` fade from `onset` on."""
    monitor = PolarMonitor(sinks=[keeper], every=1, window=512, max_overhead=1.0)
    if state is not None:
        monitor.load_state_dict(state)
    if with_state:
        keeper.save = lambda: {"monitor": monitor.state_dict()}
    for step in range(monitor.health().steps + 1, steps + 1):
        left = np.ones(2)
        left[-lost:] = np.exp(-max(step - onset, 0) / 6)
        mean = np.random.default_rng(step).normal(size=(512, 2)) * left
        monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape))
        monitor.step()
    monitor.detach()
    assert monitor.health().sink_drops == monitor.health().errors == 0
    return monitor


def keeper_after_a_loss(folder: Path) -> KeepHealthy:
    """All is well up to 35, and a dimension is lost at 38; the file of 30 is the one to go back to."""
    keeper = KeepHealthy(folder, dict, keep=9)
    feed(keeper, range(5, 38, 5))
    feed(keeper, [38], ONE, (2.0, 0.01), alerts=alert(38, LOST, 1, 31))
    assert keeper.healthy == keeper.file(30)
    return keeper
