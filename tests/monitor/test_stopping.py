"""A loop that wants to end on a collapse, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from polar_monitor import CollapseError, PolarMonitor
from polar_monitor.alerts.alert import AlertKind


def losing(monitor: PolarMonitor, kept: float) -> Iterator[int]:
    """Two dimensions in use, of whose information a share is kept from step 15 on."""
    for step in range(1, 41):
        rng = np.random.default_rng(step)
        left = 1.0 if step <= 15 else max(np.exp(-(step - 15) / 3), kept)
        mean = rng.normal(size=(512, 2)) * left
        monitor.observe(mean, var=np.full(mean.shape, np.clip(1 - 0.95 * left**2, 0.05, 1)))
        monitor.step()
        yield step


def test_a_loop_ends_on_a_collapse() -> None:
    monitor = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    ended = 0
    for step in losing(monitor, 0.0):
        ended = step
        if monitor.should_stop:
            break
        monitor.raise_on_collapse()
    with pytest.raises(CollapseError, match=f"step {ended}: no informative dimension is left"):
        monitor.raise_on_collapse()


def test_and_goes_on_while_anything_is_in_use() -> None:
    monitor = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    for _ in losing(monitor, 0.7):
        monitor.raise_on_collapse()
        assert not monitor.should_stop
    assert monitor.alerts


def test_a_model_that_comes_back_is_no_reason_to_stop() -> None:
    """Two dimensions are lost and come into use again."""
    monitor = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    for _ in losing(monitor, 0.0):
        pass
    assert monitor.should_stop
    for step in range(20):
        rng = np.random.default_rng(step)
        monitor.observe(rng.normal(size=(512, 2)), var=np.full((512, 2), 0.05))
        monitor.step()
    assert any(alert.kind is AlertKind.COLLAPSE for alert in monitor.alerts)
    assert not monitor.should_stop
    monitor.raise_on_collapse()
    resumed = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0)
    resumed.load_state_dict(monitor.state_dict())
    assert not resumed.should_stop
