"""Checkpoints of healthy steps: which are kept, which one is pointed to, and that a failing disk harms nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.alerts import AlertKind
from polar_monitor.healthy import CALM, KeepHealthy


def trained(keeper: KeepHealthy, steps: int = 60, onset: int = 30) -> PolarMonitor:
    """A dimension that fades from `onset` on."""
    monitor = PolarMonitor(sinks=[keeper], every=1, window=512, max_overhead=1.0)
    for step in range(1, steps + 1):
        left = np.array([1.0, np.exp(-max(step - onset, 0) / 6)])
        mean = np.random.default_rng(step).normal(size=(512, 2)) * left
        monitor.observe(mean, var=np.broadcast_to(np.clip(1 - 0.95 * left**2, 0.05, 1), mean.shape))
        monitor.step()
    monitor.detach()
    return monitor


def test_the_file_of_the_last_healthy_step_is_kept_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[int] = []

    def save() -> dict[str, Any]:
        counted.append(len(counted))
        return {"saved": len(counted)}

    keeper = KeepHealthy(tmp_path, save, keep=6)
    monitor = trained(keeper, 40)
    first = next(alert for alert in monitor.alerts if alert.kind in (AlertKind.FADING, AlertKind.DRAIN))
    assert first.last_healthy_step is not None
    assert keeper.healthy is not None
    step = int(keeper.healthy.stem.removeprefix("healthy-"))
    assert step <= first.last_healthy_step
    assert step == max(one for one in keeper.steps if one <= first.last_healthy_step)
    assert first.last_healthy_step - step <= 0.5 * (first.step - step) + 1
    assert torch.load(keeper.healthy, weights_only=True) == {"saved": step}
    assert sum("last healthy checkpoint" in record.message for record in caplog.records) == 1
    assert sorted(tmp_path.iterdir()) == sorted(keeper.file(step) for step in keeper.steps)
    assert monitor.health().errors == 0


def test_nothing_is_saved_while_it_is_not_well_and_again_after_that(tmp_path: Path) -> None:
    keeper = KeepHealthy(tmp_path, dict)
    monitor = trained(keeper, 100)
    last = max(alert.step for alert in monitor.alerts)
    kept = [step for step in keeper.steps if step > last]
    assert kept
    assert min(kept) >= last + CALM
    assert keeper.healthy is None


@given(st.integers(1, 8), st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_the_newest_is_kept_and_the_rest_lie_the_wider_the_farther_back(keep: int, gaps: list[int]) -> None:
    keeper = KeepHealthy.__new__(KeepHealthy)
    keeper.keep, keeper.steps, keeper.folder = keep, [], Path("nowhere")
    step = 0
    for gap in gaps:
        step += gap
        keeper.steps.append(step)
        while len(keeper.steps) > keep:
            keeper._drop(step)
    assert keeper.steps[-1] == step
    assert keeper.steps == sorted(set(keeper.steps))
    assert len(keeper.steps) == min(keep, len(gaps))
    if keep > 1:
        assert keeper.steps[0] == gaps[0]


def test_files_of_an_earlier_part_of_the_run_are_taken_over(tmp_path: Path) -> None:
    trained(KeepHealthy(tmp_path, dict), 10)
    assert KeepHealthy(tmp_path, dict).steps[-1] == 10


def test_a_disk_that_fails_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monitor = trained(KeepHealthy(tmp_path, full), 20)
    assert monitor.health().sink_drops > 0
    assert monitor.health().evaluations == 20
    assert sum("No space left" in record.message for record in caplog.records) == 1


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(PolarMonitorError, match="save: expected a callable"):
        KeepHealthy(tmp_path, {})  # type: ignore[arg-type]
    with pytest.raises(PolarMonitorError, match="keep: expected a whole number of 1"):
        KeepHealthy(tmp_path, dict, keep=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match="cannot make"):
        KeepHealthy(tmp_path / "file" / "below", dict)
